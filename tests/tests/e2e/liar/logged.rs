//! Lies that the operator signs: events that never were, histories that were others, keys that did not count.

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::id::{ActId, Party};
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_domain::time::Timestamp;
use postfach_ledger::checkpoint::SignedCheckpoint;
use postfach_ledger::receipt::{Actor, Receipt};
use postfach_proto::v1;
use postfach_tests::deployment::copy_folder;
use postfach_tests::process::Run;

use super::forge::Forge;
use super::{Scene, caught, cause};

const SYNC: &str = "MailboxService/Sync";
const RECEIPTS: &str = "EvidenceService/GetReceipts";
const RESOLVE: &str = "DirectoryService/ResolveRecipient";

impl Scene {
    /// Lets a citizen's syncs end with an item that was never logged.
    pub(super) fn adds_to_sync(&self, forge: &Forge, item: v1::SyncItem) {
        let forge = forge.clone();
        forge.stands_behind(&self.liar);
        self.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, move |_, page| {
            page.items
                .retain(|known| known.event.as_ref().map(|e| e.index) < item.event.as_ref().map(|e| e.index));
            page.items.push(item.clone());
            forge.relog_page(page);
        });
    }

    /// Lets the history of a message end with an event that was never logged.
    pub(super) fn adds_to_receipts(&self, forge: &Forge, event: &v1::LoggedEvent) {
        let (forge, event) = (forge.clone(), event.clone());
        forge.stands_behind(&self.liar);
        self.liar.lies::<v1::GetReceiptsRequest, v1::GetReceiptsResponse>(RECEIPTS, move |_, answer| {
            answer.events.push(event.clone());
            forge.relog_receipts(answer);
        });
    }

    /// The first message that Anna's sync brings now.
    pub(super) fn first_message(&self) -> v1::SyncItem {
        let pages = self.liar.hears::<v1::SyncRequest, v1::SyncResponse>(SYNC, || {
            self.anna.postfach(&["sync"]).ok();
        });
        let mut items = pages.into_iter().flat_map(|page| page.items);
        items.find(|item| !item.cover_envelope.is_empty()).unwrap()
    }

    /// What the service tells a sender about an address.
    pub(super) fn resolved(&self, address: &str) -> v1::ResolveRecipientResponse {
        let mut other = self.d.authority("zweite");
        other.connect_to(&self.liar.url);
        let answers =
            self.liar.hears::<v1::ResolveRecipientRequest, v1::ResolveRecipientResponse>(RESOLVE, || {
                other.send_plain(address, "Nebenbei");
            });
        answers.into_iter().next().unwrap()
    }

    /// Certificates and revocations as the service gives them with a page.
    fn certificates(&self) -> Vec<v1::AuthorityKey> {
        // The same profile, as if it had read nothing yet.
        let copy = self.anna.folder().join("copy");
        copy_folder(self.anna.home(), &copy);
        std::fs::remove_file(copy.join("mailbox.sealed")).unwrap();
        let pages = self.liar.hears::<v1::SyncRequest, v1::SyncResponse>(SYNC, || {
            let mut command = self.anna.command();
            Run::of(command.env("POSTFACH_HOME", &copy).args(["sync"])).ok();
        });
        pages.into_iter().flat_map(|page| page.authorities).collect()
    }
}

pub(super) fn event_of(item: &v1::SyncItem) -> Event {
    Event::parse(&item.event.as_ref().unwrap().event).unwrap()
}

#[test]
fn somebody_elses_message_is_not_mine_although_it_is_logged_for_me() {
    let s = Scene::new();
    s.send(&s.anna, 1);
    let item = s.first_message();
    let bert = s.bert.address().parse().unwrap();
    for readdressed in [false, true] {
        let mut forge = Forge::of(&s.d);
        let mut event = event_of(&item);
        if readdressed {
            (event.recipient, event.pair_seq) = (Some(bert), 1);
        }
        let logged = if readdressed { forge.log(&event) } else { item.event.clone().unwrap() };
        s.adds_to_sync(&forge, v1::SyncItem { event: Some(logged), ..item.clone() });
        let run = caught(s.bert.postfach(&["inbox", "--json"]));
        if readdressed {
            assert_eq!(run.json()["messages"][0]["defect"], "server", "{}", run.stdout);
        } else {
            assert!(cause(&run).contains("another mailbox"), "{}", run.stdout);
        }
        assert_eq!(s.acts(), 0);
    }
}

#[test]
fn a_message_that_was_there_before_is_not_a_new_one() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    let item = s.first_message();
    let mut forge = Forge::of(&s.d);
    let again = Event { pair_seq: 2, ..event_of(&item) };
    let logged = forge.log(&again);
    s.adds_to_sync(&forge, v1::SyncItem { event: Some(logged), ..item });
    let run = caught(s.anna.postfach(&["sync", "--json"]));
    assert_eq!(
        (&run.json()["service_fault"], &run.json()["faulty"]),
        (&true.into(), &1.into()),
        "{}",
        run.stdout
    );
    assert_eq!(s.stages(&id), ["ACCEPTED"]);
}

#[test]
fn a_message_left_out_is_missed() {
    let s = Scene::new();
    for number in 1..=3 {
        s.send(&s.anna, number);
    }
    s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, |_, page| {
        let messages: Vec<usize> =
            (0..page.items.len()).filter(|at| !page.items[*at].cover_envelope.is_empty()).collect();
        if let Some(second) = messages.get(1) {
            page.items.remove(*second);
        }
    });
    let answer = s.anna.json(&["sync"]);
    let warnings = answer["warnings"].to_string();
    assert!(answer["new"] == 2 && warnings.contains("from stadt"), "{answer}");
}

#[test]
fn a_history_that_was_another_is_a_fork_and_a_shorter_one_a_rollback() {
    for what in ["fork", "rollback"] {
        let s = Scene::new();
        s.send(&s.anna, 1);
        let item = s.first_message();
        let mut forge = Forge::of(&s.d);
        forge.forget(1);
        if what == "fork" {
            let other = Event { reason: "OTHER".to_owned(), ..event_of(&item) };
            forge.log(&other);
            forge.log(&other);
        }
        forge.stands_behind(&s.liar);
        let liar = forge.clone();
        s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, move |_, page| {
            page.items.clear();
            page.checkpoints.as_mut().unwrap().evidence = liar.note();
        });
        let run = caught(s.anna.postfach(&["sync", "--json"]));
        let expected = if what == "fork" { "two histories" } else { "went back" };
        assert!(cause(&run).contains(expected), "{}", run.stdout);
        let kept = run.json()["error"]["details"]["proof"].as_str().map(std::path::PathBuf::from);
        let kept = kept.unwrap_or_else(|| panic!("{what}: no proof was kept: {}", run.stdout));
        assert!(std::fs::read_dir(kept).unwrap().count() >= 1);
    }
}

#[test]
fn a_notification_is_not_dated_back_before_what_was_seen() {
    let mut s = Scene::new();
    let id = s.send(&s.anna, 1);
    let item = s.first_message();
    s.amt.connect_to(&s.liar.url.clone());
    s.amt.json(&["authority", "status", &id]);
    let mut forge = Forge::of(&s.d);
    let accepted = event_of(&item);
    let salt: [u8; 32] = item.event.as_ref().unwrap().salt.as_slice().try_into().unwrap();
    let notified = Event {
        event_type: EventType::Notified,
        occurred_at: Timestamp(accepted.occurred_at.0 - 86_400_000),
        pair_seq: 0,
        signed: None,
        prev_commitment: accepted.commitment(&salt),
        ..accepted
    };
    let logged = forge.log(&notified);
    s.adds_to_receipts(&forge, &logged);
    let run = s.amt.postfach(&["authority", "status", &id, "--json"]).exits(8);
    assert!(!run.stdout.contains("NOTIFIED") && cause(&run).contains("dated before"), "{}", run.stdout);
}

/// A hand-over that somebody else signed in the citizen's name.
fn forged_hand_over(accepted: &Event, salt: [u8; 32], head: postfach_domain::head::ChainHead) -> Event {
    let key = SecretKey::from_seed(&[9; 32]);
    let hashes = accepted.hashes.unwrap();
    let message = MessageRef {
        message_id: accepted.message_id.unwrap(),
        outer_hash: hashes.outer,
        letter_hash: hashes.letter,
    };
    let act = Act {
        origin: postfach_tests::deployment::ORIGIN.parse().unwrap(),
        act_id: ActId([1; 16]),
        act_type: ActType::HandedOver,
        actor: Party::Mailbox(accepted.recipient.unwrap()),
        signer: key.key_id(),
        actor_head: Some(head),
        message: Some(message),
        time: accepted.occurred_at,
        reason: String::new(),
        details: Vec::new(),
    };
    Event {
        event_type: EventType::HandedOver,
        pair_seq: 0,
        signed: Some(EventSigned::Act(act.sign(&key))),
        prev_commitment: accepted.commitment(&salt),
        ..accepted.clone()
    }
}

#[test]
fn a_hand_over_that_the_citizen_did_not_sign_is_refused_by_sender_and_court() {
    let mut s = Scene::new();
    let id = s.send(&s.anna, 1);
    let item = s.first_message();
    let outer = postfach_domain::outer::Outer::parse(&item.outer).unwrap();
    let salt: [u8; 32] = item.event.as_ref().unwrap().salt.as_slice().try_into().unwrap();
    let event = forged_hand_over(&event_of(&item), salt, outer.recipient_head.head);
    let mut forge = Forge::of(&s.d);
    let logged = forge.log(&event);
    let resolved = s.resolved(&s.anna.address());
    let chain = resolved.chain.unwrap();
    let keys_note = resolved.checkpoints.unwrap().keys;
    s.amt.connect_to(&s.liar.url.clone());
    let (liar, sent) = (forge.clone(), logged.clone());
    forge.stands_behind(&s.liar);
    let given = chain.clone();
    s.liar.lies::<v1::GetReceiptsRequest, v1::GetReceiptsResponse>(RECEIPTS, move |_, answer| {
        answer.events.push(sent.clone());
        answer.chains = vec![given.clone()];
        liar.relog_receipts(answer);
    });
    let run = s.amt.postfach(&["authority", "status", &id, "--json"]).exits(8);
    assert!(
        !run.stdout.contains("HANDED_OVER") && cause(&run).contains("no active device"),
        "{}",
        run.stdout
    );

    // The same as a file, as a court would get it.
    let mut proven = logged;
    forge.prove(&mut proven);
    let hash = |hash: &Vec<u8>| postfach_ledger::hash::Hash::from_slice(hash).unwrap();
    let proof_of = |index, path: &[Vec<u8>], under: &SignedCheckpoint| {
        postfach_ledger::tlog_proof::TlogProof::new(index, path.iter().map(hash).collect(), under)
    };
    let card = postfach_domain::card::ServiceCard::verify(&std::fs::read(s.d.card()).unwrap()).unwrap();
    let service = postfach_sdk::Service::from_card(&card.card).unwrap();
    let signed = |log: &postfach_ledger::checkpoint::LogKeys, note: &[u8]| {
        log.verify(note, &service.witnesses).unwrap().signed
    };
    let receipt = Receipt {
        event: proven.event.clone(),
        salt: proven.salt.clone().try_into().unwrap(),
        outer: item.outer.to_vec(),
        actor: Actor::Mailbox {
            links: chain.links.clone(),
            key_proof: proof_of(
                chain.head_index,
                &chain.head_inclusion,
                &signed(&service.keys_log, &keys_note),
            ),
        },
        evidence_proof: proof_of(
            proven.index,
            &proven.inclusion,
            &signed(&service.evidence_log, &forge.note()),
        ),
    };
    let file = s.amt.write("forged.receipt", &receipt.encode());
    let card = s.d.card();
    let run = s.amt.postfach(&["verify", &file, "--service-card", card.to_str().unwrap(), "--json"]).exits(8);
    assert_eq!(run.json()["ok"], false, "{}", run.stdout);
}

#[test]
fn a_revoked_authority_is_not_heard_although_the_operator_helps() {
    for keys_before in [true, false] {
        let mut s = Scene::new();
        s.send(&s.anna, 1);
        let before = s.first_message();
        s.amt.connect_to(&s.liar.url.clone());
        // Sealed and signed, and kept by the liar until the key was revoked.
        s.liar.swallows("DeliveryService/Deliver");
        let words = ["authority", "send", "--subject", "Geheimbetreff 2", "--body", "Geheiminhalt", "--to"];
        let address = s.anna.address();
        s.amt.postfach(&[&words[..], &[&address, "--timeout", "1"]].concat()).exits(6);
        s.liar.repents();
        s.d.revoke("stadt");
        // A citizen who comes by afterwards has seen a log of keys that holds the revocation.
        s.anna.postfach(&["sync"]).ok();
        let sent = s.liar.requests::<v1::DeliverRequest>("DeliveryService/Deliver");
        let Some(submission) = sent.into_iter().next_back().and_then(|request| request.submission) else {
            panic!("nothing was sent");
        };
        let hashes = Hashes::of(&submission.outer, &submission.cover_envelope, &submission.letter_envelope);
        let outer = postfach_domain::outer::Outer::parse(&submission.outer).unwrap();
        let real = event_of(&before);
        let mut forge = Forge::of(&s.d);
        let event = Event {
            message_id: Some(outer.message_id),
            hashes: Some(hashes),
            occurred_at: Timestamp(real.occurred_at.0 + 60_000),
            available_at: Timestamp(real.occurred_at.0 + 60_000),
            pair_seq: 2,
            keys_size: if keys_before { real.keys_size } else { real.keys_size + 1 },
            signed: submission.signature.clone().map(EventSigned::Submission),
            ..real
        };
        let logged = forge.log(&event);
        let item = v1::SyncItem {
            event: Some(logged),
            outer: submission.outer,
            cover_envelope: submission.cover_envelope,
            letter_length: submission.letter_envelope.len() as u64,
            ..before
        };
        let certificates = s.certificates();
        let liar = forge.clone();
        forge.stands_behind(&s.liar);
        s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, move |_, page| {
            page.items = vec![item.clone()];
            page.authorities.clone_from(&certificates);
            liar.relog_page(page);
        });
        let run = caught(s.anna.postfach(&["sync", "--json"]));
        let expected = if keys_before { "fewer keys" } else { "" };
        assert!(cause(&run).contains(expected), "{}", run.stdout);
        let listed = s.anna.postfach(&["inbox", "--offline", "--json"]).ok();
        assert!(!listed.stdout.contains("Geheimbetreff 2"), "{}", listed.stdout);
    }
}

#[test]
fn a_sender_takes_no_other_chain_for_an_address() {
    let mut s = Scene::new();
    let other = s.bert.address();
    let berts = s.resolved(&other);
    s.amt.connect_to(&s.liar.url.clone());
    s.liar.lies::<v1::ResolveRecipientRequest, v1::ResolveRecipientResponse>(RESOLVE, move |_, answer| {
        *answer = berts.clone();
    });
    let words =
        ["authority", "send", "--subject", "Geheimbetreff", "--body", "Geheiminhalt", "--json", "--to"];
    let delivered = s.liar.requests::<v1::DeliverRequest>("DeliveryService/Deliver").len();
    caught(s.amt.postfach(&[&words[..], &[&s.anna.address()]].concat()));
    assert_eq!(s.liar.requests::<v1::DeliverRequest>("DeliveryService/Deliver").len(), delivered);
    s.liar.repents();
    s.amt.postfach(&[&words[..], &[&s.anna.address()]].concat()).ok();
}
