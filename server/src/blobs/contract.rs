//! What every blob store must do, run on each of them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{BlobError, BlobKey, BlobStore, LocalBlobs};

const KEY: BlobKey = BlobKey([0xab; 16]);

async fn check(store: Arc<dyn BlobStore>) {
    absent_segments_are_not_found(&*store).await;
    what_was_put_comes_back(&*store).await;
    a_segment_may_be_put_twice_at_once(store.clone()).await;
    deleting_takes_all_segments_and_may_be_repeated(&*store).await;
}

async fn absent_segments_are_not_found(store: &dyn BlobStore) {
    assert!(matches!(store.get(KEY, 0).await, Err(BlobError::NotFound)));
    store.put(KEY, 1, vec![1]).await.unwrap();
    assert!(matches!(store.get(KEY, 0).await, Err(BlobError::NotFound)));
}

async fn what_was_put_comes_back(store: &dyn BlobStore) {
    for (index, bytes) in [(0, Vec::new()), (1, vec![7; 4 << 20]), (u64::MAX, b"x".to_vec())] {
        store.put(KEY, index, bytes.clone()).await.unwrap();
        assert_eq!(store.get(KEY, index).await.unwrap(), bytes);
    }
    store.put(KEY, 0, b"new".to_vec()).await.unwrap();
    assert_eq!(store.get(KEY, 0).await.unwrap(), b"new");
}

async fn a_segment_may_be_put_twice_at_once(store: Arc<dyn BlobStore>) {
    let tasks: Vec<_> = (0..8u8)
        .map(|fill| {
            let store = store.clone();
            tokio::spawn(async move { store.put(KEY, 5, vec![fill; 100_000]).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let bytes = store.get(KEY, 5).await.unwrap();
    assert_eq!(bytes, vec![bytes[0]; 100_000]);
}

async fn deleting_takes_all_segments_and_may_be_repeated(store: &dyn BlobStore) {
    let other = BlobKey([0xac; 16]);
    store.put(other, 0, b"stays".to_vec()).await.unwrap();
    store.delete(KEY).await.unwrap();
    assert!(matches!(store.get(KEY, 5).await, Err(BlobError::NotFound)));
    store.delete(KEY).await.unwrap();
    store.delete(BlobKey([1; 16])).await.unwrap();
    assert_eq!(store.get(other, 0).await.unwrap(), b"stays");
    store.put(KEY, 5, b"again".to_vec()).await.unwrap();
    assert_eq!(store.get(KEY, 5).await.unwrap(), b"again");
}

#[tokio::test]
async fn local_folder() {
    let folder = tempfile::tempdir().unwrap();
    check(Arc::new(LocalBlobs::open(folder.path()).unwrap())).await;
    // What an interrupted write left is gone after the next start, what was stored is not.
    std::fs::write(folder.path().join("incoming/99"), b"half").unwrap();
    let again = LocalBlobs::open(folder.path()).unwrap();
    assert_eq!(again.get(KEY, 5).await.unwrap(), b"again");
    assert_eq!(std::fs::read_dir(folder.path().join("incoming")).unwrap().count(), 0);
}
