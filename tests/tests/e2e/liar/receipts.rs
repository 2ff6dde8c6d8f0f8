//! What a sender is told: receipts for what never happened, histories with parts left out, invented, or of another message.

use std::time::Duration;

use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::hash::Digest;
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_proto::v1;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::forge::Forge;
use super::logged::event_of;
use super::{Scene, caught, cause, message_id, sending};
use crate::crash::people::People;

const DELIVER: &str = "DeliveryService/Deliver";
const RECEIPTS: &str = "EvidenceService/GetReceipts";

type Answer = v1::DeliverResponse;
type History = v1::GetReceiptsResponse;
/// What it is, the lie with another true answer at hand, and what is noticed.
type Lie<T> = (&'static str, fn(&mut T, &T), &'static str);
type Change = (fn(&mut Event), &'static str);

#[test]
fn a_receipt_for_something_else_or_for_nothing_is_not_taken() {
    let mut s = Scene::new();
    let address = s.anna.address();
    s.amt.connect_to(&s.liar.url.clone());
    let heard = s.liar.hears::<v1::DeliverRequest, Answer>(DELIVER, || {
        s.amt.postfach(&sending(&address, &message_id(99))).ok();
    });
    let lies: [Lie<Answer>; 4] = [
        ("a check passed off as a delivery", |answer, _| *answer = Answer::default(), "no checkpoints"),
        ("no event", |answer, _| answer.event = None, "no event"),
        ("another message's", |answer, other| answer.clone_from(other), "something else than was sent"),
        ("not in the log", |answer, _| answer.event.as_mut().unwrap().salt[0] ^= 1, "inclusion proof"),
    ];
    for (number, (what, lie, why)) in lies.into_iter().enumerate() {
        let (id, other) = (message_id(number.try_into().unwrap()), heard[0].clone());
        s.liar.lies::<v1::DeliverRequest, Answer>(DELIVER, move |_, answer| lie(answer, &other));
        let run = caught(s.amt.postfach(&sending(&address, &id)));
        assert!(cause(&run).contains(why) && !run.stdout.contains("accepted_at"), "{what}: {}", run.stdout);
        s.liar.repents();
        // What is sealed is kept, and the same words bring its receipt.
        s.amt.postfach(&sending(&address, &id)).ok();
        assert_eq!(s.stages(&id), ["ACCEPTED"], "{what}");
    }
    // The same where the server never heard of it.
    let id = message_id(50);
    s.liar.invents(DELIVER, &heard, true);
    caught(s.amt.postfach(&sending(&address, &id)));
    s.liar.repents();
    s.amt.postfach(&["authority", "status", &id]).exits(3);
    s.amt.postfach(&sending(&address, &id)).ok();
}

#[test]
fn a_logged_receipt_must_carry_the_senders_own_hashes_and_signature() {
    let s = Scene::new();
    let address = s.anna.address();
    let changes: [Change; 4] = [
        (|event| event.hashes.as_mut().unwrap().letter = Digest([3; 32]), "something else than was sent"),
        (
            |event| {
                event.recipient = event.recipient.map(|mut to| {
                    to.0[0] ^= 1;
                    to
                });
            },
            "something else",
        ),
        (|event| event.event_type = EventType::Lapsed, "something else"),
        (|event| event.signed = None, "another signature"),
    ];
    for (number, (change, why)) in changes.into_iter().enumerate() {
        let clerk = s.clerk(&format!("clerk-{number}"));
        let forge = Forge::of(&s.d);
        s.liar.lies::<v1::DeliverRequest, Answer>(DELIVER, move |_, answer| {
            let mut forge = forge.clone();
            let mut event = Event::parse(&answer.event.as_ref().unwrap().event).unwrap();
            change(&mut event);
            let mut logged = forge.log(&event);
            forge.prove(&mut logged);
            answer.event = Some(logged);
            answer.checkpoints.as_mut().unwrap().evidence = forge.note();
        });
        let id = message_id(number.try_into().unwrap());
        let run = caught(clerk.postfach(&sending(&address, &id)));
        assert!(cause(&run).contains(why), "{number}: {}", run.stdout);
        s.liar.repents();
    }
}

#[test]
fn a_history_is_whole_and_of_this_message() {
    let mut s = Scene::new();
    let (id, other) = (s.send(&s.anna, 1), s.send(&s.anna, 2));
    s.anna.inbox();
    s.anna.json(&["read", &id]);
    s.anna.json(&["confirm", &id]);
    s.amt.connect_to(&s.liar.url.clone());
    let heard = s.liar.hears::<v1::GetReceiptsRequest, History>(RECEIPTS, || {
        s.amt.json(&["authority", "status", &other]);
    });
    let lies: [Lie<History>; 8] = [
        ("nothing", |answer, _| answer.events.clear(), "no event of the message"),
        ("without the first", |answer, _| drop(answer.events.remove(0)), "does not follow"),
        ("without the middle", |answer, _| drop(answer.events.remove(1)), "does not follow"),
        ("turned", |answer, _| answer.events.reverse(), ""),
        ("twice", |answer, _| answer.events.push(answer.events[2].clone()), "does not stand behind"),
        ("another message's", |answer, other| answer.clone_from(other), "another message"),
        (
            "as if erased",
            |answer, _| {
                (answer.events[1].event, answer.events[1].salt) = (Vec::new(), Vec::new());
            },
            "no erasure explains it",
        ),
        ("without the chain", |answer, _| answer.chains.clear(), "no chain"),
    ];
    for (what, lie, why) in lies {
        let other = heard[0].clone();
        s.liar.lies::<v1::GetReceiptsRequest, History>(RECEIPTS, move |_, answer| lie(answer, &other));
        let run = caught(s.amt.postfach(&["authority", "status", &id, "--json"]));
        assert!(cause(&run).contains(why) && !run.stdout.contains("stages"), "{what}: {}", run.stdout);
        caught(s.amt.postfach(&["authority", "receipts", &id, "-o", "receipts", "--json"]));
        caught(s.anna.postfach(&["receipt", "save", &id, "-o", "receipts", "--json"]));
        s.liar.repents();
        assert_eq!(s.stages(&id), ["ACCEPTED", "HANDED_OVER", "CONFIRMED"], "{what}");
    }
    // The end alone can be held back: nothing contradicts it until the next answer.
    s.liar.lies::<v1::GetReceiptsRequest, History>(RECEIPTS, |_, answer| answer.events.truncate(1));
    assert_eq!(s.stages(&id), ["ACCEPTED"]);
    s.liar.repents();
    assert_eq!(s.stages(&id), ["ACCEPTED", "HANDED_OVER", "CONFIRMED"]);
}

#[test]
fn what_was_logged_once_is_not_logged_again() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    s.anna.inbox();
    s.anna.json(&["read", &id]);
    s.anna.json(&["confirm", &id]);
    s.anna.json(&["dispute", &id]);
    let clerk = s.clerk("ear");
    let heard = s.liar.hears::<v1::GetReceiptsRequest, History>(RECEIPTS, || {
        clerk.json(&["authority", "status", &id]);
    });
    let events: Vec<_> = heard[0].events.iter().map(|logged| Event::parse(&logged.event).unwrap()).collect();
    let last = heard[0].events.last().unwrap();
    let prev_commitment = events.last().unwrap().commitment(&last.salt.as_slice().try_into().unwrap());
    let repeated = |event: &Event| Event { prev_commitment, ..event.clone() };
    // The confirmation again would take the dispute away.
    let confirmed = Event { occurred_at: events[3].occurred_at, ..repeated(&events[2]) };
    let again = events[3].occurred_at;
    let accepted = Event { occurred_at: again, available_at: again, pair_seq: 2, ..repeated(&events[0]) };
    for (number, (event, why)) in
        [(confirmed, "logged before"), (accepted, "only once")].into_iter().enumerate()
    {
        let clerk = s.clerk(&format!("clerk-{number}"));
        let mut forge = Forge::of(&s.d);
        let logged = forge.log(&event);
        s.adds_to_receipts(&forge, &logged);
        let run = caught(clerk.postfach(&["authority", "status", &id, "--json"]));
        assert!(cause(&run).contains(why), "{}", run.stdout);
        s.liar.repents();
    }
}

#[test]
fn a_clerk_withdraws_only_what_a_certified_key_submitted() {
    const GET: &str = "DeliveryService/GetDelivery";
    const AUTHORITY: &str = "DirectoryService/GetAuthority";
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    let clerk = s.clerk("clerk");
    let accepted = event_of(&s.first_message());
    let hashes = Hashes { letter: Digest([3; 32]), ..accepted.hashes.unwrap() };
    let signed = hashes.sign(&SecretKey::from_seed(&[9; 32]));
    let event = Event { hashes: Some(hashes), signed: Some(EventSigned::Submission(signed)), ..accepted };
    let mut forge = Forge::of(&s.d);
    let mut logged = forge.log(&event);
    forge.prove(&mut logged);
    forge.stands_behind(&s.liar);
    let note = forge.note();
    s.liar.lies::<v1::GetAuthorityRequest, v1::GetAuthorityResponse>(AUTHORITY, move |_, answer| {
        answer.checkpoints.as_mut().unwrap().evidence.clone_from(&note);
    });
    let note = forge.note();
    s.liar.lies::<v1::GetDeliveryRequest, v1::GetDeliveryResponse>(GET, move |_, answer| {
        answer.events = vec![logged.clone()];
        answer.checkpoints.as_mut().unwrap().evidence.clone_from(&note);
    });
    let run = caught(clerk.postfach(&["authority", "withdraw", &id, "--json"]));
    assert!(cause(&run).contains("the key that signed is unknown"), "{}", run.stdout);
    assert!(s.liar.requests::<v1::WithdrawRequest>("DeliveryService/Withdraw").is_empty());
}

/// No command sends by batch: the library, as a machine of an authority uses it.
#[test]
fn answers_of_a_batch_are_not_exchanged() {
    const BATCH: &str = "DeliveryService/DeliverBatch";
    let s = Scene::new();
    let folder = s.d.root().join("clients");
    std::fs::create_dir(&folder).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let people = People::register(&s.d, 1, 1).await;
        let letters = people.seal(6, &s.liar.url, &folder, &mut StdRng::seed_from_u64(3)).await;
        let plain = letters.into_iter().filter(|letter| letter.attached.is_none());
        let entries: Vec<_> = plain.map(|letter| letter.entry).collect();
        let sender = people.sender(0, &s.liar.url, Duration::from_secs(20));
        let deliver = async || {
            let mut known = Vec::new();
            let ended = sender.deliver_batch(&entries, |_, result| known.push(result.is_ok())).await;
            (known, ended.is_ok())
        };
        s.liar.lies::<v1::DeliverBatchRequest, v1::DeliverBatchResponse>(BATCH, |_, answer| {
            answer.results.swap(0, 1);
        });
        assert_eq!(deliver().await, (vec![false, false, true], true));
        s.liar.lies::<v1::DeliverBatchRequest, v1::DeliverBatchResponse>(BATCH, |_, answer| {
            answer.results.truncate(2);
        });
        assert_eq!(deliver().await, (Vec::new(), false));
        s.liar.repents();
        assert_eq!(deliver().await, (vec![true; 3], true));
    });
}
