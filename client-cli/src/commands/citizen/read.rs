//! `postfach read`: cover and letter. The first time, the device signs that it takes the letter; the sender sees that.

use postfach_domain::event::EventType;
use postfach_domain::time::Timestamp;
use serde::Serialize;

use super::open::Owner;
use crate::clock;
use crate::commands::letter_view::LetterView;
use crate::commands::message_id::message_id;
use crate::commands::stages_view::local;
use crate::context::Context;
use crate::exit::Outcome;
use crate::legal::{Law, LegalView};
use crate::output::{Answer, Page, Report};
use crate::profile::message::Entry;
use crate::t;

/// `postfach read`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
}

/// A message in full. What the sender states (`stated`) and what is computed (`legal`) are kept apart.
#[derive(Debug, Serialize)]
struct Shown {
    message_id: String,
    sender: String,
    authority_id: Option<String>,
    subject: String,
    kind: String,
    kind_detail: String,
    received_at: String,
    created_at: String,
    regime: &'static str,
    confirmation_requested: bool,
    confirmed: bool,
    handed_over_at: Option<String>,
    in_reply_to: Option<String>,
    #[serde(flatten)]
    letter: LetterView,
    legal: LegalView,
    #[serde(skip)]
    signed_now: bool,
}

/// Shows a letter.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let mut messages = owner.messages()?;
    let entry = owner.find(context, &mut messages, &id).await?;
    let (opened, signed_now) = owner.letter(context, &mut messages, &entry).await?;
    let entry = messages.get(&id).cloned().unwrap_or(entry);
    Ok(Report::of(Shown::of(&entry, LetterView::of(&opened.letter), signed_now)))
}

impl Shown {
    fn of(entry: &Entry, letter: LetterView, signed_now: bool) -> Self {
        let time = |ms: u64| Timestamp(ms).to_rfc3339();
        let taken = entry.stages.iter().find(|stage| stage.event_type() == Some(EventType::HandedOver));
        Self {
            message_id: entry.message_id.to_string(),
            sender: entry.sender.clone(),
            authority_id: entry.authority_id.clone(),
            subject: entry.subject.clone(),
            kind: entry.kind.clone(),
            kind_detail: entry.kind_detail.clone(),
            received_at: time(entry.received_at()),
            created_at: time(entry.created_at),
            regime: entry.regime.as_str(),
            confirmation_requested: entry.confirmation_requested,
            confirmed: entry.has(EventType::Confirmed),
            handed_over_at: taken.map(|stage| time(stage.at)),
            in_reply_to: entry.in_reply_to.clone(),
            letter,
            legal: Law::at(clock::now()).explain(entry.regime, &entry.stages, &entry.ags),
            signed_now,
        }
    }
}

impl Answer for Shown {
    fn show(&self, page: &mut Page) {
        page.fact(&t!("label-sender"), &self.sender);
        page.fact(&t!("label-subject"), &self.subject);
        page.fact_if(&t!("label-document"), &self.kind_detail);
        page.fact(&t!("label-received-at"), &local(&self.received_at));
        page.fact(&t!("label-message"), &self.message_id);
        self.letter.show(page);
        self.legal.show(page);
        page.blank();
        match (&self.handed_over_at, self.signed_now) {
            (Some(_), true) => page.line(&t!("read-first")),
            (Some(at), false) => page.line(&t!("read-before", day = local(at))),
            (None, _) => {}
        }
        let id = &self.message_id;
        if self.letter.has_attachments() {
            page.line(&t!("read-save"));
            page.raw_line(&format!("  postfach attachment save {id} -o {}", t!("word-folder")));
        }
        if self.confirmation_requested && !self.confirmed {
            page.line(&t!("read-confirm"));
            page.raw_line(&format!("  postfach confirm {id}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;
    use crate::commands::documented::letter;
    use crate::profile::message::tests::{entry, stage};

    #[test]
    fn the_answer_is_as_documented() {
        let mut entry = entry(1, "Bescheid");
        entry.add(stage(EventType::HandedOver, 4));
        let shown = Shown::of(&entry, letter(), true);
        assert_documented("postfach read", &shown);
        let mut page = Page::new(crate::output::Look { width: 80, styled: false, plain: false });
        shown.show(&mut page);
        let text = page.into_text();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let (stated, computed) = (text.find("Stated by the sender"), text.find("Computed by this program"));
        assert!(stated.is_some() && stated < computed, "{text}");
    }
}
