//! What confirm, dispute and delete have in common: find the message, sign, store what the log says now.

use postfach_domain::event::EventType;
use postfach_domain::id::MessageId;
use postfach_domain::time::Timestamp;
use postfach_sdk::mailbox::MessageRecord;
use postfach_sdk::stages::Stage;
use postfach_sdk::{Error, VerifiedEvent};
use serde::Serialize;

use super::open::Owner;
use crate::commands::stages_view::local;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{Answer, Page};
use crate::profile::changes::{Change, Changes};
use crate::profile::mailbox::Messages;
use crate::profile::message::Entry;
use crate::t;

/// An act that stands in the log.
#[derive(Debug, Serialize)]
pub struct Acted {
    message_id: String,
    stage: &'static str,
    at: String,
    evidence_index: u64,
    /// True where it stood there before.
    repeated: bool,
}

/// Signs an act about a message and remembers it.
pub async fn act(
    context: &Context,
    owner: &Owner,
    id: &MessageId,
    say: impl AsyncFnOnce(&Entry, &MessageRecord) -> Result<VerifiedEvent, Error>,
) -> Outcome<Acted> {
    let mut messages = owner.messages()?;
    let entry = owner.find(context, &mut messages, id).await?;
    let record = messages.record(id)?;
    let said = say(&entry, &record).await;
    let event = owner.session.finish(context, said)?;
    let repeated = entry.stages.iter().any(|stage| stage.evidence_index == event.index);
    let stage = Stage::new(&event.event, event.index);
    let acted = Acted::of(id, event.event.event_type, &stage, repeated);
    messages.store(Changes::of(*id, Change::Stage(stage)))?;
    Ok(acted)
}

/// The answer of an act that this profile knows to stand.
pub fn stood(messages: &Messages<'_>, id: &MessageId, event: EventType) -> Option<Acted> {
    let stage = messages.get(id)?.stages.iter().find(|stage| stage.event_type() == Some(event))?;
    Some(Acted::of(id, event, stage, true))
}

impl Acted {
    fn of(id: &MessageId, event: EventType, stage: &Stage, repeated: bool) -> Self {
        Self {
            message_id: id.to_string(),
            stage: event.as_str(),
            at: Timestamp(stage.at).to_rfc3339(),
            evidence_index: stage.evidence_index,
            repeated,
        }
    }
}

impl Answer for Acted {
    fn show(&self, page: &mut Page) {
        page.line(&match EventType::from_name(self.stage) {
            Some(EventType::Confirmed) => t!("act-confirmed"),
            Some(EventType::Deleted) => t!("act-deleted"),
            Some(EventType::RejectedByRecipient) => t!("act-rejected"),
            _ => t!("act-disputed"),
        });
        if self.repeated {
            page.line(&t!("act-stood"));
        }
        page.fact(&t!("label-occurred-at"), &local(&self.at));
        page.fact(&t!("label-place"), &self.evidence_index.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let answer = Acted {
            message_id: String::new(),
            stage: "CONFIRMED",
            at: String::new(),
            evidence_index: 3,
            repeated: false,
        };
        assert_documented("postfach confirm", &answer);
    }
}
