//! One file a command, and what several share. Which one runs is in `dispatch`.

pub mod authority;
pub mod citizen;
#[cfg(test)]
mod documented;
pub mod folder;
pub mod kit;
pub mod letter_file;
pub mod letter_view;
pub mod message_id;
mod patience;
pub mod receipt_check;
pub mod receipts;
pub mod stages_view;
pub mod verify;
pub mod verify_args;
mod verify_letter;
