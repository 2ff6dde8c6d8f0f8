//! The harness of the whole-system tests: real binaries, temporary folders, one server per test. No rules, no product code.

// A harness fails by panicking with the output it saw, and its checks are statements.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::return_self_not_must_use)]

pub mod between;
pub mod deployment;
pub mod disk;
pub mod line;
pub mod listener;
pub mod mutations;
pub mod nodes;
pub mod operator;
pub mod person;
pub mod process;
pub mod s3;
pub mod shim;

pub use deployment::{Deployment, Server};
pub use disk::{Cut, Disk};
pub use operator::Vault;
pub use person::{Authority, Citizen, Profile};
pub use process::{Run, binary, repository_root, samples};
pub use s3::{S3Line, S3Server};
pub use shim::Shim;
