//! The rules of Mein Postfach without I/O: identifiers, formats, verification, decisions and legal time.
//!
//! Time and chance are arguments. Nothing here can open a sealed letter: that is `postfach-envelope`.

pub mod act;
pub mod authority;
pub mod card;
pub mod chain;
pub mod cleaning;
pub mod code;
pub mod decide;
pub mod event;
pub mod hash;
pub mod head;
pub mod id;
pub mod id_error;
pub mod keylog;
pub mod kit;
pub mod legal;
pub mod limits;
pub mod outer;
pub mod padding;
pub mod pae;
pub mod segments;
pub mod sign;
pub mod submission;
pub mod terms;
pub mod time;

/// The signed and hashed bodies of the specification, generated from `proto/postfach/format/v1`.
#[allow(missing_docs, clippy::pedantic)]
pub mod format {
    include!("gen/postfach.format.v1.rs");
}
