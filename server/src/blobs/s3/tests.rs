//! What a failing S3-compatible store does to us, with a real server (moto) behind a line that breaks.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use postfach_domain::hash::Digest;
use postfach_domain::time::Timestamp;

use super::*;
use crate::blobs::BlobError;
use crate::clock::{Clock as _, ManualClock, SystemClock};

/// The same file as in the tests of the whole system, which this crate cannot depend on.
#[allow(dead_code)]
#[path = "../../../../tests/src/s3.rs"]
mod server;

use server::{Fault, KEY, S3Line, S3Server};

/// A bucket of its own.
pub struct Bucket {
    server: &'static S3Server,
    name: String,
    line: S3Line,
}

const SHORT: Patience = Patience { attempt: Duration::from_millis(700), call: Duration::from_secs(3) };

fn key(name: &str) -> Option<String> {
    KEY.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
}

impl Bucket {
    /// In the server that all tests share.
    pub fn new() -> Self {
        let server = S3Server::shared();
        Self { server, name: server.bucket(), line: S3Line::to(server.address()) }
    }

    fn place(&self) -> S3Place {
        S3Server::place(&self.name, self.line.address()).parse().unwrap()
    }

    /// Blobs in it, with the patience of a server.
    pub fn open(&self) -> S3Blobs {
        S3Blobs::open(&self.place(), Patience::default(), Arc::new(SystemClock), key).unwrap()
    }

    fn hasty(&self) -> S3Blobs {
        S3Blobs::open(&self.place(), SHORT, Arc::new(SystemClock), key).unwrap()
    }

    /// What lies in it.
    pub fn keys(&self) -> Vec<String> {
        self.server.keys(&self.name)
    }
}

fn name(index: u64) -> SegmentName {
    SegmentName { blob: BlobKey([0xab; 16]), index, leaf: Digest::of(b"leaf") }
}

fn bytes(len: usize) -> Bytes {
    (0..len).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

#[tokio::test]
async fn what_passes_is_tried_again_and_nobody_notices() {
    let bucket = Bucket::new();
    let store = bucket.hasty();
    let sent = bytes(300_000);
    let all = [
        Fault::Answer(500, "InternalError"),
        Fault::Answer(503, "SlowDown"),
        Fault::Reset,
        Fault::LostAnswer,
        Fault::Stall,
        Fault::Slow(300),
    ];
    for (index, fault) in (0..).zip(all) {
        bucket.line.faults(&[("PUT", fault)]);
        store.put(name(index), sent.clone()).await.unwrap();
        bucket.line.faults(&[("GET", fault)]);
        assert_eq!(store.get(name(index)).await.unwrap(), sent, "{fault:?}");
        assert!(bucket.line.is_through() && store.is_writable(), "{fault:?}");
    }
    for fault in [Fault::HalfAnswer, Fault::FlippedAnswer] {
        bucket.line.faults(&[("GET", fault), ("GET", fault)]);
        assert_eq!(store.get(name(0)).await.unwrap(), sent, "{fault:?}");
        assert!(bucket.line.is_through());
    }
    bucket.line.faults(&[("GET", Fault::Answer(503, "SlowDown")), ("POST", Fault::LostAnswer)]);
    assert_eq!(store.delete(BlobKey([0xab; 16])).await.unwrap(), Deletion::Done);
    assert!(bucket.line.is_through() && bucket.keys().is_empty());
}

#[tokio::test]
async fn what_lasts_ends_in_time_and_shows_until_it_is_over() {
    let bucket = Bucket::new();
    let store = bucket.hasty();
    for fault in
        [Fault::Answer(503, "SlowDown"), Fault::Reset, Fault::Stall, Fault::Answer(403, "AccessDenied")]
    {
        bucket.line.fails("", fault);
        let started = Instant::now();
        let outcomes = (store.put(name(1), bytes(9)).await, store.get(name(1)).await.map(drop));
        assert!(matches!(outcomes.0, Err(BlobError::Unavailable(_))), "{fault:?}: {outcomes:?}");
        assert!(matches!(outcomes.1, Err(BlobError::Unavailable(_))), "{fault:?}: {outcomes:?}");
        assert!(started.elapsed() < 3 * SHORT.call, "{fault:?}");
        assert!(!store.is_writable() && store.look().await.is_err() && !store.is_writable(), "{fault:?}");
        bucket.line.mend();
        store.look().await.unwrap();
        assert!(store.is_writable(), "{fault:?}");
    }
    assert!(matches!(store.get(name(1)).await, Err(BlobError::NotFound)));
    // A store that only reads: nothing is in doubt right after something was stored, and half a minute later it is.
    bucket.line.fails("PUT", Fault::Answer(503, "SlowDown"));
    store.look().await.unwrap();
    *store.0.stored.lock().unwrap() = None;
    assert!(store.look().await.is_err() && !store.is_writable());
}

#[tokio::test]
async fn other_bytes_than_were_stored_are_never_given_out() {
    let bucket = Bucket::new();
    let store = bucket.hasty();
    store.put(name(0), bytes(70_000)).await.unwrap();
    bucket.line.fails("GET", Fault::FlippedAnswer);
    let started = bucket.line.requests();
    assert!(matches!(store.get(name(0)).await, Err(BlobError::Damaged)));
    assert_eq!(bucket.line.requests() - started, 5);
    bucket.line.mend();
    // On the way up: the store must see that the hash is another, else we do when we read.
    bucket.line.faults(&[("PUT", Fault::FlippedRequest)]);
    if store.put(name(1), bytes(70_000)).await.is_ok() && bucket.line.is_through() {
        match store.get(name(1)).await {
            Ok(read) => assert_eq!(read, bytes(70_000)),
            other => assert!(matches!(other, Err(BlobError::Damaged)), "{other:?}"),
        }
    }
    // Longer than any segment: not even read.
    let path = format!("/{}/mein/postfach/{}", bucket.name, name(2).path());
    bucket.server.call("PUT", &path, &bytes(SEGMENT_LEN + 1));
    assert!(matches!(store.get(name(2)).await, Err(BlobError::Damaged)));
    // Without a hash, as after a copy by other tools: readers know the leaf.
    bucket.server.call("PUT", &path, b"copied");
    assert_eq!(store.get(name(2)).await.unwrap(), b"copied"[..]);
}

#[tokio::test]
async fn a_new_place_is_empty_and_leaves_no_trace() {
    let bucket = Bucket::new();
    let seen = bucket.open().check_new().await.unwrap();
    assert!(!seen.versioned && bucket.keys().is_empty());
    bucket.open().put(name(0), bytes(5)).await.unwrap();
    let refused = bucket.open().check_new().await.unwrap_err();
    assert_eq!((refused.exit, refused.reason.as_str()), (Exit::Conflict, "S3_NOT_EMPTY"));
    assert_eq!(bucket.open().check().await.unwrap(), Some(seen));
    bucket.server.call(
        "PUT",
        &format!("/{}?versioning", bucket.name),
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    );
    assert_eq!(bucket.open().check().await.unwrap(), Some(Seen { versioned: true }));
}

#[tokio::test]
async fn what_must_be_mended_is_said_at_the_start() {
    let bucket = Bucket::new();
    let mut missing = bucket.place();
    missing.bucket = "nobody-made-this".to_owned();
    let missing = S3Blobs::open(&missing, SHORT, Arc::new(SystemClock), key).unwrap();
    let failure = missing.check().await.unwrap_err();
    assert_eq!((failure.exit, failure.reason.as_str()), (Exit::NotFound, "S3_BUCKET"));
    assert!(failure.hint.contains("nobody-made-this"));
    for (status, code, reason) in [
        (403, "InvalidAccessKeyId", "S3_CREDENTIALS"),
        (403, "SignatureDoesNotMatch", "S3_CREDENTIALS"),
        (403, "RequestTimeTooSkewed", "S3_CLOCK"),
        (301, "PermanentRedirect", "S3_REGION"),
        (400, "AuthorizationHeaderMalformed", "S3_REGION"),
        (405, "MethodNotAllowed", "S3_REFUSED"),
    ] {
        bucket.line.fails("", Fault::Answer(status, code));
        let started = Instant::now();
        let failure = bucket.open().check().await.unwrap_err();
        assert_eq!(failure.reason, reason);
        assert!(failure.message.contains(code) && !format!("{failure:?}").contains(KEY[1].1), "{failure:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "it is not tried again");
    }
    // What may pass does not keep a server from starting, which says so by its health.
    bucket.line.fails("", Fault::Answer(503, "SlowDown"));
    let store = bucket.hasty();
    assert_eq!(store.check().await.unwrap(), None);
    assert!(!store.is_writable());
    assert_eq!(store.check_new().await.unwrap_err().reason, "S3_AWAY");
    bucket.line.mend();
    store.look().await.unwrap();
    assert!(store.is_writable());
    let nobody = S3Blobs::open(&bucket.place(), SHORT, Arc::new(SystemClock), |_| None).unwrap_err();
    assert_eq!(nobody.reason, "S3_CREDENTIALS");
    assert!(!format!("{store:?}").contains(KEY[1].1));
}

/// The server checks signatures here, as S3 does.
#[tokio::test]
async fn only_the_right_key_opens() {
    let server = S3Server::start();
    let bucket = server.bucket();
    let ask = |body: &str| String::from_utf8(server.call("POST", "/", body.as_bytes())).unwrap();
    ask("Action=CreateUser&Version=2010-05-08&UserName=post");
    let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action\
        %22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%5D%7D";
    ask(&format!(
        "Action=PutUserPolicy&Version=2010-05-08&UserName=post&PolicyName=p&PolicyDocument={policy}"
    ));
    let made = ask("Action=CreateAccessKey&Version=2010-05-08&UserName=post");
    let field = |name: &str| {
        let rest = made.split(&format!("<{name}>")).nth(1).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    server.call("POST", "/moto-api/reset-auth", b"0");
    let place: S3Place = S3Server::place(&bucket, server.address()).parse().unwrap();
    let open = |id: String, secret: String| {
        let variable = move |name: &str| match name {
            "AWS_ACCESS_KEY_ID" => Some(id.clone()),
            "AWS_SECRET_ACCESS_KEY" => Some(secret.clone()),
            _ => None,
        };
        S3Blobs::open(&place, SHORT, Arc::new(SystemClock), variable).unwrap()
    };
    let (id, secret) = (field("AccessKeyId"), field("SecretAccessKey"));
    let store = open(id.clone(), secret.clone());
    store.check().await.unwrap().unwrap();
    store.put(name(0), bytes(70_000)).await.unwrap();
    assert_eq!(store.get(name(0)).await.unwrap(), bytes(70_000));
    assert_eq!(store.delete(BlobKey([0xab; 16])).await.unwrap(), Deletion::Done);
    for (id, secret) in [(id, "wrong".to_owned()), ("AKIANOBODY".to_owned(), secret)] {
        assert_eq!(open(id, secret).check().await.unwrap_err().reason, "S3_CREDENTIALS");
    }
}

#[tokio::test]
async fn a_hold_of_somebody_who_died_ends() {
    let bucket = Bucket::new();
    let now = SystemClock.now();
    let clock = Arc::new(ManualClock::at(now));
    let store = S3Blobs::open(&bucket.place(), SHORT, clock.clone(), key).unwrap();
    store.put(name(0), bytes(5)).await.unwrap();
    // Dropped, not released: as if the process had been killed.
    drop(store.hold().await.unwrap().unwrap());
    assert!(store.hold().await.unwrap().is_none());
    assert_eq!(store.delete(name(0).blob).await.unwrap(), Deletion::Held);
    clock.advance(u64::try_from(STALE.as_millis()).unwrap() + 5000);
    let hold = store.hold().await.unwrap().unwrap();
    assert!(Timestamp(now.0) < clock.now());
    hold.release().await;
    assert_eq!(store.delete(name(0).blob).await.unwrap(), Deletion::Done);
    // A stale one does not stop deletions either.
    store.put(name(0), bytes(5)).await.unwrap();
    drop(store.hold().await.unwrap().unwrap());
    clock.advance(u64::try_from(STALE.as_millis()).unwrap() + 5000);
    assert_eq!(store.delete(name(0).blob).await.unwrap(), Deletion::Done);
}

/// An answer that was lost must not look like somebody else's hold.
#[tokio::test]
async fn a_hold_whose_answer_was_lost_is_ours() {
    let bucket = Bucket::new();
    let store = bucket.hasty();
    bucket.line.faults(&[("PUT", Fault::LostAnswer)]);
    let hold = store.hold().await.unwrap().unwrap();
    assert!(bucket.line.is_through());
    hold.release().await;
    assert!(bucket.keys().is_empty());
}
