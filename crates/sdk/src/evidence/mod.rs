//! Verifying what the logs say (SPEC 5): checkpoints, inclusion, and the rule that a log only grows.

pub(crate) mod follow;
