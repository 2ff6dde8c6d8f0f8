//! The decisions, each rule with the state that breaks it.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::act::{ActType, MessageRef, reason};
use crate::head::RecipientHead;
use crate::id::{ActId, KeyId};
use crate::legal::RuleSet;
use crate::outer::Outer;
use crate::sign::SecretKey;
use crate::terms::TrustLevel;

const NOW: Moment = Moment { occurred_at: Timestamp(1_795_000_000_000), keys_size: 9 };

fn head() -> ChainHead {
    ChainHead { seq: 3, link_hash: Digest([3; 32]) }
}

fn authority() -> Party {
    Party::Authority("amt".parse().unwrap())
}

fn outer(sender: Party) -> Outer {
    Outer {
        origin: "postfach.example".parse().unwrap(),
        message_id: MessageId::new(NOW.occurred_at, [1; 10]),
        sender_head: matches!(sender, Party::Mailbox(_)).then(head),
        sender,
        signer: KeyId([7; 32]),
        recipient: Address([2; 32]),
        recipient_head: RecipientHead { head: head(), generation: 1 },
        created_at: NOW.occurred_at,
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::None,
        min_trust_level: TrustLevel::Low,
        confirmation_requested: false,
        not_before: None,
        in_reply_to: None,
        attachments: Vec::new(),
    }
}

fn recipient() -> RecipientState {
    RecipientState {
        head: head(),
        generation: 1,
        trust_level: TrustLevel::Low,
        of_authority: false,
        consents: true,
        suspended: false,
        closed: false,
    }
}

fn deliver(
    outer: &Outer,
    change: impl FnOnce(&mut DeliverState<'_>, &mut RecipientState),
) -> Result<Delivered, Refusal> {
    let mut mailbox = recipient();
    let mut state = DeliverState {
        existing: None,
        signer_active: true,
        sender_head: outer.sender_head,
        recipient: None,
        named_link: Some(head().link_hash),
        attachment_not_ready: None,
        pair_seq: 4,
    };
    let absent = recipient();
    state.recipient = Some(&absent);
    change(&mut state, &mut mailbox);
    let state = DeliverState { recipient: state.recipient.map(|_| &mailbox), ..state };
    let signature = SecretKey::from_seed(&[1; 32]).sign("mpf1/submission", &[]);
    let hashes = Hashes::of(b"o", b"c", b"l");
    decide_deliver(&state, &DeliverCommand { outer, hashes, signature: &signature }, NOW)
}

#[test]
fn an_accepted_submission_continues_its_pair() {
    let Ok(Delivered::Accepted(event)) = deliver(&outer(authority()), |_, _| {}) else {
        panic!("not accepted")
    };
    assert_eq!((event.pair_seq, event.keys_size, event.occurred_at), (5, 9, NOW.occurred_at));
    assert_eq!(event.available_at, NOW.occurred_at);
    let later = Outer { not_before: Some(NOW.occurred_at.plus_ms(1)), ..outer(authority()) };
    let Ok(Delivered::Accepted(event)) = deliver(&later, |_, _| {}) else { panic!("not accepted") };
    assert_eq!(event.available_at, NOW.occurred_at.plus_ms(1));
}

#[test]
fn an_existing_id_is_answered_before_anything_else() {
    let same = Hashes::of(b"o", b"c", b"l");
    let gone = |state: &mut DeliverState<'_>| {
        state.signer_active = false;
        state.recipient = None;
    };
    let again = deliver(&outer(authority()), |s, _| {
        gone(s);
        s.existing = Some(Some(same));
    });
    assert_eq!(again, Ok(Delivered::Again));
    for other in [Some(Hashes::of(b"x", b"c", b"l")), None] {
        assert_eq!(
            deliver(&outer(authority()), |s, _| s.existing = Some(other)),
            Err(Refusal::MessageIdReused)
        );
    }
}

#[test]
fn what_a_sender_must_mend() {
    let of = authority;
    assert_eq!(deliver(&outer(of()), |s, _| s.signer_active = false), Err(Refusal::KeyNotActive));
    assert_eq!(deliver(&outer(of()), |s, _| s.recipient = None), Err(Refusal::NotFound));
    let stale = Err(Refusal::ChainStale { head: head(), generation: 2 });
    assert_eq!(deliver(&outer(of()), |_, r| r.generation = 2), stale);
    let stale = Err(Refusal::ChainStale { head: head(), generation: 1 });
    assert_eq!(deliver(&outer(of()), |s, _| s.named_link = None), stale);
    let id = crate::id::AttachmentId([1; 16]);
    let missing = deliver(&outer(of()), |s, _| s.attachment_not_ready = Some(id));
    assert_eq!(missing, Err(Refusal::AttachmentNotReady { id }));
    let citizen = outer(Party::Mailbox(Address([9; 32])));
    assert_eq!(deliver(&citizen, |_, _| {}), Err(Refusal::RecipientNotAuthority));
    assert!(matches!(deliver(&citizen, |_, r| r.of_authority = true), Ok(Delivered::Accepted(_))));
    let newer = ChainHead { seq: 4, ..head() };
    assert_eq!(
        deliver(&citizen, |s, _| s.sender_head = Some(newer)),
        Err(Refusal::HeadNotNewest { head: newer })
    );
}

#[test]
fn a_recipient_who_cannot_be_served_is_refused_alike() {
    let changes: [fn(&mut RecipientState); 4] = [
        |r| r.consents = false,
        |r| r.suspended = true,
        |r| r.closed = true,
        |r| r.trust_level = TrustLevel::Basic,
    ];
    for change in changes {
        let Ok(Delivered::Refused(event)) = deliver(&outer(authority()), |_, r| change(r)) else {
            panic!("not refused")
        };
        assert_eq!((event.reason.as_str(), event.pair_seq), ("PAPER_REQUIRED", 0));
    }
}

fn message(events: &[EventType]) -> MessageState {
    MessageState {
        message_id: MessageId([1; 16]),
        sender: authority(),
        recipient: Address([2; 32]),
        hashes: Some(Hashes::of(b"o", b"c", b"l")),
        regime: LegalRegime::Ao122a,
        accepted_at: NOW.occurred_at,
        available_at: NOW.occurred_at,
        pair_seq: 1,
        last_commitment: Digest([4; 32]),
        events: events.iter().copied().zip(10..).collect(),
    }
}

fn act(act_type: ActType) -> Act {
    let hashes = Hashes::of(b"o", b"c", b"l");
    let actor = if act_type == ActType::Withdrawn { authority() } else { Party::Mailbox(Address([2; 32])) };
    Act {
        origin: "postfach.example".parse().unwrap(),
        act_id: ActId([5; 16]),
        act_type,
        actor_head: matches!(actor, Party::Mailbox(_)).then(head),
        actor,
        signer: KeyId([7; 32]),
        message: Some(MessageRef {
            message_id: MessageId([1; 16]),
            outer_hash: hashes.outer,
            letter_hash: hashes.letter,
        }),
        time: NOW.occurred_at,
        reason: String::new(),
        details: Vec::new(),
    }
}

fn decide(act: &Act, message: &MessageState) -> Result<Outcome, Refusal> {
    decide_as(act, message, &ActorState { key_active: true, head: act.actor_head }, NOW)
}

fn decide_as(
    act: &Act,
    message: &MessageState,
    actor: &ActorState,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    let signed = format::Signed::default();
    let signed_act = SignedAct { act, signed: &signed };
    match act.act_type {
        ActType::HandedOver => decide_hand_over(signed_act, actor, message, moment),
        ActType::Confirmed => decide_confirm(signed_act, actor, message, moment),
        ActType::RejectedByRecipient => decide_reject(signed_act, actor, message, moment),
        ActType::Disputed => decide_dispute(signed_act, actor, message, moment),
        ActType::Deleted => decide_delete(signed_act, actor, message, moment),
        ActType::Withdrawn => {
            let rules = RuleSet::built_in();
            decide_withdraw(signed_act, actor, message, WithdrawRules { rules: &rules, ags: "" }, moment)
        }
        _ => panic!("not an act on a message"),
    }
}

const ON_MESSAGE: [ActType; 6] = [
    ActType::HandedOver,
    ActType::Confirmed,
    ActType::RejectedByRecipient,
    ActType::Disputed,
    ActType::Deleted,
    ActType::Withdrawn,
];

#[test]
fn every_act_needs_its_party_key_head_time_and_hashes() {
    for act_type in ON_MESSAGE {
        let events: &[EventType] = if act_type == ActType::Withdrawn {
            &[EventType::Accepted]
        } else {
            &[EventType::Accepted, EventType::HandedOver]
        };
        let state = message(events);
        let good = act(act_type);
        assert!(decide(&good, &state).is_ok(), "{act_type:?}");
        let stranger = Act { actor: Party::Mailbox(Address([8; 32])), ..good.clone() };
        assert_eq!(decide(&stranger, &state), Err(Refusal::NotFound));
        let revoked = ActorState { key_active: false, head: good.actor_head };
        assert_eq!(decide_as(&good, &state, &revoked, NOW), Err(Refusal::KeyNotActive));
        let late = Moment { occurred_at: NOW.occurred_at.plus_ms(300_001), ..NOW };
        let actor = ActorState { key_active: true, head: good.actor_head };
        let off = Err(Refusal::ActTimeOff { server_time: late.occurred_at });
        assert_eq!(decide_as(&good, &state, &actor, late), off);
        let other = MessageRef { letter_hash: Digest([0; 32]), ..good.message.unwrap() };
        assert_eq!(decide(&Act { message: Some(other), ..good.clone() }, &state), Err(Refusal::HashMismatch));
        let erased = MessageState { hashes: None, ..state.clone() };
        assert_eq!(decide(&good, &erased), Err(Refusal::Erased));
        if good.actor_head.is_some() {
            let newest = ChainHead { seq: 4, ..head() };
            let behind = ActorState { key_active: true, head: Some(newest) };
            assert_eq!(decide_as(&good, &state, &behind, NOW), Err(Refusal::HeadNotNewest { head: newest }));
        }
    }
}

#[test]
fn a_decision_takes_no_act_of_another_type() {
    let state = message(&[EventType::Accepted, EventType::HandedOver]);
    let (signed, rules) = (format::Signed::default(), RuleSet::built_in());
    let other = |act_type| if act_type == ActType::Deleted { ActType::Disputed } else { ActType::Deleted };
    for act_type in ON_MESSAGE {
        let wrong = Act { act_type: other(act_type), ..act(act_type) };
        let actor = ActorState { key_active: true, head: wrong.actor_head };
        let given = SignedAct { act: &wrong, signed: &signed };
        let result = match act_type {
            ActType::HandedOver => decide_hand_over(given, &actor, &state, NOW),
            ActType::Confirmed => decide_confirm(given, &actor, &state, NOW),
            ActType::RejectedByRecipient => decide_reject(given, &actor, &state, NOW),
            ActType::Disputed => decide_dispute(given, &actor, &state, NOW),
            ActType::Deleted => decide_delete(given, &actor, &state, NOW),
            _ => {
                let law = WithdrawRules { rules: &rules, ags: "" };
                decide_withdraw(given, &actor, &message(&[EventType::Accepted]), law, NOW)
            }
        };
        assert_eq!(result, Err(Refusal::NotFound), "{act_type:?}");
    }
    let consent = Act { message: None, ..act(ActType::Consent) };
    let actor = ActorState { key_active: true, head: consent.actor_head };
    let owner = ConsentState { actor, newest: None, closed: false };
    let given = SignedAct { act: &consent, signed: &signed };
    assert_eq!(decide_settings(given, &owner, NOW), Err(Refusal::NotFound));
    let settings = Act { act_type: ActType::Settings, ..consent.clone() };
    let given = SignedAct { act: &settings, signed: &signed };
    assert_eq!(decide_settings(given, &owner, NOW), Ok(()));
    assert_eq!(decide_consent(given, &owner, NOW), Err(Refusal::NotFound));
}

#[test]
fn a_letter_is_handed_over_once_and_only_while_it_is_there() {
    let take = act(ActType::HandedOver);
    let Ok(Outcome::Log(event)) = decide(&take, &message(&[EventType::Accepted])) else {
        panic!("not logged")
    };
    assert_eq!((event.event_type, event.prev_commitment), (EventType::HandedOver, Digest([4; 32])));
    let again = message(&[EventType::Accepted, EventType::HandedOver, EventType::Deleted]);
    assert_eq!(decide(&take, &again), Ok(Outcome::Stands(EventType::HandedOver)));
    for (event, refusal) in [
        (EventType::Withdrawn, Refusal::Withdrawn),
        (EventType::Lapsed, Refusal::Lapsed),
        (EventType::Deleted, Refusal::Deleted),
    ] {
        assert_eq!(decide(&take, &message(&[EventType::Accepted, event])), Err(refusal));
    }
    assert_eq!(decide(&take, &message(&[EventType::Refused])), Err(Refusal::NotFound));
    let available_at = NOW.occurred_at.plus_ms(1);
    let later = MessageState { available_at, ..message(&[EventType::Accepted]) };
    assert_eq!(decide(&take, &later), Err(Refusal::NotYetAvailable { available_at }));
}

#[test]
fn only_what_was_handed_over_is_confirmed() {
    let unread = message(&[EventType::Accepted]);
    assert_eq!(decide(&act(ActType::Confirmed), &unread), Err(Refusal::NotHandedOver));
    let confirmed = message(&[EventType::Accepted, EventType::HandedOver, EventType::Confirmed]);
    let stands = Ok(Outcome::Stands(EventType::Confirmed));
    assert_eq!(decide(&act(ActType::Confirmed), &confirmed), stands);
}

#[test]
fn a_bad_cover_is_rejected_or_disputed_without_a_hand_over() {
    let unread = message(&[EventType::Accepted]);
    let missed = Act { reason: reason::LETTER_NOT_RECEIVED.to_owned(), ..act(ActType::Disputed) };
    for act in [act(ActType::RejectedByRecipient), act(ActType::Disputed), missed] {
        let Ok(Outcome::Log(event)) = decide(&act, &unread) else { panic!("not logged") };
        assert_eq!(event.reason, act.reason);
    }
}

#[test]
fn a_message_is_withdrawn_only_before_it_counts() {
    let take_back = act(ActType::Withdrawn);
    let unread = message(&[EventType::Accepted]);
    assert!(matches!(decide(&take_back, &unread), Ok(Outcome::Log(_))));
    let read = message(&[EventType::Accepted, EventType::HandedOver]);
    assert_eq!(decide(&take_back, &read), Err(Refusal::WithdrawTooLate));
    let five_days = Moment { occurred_at: NOW.occurred_at.plus_ms(5 * 86_400_000), ..NOW };
    let late = Act { time: five_days.occurred_at, ..take_back };
    let actor = ActorState { key_active: true, head: None };
    assert_eq!(decide_as(&late, &unread, &actor, five_days), Err(Refusal::WithdrawTooLate));
}

#[test]
fn consent_moves_forward_only() {
    let give = Act { message: None, ..act(ActType::Consent) };
    let signed = format::Signed::default();
    let signed = SignedAct { act: &give, signed: &signed };
    let actor = ActorState { key_active: true, head: give.actor_head };
    let fresh = ConsentState { actor, newest: None, closed: false };
    assert_eq!(decide_consent(signed, &fresh, NOW).unwrap().event_type, EventType::Consent);
    let newest = Some(give.time);
    let refused = Err(Refusal::ConsentNotNewer { newest: give.time });
    assert_eq!(decide_consent(signed, &ConsentState { newest, ..fresh }, NOW), refused);
    let closed = ConsentState { closed: true, ..fresh };
    assert_eq!(decide_consent(signed, &closed, NOW), Err(Refusal::MailboxClosed));
}

#[test]
fn one_code_opens_one_mailbox() {
    let (mine, other) = (Address([1; 32]), Address([2; 32]));
    let now = NOW.occurred_at;
    let open = |proof_fits| CodeState::Open { expires_at: now, proof_fits };
    assert_eq!(decide_register(open(true), mine, false, now), Ok(Registration::Open));
    assert_eq!(decide_register(open(true), mine, false, now.plus_ms(1)), Err(Refusal::CodeExpired));
    assert_eq!(decide_register(open(true), mine, true, now), Err(Refusal::MailboxExists));
    assert_eq!(decide_register(open(false), mine, false, now), Err(Refusal::CodeUnknown));
    assert_eq!(decide_register(CodeState::Unknown, mine, false, now), Err(Refusal::CodeUnknown));
    assert_eq!(decide_register(CodeState::Redeemed(mine), mine, true, now), Ok(Registration::Again));
    assert_eq!(decide_register(CodeState::Redeemed(other), mine, false, now), Err(Refusal::CodeUsed));
}

#[test]
fn an_erasure_names_every_leaf_of_the_message() {
    let state = message(&[EventType::Accepted, EventType::HandedOver]);
    let Outcome::Log(event) = decide_erase(&state, NOW) else { panic!("not logged") };
    let details = crate::event::ErasedDetails::parse(&event.details).unwrap();
    assert_eq!((details.indexes, details.pair_seq, event.hashes), (vec![10, 11], 1, None));
    let erased = message(&[EventType::Erased]);
    assert_eq!(decide_erase(&erased, NOW), Outcome::Stands(EventType::Erased));
}

#[test]
fn acts_repeat_under_their_id_only_with_the_same_body() {
    assert_eq!(decide_repeat(None, b"a"), Ok(false));
    assert_eq!(decide_repeat(Some(Digest::of(b"a")), b"a"), Ok(true));
    assert_eq!(decide_repeat(Some(Digest::of(b"a")), b"b"), Err(Refusal::ActIdReused));
}

#[test]
fn every_refusal_stands_in_the_table_once() {
    for (i, (reason, _)) in REASONS.iter().enumerate() {
        assert!(REASONS[..i].iter().all(|(other, _)| other != reason), "{reason} twice");
    }
    let (head, time) = (head(), NOW.occurred_at);
    let every = [
        Refusal::NotFound,
        Refusal::MessageIdReused,
        Refusal::ActIdReused,
        Refusal::ChainStale { head, generation: 0 },
        Refusal::KeyNotActive,
        Refusal::HeadNotNewest { head },
        Refusal::ActTimeOff { server_time: time },
        Refusal::RecipientNotAuthority,
        Refusal::AttachmentNotReady { id: crate::id::AttachmentId([0; 16]) },
        Refusal::NotYetAvailable { available_at: time },
        Refusal::NotHandedOver,
        Refusal::Withdrawn,
        Refusal::Lapsed,
        Refusal::Deleted,
        Refusal::Erased,
        Refusal::WithdrawTooLate,
        Refusal::HashMismatch,
        Refusal::ConsentNotNewer { newest: time },
        Refusal::MailboxClosed,
        Refusal::CodeUnknown,
        Refusal::CodeExpired,
        Refusal::CodeUsed,
        Refusal::MailboxExists,
        Refusal::LinkConflict { head },
        Refusal::LinkInvalid { rule: crate::chain::LinkError::Full },
        Refusal::WrapsIncomplete,
        Refusal::AuthorityExists,
        Refusal::GenesisMissing,
        Refusal::MailboxMismatch,
        Refusal::KeyAlreadyCertified,
    ];
    for refusal in every {
        assert!(REASONS.iter().any(|(reason, _)| *reason == refusal.reason()), "{refusal:?}");
    }
    assert_eq!(every.len(), REASONS.len(), "every line of the table stands for one refusal");
}
