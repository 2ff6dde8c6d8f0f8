//! The whole system through its real binaries: the contract commands of the specification, bad input, secrecy, rollback.

#![allow(clippy::unwrap_used)]

mod bad_input;
mod evidence;
mod file_names;
mod interop;
mod log_readers;
mod main_job;
mod rollback;
mod secrecy;
