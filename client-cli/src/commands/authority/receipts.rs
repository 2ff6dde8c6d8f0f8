//! `postfach authority receipts`: a receipt for every event of a notice, each checked before it is saved.

use std::path::PathBuf;

use super::open::Clerk;
use crate::commands::message_id::message_id;
use crate::commands::receipts;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::Report;

/// `postfach authority receipts`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

/// Saves the receipts of a notice.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let clerk = Clerk::open(context)?;
    let history = clerk.sender.history(id).await;
    let history = clerk.session.finish(context, history)?;
    Ok(Report::of(receipts::save(id.to_string(), &history, &args.output)?))
}
