//! Sealing and opening: everything that needs `age`, and the signatures that stand inside envelopes (SPEC 2-4).
//!
//! Not here: network, database, async, and all verification that needs no secret (that is `postfach_domain`, so that
//! the server can verify without being able to open anything).

mod bech32_long;
pub mod hybrid;
