//! `postfach authority events`: what happens to everything that was sent, one event a line, with where to go on.

use postfach_domain::time::Timestamp;
use postfach_sdk::news::Heard;
use postfach_sdk::sender::{DeliveryEvent, DeliveryEvents};
use serde::Serialize;

use super::open::Clerk;
use crate::commands::patience::Patience;
use crate::commands::stages_view::local;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output::{Answer, Page, Report};

/// `postfach authority events`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long, value_name = "CURSOR", default_value = "", hide_default_value = true)]
    pub after: String,
    #[arg(long)]
    pub follow: bool,
}

/// One event.
#[derive(Debug, Serialize)]
struct Line {
    cursor: String,
    /// Null once everything of an account was erased.
    message_id: Option<String>,
    recipient: Option<String>,
    stage: String,
    at: String,
    evidence_index: u64,
    /// Empty where there is none.
    reason: String,
}

/// Prints what happened, and with `--follow` what happens.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let clerk = Clerk::open(context)?;
    let (cursor, patience) = (args.after.clone(), Patience::new());
    let mut events = Events { context, clerk: &clerk, cursor, behind: 0, patience };
    if !args.follow {
        return events.list().await.map(Report::nothing);
    }
    loop {
        match events.follow().await {
            Ok(Some(exit)) => return Ok(Report::nothing(exit)),
            // The stream ended in good order: the next one takes its place.
            Ok(None) => events.patience.rest().await,
            Err(failure) => events.patience.bear(context, failure).await?,
        }
    }
}

struct Events<'a> {
    context: &'a Context,
    clerk: &'a Clerk,
    cursor: String,
    /// Place in the log behind the last event; none that comes lies before it.
    behind: u64,
    patience: Patience,
}

impl Events<'_> {
    /// Everything that is there.
    async fn list(&mut self) -> Outcome<Exit> {
        loop {
            let page = self.clerk.sender.events(&self.cursor, self.behind).await;
            let page = self.clerk.session.finish(self.context, page)?;
            let has_more = page.has_more;
            match self.print(page) {
                None if has_more => {}
                ended => return Ok(ended.unwrap_or_default()),
            }
        }
    }

    /// Follows one stream to its end; how the command ends, where it must.
    async fn follow(&mut self) -> Outcome<Option<Exit>> {
        let cursor = self.cursor.clone();
        let news = self.clerk.sender.watch_events(&cursor, self.behind).await;
        let mut news = self.clerk.session.finish(self.context, news)?;
        self.patience.answered(self.context);
        loop {
            let heard = news.next().await;
            match self.clerk.session.finish(self.context, heard)? {
                Heard::Ended => return Ok(None),
                Heard::News(page) => {
                    if let Some(exit) = self.print(page) {
                        return Ok(Some(exit));
                    }
                }
            }
        }
    }

    /// Prints a page and moves on; an exit where standard output is gone.
    fn print(&mut self, page: DeliveryEvents) -> Option<Exit> {
        let printed = page.events.into_iter().all(|event| self.context.out.one(Line::of(event)));
        (self.cursor, self.behind) = (page.next_cursor, page.behind);
        (!printed).then_some(Exit::Other)
    }
}

impl Line {
    fn of(event: DeliveryEvent) -> Self {
        Self {
            cursor: event.cursor,
            message_id: event.message_id.map(|id| id.to_string()),
            recipient: event.recipient.map(|address| address.to_string()),
            at: Timestamp(event.stage.at).to_rfc3339(),
            evidence_index: event.stage.evidence_index,
            stage: event.stage.stage,
            reason: event.stage.reason,
        }
    }
}

impl Answer for Line {
    fn show(&self, page: &mut Page) {
        let message = self.message_id.as_deref().unwrap_or("-");
        page.line_as_is(&format!("{}  {}", local(&self.at), self.stage));
        page.below(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn a_line_is_as_documented() {
        let line = Line {
            cursor: String::new(),
            message_id: Some(String::new()),
            recipient: Some(String::new()),
            stage: String::new(),
            at: String::new(),
            evidence_index: 0,
            reason: String::new(),
        };
        assert_documented("postfach authority events", &line);
    }
}
