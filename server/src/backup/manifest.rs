//! What a backup says of itself: the last member of the tar, so that one without it is not whole.

use serde::{Deserialize, Serialize};

/// The version of the tar's form.
pub const FORMAT: u32 = 1;
/// Longest manifest that is read, in bytes.
pub const MAX_LEN: u64 = 256 * 1024;

/// `manifest.json`. Times are RFC 3339 in UTC, hashes SHA-256 in lower-case hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of the program that made it.
    pub made_by: String,
    /// The deployment's name.
    pub origin: String,
    /// Hash of the service card.
    pub card_fingerprint: String,
    /// When the copy of the database was taken.
    pub snapshot_at: String,
    /// Leaves of the keys log.
    pub keys_size: u64,
    /// Leaves of the evidence log.
    pub evidence_size: u64,
    /// Newest checkpoints of both logs at that moment, as signed notes.
    pub checkpoints: Checkpoints,
    /// Members listed in `SHA256SUMS`.
    pub members: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Hash of `SHA256SUMS`, which has the hash of every other member.
    pub sha256sums: String,
    /// Files of the deployment that are not part of the backup.
    pub left_out: Vec<String>,
}

/// Signed notes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// Of the keys log.
    pub keys: String,
    /// Of the evidence log.
    pub evidence: String,
}
