//! The operator's commands over a real data folder, with nobody serving and with a server.
#![allow(clippy::unwrap_used)]

use postfach_domain::chain::{AGE_RECIPIENT_LEN, GenesisParts, make_genesis};
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use postfach_proto::v1;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::authority::{Registrar, Revoke, add, revoke};
use super::link::{self, failure};
use super::request::AuthorityRequest;
use crate::clock::{Clock as _, SystemClock, system_chance};
use crate::deployment::config::Config;
use crate::deployment::config::Storage;
use crate::deployment::folder::Folder;
use crate::deployment::{keyfile, open};
use crate::failure::{Exit, Outcome};
use crate::init::{Plan, init};
use crate::net::admin_socket;
use crate::net::tls::{Certificate, server_config};
use crate::{ServeConfig, serve};

async fn deployment() -> (TempDir, Folder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::at(&dir.path().join("data"));
    let plan = Plan {
        storage: Storage::default(),
        origin: "post.example".parse().unwrap(),
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: "https://127.0.0.1:0".into(),
    };
    init(&folder, &plan, SystemClock.now(), &mut system_chance()).await.unwrap();
    (dir, folder)
}

fn recipient(seed: u8) -> Vec<u8> {
    vec![seed; AGE_RECIPIENT_LEN]
}

/// What `postfach authority init` asks for; `seed` makes the key.
fn request(seed: u8, id: &str, with_mailbox: bool) -> AuthorityRequest {
    let origin = "post.example".parse().unwrap();
    let (device, recovery) = (SecretKey::from_seed(&[seed + 1; 32]), SecretKey::from_seed(&[seed + 2; 32]));
    let genesis = make_genesis(GenesisParts {
        origin: &origin,
        device_key: &device,
        device_recipient: recipient(seed),
        device_name_sealed: Vec::new(),
        mailbox_recipient: recipient(seed + 1),
        recovery_key: &recovery,
        recovery_recipient: recipient(seed + 2),
        time: SystemClock.now(),
        nonce: [seed; 32],
    });
    let wraps = vec![(device.key_id(), vec![1; 100]), (recovery.key_id(), vec![2; 100])];
    AuthorityRequest {
        origin,
        authority_id: id.parse().unwrap(),
        display_name: "Amt".into(),
        ags: None,
        ibans: Vec::new(),
        sign_pub: SecretKey::from_seed(&[seed; 32]).public(),
        genesis: with_mailbox.then_some(genesis),
        wraps: if with_mailbox { wraps } else { Vec::new() },
    }
}

fn order(id: &str) -> Revoke {
    Revoke { id: id.parse().unwrap(), key_id: None, reason: "key lost".into() }
}

async fn status(folder: &Folder) -> Outcome<v1::GetStatusResponse> {
    link::with(folder, async |link| {
        let answer = link.admin().get_status(v1::GetStatusRequest {}).await;
        answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    })
    .await
}

#[tokio::test]
async fn authorities_come_get_a_second_key_and_go() {
    let (_dir, folder) = deployment().await;
    let registrar = Registrar::open(&folder, &folder.registrar_key()).unwrap();
    let (founding, another) = (request(10, "amt", true), request(20, "amt", false));
    let added = add(&folder, &registrar, &founding).await.unwrap();
    assert_eq!((added.answer.authority_id.as_str(), added.repeated), ("amt", false));
    let further = add(&folder, &registrar, &another).await.unwrap();
    // Asked for once more, both are what they were, and nothing is logged.
    for (request, first) in [(founding, added), (another, further)] {
        let again = add(&folder, &registrar, &request).await.unwrap();
        assert_eq!((again.answer, again.repeated), (first.answer, true));
    }
    let taken = add(&folder, &registrar, &request(30, "amt", true)).await.unwrap_err();
    assert_eq!((taken.exit, taken.reason.as_str()), (Exit::Conflict, "AUTHORITY_EXISTS"));
    let unknown = add(&folder, &registrar, &request(40, "kreis", false)).await.unwrap_err();
    assert_eq!(unknown.exit, Exit::NotFound);

    let (keys, indexes) = revoke(&folder, &registrar, &order("amt")).await.unwrap();
    assert_eq!((keys.len(), indexes.len()), (2, 2));
    let again = revoke(&folder, &registrar, &order("amt")).await.unwrap_err();
    assert_eq!(again.exit, Exit::Conflict);
    assert_eq!(revoke(&folder, &registrar, &order("kreis")).await.unwrap_err().exit, Exit::NotFound);
    // Mailbox, two certificates, two revocations.
    assert_eq!(status(&folder).await.unwrap().keys_size, 5);
}

#[tokio::test]
async fn only_the_registrar_of_this_deployment_certifies() {
    let (dir, folder) = deployment().await;
    let stranger = dir.path().join("stranger.key");
    keyfile::write_new(&stranger, &SecretKey::from_seed(&[9; 32])).unwrap();
    assert_eq!(Registrar::open(&folder, &stranger).err().unwrap().exit, Exit::NotAllowed);
    let registrar = Registrar::open(&folder, &folder.registrar_key()).unwrap();
    let mut foreign = request(10, "amt", true);
    foreign.origin = "other.example".parse().unwrap();
    assert_eq!(add(&folder, &registrar, &foreign).await.unwrap_err().reason, "OTHER_ORIGIN");
}

#[tokio::test]
async fn a_running_server_takes_the_commands_and_nobody_else_the_folder() {
    let (_dir, folder) = deployment().await;
    let lock = folder.lock_now().unwrap();
    let app = open::app(&folder, &Config::read(&folder).unwrap()).await.unwrap();
    let certificate = Certificate::load(&folder.tls_certificate(), &folder.tls_key()).unwrap();
    let config = ServeConfig {
        tls: server_config(certificate).unwrap(),
        connections: 8,
        stop_within: std::time::Duration::from_secs(2),
        admin: Some(admin_socket::listen(&folder.admin_socket()).unwrap()),
        run: 0,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move {
        let _ = stopped.await;
    };
    let server = tokio::spawn(serve(config, app, listener, shutdown));

    let made = link::with(&folder, async |link| {
        let request = v1::CreateActivationCodesRequest { count: 3, trust_level: 0 };
        let answer = link.admin().create_activation_codes(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    })
    .await
    .unwrap();
    assert_eq!(made.codes.len(), 3);
    assert!(Timestamp(made.expires_at) > SystemClock.now());
    assert!(folder.try_lock().unwrap().is_none());
    let registrar = Registrar::open(&folder, &folder.registrar_key()).unwrap();
    add(&folder, &registrar, &request(10, "amt", true)).await.unwrap();
    let missing = link::with(&folder, async |link| {
        let answer = link.admin().erase(v1::EraseRequest { message_id: vec![1; 16] }).await;
        answer.map(|_| ()).map_err(|status| failure(&status))
    })
    .await
    .unwrap_err();
    assert_eq!((missing.exit, missing.reason.as_str()), (Exit::NotFound, "NOT_FOUND"));
    assert!(status(&folder).await.unwrap().ready);

    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
    drop(lock);
    assert_eq!(status(&folder).await.unwrap().keys_size, 2);
}
