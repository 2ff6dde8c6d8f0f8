//! Events that the operator logs about a message that is really there: mixed, kept back, taken back in the sender's name.

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::id::ActId;
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_domain::time::Timestamp;
use postfach_proto::v1;

use super::forge::Forge;
use super::logged::event_of;
use super::{Scene, caught, cause};

const SYNC: &str = "MailboxService/Sync";

/// The same event, as if it were about other bytes or another time.
type Change = fn(&mut Event, Hashes);

#[test]
fn an_accepted_event_must_follow_from_what_the_sender_signed() {
    let s = Scene::new();
    let ids = [s.send(&s.anna, 1), s.send(&s.anna, 2)];
    let early = s.twin(&s.anna, "early");
    let pages = s.liar.hears::<v1::SyncRequest, v1::SyncResponse>(SYNC, || {
        early.postfach(&["sync"]).ok();
    });
    let items: Vec<_> =
        pages.into_iter().flat_map(|page| page.items).filter(|i| !i.cover_envelope.is_empty()).collect();
    let other = event_of(&items[1]).hashes.unwrap();
    let changes: [(&str, Change); 4] = [
        ("cover of one, letter of the other", |event, other| {
            event.hashes.as_mut().unwrap().letter = other.letter;
        }),
        ("cover of the other", |event, other| event.hashes.as_mut().unwrap().cover = other.cover),
        ("kept back for a year", |event, _| event.available_at.0 += 365 * 86_400_000),
        ("no signature", |event, _| event.signed = None),
    ];
    for (number, (what, change)) in changes.into_iter().enumerate() {
        // Both messages never came; this one does, with the cover that its event names.
        let mut forge = Forge::of(&s.d);
        forge.forget(2);
        let mut event = event_of(&items[0]);
        change(&mut event, other);
        let cover = if event.hashes.unwrap().cover == other.cover { &items[1] } else { &items[0] };
        let mut item = v1::SyncItem { event: Some(forge.log(&event)), ..items[0].clone() };
        item.cover_envelope = cover.cover_envelope.clone();
        if what.starts_with("kept back") {
            item.cover_envelope.clear();
        }
        s.adds_to_sync(&forge, item);
        let anna = s.twin(&s.anna, &format!("anna-{number}"));
        let run = caught(anna.postfach(&["sync", "--json"]));
        assert_eq!(run.json()["faulty"], 1, "{what}: {}", run.stdout);
        caught(anna.postfach(&["read", &ids[0], "--json"]));
        let listed = anna.postfach(&["inbox", "--offline", "--json"]).ok();
        assert!(!listed.stdout.contains("Geheimbetreff"), "{what}: {}", listed.stdout);
        assert_eq!(s.acts(), 0, "{what}");
        s.liar.repents();
    }
    assert_eq!(s.stages(&ids[0]), ["ACCEPTED"]);
    assert_eq!(s.anna.json(&["read", &ids[0]])["body"], "Geheiminhalt");
}

#[test]
fn a_withdrawal_that_the_sender_did_not_sign_takes_nothing_away() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    let item = s.first_message();
    let accepted = event_of(&item);
    let (hashes, key) = (accepted.hashes.unwrap(), SecretKey::from_seed(&[9; 32]));
    let act = Act {
        origin: postfach_tests::deployment::ORIGIN.parse().unwrap(),
        act_id: ActId([1; 16]),
        act_type: ActType::Withdrawn,
        actor: accepted.sender.clone().unwrap(),
        signer: key.key_id(),
        actor_head: None,
        message: Some(MessageRef {
            message_id: accepted.message_id.unwrap(),
            outer_hash: hashes.outer,
            letter_hash: hashes.letter,
        }),
        time: accepted.occurred_at,
        reason: String::new(),
        details: Vec::new(),
    };
    let event = Event {
        event_type: EventType::Withdrawn,
        pair_seq: 0,
        signed: Some(EventSigned::Act(act.sign(&key))),
        ..accepted.clone()
    };
    let mut forge = Forge::of(&s.d);
    let taken_back = v1::SyncItem { event: Some(forge.log(&event)), ..v1::SyncItem::default() };
    s.adds_to_sync(&forge, taken_back);
    let twin = s.twin(&s.anna, "twin");
    let run = caught(twin.postfach(&["sync", "--json"]));
    assert!(cause(&run).contains("no certificate of the key that withdrew it"), "{}", run.stdout);
    let clerk = s.clerk("clerk");
    let mut forge = Forge::of(&s.d);
    let salt: [u8; 32] = item.event.as_ref().unwrap().salt.as_slice().try_into().unwrap();
    let logged = forge.log(&Event { prev_commitment: accepted.commitment(&salt), ..event });
    s.adds_to_receipts(&forge, &logged);
    let run = clerk.postfach(&["authority", "status", &id, "--json"]).exits(8);
    assert!(!run.stdout.contains("WITHDRAWN"), "{}", run.stdout);
    s.liar.repents();
    assert_eq!(s.anna.json(&["read", &id])["body"], "Geheiminhalt");
}

#[test]
fn an_act_of_hers_is_not_logged_under_another_reason_or_date() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    s.anna.inbox();
    s.anna.json(&["read", &id]);
    let early = s.twin(&s.anna, "early");
    s.anna.json(&["dispute", &id]);
    let acts = s.liar.requests::<v1::SubmitActRequest>("MailboxService/SubmitAct");
    let act = acts.into_iter().find_map(|request| request.act).unwrap();
    let pages = s.liar.hears::<v1::SyncRequest, v1::SyncResponse>(SYNC, || {
        s.twin(&early, "ear").postfach(&["sync"]).ok();
    });
    let items = pages.into_iter().flat_map(|page| page.items);
    let events = items.map(|item| event_of(&item));
    let disputed = events.into_iter().find(|event| event.event_type == EventType::Disputed).unwrap();
    assert_eq!(disputed.signed, Some(EventSigned::Act(act)));
    let later = Timestamp(disputed.occurred_at.0 + 86_400_000);
    let lies = [
        ("another reason", Event { reason: "LETTER_NOT_RECEIVED".to_owned(), ..disputed.clone() }),
        ("another time", Event { occurred_at: later, ..disputed.clone() }),
    ];
    for (number, (why, event)) in lies.into_iter().enumerate() {
        let mut forge = Forge::of(&s.d);
        forge.forget(1);
        let item = v1::SyncItem { event: Some(forge.log(&event)), ..v1::SyncItem::default() };
        s.adds_to_sync(&forge, item);
        let anna = s.twin(&early, &format!("anna-{number}"));
        let run = caught(anna.postfach(&["sync", "--json"]));
        assert!(cause(&run).contains(why), "{}", run.stdout);
        s.liar.repents();
    }
}
