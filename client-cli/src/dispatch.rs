//! Which command runs.

use crate::args::{Attachment, Authority, Command, Keys, Receipt};
use crate::commands::{authority, citizen, verify};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Report;

/// Runs a command.
pub async fn run(context: &Context, command: Command) -> Outcome<Report> {
    match command {
        Command::Init(args) => citizen::init::run(context, &args).await,
        Command::Address(args) => citizen::address::run(context, &args),
        Command::Inbox(args) => citizen::inbox::run(context, &args).await,
        Command::Sync(args) => citizen::sync::run(context, &args).await,
        Command::Watch(args) => citizen::watch::run(context, &args).await,
        Command::Read(args) => citizen::read::run(context, &args).await,
        Command::Attachment(Attachment::Save(args)) => citizen::attachment_save::run(context, &args).await,
        Command::Confirm(args) => citizen::confirm::run(context, &args).await,
        Command::Dispute(args) => citizen::dispute::run(context, &args).await,
        Command::Delete(args) => citizen::delete::run(context, &args).await,
        Command::Receipt(Receipt::Save(args)) => citizen::receipt_save::run(context, &args).await,
        Command::Verify(args) => verify::run(context, &args),
        Command::FileKey(args) => citizen::file_key::run(context, &args).await,
        Command::Raw(args) => citizen::raw::run(context, &args).await,
        Command::Keys(Keys::Export(args)) => citizen::keys_export::run(context, &args),
        Command::Authority(command) => run_authority(context, command).await,
    }
}

async fn run_authority(context: &Context, command: Authority) -> Outcome<Report> {
    match command {
        Authority::Init(args) => authority::init::run(context, &args),
        Authority::Send(args) => authority::send::run(context, &args).await,
        Authority::Status(args) => authority::status::run(context, &args).await,
        Authority::Events(args) => authority::events::run(context, &args).await,
        Authority::Receipts(args) => authority::receipts::run(context, &args).await,
        Authority::Withdraw(args) => authority::withdraw::run(context, &args).await,
    }
}
