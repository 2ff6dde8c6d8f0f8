//! What an audit that found nothing wrong has seen.

use serde::Serialize;

use super::tree::Stray;

/// How much was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Mailboxes, those of authorities included.
    pub mailboxes: u64,
    /// Links of all chains.
    pub links: u64,
    /// Sealed seeds.
    pub wraps: u64,
    /// Authorities.
    pub authorities: u64,
    /// Certificates of their keys.
    pub certificates: u64,
    /// Revocations of their keys.
    pub revocations: u64,
    /// Messages, refused ones included.
    pub messages: u64,
    /// Messages whose content was erased.
    pub erased_messages: u64,
    /// Leaves whose event was erased.
    pub erased_events: u64,
    /// Acts of parties.
    pub acts: u64,
    /// Signatures that were checked; checkpoints not counted.
    pub signatures: u64,
    /// Attachments, those not yet used included.
    pub attachments: u64,
    /// Their segments.
    pub segments: u64,
    /// Tiles of both logs.
    pub tiles: u64,
    /// Checkpoints kept outside the database.
    pub kept_checkpoints: u64,
    /// Segments that were read; none without `--blobs`.
    pub blobs: u64,
}

/// Everything holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Leaves of the keys log.
    pub keys_size: u64,
    /// Leaves of the evidence log.
    pub evidence_size: u64,
    /// What was checked.
    #[serde(flatten)]
    pub counts: Counts,
    /// Checkpoints to compare with that the logs do not extend.
    #[serde(skip)]
    pub strays: Vec<Stray>,
    /// Leaves of the newest checkpoint to compare the keys log with.
    #[serde(skip)]
    pub keys_compared: Option<u64>,
    /// Leaves of the newest checkpoint to compare the evidence log with.
    #[serde(skip)]
    pub evidence_compared: Option<u64>,
}
