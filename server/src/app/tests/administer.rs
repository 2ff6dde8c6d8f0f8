//! What the operator does: authorities, revocations, erasure, lists; and what a start refuses.

use postfach_domain::authority::{AuthorityRevocation, cert_hash};
use postfach_domain::decide::Refusal;
use postfach_domain::event::{ErasedDetails, Event, EventType};
use postfach_domain::keylog::cert_leaf;
use postfach_domain::sign::SecretKey;
use postfach_ledger::hash::leaf_hash;
use postfach_ledger::leaf::EvidenceLeaf;

use super::{field, refusal};
use crate::app::{AppError, Caller, DeliveryFilter, OpenError, RegisterAuthority};
use crate::evidence::{LogName, LoggedEvent};
use crate::logs::KeptError;
use crate::storage::Ask;
use crate::storage::sql::events;
use crate::testing::{self, Mailbox, World, certificate, message_ref, registrar};

pub(super) fn revocation(id: &str, key: &SecretKey) -> postfach_domain::format::Signed {
    let revocation = AuthorityRevocation {
        origin: testing::ORIGIN.parse().unwrap(),
        authority_id: id.parse().unwrap(),
        key_id: key.key_id(),
        revoked_at: testing::START,
        reason: "lost".to_owned(),
    };
    revocation.sign(&registrar()).unwrap()
}

fn request(certificate: postfach_domain::format::Signed, mailbox: Option<&Mailbox>) -> RegisterAuthority {
    RegisterAuthority {
        certificate,
        genesis: mailbox.map(|mailbox| mailbox.genesis.clone()),
        wraps: mailbox.map(Mailbox::wraps).unwrap_or_default(),
    }
}

#[tokio::test]
async fn authorities_get_keys_and_lose_them() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let second = world.key();
    let signed = certificate("amt", &second, amt.mailbox.address());
    let added = world.app.register_authority(request(signed.clone(), None)).await.unwrap();
    let again = world.app.register_authority(request(signed.clone(), None)).await.unwrap();
    assert_eq!(added, again);
    let (keys, checkpoints) = world.app.get_authority(&"amt".parse().unwrap()).await.unwrap();
    assert_eq!(keys.len(), 2);
    let leaf = leaf_hash(&cert_leaf(&second.key_id(), &cert_hash(&signed)));
    let logged = &keys[1].certificate;
    world.check_leaf(LogName::Keys, logged.index, &leaf, &logged.inclusion, &checkpoints.keys);

    let machine = Caller { key_id: second.key_id(), ..amt.caller() };
    let with_second = |mailbox: &Mailbox| {
        let outer = testing::outer(&world, amt.party.clone(), &second, mailbox);
        testing::submission(&world, &outer, &second)
    };
    world.check(&world.app.deliver(&machine, with_second(&anna), false).await.unwrap());
    let stop = revocation("amt", &second);
    let index = world.app.revoke_authority(vec![stop.clone()]).await.unwrap();
    assert_eq!(world.app.revoke_authority(vec![stop]).await.unwrap(), index);
    assert_eq!(world.app.caller_key(&machine.party, &machine.key_id).await.unwrap(), None);
    let late = world.app.deliver(&amt.caller(), with_second(&anna), false).await;
    assert_eq!(refusal(late), Refusal::KeyNotActive);
    world.deliver(&amt, &anna).await;

    world.authority("bau").await;
    world.app.revoke_authority(vec![revocation("amt", &amt.key)]).await.unwrap();
    let (page, _) = world.app.list_authorities(1, "").await.unwrap();
    assert!(page.items.is_empty());
    let (page, _) = world.app.list_authorities(1, &page.next.unwrap()).await.unwrap();
    assert_eq!((page.items[0].id.as_str(), page.next), ("bau", None));
}

#[tokio::test]
async fn what_the_registrar_must_have_signed() {
    let world = World::new().await;
    let amt = world.authority("amt").await;
    let (key, mailbox) = (world.key(), Mailbox::new(&world));
    let mut forged = certificate("bau", &key, mailbox.address());
    forged.body[30] ^= 1;
    assert_eq!(field(world.app.register_authority(request(forged, Some(&mailbox))).await), "certificate");
    let call = async |certificate, mailbox: Option<&Mailbox>| {
        refusal(world.app.register_authority(request(certificate, mailbox)).await)
    };
    let good = certificate("bau", &key, mailbox.address());
    assert_eq!(call(good.clone(), None).await, Refusal::GenesisMissing);
    assert_eq!(call(good.clone(), Some(&Mailbox::new(&world))).await, Refusal::MailboxMismatch);
    let known = certificate("amt", &key, mailbox.address());
    assert_eq!(call(known.clone(), Some(&mailbox)).await, Refusal::AuthorityExists);
    assert_eq!(call(known, None).await, Refusal::MailboxMismatch);
    let twice = certificate("bau", &amt.key, mailbox.address());
    assert_eq!(call(twice, Some(&mailbox)).await, Refusal::KeyAlreadyCertified);
    world.app.register_authority(request(good, Some(&mailbox))).await.unwrap();
    let unknown = world.app.revoke_authority(vec![revocation("bau", &amt.key)]).await;
    assert!(matches!(unknown, Err(AppError::NotFound)));
}

#[tokio::test]
async fn erasing_leaves_commitments_only() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (id, submission) = world.deliver(&amt, &anna).await;
    let take =
        anna.act(&world, postfach_domain::act::ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    world.app.hand_over(&anna.caller(), id, Some(take)).await.unwrap();
    let (kept, _) = world.deliver(&amt, &anna).await;
    let erased = world.app.erase(id).await.unwrap();
    assert_eq!(world.app.erase(id).await.unwrap(), erased);
    assert_eq!(erased.erased_indexes.len(), 2);
    let indexes = erased.erased_indexes.iter().copied();
    for row in events::by_index(&mut Ask(testing::store(&world)), indexes).await.unwrap() {
        assert_eq!((row.salt, row.event, row.event_type, row.occurred_at), (None, None, None, None));
    }
    let page = world.app.sync(&anna.caller(), "", 0).await.unwrap();
    let marks: Vec<bool> = page.items.iter().map(|item| item.erased).collect();
    assert_eq!(marks, [false, true, true, false, false]);
    let event: Event = world.check_event(&page.items[4].event, &page.checkpoints);
    let details = ErasedDetails::parse(&event.details).unwrap();
    assert_eq!((event.event_type, details.pair_seq), (EventType::Erased, 1));
    assert_eq!(refusal(world.app.hand_over(&anna.caller(), id, None).await), Refusal::Erased);
    let again = world.app.deliver(&amt.caller(), submission.clone(), false).await;
    assert_eq!(refusal(again), Refusal::MessageIdReused);
    let delivery = world.app.get_delivery(&amt.caller(), id, true).await.unwrap();
    assert_eq!(delivery.submission, None);
    let receipts = world.app.get_receipts(&anna.caller(), id).await.unwrap();
    let listed = world.app.list_delivery_events(&amt.caller(), "", 0).await.unwrap();
    // Every list shows the same places, in the same way.
    let same = |events: &[LoggedEvent]| {
        let gone = events.iter().filter(|event| event.event.is_empty() && event.salt.is_empty());
        gone.map(|event| event.index).collect::<Vec<_>>()
    };
    for events in [&delivery.events, &receipts.events, &listed.events] {
        assert_eq!(same(events), erased.erased_indexes);
    }
    assert_eq!((delivery.events.len(), receipts.events.len(), listed.events.len()), (3, 3, 4));
    // The proof of the last place that is gone: ERASED names its commitment.
    let last = EvidenceLeaf { commitment: event.prev_commitment }.leaf_hash();
    let (place, note) = (&receipts.events[1], &receipts.checkpoints.evidence);
    world.check_leaf(LogName::Evidence, place.index, &last, &place.inclusion, note);
    let deliveries = world.app.list_deliveries(&DeliveryFilter::default(), 0, "").await.unwrap();
    assert_eq!(deliveries.items.len(), 2);
    assert_eq!((deliveries.items[0].kind.as_str(), deliveries.items[0].letter_length), ("", 0));
    assert_eq!(deliveries.items[1].message_id, kept);

    // Nothing of it stands in any file.
    let mut files = Vec::new();
    for entry in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            files.extend(std::fs::read(path).unwrap());
        }
    }
    for secret in [&submission.letter, &submission.cover, &submission.sender_copy] {
        // Pages cut long values, so a piece must do.
        let piece = &secret[40..104];
        assert!(!files.windows(64).any(|window| window == piece), "erased bytes stand in a file");
    }
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page() {
    let world = World::new().await;
    let (amt, bau, anna) =
        (world.authority("amt").await, world.authority("bau").await, world.citizen().await);
    for i in 0..5u64 {
        world.clock.advance(1);
        let from = if i % 2 == 0 { &amt } else { &bau };
        let (id, submission) = world.deliver(from, &anna).await;
        if i == 2 {
            let take = anna.act(
                &world,
                postfach_domain::act::ActType::HandedOver,
                Some(message_ref(&submission)),
                |_| {},
            );
            world.app.hand_over(&anna.caller(), id, Some(take)).await.unwrap();
        }
    }
    let list = async |filter: DeliveryFilter, size: u32| {
        let (mut token, mut counts) = (String::new(), Vec::new());
        loop {
            let page = world.app.list_deliveries(&filter, size, &token).await.unwrap();
            counts.push(page.items.len());
            let Some(next) = page.next else { return counts };
            token = next;
        }
    };
    assert_eq!(list(DeliveryFilter::default(), 2).await, [2, 2, 1]);
    let of = |id: &str| DeliveryFilter { authority: Some(id.parse().unwrap()), ..DeliveryFilter::default() };
    assert_eq!(list(of("amt"), 0).await, [3]);
    assert_eq!(list(of("bau"), 0).await, [2]);
    assert_eq!(list(of("none"), 0).await, [0]);
    let stage = DeliveryFilter { stage: Some("HANDED_OVER".into()), ..DeliveryFilter::default() };
    assert_eq!(list(stage, 0).await, [1]);
    let since = DeliveryFilter { since: testing::START.plus_ms(4), ..DeliveryFilter::default() };
    assert_eq!(list(since, 0).await, [2]);
    let unknown = DeliveryFilter { stage: Some("LOST".into()), ..DeliveryFilter::default() };
    assert_eq!(field(world.app.list_deliveries(&unknown, 0, "").await), "stage");
    let status = world.app.status().await.unwrap();
    assert_eq!((status.mailbox_count, status.message_count, status.ready), (3, 5, true));
}

// Its copy blocks a thread; connections that were given up need another one to end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_the_database_is_refused() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let world = world.restart().await;
    world.app.close().await;
    let old = world.copy_database();
    let (app, _) = testing::open(world.folder.path(), &world.clock).await.unwrap();
    let world = World { app, ..world };
    world.deliver(&amt, &anna).await;
    world.app.close().await;
    world.swap_database(&old);
    let refused = testing::open(world.folder.path(), &world.clock).await.map(drop);
    let is_older = matches!(
        refused,
        Err(OpenError::Kept(KeptError::Older { log: LogName::Evidence, database: 1, kept: 2 }))
    );
    assert!(is_older, "{refused:?}");
    world.swap_database(&old);
    let (app, _) = testing::open(world.folder.path(), &world.clock).await.unwrap();
    app.close().await;
    // A database that went another way from the same start.
    world.swap_database(&old);
    let kept = world.folder.path().join("checkpoints");
    let away = world.folder.path().join("away");
    std::fs::rename(&kept, &away).unwrap();
    let (app, _) = testing::open(world.folder.path(), &world.clock).await.unwrap();
    let world = World { app, ..world };
    world.deliver(&amt, &anna).await;
    world.deliver(&amt, &anna).await;
    world.app.close().await;
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::rename(&away, &kept).unwrap();
    let refused = testing::open(world.folder.path(), &world.clock).await.map(drop);
    assert!(matches!(refused, Err(OpenError::Kept(KeptError::Fork { .. }))), "{refused:?}");
}
