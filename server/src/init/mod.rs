//! `postfachd init`: makes a data folder with everything that `serve` needs, or leaves nothing behind that it would
//! mistake for one. It opens no socket.

pub mod certificate;

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use postfach_domain::card::{ServiceCard, VerifiedCard, WitnessPolicy};
use postfach_domain::id::Origin;
use postfach_domain::sign::{PublicKey, SecretKey};
use postfach_domain::time::Timestamp;
use postfach_ledger::vkey::LogVerifier;
use serde_json::json;

use crate::args::InitArgs;
use crate::clock::{Chance, Clock as _, SystemClock, system_chance};
use crate::deployment::config::{Config, Storage};
use crate::deployment::folder::Folder;
use crate::deployment::{keyfile, open};
use crate::durable;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::storage::sql::logs;
use crate::storage::{Ask, DatabaseUrl};

/// Runs the command and says what it made.
pub async fn run(args: &InitArgs, output: Output) -> Outcome<()> {
    let folder = Folder::at(&args.data.data);
    let plan = Plan {
        origin: args.origin.clone(),
        listen: args.listen,
        public_url: args.public_url.clone().unwrap_or_else(|| format!("https://{}", args.listen)),
        storage: Storage {
            blobs: args.blobs.clone(),
            database: args.database.as_deref().map(database).transpose()?,
        },
    };
    let card = init(&folder, &plan, SystemClock.now(), &mut system_chance()).await?;
    let registrar = card.card.registrar.key_id();
    let answer = json!({
        "origin": plan.origin.as_str(),
        "data": folder.path(),
        "service_card": folder.card(),
        "card_fingerprint": card.fingerprint.to_hex(),
        "registrar_key": folder.registrar_key(),
        "registrar_key_id": registrar.to_string(),
    });
    let text = format!(
        "Deployment {} is ready in {}.\n\
         Service card    {}\n\
         Fingerprint     {}\n\
         Registrar key   {}\n\
         Move the registrar's key to a safe place away from this server.\n\
         Back up {}.",
        plan.origin,
        folder.path().display(),
        folder.card().display(),
        card.fingerprint.to_hex(),
        folder.registrar_key().display(),
        folder.keys().display(),
    );
    output.answer(&answer, &text)
}

/// What the deployment shall be.
pub struct Plan {
    /// Its name.
    pub origin: Origin,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where clients connect; stands on the card.
    pub public_url: String,
    /// Where everything is stored.
    pub storage: Storage,
}

/// The URL of a database. What is wrong with it is said without quoting it: it may hold a password.
fn database(text: &str) -> Outcome<DatabaseUrl> {
    text.parse().map_err(|error| {
        Failure::new(
            Exit::Usage,
            "DATABASE_URL",
            format!("--database is not the URL of a PostgreSQL database: {error}."),
            "Give postgres://USER@HOST/DATABASE; the password stands better in the file that PGPASSFILE names.",
        )
    })
}

/// Makes the folder. The configuration is written last: without it there is no deployment.
pub async fn init(
    folder: &Folder,
    plan: &Plan,
    now: Timestamp,
    chance: &mut Chance,
) -> Outcome<VerifiedCard> {
    // Everything that the words can be wrong in comes before anything is written.
    let registrar = SecretKey::generate(chance);
    let keys_log = SecretKey::generate(chance);
    let evidence_log = SecretKey::generate(chance);
    let issued = certificate::issue(&plan.origin, &tls_names(plan), now).map_err(|error| {
        Failure::new(
            Exit::Other,
            "TLS",
            format!("No certificate can be made: {error}."),
            "Check --origin and --public-url.",
        )
    })?;
    let card = ServiceCard {
        version: 1,
        origin: plan.origin.clone(),
        server_url: plan.public_url.clone(),
        tls_root: Some(issued.root_cert.clone()),
        registrar: registrar.public(),
        keys_log: vkey(&plan.origin.keys_log(), keys_log.public())?,
        evidence_log: vkey(&plan.origin.evidence_log(), evidence_log.public())?,
        former_logs: Vec::new(),
        witness_policy: WitnessPolicy { witnesses: Vec::new(), quorum: 0 },
    };
    let card = card.sign(&registrar).map_err(|error| {
        Failure::new(
            Exit::Usage,
            "CARD",
            format!("{error}."),
            "A public URL begins with https:// and has no spaces.",
        )
    })?;

    if let Some(place) = &plan.storage.blobs {
        open::s3_blobs(place)?.check_new().await?;
    }
    make_folder(folder)?;
    let _lock = folder.lock_now()?;
    make_private(&folder.keys())?;
    make_private(&folder.tls())?;
    keyfile::write_new(&folder.registrar_key(), &registrar)?;
    keyfile::write_new(&folder.keys_log_key(), &keys_log)?;
    keyfile::write_new(&folder.evidence_log_key(), &evidence_log)?;
    keyfile::write_secret(&folder.tls_root_key(), issued.root_key.as_bytes())?;
    keyfile::write_secret(&folder.tls_key(), issued.leaf_key.as_bytes())?;
    write(&folder.tls_root(), issued.root_cert.as_bytes())?;
    write(&folder.tls_certificate(), issued.leaf_cert.as_bytes())?;
    write(&folder.card(), card.text.as_bytes())?;
    // Makes the database and signs the empty logs.
    let config = Config::new(plan.origin.clone(), plan.listen, plan.storage.clone());
    unused(folder, &config).await?;
    open::app(folder, &config).await?.close().await;
    for made in [folder.keys(), folder.tls(), folder.path().to_owned()] {
        sync_folder(&made)?;
    }
    write(&folder.config(), config.text().as_bytes())?;
    sync_folder(folder.path())?;
    Ok(card)
}

/// A database that has logs belongs to a deployment, whose keys are elsewhere.
async fn unused(folder: &Folder, config: &Config) -> Outcome<()> {
    let Some(url) = &config.storage.database else { return Ok(()) };
    let store = open::store(folder, config).await?;
    let heads = logs::read_heads(&mut Ask(&*store)).await;
    // Nothing was written that closing could lose.
    let _ = store.close().await;
    match heads {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(Failure::new(
            Exit::Conflict,
            "DATABASE_NOT_EMPTY",
            format!("{url} holds a deployment already."),
            "Name an empty database, and remove the data folder that was begun.",
        )),
        Err(error) => Err(open::database_away(url, &error)),
    }
}

/// An absent or empty folder becomes ours; anything else is left alone.
pub(crate) fn make_folder(folder: &Folder) -> Outcome<()> {
    let path = folder.path();
    match fs::read_dir(path) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let message = if folder.config().exists() {
                    format!("{} holds a deployment already.", path.display())
                } else {
                    format!("{} is not empty.", path.display())
                };
                let hint = "Choose another folder with --data; nothing was changed.";
                return Err(Failure::new(Exit::Conflict, "FOLDER_NOT_EMPTY", message, hint));
            }
            fs::set_permissions(path, fs::Permissions::from_mode(0o700))
                .map_err(|error| Failure::file(path, &error))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            durable::make_folders(path, 0o700).map_err(|error| Failure::file(path, &error))
        }
        Err(error) => Err(Failure::file(path, &error)),
    }
}

pub(crate) fn make_private(path: &Path) -> Outcome<()> {
    DirBuilder::new().mode(0o700).create(path).map_err(|error| Failure::file(path, &error))
}

pub(crate) fn write(path: &Path, content: &[u8]) -> Outcome<()> {
    let written = fs::File::create_new(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file(path, &error))
}

pub(crate) fn sync_folder(path: &Path) -> Outcome<()> {
    durable::sync_folder(path).map_err(|error| Failure::file(path, &error))
}

fn vkey(name: &str, key: PublicKey) -> Outcome<String> {
    let verifier = LogVerifier::new(name, key).map_err(|error| {
        Failure::new(Exit::Usage, "LOG_NAME", format!("{name}: {error}."), "Choose another --origin.")
    })?;
    Ok(verifier.vkey())
}

/// The origin, which clients check, and the host of the public URL, for browsers and readers of the logs.
fn tls_names(plan: &Plan) -> Vec<String> {
    let mut names = vec![plan.origin.to_string()];
    let host = plan.public_url.strip_prefix("https://").unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.split(':').next().unwrap_or_default(),
    };
    if !host.is_empty() && host != plan.origin.as_str() {
        names.push(host.to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn plan(url: &str) -> Plan {
        Plan {
            origin: "post.example".parse().unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: url.to_owned(),
            storage: Storage::default(),
        }
    }

    #[tokio::test]
    async fn everything_is_there_private_and_fits_together() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(&dir.path().join("data"));
        let card = init(&folder, &plan("https://127.0.0.1:0"), NOW, &mut system_chance()).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for private in [folder.path(), &folder.keys(), &folder.tls()] {
            assert_eq!(mode(private), 0o700);
        }
        let registrar = keyfile::read(&folder.registrar_key()).unwrap();
        assert_eq!(registrar.public(), card.card.registrar);
        let read = ServiceCard::verify(&fs::read(folder.card()).unwrap()).unwrap();
        assert_eq!(read.fingerprint, card.fingerprint);
        let keys = LogVerifier::from_vkey(&read.card.keys_log).unwrap();
        assert_eq!(*keys.public_key(), keyfile::read(&folder.keys_log_key()).unwrap().public());
        assert_eq!(Config::read(&folder).unwrap().origin, read.card.origin);
        assert!(folder.database().is_file() && folder.checkpoints().is_dir());
        crate::net::tls::Certificate::load(&folder.tls_certificate(), &folder.tls_key()).unwrap();
    }

    #[tokio::test]
    async fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(&dir.path().join("data"));
        init(&folder, &plan("https://post.example"), NOW, &mut system_chance()).await.unwrap();
        let before = fs::read(folder.card()).unwrap();
        let again = init(&folder, &plan("https://post.example"), NOW, &mut system_chance()).await;
        assert_eq!(again.unwrap_err().exit, Exit::Conflict);
        assert_eq!(fs::read(folder.card()).unwrap(), before);
        fs::write(dir.path().join("mine.txt"), "x").unwrap();
        let other = Folder::at(dir.path());
        assert!(init(&other, &plan("https://post.example"), NOW, &mut system_chance()).await.is_err());
    }

    #[tokio::test]
    async fn a_bad_url_is_refused_before_anything_counts_as_a_deployment() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(&dir.path().join("data"));
        let refused = init(&folder, &plan("http://post.example"), NOW, &mut system_chance()).await;
        assert_eq!(refused.unwrap_err().exit, Exit::Usage);
        assert!(!folder.path().exists());
    }

    #[test]
    fn names_of_the_certificate() {
        assert_eq!(tls_names(&plan("https://post.example/x")), ["post.example"]);
        assert_eq!(tls_names(&plan("https://127.0.0.1:8443")), ["post.example", "127.0.0.1"]);
        assert_eq!(tls_names(&plan("https://[::1]:8443/")), ["post.example", "::1"]);
        assert_eq!(tls_names(&plan("https://www.post.example:1")), ["post.example", "www.post.example"]);
    }
}
