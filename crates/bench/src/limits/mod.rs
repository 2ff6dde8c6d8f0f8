//! The bare limits of the machine, measured in the same run as the product: what TLS, disk, database and sealing cost alone.

pub mod database;
pub mod disk;
pub mod echo;
pub mod sealing;
