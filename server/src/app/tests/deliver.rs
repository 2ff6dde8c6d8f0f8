//! Delivering, and what both sides do with a message.

use postfach_domain::act::{ActType, ConsentScope, reason};
use postfach_domain::decide::Refusal;
use postfach_domain::event::{EventSigned, EventType};
use postfach_domain::hash::Digest;
use postfach_domain::id::Party;
use postfach_domain::terms::TrustLevel;

use super::{field, refusal};
use crate::app::{AppError, Caller, Submission};
use crate::evidence::LogName;
use crate::testing::{self, Mailbox, World, message_ref, size};

#[tokio::test]
async fn the_main_job() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (id, submission) = world.deliver(&amt, &anna).await;

    let page = world.app.sync(&anna.caller(), "", 0).await.unwrap();
    assert_eq!(page.items.len(), 2);
    let item = &page.items[1];
    let accepted = world.check_event(&item.event, &page.checkpoints);
    assert_eq!((accepted.pair_seq, accepted.message_id), (1, Some(id)));
    assert_eq!((&item.outer, &item.cover), (&submission.outer, &submission.cover));
    assert_eq!(item.letter_length, submission.letter.len() as u64);
    assert_eq!((page.authorities.len(), page.has_more), (1, false));
    assert!(page.head.is_some());

    let early = world.app.hand_over(&anna.caller(), id, None).await;
    assert_eq!(refusal(early), Refusal::NotHandedOver);
    let take = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    let given = world.app.hand_over(&anna.caller(), id, Some(take.clone())).await.unwrap();
    assert_eq!(given.letter, submission.letter);
    let handed_over = world.check_event(&given.event, &given.checkpoints);
    assert_eq!(handed_over.signed, Some(EventSigned::Act(take)));
    let accepted_row = &page.items[1].event;
    let salt: [u8; 32] = accepted_row.salt.as_slice().try_into().unwrap();
    assert_eq!(handed_over.prev_commitment, accepted.commitment(&salt));
    let again = world.app.hand_over(&anna.caller(), id, None).await.unwrap();
    assert_eq!((again.letter, again.event), (given.letter, given.event));

    let confirm = anna.act(&world, ActType::Confirmed, Some(message_ref(&submission)), |_| {});
    let confirmed = world.app.submit_act(&anna.caller(), confirm).await.unwrap();
    assert_eq!(world.check(&confirmed).event_type, EventType::Confirmed);

    let events = world.app.list_delivery_events(&amt.caller(), "", 2).await.unwrap();
    assert_eq!((events.events.len(), events.has_more), (2, true));
    let rest = world.app.list_delivery_events(&amt.caller(), &events.next_cursor, 2).await.unwrap();
    assert_eq!((rest.events.len(), rest.has_more), (1, false));
    assert_eq!(world.check_event(&rest.events[0], &rest.checkpoints).event_type, EventType::Confirmed);
    let delivery = world.app.get_delivery(&amt.caller(), id, true).await.unwrap();
    assert_eq!((delivery.events.len(), delivery.submission), (3, Some(submission)));
    let nothing = world.app.get_delivery(&anna.caller(), id, true).await;
    assert!(matches!(nothing, Err(AppError::NotFound)));
}

#[tokio::test]
async fn the_same_submission_gives_the_first_receipt() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (_, submission) = amt.submission(&world, &anna, |_| {});
    let first = world.app.deliver(&amt.caller(), submission.clone(), false).await.unwrap();
    world.deliver(&amt, &anna).await;
    let again = world.app.deliver(&amt.caller(), submission.clone(), false).await.unwrap();
    let (a, b) = (first.event.unwrap(), again.event.unwrap());
    assert_eq!((a.event, a.salt, a.index), (b.event.clone(), b.salt.clone(), b.index));
    world.check_event(&b, &again.checkpoints);
    let other = Submission { letter: world.bytes(99).into(), ..submission.clone() };
    assert_eq!(field(world.app.deliver(&amt.caller(), other, false).await), "submission.signature");
    let outer = postfach_domain::outer::Outer::parse(&submission.outer).unwrap();
    let other = testing::submission(&world, &outer, &amt.key);
    let reused = world.app.deliver(&amt.caller(), other, false).await;
    assert_eq!(refusal(reused), Refusal::MessageIdReused);
}

#[tokio::test]
async fn validating_writes_nothing() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let before = size(&world, LogName::Evidence);
    let (id, submission) = amt.submission(&world, &anna, |_| {});
    let answer = world.app.deliver(&amt.caller(), submission, true).await.unwrap();
    assert_eq!(answer.event, None);
    let (_, stale) = amt.submission(&world, &anna, |outer| outer.recipient_head.generation = 9);
    let answer = world.app.deliver(&amt.caller(), stale, true).await;
    assert!(matches!(refusal(answer), Refusal::ChainStale { generation: 0, .. }));
    assert_eq!(size(&world, LogName::Evidence), before);
    let nothing = world.app.get_delivery(&amt.caller(), id, false).await;
    assert!(matches!(nothing, Err(AppError::NotFound)));
}

#[tokio::test]
async fn what_is_checked_before_the_lock() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let deliver = async |submission| world.app.deliver(&amt.caller(), submission, false).await;
    let (_, elsewhere) = amt.submission(&world, &anna, |o| o.origin = "other.example".parse().unwrap());
    assert_eq!(field(deliver(elsewhere).await), "outer.origin");
    let (_, other) = amt.submission(&world, &anna, |o| o.sender = Party::Authority("x".parse().unwrap()));
    assert_eq!(field(deliver(other).await), "outer.sender");
    let (_, good) = amt.submission(&world, &anna, |_| {});
    let empty = Submission { cover: vec![].into(), ..good.clone() };
    assert_eq!(field(deliver(empty).await), "submission.cover_envelope");
    let long = Submission { letter: world.bytes(1_300_000).into(), ..good.clone() };
    assert!(matches!(deliver(long).await, Err(AppError::Limit("letter_envelope_bytes"))));
    let unsigned = Submission { signature: None, ..good };
    assert_eq!(field(deliver(unsigned).await), "submission.signature");
    let (_, unknown) = amt.submission(&world, &anna, |o| o.signer = anna.device.key_id());
    assert_eq!(refusal(deliver(unknown).await), Refusal::KeyNotActive);
    let nobody = Mailbox::new(&world);
    let (_, lost) = amt.submission(&world, &nobody, |_| {});
    assert!(matches!(deliver(lost).await, Err(AppError::NotFound)));
}

#[tokio::test]
async fn who_cannot_be_served_is_refused_with_evidence() {
    let world = World::new().await;
    let amt = world.authority("amt").await;
    let anna = Mailbox::new(&world);
    let code = world.code().await;
    world.app.register(&anna.caller(), anna.registration(&world, &code, false)).await.unwrap();
    let (id, submission) = amt.submission(&world, &anna, |_| {});
    let answer = world.app.deliver(&amt.caller(), submission.clone(), false).await.unwrap();
    let event = world.check(&answer);
    assert_eq!(
        (event.event_type, event.reason.as_str(), event.pair_seq),
        (EventType::Refused, "PAPER_REQUIRED", 0)
    );
    let resolved = world.app.resolve_recipient(&amt.caller(), anna.address()).await.unwrap();
    assert!(!resolved.accepts);

    // Consent to this authority alone, then to all but this one.
    let scope =
        |ids: &[&str]| ConsentScope::Authorities(ids.iter().map(|id| id.parse().unwrap()).collect()).encode();
    let send = async || {
        world.clock.advance(1);
        let (_, submission) = amt.submission(&world, &anna, |_| {});
        world.check(&world.app.deliver(&amt.caller(), submission, false).await.unwrap()).event_type
    };
    let consent = async |act_type, details: Vec<u8>| {
        world.clock.advance(1);
        let act = anna.act(&world, act_type, None, |act| act.details = details);
        let logged = world.app.submit_act(&anna.caller(), act).await.unwrap();
        world.check(&logged)
    };
    consent(ActType::Consent, scope(&["other"])).await;
    assert_eq!(send().await, EventType::Refused);
    consent(ActType::Consent, scope(&["amt", "other"])).await;
    assert_eq!(send().await, EventType::Accepted);
    consent(ActType::ConsentRevoked, ConsentScope::All.encode()).await;
    assert_eq!(send().await, EventType::Refused);
    consent(ActType::Consent, ConsentScope::All.encode()).await;
    assert_eq!(send().await, EventType::Accepted);
    consent(ActType::ConsentRevoked, scope(&["amt"])).await;
    assert_eq!(send().await, EventType::Refused);
    let old = anna.act(&world, ActType::Consent, None, |act| {
        act.details = ConsentScope::All.encode();
        act.time.0 -= 1;
    });
    let old = world.app.submit_act(&anna.caller(), old).await;
    assert!(matches!(refusal(old), Refusal::ConsentNotNewer { .. }));
    consent(ActType::Consent, ConsentScope::All.encode()).await;
    assert_eq!(send().await, EventType::Accepted);

    let (_, demanding) = amt.submission(&world, &anna, |o| o.min_trust_level = TrustLevel::High);
    let answer = world.app.deliver(&amt.caller(), demanding, false).await.unwrap();
    assert_eq!(world.check(&answer).event_type, EventType::Refused);
    world.app.suspend_mailbox(anna.address(), true).await.unwrap();
    assert_eq!(send().await, EventType::Refused);
    world.app.suspend_mailbox(anna.address(), false).await.unwrap();
    assert_eq!(send().await, EventType::Accepted);

    // A refusal is final for its id, and gives nothing to take.
    let again = world.app.deliver(&amt.caller(), submission.clone(), false).await.unwrap();
    assert_eq!(world.check(&again), event);
    let take = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    let taken = world.app.hand_over(&anna.caller(), id, Some(take)).await;
    assert!(matches!(taken, Err(AppError::NotFound)));
}

#[tokio::test]
async fn citizens_write_to_authorities_only() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let write = |to: &Mailbox| {
        let mut outer = testing::outer(&world, anna.party(), &anna.device, to);
        outer.sender_head = Some(anna.chain.head());
        testing::submission(&world, &outer, &anna.device)
    };
    let answer = world.app.deliver(&anna.caller(), write(&bert), false).await;
    assert_eq!(refusal(answer), Refusal::RecipientNotAuthority);
    let letter = write(&amt.mailbox);
    let answer = world.app.deliver(&anna.caller(), letter.clone(), false).await.unwrap();
    assert_eq!(world.check(&answer).event_type, EventType::Accepted);
    let page = world.app.sync(&amt.mailbox.caller(), "", 0).await.unwrap();
    assert_eq!((page.items.len(), page.senders.len(), page.authorities.len()), (1, 1, 0));
    assert_eq!(page.senders[0].links, std::slice::from_ref(&anna.genesis));
    let id = message_ref(&letter).message_id;
    let receipts = world.app.get_receipts(&amt.mailbox.caller(), id).await.unwrap();
    assert_eq!((receipts.chains.len(), receipts.link_proofs.len()), (1, 1));
    // The authority's own certified key is no member of its mailbox.
    let by_key = Caller { party: amt.mailbox.party(), key_id: amt.key.key_id() };
    assert!(matches!(world.app.sync(&by_key, "", 0).await, Err(AppError::NotAllowed)));
}

#[tokio::test]
async fn disputes_rejections_deletion_and_withdrawal() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (id, submission) = world.deliver(&amt, &anna).await;
    let named = message_ref(&submission);
    let act = |act_type, why: &str| {
        let why = why.to_owned();
        anna.act(&world, act_type, Some(named), |act| act.reason = why)
    };
    let missed = act(ActType::Disputed, reason::LETTER_NOT_RECEIVED);
    let confirm = act(ActType::Confirmed, "");
    assert_eq!(refusal(world.app.submit_act(&anna.caller(), confirm).await), Refusal::NotHandedOver);
    let take = act(ActType::HandedOver, "");
    assert_eq!(field(world.app.submit_act(&anna.caller(), take.clone()).await), "act.type");
    world.app.hand_over(&anna.caller(), id, Some(take)).await.unwrap();
    let first = world.app.submit_act(&anna.caller(), missed.clone()).await.unwrap();
    let again = world.app.submit_act(&anna.caller(), missed).await.unwrap();
    assert_eq!(first.event.unwrap().index, again.event.unwrap().index);
    let reject = act(ActType::RejectedByRecipient, reason::CANNOT_OPEN);
    world.check(&world.app.submit_act(&anna.caller(), reject).await.unwrap());
    let late = world.app.withdraw(&amt.caller(), amt.withdrawal(&world, named)).await;
    assert_eq!(refusal(late), Refusal::WithdrawTooLate);
    let delete = act(ActType::Deleted, "");
    world.check(&world.app.submit_act(&anna.caller(), delete).await.unwrap());
    assert_eq!(refusal(world.app.hand_over(&anna.caller(), id, None).await), Refusal::Deleted);
    let page = world.app.sync(&anna.caller(), "", 0).await.unwrap();
    assert!(page.items.iter().all(|item| item.cover.is_empty()));
    let kept = world.app.get_delivery(&amt.caller(), id, true).await.unwrap();
    assert_eq!(kept.submission.unwrap().letter, submission.letter);

    let (id, submission) = world.deliver(&amt, &anna).await;
    let named = message_ref(&submission);
    let back = world.app.withdraw(&amt.caller(), amt.withdrawal(&world, named)).await.unwrap();
    assert_eq!(world.check(&back).event_type, EventType::Withdrawn);
    let take = anna.act(&world, ActType::HandedOver, Some(named), |_| {});
    assert_eq!(refusal(world.app.hand_over(&anna.caller(), id, Some(take)).await), Refusal::Withdrawn);
}

#[tokio::test]
async fn acts_must_be_the_callers_and_in_time() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let (id, submission) = world.deliver(&amt, &anna).await;
    let named = message_ref(&submission);
    let take = anna.act(&world, ActType::HandedOver, Some(named), |_| {});
    assert_eq!(field(world.app.hand_over(&bert.caller(), id, Some(take)).await), "act.actor");
    let take = bert.act(&world, ActType::HandedOver, Some(named), |_| {});
    assert!(matches!(world.app.hand_over(&bert.caller(), id, Some(take)).await, Err(AppError::NotFound)));
    let mut forged = anna.act(&world, ActType::HandedOver, Some(named), |_| {});
    forged.signature.as_mut().unwrap().sig[3] ^= 1;
    assert_eq!(field(world.app.hand_over(&anna.caller(), id, Some(forged)).await), "act.signature");
    let late = anna.act(&world, ActType::HandedOver, Some(named), |act| act.time.0 -= 300_001);
    assert!(matches!(
        refusal(world.app.hand_over(&anna.caller(), id, Some(late)).await),
        Refusal::ActTimeOff { .. }
    ));
    let wrong = postfach_domain::act::MessageRef { letter_hash: Digest::ZERO, ..named };
    let wrong = anna.act(&world, ActType::HandedOver, Some(wrong), |_| {});
    assert_eq!(refusal(world.app.hand_over(&anna.caller(), id, Some(wrong)).await), Refusal::HashMismatch);
    let paper = Caller { key_id: anna.recovery.key_id(), ..anna.caller() };
    assert!(matches!(world.app.sync(&paper, "", 0).await, Err(AppError::NotAllowed)));
    assert!(world.app.get_chain(&paper).await.is_ok());
}

#[tokio::test]
async fn nothing_is_handed_over_before_its_time() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let later = world.now().plus_ms(1000);
    let (id, submission) = amt.submission(&world, &anna, |outer| outer.not_before = Some(later));
    let answer = world.app.deliver(&amt.caller(), submission.clone(), false).await.unwrap();
    assert_eq!(world.check(&answer).available_at, later);
    let page = world.app.sync(&anna.caller(), "", 0).await.unwrap();
    assert!(page.items[1].cover.is_empty());
    let take = || anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    let early = world.app.hand_over(&anna.caller(), id, Some(take())).await;
    assert_eq!(refusal(early), Refusal::NotYetAvailable { available_at: later });
    world.clock.advance(1000);
    assert!(world.app.hand_over(&anna.caller(), id, Some(take())).await.is_ok());
    let page = world.app.sync(&anna.caller(), "", 0).await.unwrap();
    assert_eq!(page.items[1].cover, submission.cover);
}
