//! The data folder of a deployment: what lies where, who holds it, and opening it. No network.

pub mod config;
pub mod folder;
pub mod keyfile;
pub mod open;
pub mod restored;
