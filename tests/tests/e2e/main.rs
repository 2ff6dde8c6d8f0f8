//! The whole system through its real binaries: the contract commands of the specification, bad input, secrecy, rollback.

#![allow(clippy::unwrap_used)]

mod backup;
mod bad_calls;
mod bad_input;
mod big_file;
mod broken_line;
mod client_disk;
mod crash;
mod documents;
mod erased;
mod evidence;
mod file_names;
mod interop;
mod liar;
mod log_readers;
mod main_job;
mod nodes;
mod operator;
mod postgres;
mod profile;
mod recovery_kit;
mod rollback;
mod s3;
mod secrecy;
mod sending;
mod watching;
