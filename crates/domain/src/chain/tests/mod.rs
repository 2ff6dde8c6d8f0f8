//! Tests of chains: every rule once, and random histories.
#![allow(clippy::unwrap_used)]

mod histories;
mod person;
mod rules;
