//! `postfach confirm`: the owner signs that the letter was received.

use super::act::act;
use super::open::Owner;
use crate::commands::message_id::message_id;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Report;

/// `postfach confirm`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
}

/// Confirms a letter.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let said = act(context, &owner, &id, async |_, record| owner.mailbox.confirm(record).await).await?;
    Ok(Report::of(said))
}
