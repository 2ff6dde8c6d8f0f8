//! `postfachd admin mailbox suspend|resume`.

use postfach_proto::v1;
use serde_json::json;

use super::link::{self, failure};
use crate::args::MailboxCommand;
use crate::deployment::folder::Folder;
use crate::failure::Outcome;
use crate::output::Output;

/// Suspends a mailbox or lifts the suspension.
pub async fn run(command: MailboxCommand, output: Output) -> Outcome<()> {
    let (args, suspended) = match command {
        MailboxCommand::Suspend(args) => (args, true),
        MailboxCommand::Resume(args) => (args, false),
    };
    let request = v1::SuspendMailboxRequest { address: args.address.to_vec(), suspended };
    link::with(&Folder::at(&args.data.data), async |link| {
        link.admin().suspend_mailbox(request).await.map(|_| ()).map_err(|status| failure(&status))
    })
    .await?;
    let text =
        if suspended { "The mailbox takes no more deliveries." } else { "The mailbox takes deliveries." };
    output.answer(&json!({ "address": args.address.to_string(), "suspended": suspended }), text)
}
