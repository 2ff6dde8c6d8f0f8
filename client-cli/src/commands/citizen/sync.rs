//! `postfach sync`: fetches everything that happened, page by page, each stored before the next is asked for.

use std::time::Duration;

use postfach_sdk::mailbox::{Content, Defect, ReceivedMessage, SyncItem, SyncWarning};
use serde::Serialize;

use super::open::Owner;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::output::{Answer, Page, Report};
use crate::profile::SYNC_LOCK;
use crate::profile::changes::{Change, Changes};
use crate::profile::mailbox::Messages;
use crate::profile::message::{Attached, Entry, Fault};
use crate::t;

/// How long a sync waits for another one on the same profile.
const PATIENCE: Duration = Duration::from_mins(1);

/// `postfach sync`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {}

/// What a sync brought.
#[derive(Debug, Default, Serialize)]
pub struct Synced {
    /// New messages.
    new: u64,
    /// Later events.
    events: u64,
    /// Messages in the mailbox, deleted ones left out.
    messages: usize,
    /// Messages that are not shown because a check failed.
    faulty: u64,
    /// True where the service is at fault.
    service_fault: bool,
    /// What a person should know.
    warnings: Vec<String>,
}

/// Fetches what is new.
pub async fn run(context: &Context, _args: &Args) -> Outcome<Report> {
    let owner = Owner::open(context)?;
    let mut messages = owner.messages()?;
    Ok(Report::of(sync(context, &owner, &mut messages).await?))
}

/// Fetches, checks and stores everything that is new.
pub async fn sync(context: &Context, owner: &Owner, messages: &mut Messages<'_>) -> Outcome<Synced> {
    let _alone = owner.session.unlocked.lock_named(SYNC_LOCK, PATIENCE)?;
    messages.reload()?;
    let mut synced = Synced::default();
    loop {
        let mut state = messages.sync_state().clone();
        let page = owner.mailbox.sync_page(&mut state, messages).await;
        let page = owner.session.finish(context, page)?;
        synced.warnings.extend(page.warnings.iter().map(warning));
        let mut step = Step { messages, synced: &mut synced, changes: Changes::default() };
        page.items.into_iter().for_each(|item| step.take(item));
        let changes = Changes { sync: Some(state), ..step.changes };
        messages.store(changes)?;
        if !page.has_more {
            break;
        }
    }
    synced.messages = messages.entries().filter(|entry| !entry.is_deleted()).count();
    synced.warnings.iter().for_each(|text| context.warn(text));
    if synced.faulty > 0 {
        context.warn(&t!("inbox-faulty", count = synced.faulty));
    }
    Ok(synced)
}

fn warning(warning: &SyncWarning) -> String {
    match warning {
        SyncWarning::MissingMessages { issuer, count } => {
            let count = *count;
            t!("sync-missing", sender = issuer.as_str(), count = count)
        }
        SyncWarning::RepeatedNumber { issuer, pair_seq } => {
            let number = *pair_seq;
            t!("sync-repeated", sender = issuer.as_str(), number = number)
        }
        _ => t!("sync-odd"),
    }
}

/// One page on its way into the profile.
struct Step<'a, 'b> {
    messages: &'a Messages<'b>,
    synced: &'a mut Synced,
    changes: Changes,
}

impl Step<'_, '_> {
    fn take(&mut self, item: SyncItem) {
        match item {
            SyncItem::Message(message) => self.message(*message),
            SyncItem::Event(event) => {
                let Some(id) = event.message_id else { return };
                self.synced.events += 1;
                self.changes.happened.push((id, Change::Stage(event.stage)));
            }
            // That something was erased is the service's claim until an ERASED event says so; what is here stays until then.
            _ => {}
        }
    }

    /// A new message, or one whose cover became available.
    fn message(&mut self, message: ReceivedMessage) {
        if self.messages.get(&message.message_id).is_none() {
            self.synced.new += 1;
        }
        let entry = entry_of(&message);
        if let Some(fault) = entry.defect {
            self.synced.faulty += 1;
            self.synced.service_fault |= fault == Fault::Server;
        }
        self.changes.arrived.push((entry, message.record));
    }
}

/// What is remembered of a message that came.
fn entry_of(message: &ReceivedMessage) -> Entry {
    let record = &message.record;
    // The SDK parsed the header when it made the record; one that does not parse is a defect without details.
    let outer = record.outer().ok();
    let sender = &record.sender;
    let mut entry = Entry {
        message_id: message.message_id,
        sender: sender.display_name.clone().unwrap_or_else(|| sender.issuer.clone()),
        authority_id: sender.authority_id().map(str::to_owned),
        ags: sender.ags.clone().unwrap_or_default(),
        subject: String::new(),
        kind_detail: String::new(),
        kind: outer.as_ref().map(|outer| outer.kind.to_string()).unwrap_or_default(),
        regime: outer.as_ref().map_or(postfach_domain::outer::LegalRegime::None, |outer| outer.regime),
        created_at: outer.as_ref().map_or(0, |outer| outer.created_at.0),
        confirmation_requested: outer.as_ref().is_some_and(|outer| outer.confirmation_requested),
        in_reply_to: outer.as_ref().and_then(|outer| outer.in_reply_to).map(|id| id.to_string()),
        not_before: 0,
        defect: None,
        attachments: Vec::new(),
        stages: vec![message.stage.clone()],
        erased: false,
        accepted_index: message.accepted.index,
        hashes: record.hashes(),
        cover_at: None,
    };
    match &message.content {
        Content::Opened(cover) => {
            cover.subject().clone_into(&mut entry.subject);
            cover.kind_detail().clone_into(&mut entry.kind_detail);
            let attached = cover.attachments().iter();
            let attached =
                attached.map(|a| Attached { id: a.id.to_string(), name: a.name.clone(), size: a.size });
            entry.attachments = attached.collect();
        }
        Content::NotYet => entry.not_before = record.available_at,
        Content::Defect(defect) => {
            entry.defect = Some(match defect {
                Defect::Server(_) => Fault::Server,
                Defect::Sender(_) => Fault::Sender,
                Defect::NoKey(_) => Fault::Key,
            });
        }
    }
    entry
}

impl Synced {
    /// True where there was nothing to fetch.
    pub fn is_nothing(&self) -> bool {
        self.new == 0 && self.events == 0
    }

    /// True where the service gave out something else than it had accepted.
    pub fn is_service_at_fault(&self) -> bool {
        self.service_fault
    }
}

impl Answer for Synced {
    fn show(&self, page: &mut Page) {
        page.line(&t!("sync-done", new = self.new));
    }

    fn exit(&self) -> Exit {
        if self.service_fault { Exit::Evidence } else { Exit::Ok }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        assert_documented("postfach sync", &Synced { warnings: vec![String::new()], ..Synced::default() });
    }
}
