//! What every engine must do, as one suite. Each engine runs it on a database of its own.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use postfach_domain::hash::Digest;
use postfach_domain::id::{ActId, Address, KeyId, MessageId};
use postfach_domain::terms::TrustLevel;
use postfach_domain::time::Timestamp;
use postfach_ledger::hash::{Hash, leaf_hash};
use postfach_ledger::tile::{TileCoord, TileData};

use super::sql::authorities::{self, Authority};
use super::sql::logs::{self, Head, Heads};
use super::sql::mailboxes::{self, Mailbox, Member, Role};
use super::sql::messages::{self, ActRow};
use super::{Ask, SqliteStore, Store, StoreError, Tx};
use crate::evidence::LogName;

/// The suite, on an empty database, which it closes.
pub(super) async fn check(store: Arc<dyn Store>) {
    what_is_committed_is_seen_by_all(&*store).await;
    what_is_not_committed_leaves_no_trace(&*store).await;
    a_snapshot_does_not_move(&*store).await;
    writers_take_turns(store.clone()).await;
    heads_are_locked_read_and_written(&*store).await;
    tiles_grow(&*store).await;
    many_rows_of_every_count(&*store).await;
    lists_find_what_exists(&*store).await;
    a_write_that_misses_its_row_is_an_error(&*store).await;
    a_second_row_with_one_key_is_refused(&*store).await;
    after_a_failed_statement_nothing_is_committed(&*store).await;
    a_transaction_begins_with_its_turn(store.clone()).await;
    text_is_ordered_by_its_bytes(&*store).await;
    store.tidy(false).await.unwrap();
    store.tidy(true).await.unwrap();
    store.close().await.unwrap();
    assert!(mailboxes::count(&mut Ask(&*store)).await.is_err());
}

fn mailbox(no: u64) -> Mailbox {
    let mut address = [0; 32];
    address[..8].copy_from_slice(&no.to_be_bytes());
    Mailbox {
        no,
        address: Address(address),
        authority_no: None,
        head_seq: 0,
        head_hash: Digest([1; 32]),
        generation: 0,
        trust_level: TrustLevel::Low,
        consent_time: None,
        suspended_at: None,
        closed_at: Some(Timestamp(7)),
    }
}

async fn put(tx: &mut dyn Tx, nos: std::ops::Range<u64>) -> Result<(), StoreError> {
    let rows: Vec<_> = nos.map(mailbox).collect();
    mailboxes::upsert(tx, &rows.iter().collect::<Vec<_>>()).await
}

async fn what_is_committed_is_seen_by_all(store: &dyn Store) {
    let mut tx = store.begin().await.unwrap();
    put(&mut *tx, 0..1).await.unwrap();
    assert_eq!(mailboxes::count(&mut *tx).await.unwrap(), 1);
    assert_eq!(mailboxes::count(&mut Ask(store)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let found = mailboxes::by_address(&mut Ask(store), [&mailbox(0).address]).await.unwrap();
    assert_eq!(found, [mailbox(0)]);
}

async fn what_is_not_committed_leaves_no_trace(store: &dyn Store) {
    let mut tx = store.begin().await.unwrap();
    put(&mut *tx, 1..2).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    put(&mut *tx, 1..2).await.unwrap();
    drop(tx);
    // A call that is cancelled while it works must not leave its transaction to the next one.
    let mut tx = store.begin().await.unwrap();
    let never = std::time::Duration::ZERO;
    let _ = tokio::time::timeout(never, put(&mut *tx, 1..2)).await;
    drop(tx);
    let mut tx = store.begin().await.unwrap();
    assert_eq!(mailboxes::count(&mut *tx).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert_eq!(mailboxes::count(&mut Ask(store)).await.unwrap(), 1);
}

async fn a_snapshot_does_not_move(store: &dyn Store) {
    let mut before = store.snapshot().await.unwrap();
    assert_eq!(mailboxes::count(&mut *before).await.unwrap(), 1);
    let mut tx = store.begin().await.unwrap();
    put(&mut *tx, 1..2).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(mailboxes::count(&mut *before).await.unwrap(), 1);
    drop(before);
    assert_eq!(mailboxes::count(&mut Ask(store)).await.unwrap(), 2);
    assert_eq!(mailboxes::count(&mut *store.snapshot().await.unwrap()).await.unwrap(), 2);
}

async fn writers_take_turns(store: Arc<dyn Store>) {
    let tasks: Vec<_> = (2..10u64)
        .map(|no| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = store.begin().await?;
                let before = mailboxes::count(&mut *tx).await?;
                put(&mut *tx, no..no + 1).await?;
                tokio::task::yield_now().await;
                assert_eq!(mailboxes::count(&mut *tx).await?, before + 1);
                tx.commit().await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(mailboxes::count(&mut Ask(&*store)).await.unwrap(), 10);
}

fn head(size: u64) -> Head {
    Head {
        size,
        root: Hash::from_bytes([u8::try_from(size).unwrap(); 32]),
        last_time: Timestamp(size),
        checkpoint: vec![1; 300],
    }
}

async fn heads_are_locked_read_and_written(store: &dyn Store) {
    assert_eq!(logs::read_heads(&mut Ask(store)).await.unwrap(), None);
    let mut tx = store.begin().await.unwrap();
    logs::insert_head(&mut *tx, LogName::Keys, &head(0)).await.unwrap();
    logs::insert_head(&mut *tx, LogName::Evidence, &head(1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let heads = logs::lock_heads(&mut *tx).await.unwrap();
    assert_eq!(heads, Heads { keys: head(0), evidence: head(1) });
    let next = Heads { keys: head(2), evidence: head(3) };
    logs::update_heads(&mut *tx, &next).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(logs::read_heads(&mut Ask(store)).await.unwrap(), Some(next));
}

async fn tiles_grow(store: &dyn Store) {
    let hashes: Vec<Hash> = (0..256u64).map(|i| leaf_hash(&i.to_be_bytes())).collect();
    for width in [1u16, 7, 256] {
        let coord = TileCoord::new(0, 5, width).unwrap();
        let data = TileData::from_hashes(&hashes[..usize::from(width)]).unwrap();
        let mut tx = store.begin().await.unwrap();
        logs::upsert_tiles(&mut *tx, LogName::Keys, vec![(coord, data.clone())]).await.unwrap();
        tx.commit().await.unwrap();
        let absent = TileCoord::new(1, 5, 1).unwrap();
        let found = logs::tiles(&mut Ask(store), LogName::Keys, &[absent, coord]).await.unwrap();
        assert_eq!(found, [(0, 5, data)]);
        assert!(logs::tiles(&mut Ask(store), LogName::Evidence, &[coord]).await.unwrap().is_empty());
    }
}

async fn many_rows_of_every_count(store: &dyn Store) {
    let mut next = 1000;
    for count in [0, 1, 2, 3, 5, 31, 64, 255, 256, 257, 600] {
        let mut tx = store.begin().await.unwrap();
        put(&mut *tx, next..next + count).await.unwrap();
        tx.commit().await.unwrap();
        let wanted: Vec<_> = (next..next + count).map(|no| mailbox(no).address).collect();
        let mut found = mailboxes::by_address(&mut Ask(store), &wanted).await.unwrap();
        found.sort_by_key(|m| m.no);
        assert_eq!(found, (next..next + count).map(mailbox).collect::<Vec<_>>());
        next += count;
    }
}

async fn lists_find_what_exists(store: &dyn Store) {
    let member = |key: u8, removed_seq| Member {
        mailbox_no: 0,
        key_id: KeyId([key; 32]),
        role: Role::Device,
        public: [key; 32],
        added_seq: 0,
        removed_seq,
    };
    let mut tx = store.begin().await.unwrap();
    mailboxes::upsert_members(&mut *tx, &[member(1, None), member(2, None)]).await.unwrap();
    mailboxes::upsert_members(&mut *tx, &[member(2, Some(4))]).await.unwrap();
    tx.commit().await.unwrap();
    let key = |no, key| (mailbox(no).address, KeyId([key; 32]));
    let asked = [key(0, 2), key(0, 1), key(0, 1), key(0, 3), key(1, 1)];
    let mut found = mailboxes::members(&mut Ask(store), &asked).await.unwrap();
    found.sort_by_key(|(_, member)| member.key_id);
    found.dedup();
    assert_eq!(found, [(mailbox(0).address, member(1, None)), (mailbox(0).address, member(2, Some(4)))]);
    assert!(messages::by_id(&mut Ask(store), [&MessageId([0; 16])]).await.unwrap().is_empty());
    assert!(messages::by_id(&mut Ask(store), []).await.unwrap().is_empty());
}

async fn a_write_that_misses_its_row_is_an_error(store: &dyn Store) {
    let mut tx = store.begin().await.unwrap();
    let missed = messages::blank(&mut *tx, &[12345]).await;
    assert!(matches!(missed, Err(StoreError::Corrupt(_))), "{missed:?}");
    tx.rollback().await.unwrap();
}

async fn a_second_row_with_one_key_is_refused(store: &dyn Store) {
    let act = ActRow { act_id: ActId([1; 16]), actor_no: 0, body_hash: Digest::ZERO, event_idx: None };
    let mut tx = store.begin().await.unwrap();
    messages::insert_acts(&mut *tx, std::slice::from_ref(&act)).await.unwrap();
    assert!(messages::insert_acts(&mut *tx, &[act]).await.is_err());
    tx.rollback().await.unwrap();
}

async fn after_a_failed_statement_nothing_is_committed(store: &dyn Store) {
    let act = ActRow { act_id: ActId([2; 16]), actor_no: 0, body_hash: Digest::ZERO, event_idx: None };
    let mut tx = store.begin().await.unwrap();
    messages::insert_acts(&mut *tx, std::slice::from_ref(&act)).await.unwrap();
    messages::insert_acts(&mut *tx, std::slice::from_ref(&act)).await.unwrap_err();
    assert!(tx.commit().await.is_err(), "what was stored in part must not look stored");
    assert!(messages::acts(&mut Ask(store), [&act.act_id]).await.unwrap().is_empty());
}

/// Who waited sees what the one before committed, and a clock that was read after that.
async fn a_transaction_begins_with_its_turn(store: Arc<dyn Store>) {
    let mut first = store.begin().await.unwrap();
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.begin().await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(!waiting.is_finished(), "two write at once");
    put(&mut *first, 5000..5001).await.unwrap();
    let (before, outside) = (first.now(), store.now().await.unwrap());
    first.commit().await.unwrap();
    let mut second = waiting.await.unwrap().unwrap();
    assert_eq!(mailboxes::by_address(&mut *second, [&mailbox(5000).address]).await.unwrap(), [mailbox(5000)]);
    match (before, outside, second.now()) {
        (None, None, None) => {}
        (Some(before), Some(outside), Some(after)) => {
            assert!(before.0 + 50 <= after.0 && outside <= after, "{before:?} {outside:?} {after:?}");
        }
        other => panic!("a clock now and then: {other:?}"),
    }
    second.rollback().await.unwrap();
}

async fn text_is_ordered_by_its_bytes(store: &dyn Store) {
    let ids = ["a-b", "ab", "b", "a1"];
    let authority = |(no, id): (u64, &str)| Authority {
        no,
        id: id.parse().unwrap(),
        mailbox_no: 0,
        mailbox: mailbox(0).address,
    };
    let mut tx = store.begin().await.unwrap();
    authorities::insert(&mut *tx, &(0..).zip(ids).map(authority).collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
    let found = authorities::page(&mut Ask(store), "a", 9).await.unwrap();
    assert_eq!(found.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["a-b", "a1", "ab", "b"]);
    let found = authorities::page(&mut Ask(store), "a1", 1).await.unwrap();
    assert_eq!(found.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["ab"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postfach.sqlite");
    check(Arc::new(SqliteStore::open(&path, 2).await.unwrap())).await;
    let again = SqliteStore::open(&path, 1).await.unwrap();
    assert_eq!(logs::read_heads(&mut Ask(&again)).await.unwrap().unwrap().evidence, head(3));
    again.close().await.unwrap();
}

#[tokio::test]
async fn who_reads_for_long_does_not_hold_up_writers() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("postfach.db"), 2).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    put(&mut *tx, 0..1).await.unwrap();
    tx.commit().await.unwrap();
    let long = store.snapshot().await.unwrap();
    let started = std::time::Instant::now();
    let tidied = store.tidy(true);
    let written = async {
        let mut tx = store.begin().await.unwrap();
        put(&mut *tx, 1..2).await.unwrap();
        tx.commit().await.unwrap();
    };
    let (tidied, ()) = tokio::join!(tidied, written);
    assert!(matches!(tidied, Err(StoreError::Unavailable(_))), "what is still read cannot be cut off");
    assert!(started.elapsed() < std::time::Duration::from_secs(5), "{:?}", started.elapsed());
    drop(long);
    store.tidy(true).await.unwrap();
}
