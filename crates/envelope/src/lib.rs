//! Sealing and opening: everything that needs `age`, and the signatures that stand inside envelopes (SPEC 2-4).
//!
//! Not here: network, database, async, and all verification that needs no secret (that is `postfach_domain`, so that
//! the server can verify without being able to open anything).

mod age_file;
pub mod attachment;
mod bech32_long;
pub mod draft;
mod file_key;
mod frame;
pub mod hybrid;
pub mod open;
pub mod seal;
mod sender_copy;
pub mod wraps;

pub use age_file::{AgeOpenError, AgeSealError};
pub use file_key::{EnvelopeKey, EnvelopeKeyError, Unlock};
pub use sender_copy::{SenderCopyError, SubmissionKeys, open_sender_copy};

#[cfg(test)]
mod vector_tests;

/// Cover and letter, generated from `proto/postfach/sealed/v1`.
#[allow(missing_docs, clippy::pedantic)]
pub mod sealed {
    include!("gen/postfach.sealed.v1.rs");

    use std::fmt;

    /// Without the words of the letter.
    impl fmt::Debug for Cover {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Cover").finish_non_exhaustive()
        }
    }

    /// Without the words of the letter.
    impl fmt::Debug for Letter {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Letter").field("attachments", &self.attachments).finish_non_exhaustive()
        }
    }

    /// Without the key and the file's name.
    impl fmt::Debug for LetterAttachment {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("LetterAttachment").field("plain_len", &self.plain_len).finish_non_exhaustive()
        }
    }
}
