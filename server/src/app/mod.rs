//! The use cases, one file each, named by its verb. They take typed requests, check what can be checked without the
//! database, and hand every change to the committer. No wire formats here, no SQL.

mod error;
mod types;

use std::path::PathBuf;

use bytes::Bytes;
use postfach_domain::format::Signed;
use postfach_domain::terms::TrustLevel;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, AttachmentId, AuthorityId, KeyId, MessageId, Origin, Party};
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;
use postfach_ledger::tile::Resource;
use postfach_ledger::vkey::LogSigner;

pub use error::AppError;
pub use postfach_domain::decide::Refusal;
pub use types::*;

/// What a deployment is made of besides its store.
#[derive(Debug)]
pub struct Deployment {
    /// The deployment's name.
    pub origin: Origin,
    /// The registrar's root key, which signs certificates and revocations.
    pub registrar: PublicKey,
    /// Signs checkpoints of the keys log and head statements.
    pub keys_signer: LogSigner,
    /// Signs checkpoints of the evidence log.
    pub evidence_signer: LogSigner,
    /// Folder for the last signed checkpoints, outside the database; made if absent.
    pub checkpoints: PathBuf,
}

/// All use cases over one store. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct App {
    deployment: Deployment,
}

/// Interim.
const LATER: AppError = AppError::Unavailable { retry_after_ms: 0 };

#[allow(clippy::unused_async, clippy::unused_self, unused_variables)]
impl App {
    /// The deployment's name.
    pub fn origin(&self) -> &Origin {
        &self.deployment.origin
    }

    /// The server's clock, as errors and GetServerInfo carry it.
    pub fn now(&self) -> Timestamp {
        Timestamp(0)
    }

    /// True while writes are taken: committer alive, clock not behind the log.
    pub fn is_ready(&self) -> bool {
        false
    }

    /// Takes no more changes, finishes those under way, closes the store.
    pub async fn close(&self) {}

    /// For the token layer, on every call: the key if it is active for this issuer now (SPEC 6), whatever its role.
    /// `None` for unknown issuers, unknown and revoked keys alike. Keys of a closed mailbox stay usable.
    pub async fn caller_key(&self, party: &Party, key_id: &KeyId) -> Result<Option<CallerKey>, AppError> {
        Err(LATER)
    }

    /// For the token of Register: the address that a genesis link defines and the device key in it. The link is
    /// verified whole.
    pub fn genesis_key(&self, genesis: &Signed) -> Result<(Address, PublicKey), AppError> {
        Err(LATER)
    }

    /// Opens a mailbox with an activation code. The same code and genesis give the same answer.
    /// The caller is the genesis device itself ([`App::genesis_key`]).
    pub async fn register(&self, caller: &Caller, request: Register) -> Result<Registered, AppError> {
        Err(LATER)
    }

    /// Appends one link with its wraps to the caller's chain. The same link again gives the same answer.
    pub async fn append_link(
        &self,
        caller: &Caller,
        link: Signed,
        wraps: Vec<Wrap>,
    ) -> Result<ChainAnswer, AppError> {
        Err(LATER)
    }

    /// The caller's chain.
    pub async fn get_chain(&self, caller: &Caller) -> Result<ChainAnswer, AppError> {
        Err(LATER)
    }

    /// All wraps for one member of the caller's mailbox.
    pub async fn get_wraps(&self, caller: &Caller, member: KeyId) -> Result<Vec<StoredWrap>, AppError> {
        Err(LATER)
    }

    /// A mailbox's public chain, for whoever knows the address.
    pub async fn resolve_recipient(&self, caller: &Caller, address: Address) -> Result<Resolved, AppError> {
        Err(LATER)
    }

    /// All keys of an authority.
    pub async fn get_authority(
        &self,
        id: &AuthorityId,
    ) -> Result<(Vec<AuthorityKey>, Checkpoints), AppError> {
        Err(LATER)
    }

    /// Authorities by id. `page_size` 0 means the default of 100.
    pub async fn list_authorities(
        &self,
        page_size: u32,
        page_token: &str,
    ) -> Result<(Page<AuthorityEntry>, Checkpoints), AppError> {
        Err(LATER)
    }

    /// Stores a sealed message with its evidence. With `validate_only` checks everything and writes nothing.
    pub async fn deliver(
        &self,
        caller: &Caller,
        submission: Submission,
        validate_only: bool,
    ) -> Result<Logged, AppError> {
        Err(LATER)
    }

    /// A message that the caller sent.
    pub async fn get_delivery(
        &self,
        caller: &Caller,
        message_id: MessageId,
        include_content: bool,
    ) -> Result<Delivery, AppError> {
        Err(LATER)
    }

    /// What happened to the caller's messages after a cursor (empty: from the start).
    pub async fn list_delivery_events(
        &self,
        caller: &Caller,
        cursor: &str,
        page_size: u32,
    ) -> Result<DeliveryEvents, AppError> {
        Err(LATER)
    }

    /// Takes a notice back by a signed act WITHDRAWN.
    pub async fn withdraw(&self, caller: &Caller, act: Signed) -> Result<Logged, AppError> {
        Err(LATER)
    }

    /// What happened in the caller's mailbox after a cursor (empty: from the start).
    pub async fn sync(&self, caller: &Caller, cursor: &str, page_size: u32) -> Result<SyncPage, AppError> {
        Err(LATER)
    }

    /// Gives out a letter against a signed act HANDED_OVER, which may be absent once it stands.
    pub async fn hand_over(
        &self,
        caller: &Caller,
        message_id: MessageId,
        act: Option<Signed>,
    ) -> Result<HandedOver, AppError> {
        Err(LATER)
    }

    /// Logs a signed act (confirm, reject, dispute, delete, consent) or stores one (settings).
    pub async fn submit_act(&self, caller: &Caller, act: Signed) -> Result<Logged, AppError> {
        Err(LATER)
    }

    /// All that is needed for the receipts of one message of the caller's.
    pub async fn get_receipts(&self, caller: &Caller, message_id: MessageId) -> Result<Receipts, AppError> {
        Err(LATER)
    }

    /// The newest signed checkpoint of a log.
    pub fn checkpoint(&self, log: LogName) -> Vec<u8> {
        Vec::new()
    }

    /// Links ascending sizes (1 to 100 of them) to each other and to the newest checkpoint.
    pub async fn consistency(&self, log: LogName, sizes: &[u64]) -> Result<Consistency, AppError> {
        Err(LATER)
    }

    /// What a GET below `/log/keys/` or `/log/evidence/` answers (C2SP tlog-tiles); `None` is 404. Full tiles and
    /// bundles never change; checkpoints and partial ones do.
    pub async fn log_resource(
        &self,
        log: LogName,
        resource: &Resource,
    ) -> Result<Option<Vec<u8>>, AppError> {
        Err(LATER)
    }

    /// Starts an upload. Asking twice for the same id and length gives the same upload.
    pub async fn create_upload(
        &self,
        caller: &Caller,
        id: AttachmentId,
        ct_len: u64,
    ) -> Result<UploadState, AppError> {
        Err(LATER)
    }

    /// Stores one segment durably and answers its leaf hash. Any order, twice is fine.
    pub async fn write_segment(
        &self,
        caller: &Caller,
        id: AttachmentId,
        index: u64,
        data: Bytes,
    ) -> Result<Digest, AppError> {
        Err(LATER)
    }

    /// Where the caller's upload stands.
    pub async fn get_upload(&self, caller: &Caller, id: AttachmentId) -> Result<UploadState, AppError> {
        Err(LATER)
    }

    /// Compares the root and makes the attachment available to Deliver.
    pub async fn commit_upload(
        &self,
        caller: &Caller,
        id: AttachmentId,
        ct_root: Digest,
    ) -> Result<UploadState, AppError> {
        Err(LATER)
    }

    /// Leaf hashes of an attachment, for its sender or, after HANDED_OVER, its recipient.
    pub async fn list_segment_hashes(
        &self,
        caller: &Caller,
        message_id: MessageId,
        id: AttachmentId,
        page_size: u32,
        page_token: &str,
    ) -> Result<Page<SegmentLeaf>, AppError> {
        Err(LATER)
    }

    /// Opens an attachment for reading segment by segment, under the same rule.
    pub async fn read_segments(
        &self,
        caller: &Caller,
        message_id: MessageId,
        id: AttachmentId,
    ) -> Result<AttachmentReader, AppError> {
        Err(LATER)
    }

    /// New activation codes (at most 1,000 a call).
    pub async fn create_codes(&self, count: u32, trust_level: TrustLevel) -> Result<Codes, AppError> {
        Err(LATER)
    }

    /// Logs a certificate and, for a new authority, opens its mailbox.
    pub async fn register_authority(
        &self,
        request: RegisterAuthority,
    ) -> Result<AuthorityRegistered, AppError> {
        Err(LATER)
    }

    /// Logs revocations; answers their positions in the keys log.
    pub async fn revoke_authority(&self, revocations: Vec<Signed>) -> Result<Vec<u64>, AppError> {
        Err(LATER)
    }

    /// Suspends a mailbox or lifts the suspension.
    pub async fn suspend_mailbox(&self, address: Address, suspended: bool) -> Result<(), AppError> {
        Err(LATER)
    }

    /// Removes a message's content, salts and events; logs ERASED.
    pub async fn erase(&self, message_id: MessageId) -> Result<Erased, AppError> {
        Err(LATER)
    }

    /// Deliveries for the operator, in the order of the log.
    pub async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<Page<DeliveryRow>, AppError> {
        Err(LATER)
    }

    /// Counts for the operator.
    pub async fn status(&self) -> Result<Status, AppError> {
        Err(LATER)
    }
}

/// An attachment opened for reading.
#[derive(Debug)]
pub struct AttachmentReader {
    /// Segments that it has.
    pub segment_count: u64,
    /// Length of the ciphertext in bytes.
    pub ct_len: u64,
}

impl AttachmentReader {
    /// One segment, 4 MiB but for the last. `NotFound` at or above `segment_count`.
    #[allow(clippy::unused_async)]
    pub async fn read(&self, _index: u64) -> Result<Bytes, AppError> {
        Err(LATER)
    }
}
