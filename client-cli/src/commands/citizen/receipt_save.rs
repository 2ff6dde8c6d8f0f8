//! `postfach receipt save`: a receipt for every event of a message, each checked as anybody would before it is saved.

use std::path::PathBuf;

use super::open::Owner;
use crate::commands::message_id::message_id;
use crate::commands::receipts;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Report;

/// `postfach receipt save`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// Saves the receipts of a message.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let history = owner.mailbox.client().history(id).await;
    let history = owner.session.finish(context, history)?;
    Ok(Report::of(receipts::save(id.to_string(), &history, &args.output)?))
}
