//! What an authority does: request admission, send, follow what became of it.

pub mod compose;
pub mod events;
pub mod init;
pub mod open;
pub mod receipts;
pub mod send;
pub mod send_args;
pub mod status;
pub mod withdraw;
