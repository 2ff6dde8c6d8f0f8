//! Keys that are not whose they are said to be: certificates of others, chains cut short, statements of yesterday.

use std::collections::BTreeMap;

use postfach_domain::authority::AuthorityCert;
use postfach_domain::chain::{Chain, LinkBuilder};
use postfach_domain::format::Signed;
use postfach_domain::id::Party;
use postfach_domain::sign::SecretKey;
use postfach_envelope::hybrid::{HybridIdentity, HybridRecipient};
use postfach_envelope::wraps::make_wrap;
use postfach_proto::v1;
use postfach_server::clock::{Clock as _, SystemClock};
use postfach_tests::{Authority, Run};
use prost::Message as _;
use rand::rngs::OsRng;

use super::{Scene, caught, cause, hidden, message_id, sending};
use crate::bad_calls::token_of;
use crate::crash::people::{People, Reader};

const SYNC: &str = "MailboxService/Sync";
const RESOLVE: &str = "DirectoryService/ResolveRecipient";

type Resolved = v1::ResolveRecipientResponse;

impl Scene {
    /// An authority with a name of its choice.
    fn authority_named(&self, id: &str, name: &str) -> Authority {
        let authority = Authority::at(&self.d, id);
        let (card, request) = (self.d.card(), self.d.root().join(format!("{id}.json")));
        let words = ["authority", "init", "--id", id, "--name", name, "--no-passphrase", "--service-card"];
        let files = [card.to_str().unwrap(), "--request-out", request.to_str().unwrap()];
        authority.postfach(&[&words[..], &files[..]].concat()).ok();
        self.d.certify(&request).ok();
        authority
    }

    /// The certificates that come with what somebody was sent.
    fn certificates_for(&self, who: &postfach_tests::Citizen) -> Vec<v1::AuthorityKey> {
        let pages = self.liar.hears::<v1::SyncRequest, v1::SyncResponse>(SYNC, || {
            who.postfach(&["sync"]).ok();
        });
        pages.into_iter().flat_map(|page| page.authorities).collect()
    }

    /// Gives these certificates with every page.
    fn gives(&self, certificates: Vec<v1::AuthorityKey>) {
        self.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, move |_, page| {
            page.authorities.clone_from(&certificates);
        });
    }
}

#[test]
fn a_certificate_is_the_registrars_and_the_senders_own() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    let namesake = s.authority_named("stadt-neu", "Amt stadt");
    namesake.send_plain(&s.bert.address(), "Geheimbetreff");
    let other = s.certificates_for(&s.bert);
    let real = s.certificates_for(&s.twin(&s.anna, "early"));

    // Somebody else certifies the very same.
    let mut forged = real.clone();
    let logged = forged[0].certificate.as_mut().unwrap();
    let certificate = AuthorityCert::parse(&logged.statement.as_ref().unwrap().body).unwrap();
    logged.statement = Some(certificate.sign(&SecretKey::from_seed(&[9; 32])).unwrap());
    s.gives(forged);
    let run = caught(s.twin(&s.anna, "registrar").postfach(&["sync", "--json"]));
    assert!(cause(&run).contains("registrar's signature"), "{}", run.stdout);

    // The registrar's own, at another place in the log.
    let mut moved = real;
    moved[0].certificate.as_mut().unwrap().index -= 1;
    s.gives(moved);
    let run = caught(s.twin(&s.anna, "moved").postfach(&["sync", "--json"]));
    assert!(cause(&run).contains("inclusion proof"), "{}", run.stdout);

    // Another authority of the same name.
    s.liar.repents();
    s.gives(other);
    let fooled = s.twin(&s.anna, "namesake");
    let run = caught(fooled.postfach(&["sync", "--json"]));
    assert_eq!(run.json()["faulty"], 1, "{}", run.stdout);
    caught(fooled.postfach(&["read", &id, "--json"]));
    assert_eq!((s.acts(), s.stages(&id)), (0, vec!["ACCEPTED".to_owned()]));
    s.liar.repents();
    assert_eq!(s.anna.json(&["read", &id])["body"], "Geheiminhalt");
}

/// Gives a mailbox a new key.
async fn rotate(s: &Scene, people: &People, reader: &Reader) {
    let stored = reader.trust.own_chain.as_ref().unwrap();
    let links: Vec<Signed> =
        stored.links.iter().map(|link| Signed::decode(link.as_slice()).unwrap()).collect();
    let chain = Chain::verify(&people.service.origin, &links).unwrap();
    let (device, new) = (&reader.keys.device, HybridIdentity::generate(&mut OsRng));
    let link = LinkBuilder::new(&chain, &device.sign, SystemClock.now(), [5; 32])
        .rotate_mailbox(new.to_recipient().to_bytes().to_vec());
    let generations = BTreeMap::from([(1, new)]);
    let recovery = HybridRecipient::from_bytes(&chain.recovery().age_recipient).unwrap();
    let members =
        [(device.sign.key_id(), device.age.to_recipient()), (chain.recovery().sign_pub.key_id(), recovery)];
    let wrap = |(member, recipient): (postfach_domain::id::KeyId, HybridRecipient)| v1::Wrap {
        member: member.to_vec(),
        sealed: make_wrap(&generations, &recipient).unwrap(),
    };
    let request = v1::AppendLinkRequest { link: Some(link), wraps: members.into_iter().map(wrap).collect() };
    let mut request = tonic::Request::new(request);
    let token = token_of((Party::Mailbox(reader.keys.address), &device.sign));
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let timeout = std::time::Duration::from_secs(10);
    let channel = postfach_sdk::channel::channel(&people.service, Some(&s.d.url()), timeout).unwrap();
    let mut service = v1::mailbox_service_client::MailboxServiceClient::new(channel);
    service.append_link(request).await.unwrap();
}

#[test]
fn a_chain_is_not_cut_short_and_its_head_is_stated_for_now() {
    let mut s = Scene::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let people = runtime.block_on(People::register(&s.d, 0, 1));
    let carla = people.readers[0].keys.address.to_string();
    let short = s.resolved(&carla);
    runtime.block_on(rotate(&s, &people, &people.readers[0]));
    s.amt.connect_to(&s.liar.url.clone());
    let [mut first_time, mut other] = ["dritte", "vierte"].map(|id| s.d.authority(id));
    first_time.connect_to(&s.liar.url);
    other.connect_to(&s.liar.url);
    s.amt.postfach(&sending(&carla, &message_id(1))).ok();
    let berts = s.liar.hears::<v1::ResolveRecipientRequest, Resolved>(RESOLVE, || {
        s.amt.send_plain(&s.bert.address(), "Nebenbei");
    });

    let delivered = |s: &Scene| s.liar.requests::<v1::DeliverRequest>("DeliveryService/Deliver").len();
    let before = delivered(&s);
    let tell = |s: &Scene, who: &Authority, lie: fn(&mut Resolved, &Resolved), with: &Resolved| -> Run {
        let with = with.clone();
        s.liar.lies::<v1::ResolveRecipientRequest, Resolved>(RESOLVE, move |_, answer| lie(answer, &with));
        let run = hidden(who.postfach(&sending(&carla, &message_id(2))));
        s.liar.repents();
        run
    };
    // Whoever saw the longer one is not deceived.
    let run = caught(tell(&s, &s.amt, Clone::clone_from, &short));
    assert!(cause(&run).contains("not the one seen before"), "{}", run.stdout);
    // Nor is anybody by a statement from before, about somebody else, or by none.
    let stale = |answer: &mut Resolved, short: &Resolved| answer.head.clone_from(&short.head);
    for with in [&short, &berts[0]] {
        let run = caught(tell(&s, &first_time, stale, with));
        assert!(cause(&run).contains("chain's head"), "{}", run.stdout);
    }
    let run = caught(tell(&s, &first_time, |answer, _| answer.head = None, &short));
    assert!(cause(&run).contains("no head statement"), "{}", run.stdout);
    assert_eq!(delivered(&s), before, "nothing was sealed for an old key");

    // Everything from before together is a state that once was true: the service that knows better refuses it, and the
    // one that signs a false statement is not noticed by a first-time sender (see docs/threat-model.md).
    let run = tell(&s, &other, Clone::clone_from, &short).exits(9);
    assert_eq!(run.json()["error"]["reason"], "CHAIN_STALE", "{}", run.stdout);
    let id = message_id(2);
    other.postfach(&["authority", "status", &id]).exits(3);
    other.postfach(&sending(&carla, &id)).ok();
    assert_eq!(other.stages(&id), ["ACCEPTED"]);
}
