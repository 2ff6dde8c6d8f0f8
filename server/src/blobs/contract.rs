//! What every blob store must do, run on each of them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use postfach_domain::hash::Digest;

use super::{BlobError, BlobKey, BlobStore, Deletion, LocalBlobs, SegmentName, s3};

const KEY: BlobKey = BlobKey([0xab; 16]);

fn name(index: u64, bytes: &[u8]) -> SegmentName {
    SegmentName { blob: KEY, index, leaf: Digest::of(bytes) }
}

async fn check(store: Arc<dyn BlobStore>) {
    absent_segments_are_not_found(&*store).await;
    what_was_put_comes_back(&*store).await;
    a_segment_may_be_put_twice_at_once(store.clone()).await;
    deleting_takes_all_segments_and_may_be_repeated(&*store).await;
    everything_that_is_stored_is_named(&*store).await;
    nothing_is_deleted_while_somebody_holds_the_blobs(&*store).await;
    assert!(store.is_writable() && store.look().await.is_ok());
}

async fn absent_segments_are_not_found(store: &dyn BlobStore) {
    assert!(matches!(store.get(name(0, b"a")).await, Err(BlobError::NotFound)));
    store.put(name(1, b"a"), Bytes::from_static(b"a")).await.unwrap();
    assert!(matches!(store.get(name(0, b"a")).await, Err(BlobError::NotFound)));
}

async fn what_was_put_comes_back(store: &dyn BlobStore) {
    for (index, bytes) in [(0, Vec::new()), (1, vec![7; 4 << 20]), (u64::MAX, b"x".to_vec())] {
        store.put(name(index, &bytes), bytes.clone().into()).await.unwrap();
        assert_eq!(store.get(name(index, &bytes)).await.unwrap(), bytes);
    }
    // Other bytes at the same index stand beside the first.
    store.put(name(0, b"new"), Bytes::from_static(b"new")).await.unwrap();
    assert_eq!(store.get(name(0, b"new")).await.unwrap(), b"new"[..]);
    assert_eq!(store.get(name(0, b"")).await.unwrap(), b""[..]);
}

async fn a_segment_may_be_put_twice_at_once(store: Arc<dyn BlobStore>) {
    let bytes = Bytes::from(vec![5; 100_000]);
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (store, bytes) = (store.clone(), bytes.clone());
            tokio::spawn(async move { store.put(name(5, b"five"), bytes).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(store.get(name(5, b"five")).await.unwrap(), bytes);
}

async fn deleting_takes_all_segments_and_may_be_repeated(store: &dyn BlobStore) {
    let other = SegmentName { blob: BlobKey([0xac; 16]), ..name(0, b"stays") };
    store.put(other, Bytes::from_static(b"stays")).await.unwrap();
    assert_eq!(store.delete(KEY).await.unwrap(), Deletion::Done);
    assert!(matches!(store.get(name(5, b"five")).await, Err(BlobError::NotFound)));
    assert_eq!(store.delete(KEY).await.unwrap(), Deletion::Done);
    assert_eq!(store.delete(BlobKey([1; 16])).await.unwrap(), Deletion::Done);
    assert_eq!(store.get(other).await.unwrap(), b"stays"[..]);
    store.put(name(5, b"again"), Bytes::from_static(b"again")).await.unwrap();
    assert_eq!(store.get(name(5, b"again")).await.unwrap(), b"again"[..]);
}

async fn names(store: &dyn BlobStore) -> Vec<String> {
    let (mut coming, mut names) = (store.names(), Vec::new());
    while let Some(name) = coming.recv().await {
        names.push(name.unwrap());
    }
    names
}

async fn everything_that_is_stored_is_named(store: &dyn BlobStore) {
    let blob = BlobKey([0xad; 16]);
    let more: Vec<_> = (0..1003_u64).map(|index| SegmentName { blob, ..name(index, b"x") }).collect();
    for name in &more {
        store.put(*name, Bytes::from_static(b"x")).await.unwrap();
    }
    let stays = SegmentName { blob: BlobKey([0xac; 16]), ..name(0, b"stays") };
    let mut expected: Vec<_> =
        more.iter().chain([&stays, &name(5, b"again")]).map(|name| name.path()).collect();
    expected.sort_unstable();
    assert_eq!(names(store).await, expected);
    assert!(expected.iter().all(|path| SegmentName::from_path(path).unwrap().path() == *path));
    assert_eq!(store.delete(blob).await.unwrap(), Deletion::Done);
    assert_eq!(names(store).await, [name(5, b"again").path(), stays.path()]);
}

async fn nothing_is_deleted_while_somebody_holds_the_blobs(store: &dyn BlobStore) {
    store.put(name(0, b"a"), Bytes::from_static(b"a")).await.unwrap();
    let hold = store.hold().await.unwrap().unwrap();
    assert!(store.hold().await.unwrap().is_none());
    assert_eq!(store.delete(KEY).await.unwrap(), Deletion::Held);
    store.put(name(1, b"b"), Bytes::from_static(b"b")).await.unwrap();
    assert_eq!(store.get(name(0, b"a")).await.unwrap(), b"a"[..]);
    hold.check().unwrap();
    hold.release().await;
    assert_eq!(store.delete(KEY).await.unwrap(), Deletion::Done);
    assert!(matches!(store.get(name(0, b"a")).await, Err(BlobError::NotFound)));
    store.hold().await.unwrap().unwrap().release().await;
    store.put(name(5, b"again"), Bytes::from_static(b"again")).await.unwrap();
}

#[test]
fn a_path_has_one_spelling() {
    let good = name(7, b"x").path();
    assert_eq!(SegmentName::from_path(&good), Some(name(7, b"x")));
    let others = [
        good.replace("/7-", "/07-"),
        good.replace("ab/ab/", "ab/ac/"),
        good.to_uppercase(),
        format!("/{good}"),
        format!("x/{good}"),
        format!("{good}/"),
        good.replace('-', "_"),
        KEY.folder(),
        "incoming/7".to_owned(),
        "probe".to_owned(),
        String::new(),
    ];
    for other in others {
        assert_eq!(SegmentName::from_path(&other), None, "{other}");
    }
}

#[tokio::test]
async fn s3() {
    let bucket = s3::tests::Bucket::new();
    check(Arc::new(bucket.open())).await;
    // Nothing is left but what is stored.
    let keys: Vec<_> = bucket.keys();
    assert_eq!(keys.len(), 2, "{keys:?}");
}

#[tokio::test]
async fn local_folder() {
    let folder = tempfile::tempdir().unwrap();
    check(Arc::new(LocalBlobs::open(folder.path()).unwrap())).await;
    // What an interrupted write left is gone after the next start, what was stored is not.
    std::fs::write(folder.path().join("incoming/99"), b"half").unwrap();
    let again = LocalBlobs::open(folder.path()).unwrap();
    assert_eq!(again.get(name(5, b"again")).await.unwrap(), b"again"[..]);
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
}

#[tokio::test]
async fn local_folder_of_several_nodes() {
    let folder = tempfile::tempdir().unwrap();
    let first = Arc::new(LocalBlobs::open_shared(folder.path()).unwrap());
    let incoming = folder.path().join("incoming");
    std::fs::write(incoming.join("being-written"), b"half").unwrap();
    std::fs::write(incoming.join("left"), b"half").unwrap();
    let long_ago = std::fs::metadata(incoming.join("left")).unwrap().modified().unwrap()
        - std::time::Duration::from_hours(2);
    let left = std::fs::File::options().write(true).open(incoming.join("left")).unwrap();
    left.set_modified(long_ago).unwrap();
    let second = Arc::new(LocalBlobs::open_shared(folder.path()).unwrap());
    let names: Vec<_> =
        std::fs::read_dir(&incoming).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["being-written"], "another node may be at it");
    check(first.clone()).await;
    // Both write at once, and either reads what the other wrote.
    let writes = (0..50u64).map(|index| {
        let (store, bytes) = (if index % 2 == 0 { first.clone() } else { second.clone() }, vec![7; 10_000]);
        async move { store.put(name(100 + index / 2, &bytes), bytes.into()).await }
    });
    for write in writes.map(tokio::spawn).collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    assert_eq!(second.get(name(5, b"again")).await.unwrap(), b"again"[..]);
    assert_eq!(first.get(name(124, &[7; 10_000])).await.unwrap(), vec![7; 10_000]);
}
