//! Who calls: tokens that callers make themselves (SPEC 6), the layer that checks them on every call, and limits on
//! guessing. What a caller may do is decided in the use cases.

pub mod cache;
pub mod layer;
pub mod rate;
pub mod token;
pub mod verifier;
