//! What a citizen does with the mailbox.

pub mod act;
pub mod address;
pub mod attachment_save;
pub mod confirm;
pub mod delete;
pub mod dispute;
pub mod file_key;
mod find;
pub mod inbox;
pub mod init;
pub mod keys_export;
pub mod open;
pub mod raw;
pub mod read;
pub mod receipt_save;
pub mod sync;
pub mod watch;
