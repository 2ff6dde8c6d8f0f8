//! What a user would pick instead of the product, driven in the same run.

pub mod dovecot;
