//! Attachments: uploading, using, reading, and their end.

use postfach_domain::act::ActType;
use postfach_domain::decide::Refusal;
use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::outer::OuterAttachment;
use postfach_domain::segments::{SEGMENT_LEN, root, segment_leaf};

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{field, refusal};
use crate::app::{AppError, SegmentRange};
use crate::audit::verify::{Options, verify};
use crate::blobs::s3::tests::Bucket;
use crate::blobs::{BlobKey, BlobStore, BlobWork, Deletion, Hold, LocalBlobs, Names, SegmentName};
use crate::deployment::folder::Folder;
use crate::testing::{Authority, World, message_ref};

const ID: AttachmentId = AttachmentId([5; 16]);

fn segments(world: &World, last: usize) -> (Vec<Vec<u8>>, Digest, u64) {
    let parts = vec![world.bytes(SEGMENT_LEN), world.bytes(SEGMENT_LEN), world.bytes(last)];
    let leaves = (0u64..).zip(&parts).map(|(index, part)| segment_leaf(&ID, index, part));
    let (root, length) = (root(leaves), parts.iter().map(|part| part.len() as u64).sum());
    (parts, root, length)
}

async fn upload(world: &World, amt: &Authority) -> (Vec<Vec<u8>>, OuterAttachment) {
    let (parts, ct_root, ct_len) = segments(world, 77);
    world.app.create_upload(&amt.caller(), ID, ct_len).await.unwrap();
    for (index, part) in (0u64..).zip(&parts) {
        let leaf = world.app.write_segment(&amt.caller(), ID, index, part.clone().into()).await.unwrap();
        assert_eq!(leaf, segment_leaf(&ID, index, part));
    }
    assert!(world.app.commit_upload(&amt.caller(), ID, ct_root).await.unwrap().committed);
    (parts, OuterAttachment { id: ID, ct_len, ct_root })
}

#[tokio::test]
async fn segments_come_in_any_order_and_must_have_the_root() {
    let world = World::new().await;
    let (amt, bau) = (world.authority("amt").await, world.authority("bau").await);
    let (parts, ct_root, ct_len) = segments(&world, 77);
    let state = world.app.create_upload(&amt.caller(), ID, ct_len).await.unwrap();
    assert_eq!((state.segment_count, state.missing), (3, vec![SegmentRange { first: 0, count: 3 }]));
    let write = async |index: u64, data: Vec<u8>| {
        world.app.write_segment(&amt.caller(), ID, index, data.into()).await
    };
    assert_eq!(field(write(3, vec![1]).await), "index");
    assert_eq!(field(write(2, vec![1; 78]).await), "data");
    write(1, parts[1].clone()).await.unwrap();
    let state = world.app.get_upload(&amt.caller(), ID).await.unwrap();
    let run = |first, count| SegmentRange { first, count };
    assert_eq!(state.missing, [run(0, 1), run(2, 1)]);
    assert_eq!(field(world.app.commit_upload(&amt.caller(), ID, ct_root).await), "attachment_id");
    write(2, parts[2].clone()).await.unwrap();
    write(0, vec![9; SEGMENT_LEN]).await.unwrap();
    assert_eq!(field(world.app.commit_upload(&amt.caller(), ID, ct_root).await), "ct_root");
    write(0, parts[0].clone()).await.unwrap();
    // Whoever else uses the same id has another attachment.
    assert!(matches!(world.app.get_upload(&bau.caller(), ID).await, Err(AppError::NotFound)));
    world.app.commit_upload(&amt.caller(), ID, ct_root).await.unwrap();
    world.app.commit_upload(&amt.caller(), ID, ct_root).await.unwrap();
    write(0, parts[0].clone()).await.unwrap();
    assert_eq!(field(write(0, vec![9; SEGMENT_LEN]).await), "data");
    assert_eq!(field(world.app.create_upload(&amt.caller(), ID, 5).await), "attachment_id");
    assert!(world.app.create_upload(&amt.caller(), ID, ct_len).await.unwrap().committed);
}

/// Runs two calls so that the second one has looked at what is stored before the first one changes it, and both are
/// decided in one batch, in this order.
async fn in_one_batch<A: Send + 'static, B: Send + 'static>(
    world: &World,
    amt: &Authority,
    first: impl Future<Output = A> + Send + 'static,
    second: impl Future<Output = B> + Send + 'static,
) -> (A, B) {
    let (app, caller) = (world.app.clone(), amt.caller());
    let silence = world.store.keep_silent().await;
    let id = AttachmentId(world.random());
    let before = tokio::spawn(async move { app.create_upload(&caller, id, 1).await });
    while world.app.get_upload(&amt.caller(), id).await.is_err() {
        tokio::task::yield_now().await;
    }
    // Nothing tells when a call has come to the committer; on a slow machine the test proves less, and does not fail.
    let pause = || tokio::time::sleep(Duration::from_millis(100));
    let first = tokio::spawn(first);
    pause().await;
    let second = tokio::spawn(second);
    pause().await;
    drop(silence);
    before.await.unwrap().unwrap();
    (first.await.unwrap(), second.await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_that_is_written_beside_the_commit_fits_the_root_or_is_refused() {
    let world = World::new().await;
    let amt = world.authority("amt").await;
    let one = |bytes: &[u8]| root([segment_leaf(&ID, 0, bytes)]);
    let write = |bytes: &'static [u8]| {
        let (app, caller) = (world.app.clone(), amt.caller());
        async move { app.write_segment(&caller, ID, 0, bytes.into()).await }
    };
    let commit = |ct_root| {
        let (app, caller) = (world.app.clone(), amt.caller());
        async move { app.commit_upload(&caller, ID, ct_root).await }
    };
    world.app.create_upload(&amt.caller(), ID, 3).await.unwrap();
    write(b"one").await.unwrap();
    let (written, committed) = in_one_batch(&world, &amt, write(b"two"), commit(one(b"one"))).await;
    written.unwrap();
    assert_eq!(field(committed), "ct_root");
    assert!(!world.app.get_upload(&amt.caller(), ID).await.unwrap().committed);

    let (committed, written) = in_one_batch(&world, &amt, commit(one(b"two")), write(b"one")).await;
    assert!(committed.unwrap().committed);
    assert_eq!(field(written), "data");
    world.audit(false).await;
}

#[tokio::test]
async fn an_attachment_is_read_after_the_hand_over_only() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let missing = OuterAttachment { id: ID, ct_len: 5, ct_root: Digest::ZERO };
    let (_, early) = amt.submission(&world, &anna, |o| o.attachments = vec![missing]);
    let early = world.app.deliver(&amt.caller(), early, false).await;
    assert_eq!(refusal(early), Refusal::AttachmentNotReady { id: ID });

    let (parts, named) = upload(&world, &amt).await;
    let (id, submission) = amt.submission(&world, &anna, |o| o.attachments = vec![named]);
    world.check(&world.app.deliver(&amt.caller(), submission.clone(), false).await.unwrap());
    let early = world.app.read_segments(&anna.caller(), id, ID).await;
    assert_eq!(refusal(early), Refusal::NotHandedOver);
    assert!(world.app.read_segments(&amt.caller(), id, ID).await.is_ok());
    let take = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    world.app.hand_over(&anna.caller(), id, Some(take)).await.unwrap();
    let reader = world.app.read_segments(&anna.caller(), id, ID).await.unwrap();
    for (index, part) in (0u64..).zip(&parts) {
        assert_eq!(reader.read(index).await.unwrap(), part);
    }
    assert!(matches!(reader.read(3).await, Err(AppError::NotFound)));
    let page = world.app.list_segment_hashes(&anna.caller(), id, ID, 2, "").await.unwrap();
    let rest = world.app.list_segment_hashes(&anna.caller(), id, ID, 2, &page.next.unwrap()).await.unwrap();
    let leaves: Vec<Digest> = page.items.into_iter().chain(rest.items).collect();
    assert_eq!((root(leaves), rest.next), (named.ct_root, None));
    let other = world.citizen().await;
    assert!(matches!(world.app.read_segments(&other.caller(), id, ID).await, Err(AppError::NotFound)));
}

pub(super) fn files(world: &World) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }
    count(&world.folder.path().join("blobs"))
}

/// How many segments are stored.
async fn stored(blobs: &dyn BlobStore) -> usize {
    let (mut names, mut count) = (blobs.names(), 0);
    while let Some(name) = names.recv().await {
        name.unwrap();
        count += 1;
    }
    count
}

#[tokio::test]
async fn unused_uploads_expire_and_used_ones_go_with_their_last_message() {
    let folder = tempfile::tempdir().unwrap();
    uploads_end(Arc::new(LocalBlobs::open(folder.path()).unwrap())).await;
    uploads_end(Arc::new(Bucket::new().open())).await;
}

async fn uploads_end(blobs: Arc<dyn BlobStore>) {
    let world = World::with_blobs(blobs.clone()).await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (_, named) = upload(&world, &amt).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (id, submission) = amt.submission(&world, &anna, |o| o.attachments = vec![named]);
        world.app.deliver(&amt.caller(), submission, false).await.unwrap();
        ids.push(id);
    }
    let unused = AttachmentId([6; 16]);
    world.app.create_upload(&amt.caller(), unused, 9).await.unwrap();
    world.app.write_segment(&amt.caller(), unused, 0, vec![1; 9].into()).await.unwrap();
    assert_eq!(stored(&*blobs).await, 4);
    assert_eq!(world.app.clean().await.unwrap(), 0);
    world.clock.advance(24 * 3600 * 1000);
    assert_eq!(world.app.clean().await.unwrap(), 1);
    assert_eq!(stored(&*blobs).await, 3);
    assert!(matches!(world.app.get_upload(&amt.caller(), unused).await, Err(AppError::NotFound)));
    world.app.erase(ids[0]).await.unwrap();
    assert_eq!(stored(&*blobs).await, 3);
    assert!(world.app.read_segments(&amt.caller(), ids[1], ID).await.is_ok());
    world.app.erase(ids[1]).await.unwrap();
    assert_eq!(stored(&*blobs).await, 0);
}

/// A blob store whose `put` waits until it may.
#[derive(Debug)]
struct SlowBlobs {
    inner: Arc<dyn BlobStore>,
    may_put: Semaphore,
}

impl BlobStore for SlowBlobs {
    fn put(&self, name: SegmentName, bytes: Bytes) -> BlobWork<'_, ()> {
        Box::pin(async move {
            let _may = self.may_put.acquire().await.unwrap();
            self.inner.put(name, bytes).await
        })
    }

    fn get(&self, name: SegmentName) -> BlobWork<'_, Bytes> {
        self.inner.get(name)
    }

    fn delete(&self, blob: BlobKey) -> BlobWork<'_, Deletion> {
        self.inner.delete(blob)
    }

    fn hold(&self) -> BlobWork<'_, Option<Hold>> {
        self.inner.hold()
    }

    fn names(&self) -> Names {
        self.inner.names()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_on_its_way_while_its_upload_expires_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    late_segment(Arc::new(LocalBlobs::open(folder.path()).unwrap())).await;
    late_segment(Arc::new(Bucket::new().open())).await;
}

async fn late_segment(inner: Arc<dyn BlobStore>) {
    let slow = Arc::new(SlowBlobs { inner: inner.clone(), may_put: Semaphore::new(0) });
    let world = World::with_blobs(slow.clone()).await;
    let amt = world.authority("amt").await;
    // Alone, and beside a backup that forbids to delete: then the next cleaning does it.
    for (id, beside_backup) in [(AttachmentId([1; 16]), false), (AttachmentId([2; 16]), true)] {
        world.app.create_upload(&amt.caller(), id, 3).await.unwrap();
        let (app, caller) = (world.app.clone(), amt.caller());
        let write = tokio::spawn(async move { app.write_segment(&caller, id, 0, "one".into()).await });
        // Nothing tells when it waits in `put`; a slow machine finds no upload then, and no segment.
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.clock.advance(24 * 3600 * 1000);
        assert_eq!(world.app.clean().await.unwrap(), 1);
        let hold = if beside_backup { inner.hold().await.unwrap() } else { None };
        slow.may_put.add_permits(1);
        assert!(matches!(write.await.unwrap(), Err(AppError::NotFound)));
        assert_eq!(stored(&*inner).await, usize::from(beside_backup));
        if let Some(hold) = hold {
            let options = Options { blobs: Some(inner.clone()), ..Options::default() };
            verify(&Folder::at(world.folder.path()), &options).await.unwrap();
            hold.release().await;
        }
        assert_eq!(world.app.clean().await.unwrap(), 1);
        assert_eq!(stored(&*inner).await, 0);
        slow.may_put.forget_permits(1);
    }
}

#[tokio::test]
async fn open_uploads_are_counted() {
    let world = World::new().await;
    let amt = world.authority("amt").await;
    for i in 0..64u8 {
        world.app.create_upload(&amt.caller(), AttachmentId([i; 16]), 9).await.unwrap();
    }
    let one_more = world.app.create_upload(&amt.caller(), AttachmentId([99; 16]), 9).await;
    assert!(matches!(one_more, Err(AppError::Limit("open_uploads"))));
    assert!(world.app.create_upload(&amt.caller(), AttachmentId([3; 16]), 9).await.is_ok());
}
