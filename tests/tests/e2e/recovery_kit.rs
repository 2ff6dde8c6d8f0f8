//! A citizen who lost everything but a sheet of paper: typed back, it opens the wraps and, through them, a letter.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use postfach_domain::card::ServiceCard;
use postfach_domain::chain::Chain;
use postfach_domain::id::{Address, Party};
use postfach_domain::kit::RecoverySecret;
use postfach_domain::time::Timestamp;
use postfach_envelope::hybrid::{HybridIdentity, HybridRecipient};
use postfach_envelope::wraps::open_wrap;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use postfach_proto::v1::{GetChainRequest, GetWrapsRequest, HandOverRequest};
use postfach_sdk::Service;
use postfach_sdk::token::TokenSource;
use postfach_tests::Deployment;
use postfach_tests::person::text;

/// The groups as a person copies them from the sheet.
fn typed_from(sheet: &str) -> String {
    let group = |word: &str| word.len() == 5 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    let lines = sheet.lines().filter(|line| line.split_whitespace().count() == 4);
    lines.filter(|line| line.split_whitespace().all(group)).collect::<Vec<_>>().join(" ").to_uppercase()
}

#[test]
fn a_sheet_of_paper_opens_everything() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = postfach_tests::Citizen::at(&d, "anna");
    let created = citizen.register(&d.codes(1)[0], &["--no-passphrase"]).ok().json();
    let sheet = fs::read_to_string(citizen.folder().join(text(&created["recovery_kit"]))).unwrap();
    let address: Address = text(&created["address"]).parse().unwrap();
    let id = amt.send_plain(&address.to_string(), "Nach dem Verlust");
    citizen.postfach(&["sync"]).ok();
    citizen.json(&["read", &id]);
    let raw = citizen.folder().join("raw");
    citizen.json(&["raw", &id, "-o", raw.to_str().unwrap()]);

    let typed = typed_from(&sheet);
    let secret: RecoverySecret = typed.parse().unwrap();
    assert!(!contains(citizen.home(), secret.expose_bare().as_bytes()), "the kit is not left in the profile");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let identity = runtime.block_on(mailbox_key(&d, address, &secret));
    let opened = age::decrypt(&identity, &fs::read(raw.join("letter.age")).unwrap()).unwrap();
    assert!(String::from_utf8_lossy(&opened).contains("Guten Tag."));
}

/// Fetches chain and wraps with the recovery key's token, finds both keys in GENESIS, and opens generation 0.
async fn mailbox_key(d: &Deployment, address: Address, secret: &RecoverySecret) -> HybridIdentity {
    let card = ServiceCard::verify(&fs::read(d.card()).unwrap()).unwrap();
    let service = Service::from_card(&card.card).unwrap();
    let channel = postfach_sdk::channel::channel(&service, Some(&d.url()), Duration::from_secs(5)).unwrap();
    let sign = Arc::new(secret.sign_key());
    let token = TokenSource::new(service.origin.clone(), Party::Mailbox(address), Arc::clone(&sign));
    let bearer = format!("Bearer {}", token.token(now()).as_str());
    let mut client = MailboxServiceClient::with_interceptor(channel, move |mut call: tonic::Request<()>| {
        call.metadata_mut().insert("authorization", bearer.parse().unwrap());
        Ok(call)
    });

    let links = client.get_chain(GetChainRequest {}).await.unwrap().into_inner().chain.unwrap().links;
    let chain = Chain::verify_for(&service.origin, &address, &links[..1]).unwrap();
    let own_age = HybridIdentity::from_seed(*secret.age_seed());
    assert_eq!(chain.recovery().key_id, sign.key_id());
    assert_eq!(chain.recovery().age_recipient, own_age.to_recipient().to_bytes());

    let request = GetWrapsRequest { member: sign.key_id().to_vec() };
    let wraps = client.get_wraps(request).await.unwrap().into_inner().wraps;
    assert_eq!(wraps.len(), 1);
    let recipient = HybridRecipient::from_bytes(&chain.generation().recipient).unwrap();
    let sealed = &wraps[0].wrap.as_ref().unwrap().sealed;
    let mut opened = open_wrap(sealed, &own_age, &BTreeMap::from([(0, recipient)])).unwrap();

    // Paper may ask for the chain and the wraps, and for nothing else.
    let letter = client.hand_over(HandOverRequest { message_id: vec![0; 16], act: None }).await;
    assert_eq!(letter.unwrap_err().code(), tonic::Code::Unauthenticated);
    opened.keys.remove(&0).unwrap()
}

#[allow(clippy::disallowed_methods)] // a test needs the machine's clock for its token
fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp(u64::try_from(since.as_millis()).unwrap())
}

fn contains(folder: &std::path::Path, needle: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return contains(&path, needle);
        }
        path.is_file() && fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle)
    })
}
