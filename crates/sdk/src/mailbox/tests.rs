//! Each check of a reader goes red on its own tampering, and says who is to blame.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::chain::link_hash;
use postfach_domain::event::{ErasedDetails, Event, EventSigned, EventType};
use postfach_domain::hash::Digest;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{ActId, Address, MessageId, Party};
use postfach_domain::submission::Hashes;
use postfach_domain::time::Timestamp;
use postfach_proto::v1;

use super::sort::{Sorter, tell_missing};
use super::{Content, Defect, Mailbox, MailboxMemory, SyncItem, SyncPage, SyncWarning};
use crate::error::{Error, EvidenceFault};
use crate::state::SyncState;
use crate::testing::{NOW, World, item};

type Break = fn(&mut v1::LoggedEvent);

/// Messages that came before.
#[derive(Default)]
struct Memory(HashMap<MessageId, (u64, Hashes)>);

impl MailboxMemory for Memory {
    fn accepted_index(&self, id: &MessageId) -> Option<u64> {
        self.0.get(id).map(|(index, _)| *index)
    }

    fn hashes(&self, id: &MessageId) -> Option<Hashes> {
        self.0.get(id).map(|(_, hashes)| *hashes)
    }
}

/// A page through all checks that need no further call.
async fn sync(
    world: &World,
    page: &v1::SyncResponse,
    state: &mut SyncState,
    memory: &Memory,
) -> Result<SyncPage, Error> {
    let mailbox = Mailbox::open(&world.client(), &world.citizen)?;
    sync_as(&mailbox, page, state, memory).await
}

async fn sync_as(
    mailbox: &Mailbox,
    page: &v1::SyncResponse,
    state: &mut SyncState,
    memory: &Memory,
) -> Result<SyncPage, Error> {
    let seen = mailbox.client.observe(page.checkpoints.as_ref())?;
    let checked = mailbox.check_page(page, &seen).await?;
    let mut sorted = Sorter::new(memory, state, "here").sort(checked)?;
    if !page.has_more {
        tell_missing(state, &mut sorted.warnings);
    }
    Ok(sorted)
}

/// The content of the only message of a page.
async fn content(world: &World, item: v1::SyncItem) -> Content {
    let page = world.page(vec![item]);
    let page = sync(world, &page, &mut SyncState::default(), &Memory::default()).await.unwrap();
    match page.items.into_iter().next().unwrap() {
        SyncItem::Message(message) => message.content,
        other => panic!("{other:?}"),
    }
}

fn server_defect(content: &Content) -> &str {
    match content {
        Content::Defect(Defect::Server(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn fault<T: std::fmt::Debug>(result: Result<T, Error>) -> EvidenceFault {
    match result.unwrap_err() {
        Error::Evidence(e) => e.what,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_good_message_is_shown_with_the_certified_name() {
    let mut world = World::new();
    let sealed = world.seal("Bescheid");
    let row = world.arrive(&sealed, 1);
    let page = world.page(vec![row]);
    let mut state = SyncState::default();
    let page = sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    let [SyncItem::Message(message)] = &page.items[..] else { panic!("{page:?}") };
    let Content::Opened(cover) = &message.content else { panic!("{message:?}") };
    assert_eq!(cover.subject(), "Bescheid");
    assert_eq!(message.record.sender.display_name.as_deref(), Some("Stadt Test"));
    assert!(page.warnings.is_empty());
    assert_eq!(state.pairs["stadt-test"].highest, 1);
    // What is stored opens again without a call.
    let mailbox = Mailbox::open(&world.client(), &world.citizen).unwrap();
    let text = serde_json::to_string(&message.record).unwrap();
    let stored = serde_json::from_str(&text).unwrap();
    let opened = mailbox.open_letter(&stored, &sealed.letter_envelope).await.unwrap();
    assert_eq!(opened.letter.body(), "Guten Tag.");
    let mut swapped = sealed.letter_envelope.clone();
    swapped[500] ^= 1;
    assert!(matches!(mailbox.open_letter(&stored, &swapped).await, Err(Error::Damaged { .. })));
}

#[tokio::test]
async fn bytes_that_are_not_the_accepted_ones_are_the_services_fault() {
    let mut world = World::new();
    let (sealed, other) = (world.seal("a"), world.seal("b"));
    let row = world.arrive(&sealed, 1);
    let swapped_outer = v1::SyncItem { outer: other.outer.clone().into(), ..row.clone() };
    assert!(server_defect(&content(&world, swapped_outer).await).contains("outer header"));
    let swapped_cover = v1::SyncItem { cover_envelope: other.cover_envelope.clone().into(), ..row.clone() };
    assert!(server_defect(&content(&world, swapped_cover).await).contains("cover"));
}

#[tokio::test]
async fn the_submission_must_be_signed_by_a_key_that_counts() {
    let mut world = World::new();
    let (sealed, other) = (world.seal("a"), world.seal("b"));
    let mut event = world.accepted(&sealed, 1);
    event.signed = world.accepted(&other, 1).signed;
    let logged = world.log(&event);
    assert!(server_defect(&content(&world, item(logged, &sealed)).await).contains("signature"));
    // An event from before the certificate.
    let mut event = world.accepted(&sealed, 1);
    event.keys_size = 0;
    let logged = world.log(&event);
    assert!(server_defect(&content(&world, item(logged, &sealed)).await).contains("certificate"));
    // A revocation counts from its place on, not before.
    let before = world.arrive(&sealed, 1);
    world.revoke();
    let after = world.arrive(&other, 2);
    assert!(matches!(content(&world, before).await, Content::Opened(_)));
    assert!(server_defect(&content(&world, after).await).contains("certificate"));
}

#[tokio::test]
async fn a_message_of_another_mailbox_is_refused_whole() {
    let mut world = World::new();
    let sealed = world.seal("a");
    let mut event = world.accepted(&sealed, 1);
    event.recipient = Some(Address([9; 32]));
    let row = item(world.log(&event), &sealed);
    let page = world.page(vec![row]);
    let result = sync(&world, &page, &mut SyncState::default(), &Memory::default()).await;
    assert!(matches!(fault(result), EvidenceFault::Event { .. }));
}

#[tokio::test]
async fn an_event_must_stand_in_the_log() {
    let mut world = World::new();
    let sealed = world.seal("a");
    let rows = vec![world.arrive(&sealed, 1), world.arrive(&world.seal("b"), 2)];
    let page = world.page(rows);
    let breaks: [Break; 4] = [
        |e| e.salt[0] ^= 1,
        |e| e.index = 1,
        |e| e.inclusion[0][3] ^= 1,
        |e| *e.event.last_mut().unwrap() ^= 1,
    ];
    for break_it in breaks {
        let mut page = page.clone();
        break_it(page.items[0].event.as_mut().unwrap());
        let result = sync(&world, &page, &mut SyncState::default(), &Memory::default()).await;
        assert!(matches!(fault(result), EvidenceFault::Inclusion(_)));
    }
    let mut forged = page.clone();
    forged.checkpoints.as_mut().unwrap().evidence[30] ^= 1;
    let result = sync(&world, &forged, &mut SyncState::default(), &Memory::default()).await;
    assert!(matches!(fault(result), EvidenceFault::Checkpoint(_)));
}

#[tokio::test]
async fn a_certificate_must_be_the_registrars_and_in_the_log() {
    let mut world = World::new();
    let row = world.arrive(&world.seal("a"), 1);
    let page = world.page(vec![row]);
    let mut unsigned = page.clone();
    let certificate = unsigned.authorities[0].certificate.as_mut().unwrap();
    certificate.statement.as_mut().unwrap().body[5] ^= 1;
    let result = sync(&world, &unsigned, &mut SyncState::default(), &Memory::default()).await;
    assert!(matches!(fault(result), EvidenceFault::Certificate(_)));
    let mut unlogged = page.clone();
    unlogged.authorities[0].certificate.as_mut().unwrap().inclusion[0][0] ^= 1;
    let result = sync(&world, &unlogged, &mut SyncState::default(), &Memory::default()).await;
    assert!(matches!(fault(result), EvidenceFault::Inclusion(_)));
}

#[tokio::test]
async fn numbers_continue_and_gaps_are_told_until_explained() {
    let mut world = World::new();
    let rows = vec![world.arrive(&world.seal("1"), 1), world.arrive(&world.seal("4"), 4)];
    let page = world.page(rows);
    let mut state = SyncState::default();
    let synced = sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    let expected = SyncWarning::MissingMessages { issuer: "stadt-test".to_owned(), count: 2 };
    assert_eq!(synced.warnings, [expected]);
    // An erasure explains one; a late message fills the other; a third with that number is a repeat.
    let rows = vec![
        erasure(&mut world, 2),
        world.arrive(&world.seal("3"), 3),
        world.arrive(&world.seal("3 again"), 3),
    ];
    let page = world.page(rows);
    let synced = sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    assert_eq!(state.pairs["stadt-test"].missing_count(), 0);
    assert!(matches!(&synced.warnings[..], [SyncWarning::RepeatedNumber { pair_seq: 3, .. }]));
    let SyncItem::Message(repeated) = &synced.items[2] else { panic!() };
    assert!(server_defect(&repeated.content).contains("number"));
}

/// A message of that number, which never came, was erased.
fn erasure(world: &mut World, pair_seq: u64) -> v1::SyncItem {
    let mut erased = world.accepted(&world.seal("erased"), 0);
    erased.event_type = EventType::Erased;
    erased.signed = None;
    erased.hashes = None;
    erased.details = ErasedDetails { indexes: vec![77], pair_seq }.encode();
    v1::SyncItem { event: Some(world.log(&erased)), ..v1::SyncItem::default() }
}

#[tokio::test]
async fn a_gap_that_a_later_page_explains_is_not_told() {
    let mut world = World::new();
    let mut state = SyncState::default();
    let row = world.arrive(&world.seal("3"), 3);
    let first = v1::SyncResponse { has_more: true, ..world.page(vec![row]) };
    let synced = sync(&world, &first, &mut state, &Memory::default()).await.unwrap();
    assert!(synced.warnings.is_empty() && state.pairs["stadt-test"].missing_count() == 2);
    let row = erasure(&mut world, 1);
    let page = world.page(vec![row]);
    // What no page explains is told at the end, and once.
    let synced = sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    let missing = SyncWarning::MissingMessages { issuer: "stadt-test".to_owned(), count: 1 };
    assert_eq!(synced.warnings, [missing]);
    let row = world.arrive(&world.seal("4"), 4);
    let page = world.page(vec![row]);
    let synced = sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    assert!(synced.warnings.is_empty(), "{:?}", synced.warnings);
}

#[tokio::test]
async fn erasures_explain_also_gaps_that_are_too_large_to_be_listed() {
    let mut world = World::new();
    let mut state = SyncState::default();
    let sealed = world.seal("1003");
    let row = world.arrive(&sealed, 1003);
    let first = v1::SyncResponse { has_more: true, ..world.page(vec![row]) };
    let synced = sync(&world, &first, &mut state, &Memory::default()).await.unwrap();
    let SyncItem::Message(message) = &synced.items[0] else { panic!("{synced:?}") };
    let memory = Memory(HashMap::from([(message.message_id, (message.accepted.index, sealed.hashes()))]));
    assert_eq!((state.pairs["stadt-test"].unlisted, state.pairs["stadt-test"].missing_count()), (2, 1002));
    // One of those that are only counted, one that is listed, and the one that came, which explains nothing.
    let mut came = world.accepted(&sealed, 0);
    came.event_type = EventType::Erased;
    came.signed = None;
    came.details = ErasedDetails { indexes: vec![0], pair_seq: 1003 }.encode();
    let came = v1::SyncItem { event: Some(world.log(&came)), ..v1::SyncItem::default() };
    let rows = vec![erasure(&mut world, 1002), erasure(&mut world, 7), came];
    let page = world.page(rows);
    let synced = sync(&world, &page, &mut state, &memory).await.unwrap();
    let missing = SyncWarning::MissingMessages { issuer: "stadt-test".to_owned(), count: 1000 };
    assert_eq!(synced.warnings, [missing]);
}

#[tokio::test]
async fn an_id_comes_once_but_a_page_may_come_again() {
    let mut world = World::new();
    let sealed = world.seal("a");
    let rows = vec![world.arrive(&sealed, 1), world.arrive(&sealed, 2)];
    let page = world.page(rows);
    let mut state = SyncState::default();
    let synced = sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    let SyncItem::Message(replayed) = &synced.items[1] else { panic!() };
    assert!(server_defect(&replayed.content).contains("id of the message"));
    // The first again, as after a crash between storing the items and the state.
    let SyncItem::Message(first) = &synced.items[0] else { panic!() };
    let memory = Memory(HashMap::from([(first.message_id, (first.accepted.index, sealed.hashes()))]));
    let again = world.page(vec![page.items[0].clone()]);
    let synced = sync(&world, &again, &mut SyncState::default(), &memory).await.unwrap();
    let SyncItem::Message(first) = &synced.items[0] else { panic!() };
    assert!(matches!(first.content, Content::Opened(_)));
}

#[tokio::test]
async fn a_later_event_names_the_accepted_bytes() {
    let mut world = World::new();
    let (sealed, other) = (world.seal("a"), world.seal("b"));
    let id = world.accepted(&sealed, 1).message_id.unwrap();
    let memory = Memory(HashMap::from([(id, (0, sealed.hashes()))]));
    let lapsed = |hashes| Event {
        event_type: EventType::Lapsed,
        hashes: Some(hashes),
        signed: None,
        prev_commitment: Digest::ZERO,
        ..world.accepted(&sealed, 0)
    };
    let (right, wrong) = (lapsed(sealed.hashes()), lapsed(other.hashes()));
    for (event, fits) in [(right, true), (wrong, false)] {
        let row = v1::SyncItem { event: Some(world.log(&event)), ..v1::SyncItem::default() };
        let page = world.page(vec![row]);
        let result = sync(&world, &page, &mut SyncState::default(), &memory).await;
        assert_eq!(result.is_ok(), fits);
    }
    // An act without its act is nobody's.
    let mut confirmed = world.accepted(&sealed, 0);
    confirmed.event_type = EventType::Confirmed;
    confirmed.signed = None;
    let row = v1::SyncItem { event: Some(world.log(&confirmed)), ..v1::SyncItem::default() };
    let page = world.page(vec![row]);
    let result = sync(&world, &page, &mut SyncState::default(), &memory).await;
    assert!(matches!(fault(result), EvidenceFault::Event { .. }));
}

#[tokio::test]
async fn what_a_citizen_withdraws_is_checked_with_her_chain() {
    for (chain, seq, fits) in [(true, 0, true), (false, 0, false), (true, 1, false)] {
        let mut world = World::new();
        let accepted = world.accepted(&world.seal("a"), 1);
        let hashes = accepted.hashes.unwrap();
        let logged = world.chain();
        let act = Act {
            origin: world.service.origin.clone(),
            act_id: ActId([9; 16]),
            act_type: ActType::Withdrawn,
            actor: Party::Mailbox(world.citizen.address),
            signer: world.citizen.device.sign.key_id(),
            actor_head: Some(ChainHead { seq, link_hash: link_hash(&logged.links[0]) }),
            message: Some(MessageRef {
                message_id: accepted.message_id.unwrap(),
                outer_hash: hashes.outer,
                letter_hash: hashes.letter,
            }),
            time: NOW,
            reason: String::new(),
            details: Vec::new(),
        };
        let withdrawn = Event {
            event_type: EventType::Withdrawn,
            sender: Some(act.actor.clone()),
            signed: Some(EventSigned::Act(act.sign(&world.citizen.device.sign))),
            pair_seq: 0,
            ..accepted
        };
        let row = v1::SyncItem { event: Some(world.log(&withdrawn)), ..v1::SyncItem::default() };
        let senders = if chain { vec![logged] } else { Vec::new() };
        let page = v1::SyncResponse { senders, ..world.page(vec![row]) };
        let result = sync(&world, &page, &mut SyncState::default(), &Memory::default()).await;
        assert_eq!(result.is_ok(), fits, "{chain} {seq}: {result:?}");
    }
}

#[tokio::test]
async fn an_event_behind_what_was_seen_may_not_be_dated_before_it() {
    let mut world = World::new();
    let mailbox = Mailbox::open(&world.client(), &world.citizen).unwrap();
    let first = world.arrive(&world.seal("a"), 1);
    let page = world.page(vec![first]);
    sync_as(&mailbox, &page, &mut SyncState::default(), &Memory::default()).await.unwrap();
    let sealed = world.seal("b");
    let mut event = world.accepted(&sealed, 2);
    event.occurred_at = Timestamp(NOW.0 - 1);
    let row = item(world.log(&event), &sealed);
    let page = world.page(vec![row]);
    let result = sync_as(&mailbox, &page, &mut SyncState::default(), &Memory::default()).await;
    assert_eq!(fault(result), EvidenceFault::BackDated { index: 1 });
}

#[tokio::test]
async fn a_cover_that_is_not_available_yet_is_waited_for() {
    let mut world = World::new();
    let later = NOW.plus_ms(1000);
    let sealed = world.seal_for("a", Some(later));
    let mut event = world.accepted(&sealed, 1);
    event.available_at = later;
    let logged = world.log(&event);
    let row = v1::SyncItem { cover_envelope: Vec::new().into(), ..item(logged, &sealed) };
    let page = world.page(vec![row]);
    let mut state = SyncState::default();
    let synced = sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    let SyncItem::Message(message) = &synced.items[0] else { panic!() };
    assert!(matches!(message.content, Content::NotYet));
    assert_eq!((state.waiting[0].index, state.waiting[0].cursor.as_str()), (0, "here"));
    // Erased meanwhile: nothing to wait for any more.
    let mut erased = world.accepted(&sealed, 0);
    erased.event_type = EventType::Erased;
    erased.signed = None;
    let row = v1::SyncItem { event: Some(world.log(&erased)), ..v1::SyncItem::default() };
    let page = world.page(vec![row]);
    sync(&world, &page, &mut state, &Memory::default()).await.unwrap();
    assert!(state.waiting.is_empty());
}

#[tokio::test]
async fn a_message_is_kept_back_for_as_long_as_its_sender_asked() {
    for (asked, said) in [(0, 1000), (1000, 0), (1000, 2000)] {
        let mut world = World::new();
        let sealed = world.seal_for("a", (asked > 0).then(|| NOW.plus_ms(asked)));
        let event = Event { available_at: NOW.plus_ms(said), ..world.accepted(&sealed, 1) };
        let row = v1::SyncItem { cover_envelope: Vec::new().into(), ..item(world.log(&event), &sealed) };
        assert!(server_defect(&content(&world, row).await).contains("another time"), "{asked} {said}");
    }
}

#[tokio::test]
async fn a_certificate_counts_within_its_dates() {
    for (until, counts) in [(NOW, true), (Timestamp(NOW.0 - 1), false)] {
        let mut world = World::certified_until(Some(until));
        let sealed = world.seal("a");
        let row = world.arrive(&sealed, 1);
        let content = content(&world, row).await;
        assert_eq!(matches!(content, Content::Opened(_)), counts, "{content:?}");
        assert!(counts || server_defect(&content).contains("no certificate"), "{content:?}");
    }
}

#[tokio::test]
async fn a_chain_is_proven_pinned_and_stated() {
    let world = World::new();
    let client = world.client();
    let page = world.page(Vec::new());
    let seen = client.observe(page.checkpoints.as_ref()).unwrap();
    let (address, logged) = (world.citizen.address, world.chain());
    let proven = client.verify_chain(&address, Some(&logged), &seen).unwrap();
    client.verify_head(&proven, &logged, Some(&world.head()), &seen).unwrap();
    // Another address, another place, another statement.
    assert!(matches!(
        fault(client.verify_chain(&Address([1; 32]), Some(&logged), &seen)),
        EvidenceFault::Chain(_)
    ));
    let moved = v1::LoggedChain { head_index: 0, indexes: vec![0], ..logged.clone() };
    assert!(matches!(fault(client.verify_chain(&address, Some(&moved), &seen)), EvidenceFault::Inclusion(_)));
    let mut forged = world.head();
    forged.signature.as_mut().unwrap().sig[0] ^= 1;
    let result = client.verify_head(&proven, &logged, Some(&forged), &seen);
    assert!(matches!(fault(result), EvidenceFault::Head(_)));
    // A longer chain was seen before.
    client.with_trust(|trust| trust.pins.get_mut(&address.to_string()).unwrap().seq = 1);
    assert!(matches!(fault(client.verify_chain(&address, Some(&logged), &seen)), EvidenceFault::Pin { .. }));
}
