//! The server of Mein Postfach: keeps sealed messages and proves every step, without being able to open a letter.

// Core: storage, committer, use cases.
pub mod app;
pub mod blobs;
pub mod clock;
pub mod storage;

// Shell: network, calls, operator.
pub mod auth;
pub mod grpc;
pub mod http;
pub mod init;
pub mod net;
pub mod telemetry;
