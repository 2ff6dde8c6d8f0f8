//! The command tree. Texts of `--help` stand in the catalogue (`help`), what a command does in `commands`.

use clap::{Parser, Subcommand};

use crate::commands::{authority, citizen, verify_args};
use crate::global::Global;

/// A command line.
#[derive(Debug, Parser)]
#[command(
    name = "postfach",
    version,
    disable_help_flag = true,
    disable_version_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Everything that `postfach` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(citizen::init::Args),
    Address(citizen::address::Args),
    Inbox(citizen::inbox::Args),
    Sync(citizen::sync::Args),
    Watch(citizen::watch::Args),
    Read(citizen::read::Args),
    #[command(subcommand, arg_required_else_help = true)]
    Attachment(Attachment),
    Confirm(citizen::confirm::Args),
    Dispute(citizen::dispute::Args),
    Delete(citizen::delete::Args),
    #[command(subcommand, arg_required_else_help = true)]
    Receipt(Receipt),
    Verify(verify_args::Args),
    FileKey(citizen::file_key::Args),
    Raw(citizen::raw::Args),
    #[command(subcommand, arg_required_else_help = true)]
    Keys(Keys),
    #[command(subcommand, arg_required_else_help = true)]
    Authority(Authority),
}

/// `postfach attachment …`
#[derive(Debug, Subcommand)]
pub enum Attachment {
    Save(citizen::attachment_save::Args),
}

/// `postfach receipt …`
#[derive(Debug, Subcommand)]
pub enum Receipt {
    Save(citizen::receipt_save::Args),
}

/// `postfach keys …`
#[derive(Debug, Subcommand)]
pub enum Keys {
    Export(citizen::keys_export::Args),
}

/// `postfach authority …`
#[derive(Debug, Subcommand)]
pub enum Authority {
    Init(authority::init::Args),
    Send(Box<authority::send_args::Args>),
    Status(authority::status::Args),
    Events(authority::events::Args),
    Receipts(authority::receipts::Args),
    Withdraw(authority::withdraw::Args),
}
