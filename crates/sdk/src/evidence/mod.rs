//! Verifying what the logs say (SPEC 5): checkpoints, inclusion, and the rule that a log only grows.

mod certificate;
pub(crate) mod chain;
mod event;
pub(crate) mod follow;
pub(crate) mod history;

pub use certificate::CertifiedKey;
pub use event::VerifiedEvent;
