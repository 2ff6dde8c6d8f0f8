//! Several nodes on one PostgreSQL, as separate processes: how one is added, what the others hear, and that kills of any of
//! them lose nothing (docs/testing.md).

#![allow(clippy::print_stdout)] // figures

mod joining;
mod news;
mod storm;
