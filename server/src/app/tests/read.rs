//! Pages, cursors, receipts, and the logs as tools read them.

use postfach_domain::act::ActType;
use postfach_domain::event::EventType;
use postfach_ledger::hash::leaf_hash;
use postfach_ledger::proof::verify_consistency;
use postfach_ledger::tile::{BundleCoord, Resource, TileCoord, TileData, decode_bundle};

use super::field;
use crate::app::AppError;
use crate::evidence::LogName;
use crate::testing::{World, message_ref, note, size};

#[tokio::test]
async fn pages_join_without_gaps() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    for _ in 0..7 {
        world.deliver(&amt, &anna).await;
        world.deliver(&amt, &bert).await;
    }
    let (mut cursor, mut seqs, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = world.app.sync(&anna.caller(), &cursor, 3).await.unwrap();
        pages += 1;
        for item in &page.items {
            let event = world.check_event(&item.event, &page.checkpoints);
            if event.event_type == EventType::Accepted {
                seqs.push(event.pair_seq);
            }
        }
        assert_eq!(page.head.is_some(), !page.has_more);
        cursor = page.next_cursor;
        if !page.has_more {
            break;
        }
    }
    assert_eq!((pages, seqs), (3, (1..=7).collect()));
    let empty = world.app.sync(&anna.caller(), &cursor, 3).await.unwrap();
    assert_eq!((empty.items.len(), empty.has_more, &empty.next_cursor), (0, false, &cursor));
    world.deliver(&amt, &anna).await;
    assert_eq!(world.app.sync(&anna.caller(), &cursor, 3).await.unwrap().items.len(), 1);
    assert_eq!(field(world.app.sync(&anna.caller(), "nonsense", 0).await), "cursor");
    assert!(matches!(world.app.sync(&anna.caller(), "", 501).await, Err(AppError::Limit("page_max"))));
}

#[tokio::test]
async fn a_page_ends_before_it_is_too_large() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    for _ in 0..60 {
        let outer = crate::testing::outer(&world, amt.party.clone(), &amt.key, &anna);
        let mut submission = crate::testing::submission(&world, &outer, &amt.key);
        submission.cover = world.bytes(80_000).into();
        let hashes =
            postfach_domain::submission::Hashes::of(&submission.outer, &submission.cover, &submission.letter);
        submission.signature = Some(hashes.sign(&amt.key));
        world.app.deliver(&amt.caller(), submission, false).await.unwrap();
    }
    let page = world.app.sync(&anna.caller(), "", 500).await.unwrap();
    let bytes: usize = page.items.iter().map(|item| item.cover.len() + item.outer.len()).sum();
    assert!(page.has_more && (30..60).contains(&page.items.len()), "{}", page.items.len());
    assert!(bytes < 3_670_016);
    let rest = world.app.sync(&anna.caller(), &page.next_cursor, 500).await.unwrap();
    assert_eq!((page.items.len() + rest.items.len(), rest.has_more), (61, false));
}

#[tokio::test]
async fn receipts_have_all_that_a_stranger_needs() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let (id, submission) = world.deliver(&amt, &anna).await;
    let take = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    world.app.hand_over(&anna.caller(), id, Some(take)).await.unwrap();
    for caller in [amt.caller(), anna.caller()] {
        let receipts = world.app.get_receipts(&caller, id).await.unwrap();
        assert_eq!(receipts.outer, submission.outer);
        for event in &receipts.events {
            world.check_event(event, &receipts.checkpoints);
        }
        assert_eq!((receipts.events.len(), receipts.authorities.len(), receipts.chains.len()), (2, 1, 1));
        let proof = &receipts.link_proofs[0];
        let leaf = postfach_domain::keylog::link_leaf(&anna.address().label(), 0, &proof.head.link_hash);
        let note = &receipts.checkpoints.keys;
        world.check_leaf(LogName::Keys, proof.index, &leaf_hash(&leaf), &proof.inclusion, note);
    }
    let stranger = world.app.get_receipts(&bert.caller(), id).await;
    assert!(matches!(stranger, Err(AppError::NotFound)));
}

#[tokio::test]
async fn the_logs_are_served_as_tiles() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let old = size(&world, LogName::Evidence);
    let note = note(&world, LogName::Evidence);
    let before = world.checkpoint(LogName::Evidence, &note);
    for _ in 0..300 {
        world.deliver(&amt, &anna).await;
    }
    let log = LogName::Evidence;
    let get = async |resource: Resource| world.app.log_resource(log, &resource).await.unwrap();
    let note = get(Resource::Checkpoint).await.unwrap();
    let newest = world.checkpoint(log, &note);
    assert_eq!(newest.size, 301);
    let bundle = get(Resource::Entries(BundleCoord::new(0, 256).unwrap())).await.unwrap();
    let tile = get(Resource::Tile(TileCoord::new(0, 0, 256).unwrap())).await.unwrap();
    let tile = TileData::from_bytes(tile).unwrap();
    let entries = decode_bundle(&bundle).unwrap();
    assert_eq!(entries.len(), 256);
    assert!(entries.iter().zip(tile.hashes()).all(|(entry, hash)| leaf_hash(entry) == hash));
    for (width, there) in [(1, true), (45, true), (46, false), (256, false)] {
        let tile = get(Resource::Tile(TileCoord::new(0, 1, width).unwrap())).await;
        let entries = get(Resource::Entries(BundleCoord::new(1, width).unwrap())).await;
        assert_eq!((tile.is_some(), entries.is_some()), (there, there), "width {width}");
    }
    assert!(get(Resource::Tile(TileCoord::new(1, 0, 1).unwrap())).await.is_some());
    assert!(get(Resource::Tile(TileCoord::new(1, 0, 2).unwrap())).await.is_none());

    let answer = world.app.consistency(log, &[0, old, old, 256, 301]).await.unwrap();
    let sizes: Vec<_> = answer.proofs.iter().map(|p| (p.old_size, p.new_size)).collect();
    assert_eq!(sizes, [(0, 1), (1, 1), (1, 256), (256, 301), (301, 301)]);
    let linked = world.app.consistency(log, &[old]).await.unwrap();
    verify_consistency(old, 301, &linked.proofs[0].hashes, &before.root, &newest.root).unwrap();
    for bad in [vec![], vec![5, 4], vec![302], vec![1; 101]] {
        assert_eq!(field(world.app.consistency(log, &bad).await), "sizes");
    }
    // Old leaves are proven from full tiles.
    let page = world.app.sync(&anna.caller(), "", 5).await.unwrap();
    for item in &page.items {
        world.check_event(&item.event, &page.checkpoints);
    }
    let world = world.restart().await;
    let page = world.app.sync(&anna.caller(), "", 500).await.unwrap();
    assert_eq!(page.items.len(), 301);
    for item in &page.items {
        world.check_event(&item.event, &page.checkpoints);
    }
}
