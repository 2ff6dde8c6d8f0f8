//! Why a use case did not do what was asked, sorted by what the caller can do about it.

use postfach_domain::decide::Refusal;
use postfach_domain::time::Timestamp;

use crate::storage::StoreError;

/// The answer to a request that failed. Inner detail never crosses the wire.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// A field of the request is malformed: mend it and call again.
    #[error("{field}: {problem}")]
    Invalid {
        /// Dotted path of the field, as the wire names it.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// A rule says no; the reason is stable (docs/errors.md).
    #[error("refused: {0:?}")]
    Refused(Refusal),
    /// There is no such thing, or the caller may not know of it: the answer is the same.
    #[error("not found")]
    NotFound,
    /// The caller's key may not do this (a recovery key outside its three calls).
    #[error("not allowed with this key")]
    NotAllowed,
    /// A limit of the limits table.
    #[error("limit {0} exceeded")]
    Limit(&'static str),
    /// The server cannot do it now; the same call is safe to repeat after this many milliseconds.
    #[error("not available now")]
    Unavailable {
        /// When to try again.
        retry_after_ms: u64,
    },
    /// The server's clock stands behind its own log; writes are refused until it is right.
    #[error("the server's clock is behind its log")]
    ClockBehind {
        /// The server's clock.
        now: Timestamp,
    },
    /// Something that must not happen; logged where it was found.
    #[error("internal error")]
    Internal,
}

impl AppError {
    /// A malformed field.
    pub fn invalid(field: &'static str, problem: impl std::fmt::Display) -> Self {
        Self::Invalid { field, problem: problem.to_string() }
    }
}

impl From<Refusal> for AppError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound => Self::NotFound,
            other => Self::Refused(other),
        }
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "storage");
        match error {
            StoreError::Unavailable(_) => Self::Unavailable { retry_after_ms: 1000 },
            StoreError::Corrupt(_) => Self::Internal,
        }
    }
}
