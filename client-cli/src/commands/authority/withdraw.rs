//! `postfach authority withdraw`: takes a notice back that was neither read nor served.

use serde::Serialize;

use super::open::Clerk;
use crate::commands::message_id::message_id;
use crate::commands::stages_view::local;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{Answer, Page, Report};
use crate::t;

/// `postfach authority withdraw`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
}

#[derive(Debug, Serialize)]
struct TakenBack {
    message_id: String,
    withdrawn_at: String,
    evidence_index: u64,
    /// True where it stood there before.
    repeated: bool,
}

/// Withdraws a notice.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let clerk = Clerk::open(context)?;
    let withdrawn = clerk.sender.withdraw(id).await;
    let withdrawn = clerk.session.finish(context, withdrawn)?;
    let event = withdrawn.event;
    Ok(Report::of(TakenBack {
        message_id: id.to_string(),
        withdrawn_at: event.event.occurred_at.to_rfc3339(),
        evidence_index: event.index,
        repeated: withdrawn.repeated,
    }))
}

impl Answer for TakenBack {
    fn show(&self, page: &mut Page) {
        page.line(&t!("withdraw-done"));
        if self.repeated {
            page.line(&t!("act-stood"));
        }
        page.fact(&t!("label-occurred-at"), &local(&self.withdrawn_at));
        page.fact(&t!("label-place"), &self.evidence_index.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let answer = TakenBack {
            message_id: String::new(),
            withdrawn_at: String::new(),
            evidence_index: 7,
            repeated: false,
        };
        assert_documented("postfach authority withdraw", &answer);
    }
}
