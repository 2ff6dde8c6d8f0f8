//! Segments as objects of an S3-compatible store: `<prefix>/ab/cd/<blob>/<index>-<leaf>`, each by a single PUT, which is
//! all or nothing, and durable once it is answered. What passes is tried again here, within one deadline; the crate below
//! tries once. Beside the segments lie `probe`, written to see whether something can be, and `hold` (see [`Lease`]).

mod credentials;
mod http;
mod lease;
mod place;
mod retry;
mod trouble;

#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutResult, RetryConfig,
};
use postfach_domain::segments::SEGMENT_LEN;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::channel;
use tokio::time::Instant;
use tokio_stream::StreamExt as _;

use super::{BlobKey, BlobStore, BlobWork, Deletion, Hold, NAMES, Names, SegmentName};
use crate::clock::Clock;
use crate::failure::{Exit, Failure, Outcome};
pub use lease::{Lease, STALE};
pub use place::{BadPlace, S3Place};
pub use retry::Patience;
use trouble::{Cause, Trouble};

/// Requests on their way at once. More wait, and their time runs.
const REQUESTS: usize = 16;
/// Names in one listing; stores give no more.
const PAGE: usize = 1000;
/// After so long without a segment stored, it is in doubt whether one can be.
const DOUBT: Duration = Duration::from_secs(30);
/// Our own objects, which are no segments.
const PROBE: &str = "probe";
const HOLD: &str = "hold";
const PROBE_TEXT: &[u8] = b"postfachd writes this to see whether it can.\n";
/// Where the hash of a segment stands: `x-amz-meta-sha256`. Entity tags differ from store to store and say nothing.
const SHA256: &str = "sha256";

/// Blobs in an S3-compatible store.
#[derive(Clone)]
pub struct S3Blobs(Arc<Inner>);

struct Inner {
    store: AmazonS3,
    place: S3Place,
    patience: Patience,
    clock: Arc<dyn Clock>,
    requests: Semaphore,
    writable: AtomicBool,
    /// When something was stored for the last time.
    stored: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for S3Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Blobs({})", self.0.place)
    }
}

/// What is worth knowing of a store that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The bucket keeps what is deleted.
    pub versioned: bool,
}

impl S3Blobs {
    /// Reads key and certificates; `variable` reads the environment. Connects to nothing.
    pub fn open(
        place: &S3Place,
        patience: Patience,
        clock: Arc<dyn Clock>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Outcome<Self> {
        let credentials = credentials::find(place.credentials.as_deref(), &variable).map_err(|error| {
            let hint = "Give the key that docs/operations.md describes; it is never part of the URL.";
            Failure::new(
                Exit::Usage,
                "S3_CREDENTIALS",
                format!("There is no key for the blobs: {error}."),
                hint,
            )
        })?;
        let certificates = |error: &dyn std::fmt::Display| {
            let hint = "Name a PEM file with ca=FILE, or install the package ca-certificates.";
            Failure::new(Exit::Usage, "S3_CERTIFICATES", format!("{error}."), hint)
        };
        let roots = if place.is_encrypted() {
            let file = variable("SSL_CERT_FILE").map(PathBuf::from);
            http::roots(place.ca.as_deref(), file).map_err(|error| certificates(&error))?
        } else {
            rustls::RootCertStore::empty()
        };
        let client = http::client(http::Dial::new(roots).map_err(|error| certificates(&error))?);
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&place.bucket)
            .with_region(&place.region)
            .with_credentials(credentials)
            .with_checksum_algorithm(Checksum::SHA256)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .with_http_connector(http::Connector(client))
            // A name with a dot is not covered by AWS's certificate.
            .with_virtual_hosted_style_request(place.endpoint.is_none() && !place.bucket.contains('.'));
        if let Some(endpoint) = &place.endpoint {
            builder = builder.with_endpoint(endpoint).with_allow_http(true);
        }
        let store = builder.build().map_err(|error| Trouble::from(error).failure(&place.bucket))?;
        Ok(Self(Arc::new(Inner {
            store,
            place: place.clone(),
            patience,
            clock,
            requests: Semaphore::new(REQUESTS),
            writable: AtomicBool::new(true),
            stored: Mutex::default(),
        })))
    }

    /// Stores, reads, lists and deletes something of its own, and sees whether the store does what it is relied on for.
    /// What may pass is `Ok(None)`: the store counts as not writable until [`BlobStore::look`] finds otherwise.
    pub async fn check(&self) -> Outcome<Option<Seen>> {
        match self.try_all().await {
            Ok(seen) => Ok(Some(seen)),
            Err(Trouble::Passing(text)) => {
                tracing::warn!(place = %self.0.place, %text, "blobs cannot be stored yet");
                self.0.writable.store(false, Ordering::Relaxed);
                Ok(None)
            }
            Err(trouble) => Err(trouble.failure(&self.0.place.bucket)),
        }
    }

    /// For a new deployment: [`S3Blobs::check`] must hold, and nothing may be there.
    pub async fn check_new(&self) -> Outcome<Seen> {
        let failure = |trouble: Trouble| trouble.failure(&self.0.place.bucket);
        let seen = self.try_all().await.map_err(failure)?;
        if self.page(None, None).await.map_err(failure)?.iter().all(|path| is_own(path)) {
            return Ok(seen);
        }
        Err(Failure::new(
            Exit::Conflict,
            "S3_NOT_EMPTY",
            format!("There is something already below {}.", self.0.place),
            "Name another prefix: each deployment has its own.",
        ))
    }

    async fn try_all(&self) -> Result<Seen, Trouble> {
        let put = self.put_probe(PutMode::Overwrite, self.0.patience).await?;
        if self.read(PROBE).await? != PROBE_TEXT {
            return Err(Trouble::Damaged);
        }
        let ability = |text: &str| Err(Trouble::Lasting(Cause::Ability, text.to_owned()));
        match self.put_probe(PutMode::Create, self.0.patience).await {
            Err(Trouble::Present) => {}
            Ok(_) => return ability("the S3 store does not heed If-None-Match"),
            Err(other) => return Err(other),
        }
        if !self.page(None, None).await?.iter().any(|path| path == PROBE) {
            return ability("the S3 store does not list what was just stored");
        }
        self.remove(vec![PROBE.to_owned()]).await?;
        Ok(Seen { versioned: put.version.is_some() })
    }

    async fn put_probe(&self, mode: PutMode, patience: Patience) -> Result<PutResult, Trouble> {
        self.write(PROBE, Bytes::from_static(PROBE_TEXT), mode.into(), patience).await
    }

    fn path(&self, name: &str) -> Path {
        // Prefix and names consist of characters that mean themselves.
        let parts = self.0.place.prefix.split('/').chain(name.split('/'));
        parts.filter(|part| !part.is_empty()).collect()
    }

    async fn write(
        &self,
        name: &str,
        bytes: Bytes,
        options: PutOptions,
        patience: Patience,
    ) -> Result<PutResult, Trouble> {
        let path = self.path(name);
        let put = || {
            let (path, bytes, options) = (&path, bytes.clone(), options.clone());
            async move {
                let put = self.0.store.put_opts(path, bytes.into(), options).await;
                put.map_err(|error| self.in_doubt(error.into()))
            }
        };
        let outcome = self.attempts_within(patience, name, put).await;
        match &outcome {
            Ok(_) => self.wrote(true),
            Err(Trouble::Passing(_) | Trouble::Lasting(..)) => self.wrote(false),
            Err(_) => {}
        }
        outcome
    }

    /// While a call goes on trying, others look for themselves.
    fn in_doubt(&self, trouble: Trouble) -> Trouble {
        if matches!(trouble, Trouble::Passing(_)) {
            *self.0.stored.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        trouble
    }

    fn wrote(&self, done: bool) {
        if self.0.writable.swap(done, Ordering::Relaxed) != done {
            let place = &self.0.place;
            if done {
                tracing::info!(%place, "blobs can be stored again");
            } else {
                tracing::error!(%place, "blobs cannot be stored");
            }
        }
        if done {
            *self.0.stored.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
    }

    /// A whole object of at most the size of a segment, compared with its hash.
    async fn read(&self, name: &str) -> Result<Bytes, Trouble> {
        let path = self.path(name);
        self.attempts(name, || self.read_once(&path)).await
    }

    async fn read_once(&self, path: &Path) -> Result<Bytes, Trouble> {
        let found = self.0.store.get(path).await?;
        let length = usize::try_from(found.meta.size).unwrap_or(usize::MAX);
        if length > SEGMENT_LEN {
            return Err(Trouble::Damaged);
        }
        let told = found.attributes.get(&Attribute::Metadata(SHA256.into())).map(|hash| hash.to_string());
        let (mut bytes, mut chunks) = (Vec::with_capacity(length), found.into_stream());
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if bytes.len() + chunk.len() > length {
                return Err(Trouble::Damaged);
            }
            bytes.extend_from_slice(&chunk);
        }
        let bytes = Bytes::from(bytes);
        match told {
            _ if bytes.len() != length => Err(Trouble::Damaged),
            // Tools that copy buckets may leave it out. Readers know the leaf.
            None => Ok(bytes),
            Some(told) if hash(bytes.clone()).await? == told => Ok(bytes),
            Some(_) => Err(Trouble::Damaged),
        }
    }

    /// Names below the root, or below a folder in it, behind the last one; fewer than [`PAGE`] are the end.
    async fn page(&self, folder: Option<&str>, last: Option<&str>) -> Result<Vec<String>, Trouble> {
        let root = self.path("");
        let below = self.path(folder.unwrap_or_default());
        let below = (!below.as_ref().is_empty()).then_some(&below);
        let last = last.map(|name| self.path(name));
        let list = || async {
            let mut listed = match &last {
                Some(last) => self.0.store.list_with_offset(below, last),
                None => self.0.store.list(below),
            };
            let mut names = Vec::new();
            while names.len() < PAGE {
                let Some(meta) = listed.next().await else { break };
                let location = meta?.location;
                let parts: Vec<_> = location.prefix_match(&root).into_iter().flatten().collect();
                names.push(parts.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join("/"));
            }
            Ok(names)
        };
        self.attempts(folder.unwrap_or_default(), list).await
    }

    async fn remove(&self, names: Vec<String>) -> Result<(), Trouble> {
        let paths: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        let remove = || async {
            let paths = tokio_stream::iter(paths.clone().into_iter().map(Ok));
            let mut deleted = self.0.store.delete_stream(Box::pin(paths));
            while let Some(deleted) = deleted.next().await {
                deleted?;
            }
            Ok(())
        };
        self.attempts(names.first().map_or("", String::as_str), remove).await
    }

    async fn delete_all(&self, blob: BlobKey) -> Result<Deletion, Trouble> {
        if lease::is_held(self).await? {
            return Ok(Deletion::Held);
        }
        let folder = blob.folder();
        loop {
            let names = self.page(Some(&folder), None).await?;
            if names.is_empty() {
                return Ok(Deletion::Done);
            }
            self.remove(names).await?;
        }
    }
}

/// One of our own objects, which are no segments.
fn is_own(path: &str) -> bool {
    matches!(path, PROBE | HOLD)
}

async fn hash(bytes: Bytes) -> Result<String, Trouble> {
    let hash = tokio::task::spawn_blocking(move || hex::encode(Sha256::digest(&bytes)));
    hash.await.map_err(|error| Trouble::Passing(error.to_string()))
}

impl BlobStore for S3Blobs {
    fn put(&self, name: SegmentName, bytes: Bytes) -> BlobWork<'_, ()> {
        Box::pin(async move {
            let put = async {
                let mut attributes = Attributes::new();
                attributes.insert(Attribute::Metadata(SHA256.into()), hash(bytes.clone()).await?.into());
                self.write(&name.path(), bytes, attributes.into(), self.0.patience).await
            };
            put.await.map(drop).map_err(Trouble::blob_error)
        })
    }

    fn get(&self, name: SegmentName) -> BlobWork<'_, Bytes> {
        Box::pin(async move { self.read(&name.path()).await.map_err(Trouble::blob_error) })
    }

    fn delete(&self, blob: BlobKey) -> BlobWork<'_, Deletion> {
        Box::pin(async move { self.delete_all(blob).await.map_err(Trouble::blob_error) })
    }

    fn hold(&self) -> BlobWork<'_, Option<Hold>> {
        Box::pin(async move { Ok(Lease::take(self).await.map_err(Trouble::blob_error)?.map(Hold::Lease)) })
    }

    fn names(&self) -> Names {
        let (sender, names) = channel(NAMES);
        let store = self.clone();
        tokio::spawn(async move {
            let mut last: Option<String> = None;
            loop {
                let page = match store.page(None, last.as_deref()).await {
                    Ok(page) => page,
                    Err(trouble) => {
                        // Nobody listens any more where this fails.
                        let _ = sender.send(Err(trouble.blob_error())).await;
                        return;
                    }
                };
                let whole = page.len() == PAGE;
                last = page.last().cloned();
                for name in page.into_iter().filter(|name| !is_own(name)) {
                    if sender.send(Ok(name)).await.is_err() {
                        return;
                    }
                }
                if !whole {
                    return;
                }
            }
        });
        names
    }

    fn is_writable(&self) -> bool {
        self.0.writable.load(Ordering::Relaxed)
    }

    fn look(&self) -> BlobWork<'_, ()> {
        Box::pin(async move {
            let stored = *self.0.stored.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_writable() && stored.is_some_and(|stored| stored.elapsed() < DOUBT) {
                return Ok(());
            }
            let patience = self.0.patience.of_a_look();
            self.put_probe(PutMode::Overwrite, patience).await.map(drop).map_err(Trouble::blob_error)
        })
    }
}
