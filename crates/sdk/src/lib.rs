//! Typed async client of Mein Postfach, for citizens and for authorities.
//!
//! Everything that the service says is verified here before it is handed on: signatures, inclusion in the logs, the
//! rule that logs only grow, and the checks of a reader (docs/spec, sections 2 to 6). Nothing here keeps files of its
//! own or talks to a person: state goes in and out as plain structs, and the application stores them.

pub mod authority_request;
mod base64_bytes;
pub mod channel;
pub mod client;
pub mod directory;
pub mod environment;
pub mod error;
mod evidence;
mod files;
pub mod hashes_form;
pub mod keys;
pub mod mailbox;
pub mod news;
pub mod progress;
pub mod receipts;
pub mod sender;
pub mod service;
pub mod stages;
pub mod state;
mod status;
#[cfg(test)]
mod testing;
pub mod token;
mod work;

pub use client::{Client, ConnectOptions};
pub use environment::{Clock, Environment};
pub use error::Error;
pub use evidence::{CertifiedKey, VerifiedEvent};
pub use service::Service;
