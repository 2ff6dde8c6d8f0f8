//! Wire -> domain: each field of a request is checked once, here, and an error names it. Domain -> wire for what has
//! no type of its own. No rules, no I/O.

mod field;

pub use field::{
    FieldError, act, address, attachment_id, authority_id, bytes32, digest, key_id, message_id,
    optional_signed, party, required, signed, sizes, trust_level, wraps,
};
