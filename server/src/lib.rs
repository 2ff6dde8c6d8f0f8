//! The server of Mein Postfach: keeps sealed messages and proves every step, without being able to open a letter.

// Core: storage, committer, use cases.
pub mod app;
pub mod blobs;
pub mod clock;
pub mod commit;
pub mod evidence;
mod halves;
pub mod key_book;
pub mod logs;
mod news;
pub mod places;
pub mod storage;
#[cfg(test)]
mod testing;
pub mod watch;

// Shell: network, calls, operator.
pub mod admin;
pub mod args;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod cli;
pub mod deployment;
mod durable;
pub mod failure;
pub mod grpc;
pub mod http;
pub mod init;
pub mod net;
pub mod node;
pub mod output;
pub mod serve;
pub mod telemetry;

pub use serve::{ServeConfig, serve};
