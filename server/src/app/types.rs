//! What use cases take and answer: typed, free of the wire. Signed things stay as they were transported.

use bytes::Bytes;
use postfach_domain::format::{Signature, Signed};
use postfach_domain::hash::Digest;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{Address, AttachmentId, AuthorityId, KeyId, MessageId, Party};
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_domain::time::Timestamp;
use postfach_ledger::hash::Hash;

use crate::evidence::{Checkpoints, LoggedEvent};

/// Who calls: the issuer and the key of a verified token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// `iss` of the token.
    pub party: Party,
    /// `kid` of the token.
    pub key_id: KeyId,
}

/// A certificate or revocation with its proof.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedStatement {
    /// As it was signed.
    pub statement: Signed,
    /// Position in the keys log.
    pub index: u64,
    /// Audit path under the answer's keys checkpoint.
    pub inclusion: Vec<Hash>,
}

/// A whole chain, genesis first, with the proof of its newest link.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedChain {
    /// All links.
    pub links: Vec<Signed>,
    /// Position of the newest link in the keys log.
    pub head_index: u64,
    /// Its audit path under the answer's keys checkpoint.
    pub head_inclusion: Vec<Hash>,
    /// Position of every link in the keys log.
    pub indexes: Vec<u64>,
}

/// The service's statement about a chain's head (SPEC 5).
#[derive(Clone, Debug, PartialEq)]
pub struct SignedHead {
    /// Encoded HeadStatement.
    pub statement: Vec<u8>,
    /// By the key of the keys log, context `mpf1/head`.
    pub signature: Signature,
}

/// One key of an authority.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorityKey {
    /// The registrar's certificate.
    pub certificate: LoggedStatement,
    /// The registrar's revocation, where there is one.
    pub revocation: Option<LoggedStatement>,
}

/// The seeds of mailbox generations, sealed for one member; opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrap {
    /// key_id of a device or of the recovery key.
    pub member: KeyId,
    /// One age file.
    pub sealed: Vec<u8>,
}

/// A wrap with the link that it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWrap {
    /// seq of that link.
    pub link_seq: u32,
    /// The wrap.
    pub wrap: Wrap,
}

/// Opens a mailbox (SPEC 6).
#[derive(Clone, Debug)]
pub struct Register {
    /// The GENESIS link.
    pub genesis: Signed,
    /// Seeds for the device and the recovery key.
    pub wraps: Vec<Wrap>,
    /// `HKDF(code, "mpf1/activation-id")`.
    pub code_id: [u8; 32],
    /// `HMAC(HKDF(code, "mpf1/activation-key"), address)`.
    pub proof: [u8; 32],
    /// Signed act CONSENT, absent with `--no-consent`.
    pub consent: Option<Signed>,
}

/// Answer to [`Register`].
#[derive(Clone, Debug, PartialEq)]
pub struct Registered {
    /// The new chain of one link.
    pub chain: LoggedChain,
    /// The CONSENT event, where one was given.
    pub consent: Option<LoggedEvent>,
    /// Over the proofs.
    pub checkpoints: Checkpoints,
    /// The level that came with the code.
    pub trust_level: TrustLevel,
}

/// A chain with its statement.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainAnswer {
    /// The whole chain.
    pub chain: LoggedChain,
    /// The service's statement about its head.
    pub head: SignedHead,
    /// Over the proofs.
    pub checkpoints: Checkpoints,
}

/// Answer to a resolve.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// Chain and head of the recipient.
    pub answer: ChainAnswer,
    /// False: suspended or no consent for the caller, alike ("paper_required").
    pub accepts: bool,
}

/// One line of the list of authorities.
#[derive(Clone, Debug, PartialEq)]
pub struct AuthorityEntry {
    /// The id.
    pub id: AuthorityId,
    /// Its newest unrevoked certificate.
    pub certificate: LoggedStatement,
}

/// A page of some list; `next` is the token of the following page, `None` at the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Opaque token.
    pub next: Option<String>,
}

/// A sealed message as the sender submits it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Submission {
    /// Encoded outer header.
    pub outer: Bytes,
    /// Cover envelope.
    pub cover: Bytes,
    /// Letter envelope; empty where content was not asked for.
    pub letter: Bytes,
    /// Over the three hashes, context `mpf1/submission`.
    pub signature: Option<Signature>,
    /// Optional age file for the sender's own mailbox; empty for none.
    pub sender_copy: Bytes,
}

/// One logged event with its checkpoints; `event` is absent where nothing was logged (`validate_only`, SETTINGS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// The event.
    pub event: Option<LoggedEvent>,
    /// Over the proof.
    pub checkpoints: Checkpoints,
}

/// A message of the sender's with its events.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// All of them, in the order of the log; of erased ones the place is left.
    pub events: Vec<LoggedEvent>,
    /// What was sent; `None` once erased. Envelopes and copy only where content was asked for.
    pub submission: Option<Submission>,
    /// Over the proofs.
    pub checkpoints: Checkpoints,
}

/// A page of the sender's events.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryEvents {
    /// In the order of the log.
    pub events: Vec<LoggedEvent>,
    /// The cursor behind each event.
    pub cursors: Vec<String>,
    /// Continue here.
    pub next_cursor: String,
    /// True where the page is not the last.
    pub has_more: bool,
    /// Over the proofs.
    pub checkpoints: Checkpoints,
}

/// One event in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncItem {
    /// The event with its proof.
    pub event: LoggedEvent,
    /// With ACCEPTED only: encoded outer header.
    pub outer: Bytes,
    /// With ACCEPTED only, from `available_at` on.
    pub cover: Bytes,
    /// With ACCEPTED only.
    pub sender_copy: Bytes,
    /// Length of the letter envelope in bytes.
    pub letter_length: u64,
    /// Salt and event were erased.
    pub erased: bool,
}

/// A page of a mailbox.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncPage {
    /// In the order of the log.
    pub items: Vec<SyncItem>,
    /// Continue here; also when the page is empty.
    pub next_cursor: String,
    /// True where the page is not the last.
    pub has_more: bool,
    /// Every authority that acts in these items, once each.
    pub authorities: Vec<AuthorityKey>,
    /// Chains of citizens who wrote, once each.
    pub senders: Vec<LoggedChain>,
    /// The statement on the caller's own label; on the last page.
    pub head: Option<SignedHead>,
    /// Over the proofs.
    pub checkpoints: Checkpoints,
}

/// A letter that was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedOver {
    /// Letter envelope.
    pub letter: Bytes,
    /// The HANDED_OVER event.
    pub event: LoggedEvent,
    /// Over the proof.
    pub checkpoints: Checkpoints,
}

/// Inclusion of the link that an act names as its head.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkProof {
    /// Whose chain.
    pub address: Address,
    /// Which link.
    pub head: ChainHead,
    /// Position in the keys log.
    pub index: u64,
    /// Audit path under the answer's keys checkpoint.
    pub inclusion: Vec<Hash>,
}

/// All that is needed to build the receipts of one message.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipts {
    /// All of them, in the order of the log; of erased ones the place is left.
    pub events: Vec<LoggedEvent>,
    /// Encoded outer header.
    pub outer: Vec<u8>,
    /// Certificates of the authority that acted.
    pub authorities: Vec<AuthorityKey>,
    /// Chains of the mailboxes that acted.
    pub chains: Vec<LoggedChain>,
    /// Proofs of the links that acts name.
    pub link_proofs: Vec<LinkProof>,
    /// Over the proofs.
    pub checkpoints: Checkpoints,
}

/// Proof that one tree extends another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Smaller size.
    pub old_size: u64,
    /// Larger size.
    pub new_size: u64,
    /// RFC 6962, 2.1.2.
    pub hashes: Vec<Hash>,
}

/// Answer to a consistency question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// From each size asked to the next, the last to the newest checkpoint.
    pub proofs: Vec<ConsistencyProof>,
    /// The newest checkpoint.
    pub checkpoint: Vec<u8>,
}

/// A run of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentRange {
    /// First index.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// Where an upload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadState {
    /// The sender's id for it.
    pub attachment_id: AttachmentId,
    /// Length of the ciphertext in bytes.
    pub ct_len: u64,
    /// Segments that it has.
    pub segment_count: u64,
    /// Runs that are not there yet, ascending; at most 1,000.
    pub missing: Vec<SegmentRange>,
    /// True once the root was compared.
    pub committed: bool,
    /// When it goes unless a message uses it; 0 once one does.
    pub expires_at: Timestamp,
}

/// Codes shown once (SPEC 6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    /// Text forms.
    pub codes: Vec<String>,
    /// Common end of life.
    pub expires_at: Timestamp,
}

/// A new authority or a further key of one.
#[derive(Clone, Debug)]
pub struct RegisterAuthority {
    /// Signed AuthorityCert.
    pub certificate: Signed,
    /// GENESIS of the authority's mailbox; absent for a further key.
    pub genesis: Option<Signed>,
    /// Seeds for that mailbox's members.
    pub wraps: Vec<Wrap>,
}

/// Answer to [`RegisterAuthority`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityRegistered {
    /// The id.
    pub authority_id: AuthorityId,
    /// Position of the certificate in the keys log.
    pub certificate_index: u64,
}

/// Answer to an erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    /// Position of the ERASED event.
    pub evidence_index: u64,
    /// Positions of the leaves whose salt and event are gone.
    pub erased_indexes: Vec<u64>,
}

/// What the operator asks the list of deliveries for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Only of this authority.
    pub authority: Option<AuthorityId>,
    /// Only accepted at or after this instant.
    pub since: Timestamp,
    /// Only those that reached this stage, for example `HANDED_OVER`; any if absent.
    pub stage: Option<String>,
}

/// One stage of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryStage {
    /// Name of the event type.
    pub stage: String,
    /// `occurred_at`.
    pub at: Timestamp,
    /// Position in the evidence log.
    pub evidence_index: u64,
}

/// What the operator may see of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// Chosen by the sender.
    pub message_id: MessageId,
    /// Who sent.
    pub sender: Party,
    /// To whom.
    pub recipient: Address,
    /// Kind of notice; empty once erased.
    pub kind: String,
    /// Legal regime; `None` once erased.
    pub regime: Option<LegalRegime>,
    /// What happened, in order; erased ones are left out.
    pub stages: Vec<DeliveryStage>,
    /// Bytes of the cover envelope.
    pub cover_length: u64,
    /// Bytes of the letter envelope.
    pub letter_length: u64,
    /// How many attachments.
    pub attachment_count: u32,
    /// Bytes of their ciphertext in all.
    pub attachment_length: u64,
}

/// What the operator sees of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Size of the keys log.
    pub keys_size: u64,
    /// Size of the evidence log.
    pub evidence_size: u64,
    /// Mailboxes, those of authorities included.
    pub mailbox_count: u64,
    /// Messages, refused ones included.
    pub message_count: u64,
    /// False while writes are refused.
    pub ready: bool,
}

/// Members of a page answer carry their hashes as the formats name them.
pub type SegmentLeaf = Digest;
