//! `postfach dispute`: the owner signs that a letter did not arrive, or rejects one that is faulty inside.

use super::act::act;
use super::open::Owner;
use crate::commands::message_id::message_id;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Report;
use crate::profile::message::Fault;

/// `postfach dispute`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
}

/// Disputes a letter, or rejects one whose sender made it wrong.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let said = act(context, &owner, &id, async |entry, record| match entry.defect {
        Some(Fault::Sender) => owner.mailbox.reject(record, false).await,
        _ => owner.mailbox.dispute(record).await,
    });
    Ok(Report::of(said.await?))
}
