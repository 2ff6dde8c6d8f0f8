//! The server of Mein Postfach: keeps sealed messages and proves every step, without being able to open a letter.

// Core: storage, committer, use cases.
pub mod app;
pub mod clock;
pub mod storage;
