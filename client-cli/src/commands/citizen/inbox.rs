//! `postfach inbox`: all messages, newest first; fetches new ones before, unless told otherwise.

use postfach_domain::event::EventType;
use postfach_domain::time::Timestamp;
use serde::Serialize;

use super::open::Owner;
use super::sync::sync;
use crate::clock;
use crate::commands::stages_view::local;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::legal::Law;
use crate::output::{Answer, Page, Report};
use crate::profile::Kind;
use crate::profile::mailbox::Messages;
use crate::profile::message::{Entry, Fault};
use crate::t;

/// `postfach inbox`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long)]
    pub offline: bool,
}

#[derive(Debug, Serialize)]
struct Inbox {
    messages: Vec<Item>,
    #[serde(skip)]
    exit: Exit,
}

/// One message in the list.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_excessive_bools)] // the documented fields of one message
pub struct Item {
    message_id: String,
    sender: String,
    authority_id: Option<String>,
    subject: String,
    kind: String,
    kind_detail: String,
    received_at: String,
    created_at: String,
    /// Null where the letter may be read at once.
    not_before: Option<String>,
    unread: bool,
    attachments: usize,
    regime: &'static str,
    /// Null until known.
    deemed_served: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deemed_served_if_holiday: Option<String>,
    confirmation_requested: bool,
    confirmed: bool,
    disputed: bool,
    withdrawn: bool,
    lapsed: bool,
    erased: bool,
    /// Null, or whose fault it is that nothing is shown: server, sender, key.
    defect: Option<Fault>,
    in_reply_to: Option<String>,
}

/// Lists all messages.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    if args.offline {
        let unlocked = context.unlocked(Kind::Citizen)?;
        return Ok(Report::of(Inbox::of(&Messages::load(&unlocked)?, Exit::Ok)));
    }
    let owner = Owner::open(context)?;
    let mut messages = owner.messages()?;
    let synced = sync(context, &owner, &mut messages).await?;
    Ok(Report::of(Inbox::of(&messages, synced.exit())))
}

impl Inbox {
    fn of(messages: &Messages<'_>, exit: Exit) -> Self {
        let law = Law::at(clock::now());
        let mut entries: Vec<&Entry> = messages.entries().filter(|entry| !entry.is_deleted()).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.accepted_index));
        Self { messages: entries.into_iter().map(|entry| Item::of(entry, &law)).collect(), exit }
    }
}

impl Item {
    pub fn of(entry: &Entry, law: &Law) -> Self {
        let date = law.of(entry.regime, &entry.stages, &entry.ags).and_then(|legal| legal.deemed_served);
        let time = |ms: u64| Timestamp(ms).to_rfc3339();
        Self {
            message_id: entry.message_id.to_string(),
            sender: entry.sender.clone(),
            authority_id: entry.authority_id.clone(),
            subject: entry.subject.clone(),
            kind: entry.kind.clone(),
            kind_detail: entry.kind_detail.clone(),
            received_at: time(entry.received_at()),
            created_at: time(entry.created_at),
            not_before: (entry.not_before > 0).then(|| time(entry.not_before)),
            unread: entry.is_unread(),
            attachments: entry.attachments.len(),
            regime: entry.regime.as_str(),
            deemed_served: date.map(|date| date.date.to_string()),
            deemed_served_if_holiday: date.and_then(|date| date.if_holiday).map(|date| date.to_string()),
            confirmation_requested: entry.confirmation_requested,
            confirmed: entry.has(EventType::Confirmed),
            disputed: entry.has(EventType::Disputed) || entry.has(EventType::RejectedByRecipient),
            withdrawn: entry.has(EventType::Withdrawn),
            lapsed: entry.has(EventType::Lapsed),
            erased: entry.erased,
            defect: entry.defect,
            in_reply_to: entry.in_reply_to.clone(),
        }
    }

    fn title(&self) -> String {
        match (self.defect, self.erased, &self.not_before) {
            (Some(Fault::Sender), ..) => t!("inbox-defect-sender"),
            (Some(Fault::Server), ..) => t!("inbox-defect-server"),
            (Some(Fault::Key), ..) => t!("inbox-defect-key"),
            (None, true, _) => t!("inbox-erased"),
            (None, _, Some(instant)) => t!("inbox-not-before", day = local(instant)),
            _ => self.subject.clone(),
        }
    }

    fn notes(&self) -> Vec<String> {
        let told = |yes: bool, text: fn() -> String| yes.then(text);
        let attachments = self.attachments;
        [
            told(self.unread, || t!("inbox-unread")),
            (attachments > 0).then(|| t!("inbox-attachments", count = attachments)),
            self.deemed_served.as_ref().map(|day| t!("inbox-deemed", day = day.as_str())),
            told(self.confirmation_requested && !self.confirmed, || t!("inbox-confirm")),
            told(self.disputed, || t!("inbox-disputed")),
            told(self.withdrawn, || t!("inbox-withdrawn")),
            told(self.lapsed, || t!("stage-lapsed")),
            told(self.erased && self.defect.is_some(), || t!("inbox-erased")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// In the list, or alone as it arrives.
impl Answer for Item {
    fn show(&self, page: &mut Page) {
        let day = local(&self.received_at);
        let mark = if self.unread { "* " } else { "  " };
        let head = format!("{mark}{}  {}", &day[..16.min(day.len())], self.sender);
        if self.unread {
            page.heading(&head);
        } else {
            page.line_as_is(&head);
        }
        page.below(&self.title());
        let notes = self.notes();
        if !notes.is_empty() {
            page.below(&notes.join(", "));
        }
        page.below(&self.message_id);
        page.blank();
    }
}

impl Answer for Inbox {
    fn show(&self, page: &mut Page) {
        if self.messages.is_empty() {
            return page.line(&t!("inbox-empty"));
        }
        self.messages.iter().for_each(|item| item.show(page));
        let unread = self.messages.iter().filter(|item| item.unread).count();
        page.line(&t!("inbox-count", count = self.messages.len(), unread = unread));
    }

    fn exit(&self) -> Exit {
        self.exit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;
    use crate::profile::message::tests::entry;

    #[test]
    fn the_answer_is_as_documented() {
        let item = Item::of(&entry(1, "Bescheid"), &Law::at(Timestamp(1_795_000_000_000)));
        let inbox = Inbox { messages: vec![item], exit: Exit::Ok };
        assert_documented("postfach inbox", &inbox);
        let mut page = Page::new(crate::output::Look { width: 80, styled: false, plain: false });
        inbox.show(&mut page);
        let text = page.into_text();
        assert!(text.contains("Bescheid") && text.contains("counts as served on 2026-11-21"), "{text}");
    }
}
