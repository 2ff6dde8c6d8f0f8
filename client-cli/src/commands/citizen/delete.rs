//! `postfach delete`: the owner deletes a message for herself, on the service and here; its evidence stays.

use postfach_domain::event::EventType;

use super::act::{act, stood};
use super::open::Owner;
use crate::commands::message_id::message_id;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Report;

/// `postfach delete`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
}

/// Deletes a message; one that is deleted stays so, whoever of her commands and devices did it.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let said = act(context, &owner, &id, async |_, record| owner.mailbox.delete(record).await).await;
    let said = match said {
        Err(failure) if failure.reason == "DELETED" => {
            stood(&owner.messages()?, &id, EventType::Deleted).ok_or(failure)
        }
        said => said,
    };
    Ok(Report::of(said?))
}
