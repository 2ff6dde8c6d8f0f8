//! What is wrong with bytes or text that should name something: an identifier of `id`, a digest, a word of the format.

/// Why bytes or text are not the identifier they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Wrong number of bytes.
    #[error("expected {expected} bytes, got {got}")]
    Length {
        /// Bytes that the identifier has.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// Text that is not in the identifier's alphabet or form.
    #[error("malformed {0}")]
    Malformed(&'static str),
    /// A checksum that does not fit: mistyped.
    #[error("checksum of {0} does not fit")]
    Checksum(&'static str),
}
