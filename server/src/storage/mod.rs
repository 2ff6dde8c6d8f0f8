//! Where the server keeps what it must not lose. Engines answer small statements with plain values; every SQL text
//! stands once, in `sql`, and is the same for each engine. Rules live in `postfach_domain`, never here.

/// Why a statement or a commit failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine could not do it (busy, disk full, connection lost). Whether a failed commit was stored is unknown.
    #[error("storage not available: {0}")]
    Unavailable(String),
    /// What came back is not what was once written: a bug or a damaged file.
    #[error("storage is damaged: {0}")]
    Corrupt(String),
}
