//! Checked items of a page in relation to what came before: numbers, repeats, later events. Makes no call.

use std::collections::HashMap;

use postfach_domain::event::{ErasedDetails, EventType};
use postfach_domain::id::MessageId;
use postfach_domain::submission::Hashes;

use super::page::{
    Content, Defect, MailboxEvent, MailboxMemory, ReceivedMessage, SyncItem, SyncPage, SyncWarning,
};
use super::verify::Checked;
use crate::error::Error;
use crate::evidence::VerifiedEvent;
use crate::stages::Stage;
use crate::state::{SyncState, Waiting};

/// One row after its checks.
pub(super) enum Item {
    Message(Box<(VerifiedEvent, Checked)>),
    Event(Box<VerifiedEvent>),
    Erased(u64),
}

/// A checked message for the application.
pub(super) fn message(accepted: VerifiedEvent, checked: Checked) -> Result<SyncItem, Error> {
    let message_id = accepted.event.message_id.ok_or_else(|| accepted.fault("it names no message"))?;
    let stage = Stage::new(&accepted.event, accepted.index);
    let Checked { record, content } = checked;
    Ok(SyncItem::Message(Box::new(ReceivedMessage { message_id, accepted, stage, record, content })))
}

/// Puts checked items in relation to what came before: numbers, repeats, later events.
pub(super) struct Sorter<'a, M> {
    memory: &'a M,
    state: &'a mut SyncState,
    cursor: &'a str,
    /// Messages of this page.
    known: HashMap<MessageId, (u64, Option<Hashes>)>,
}

impl<'a, M: MailboxMemory> Sorter<'a, M> {
    /// `cursor` is where the page began.
    pub(super) fn new(memory: &'a M, state: &'a mut SyncState, cursor: &'a str) -> Self {
        Self { memory, state, cursor, known: HashMap::new() }
    }

    pub(super) fn sort(mut self, items: Vec<Item>) -> Result<SyncPage, Error> {
        let mut page =
            SyncPage { items: Vec::with_capacity(items.len()), warnings: Vec::new(), has_more: false };
        for item in items {
            let sorted = match item {
                Item::Erased(index) => SyncItem::Erased { index },
                Item::Event(verified) => self.event(*verified)?,
                Item::Message(arrived) => {
                    let (accepted, checked) = *arrived;
                    self.message(accepted, checked, &mut page.warnings)?
                }
            };
            page.items.push(sorted);
        }
        Ok(page)
    }

    fn message(
        &mut self,
        accepted: VerifiedEvent,
        mut checked: Checked,
        warnings: &mut Vec<SyncWarning>,
    ) -> Result<SyncItem, Error> {
        let id = accepted.event.message_id.ok_or_else(|| accepted.fault("it names no message"))?;
        let here = self.known.get(&id).map(|(index, _)| *index);
        match here.or_else(|| self.memory.accepted_index(&id)) {
            // The same event again, for example after a crash before the state was stored.
            Some(index) if index == accepted.index => {}
            Some(_) => {
                let what = "the id of the message was there before";
                checked.content = Content::Defect(Defect::Server(what.to_owned()));
            }
            None => self.number(&accepted, &mut checked, warnings),
        }
        self.known.insert(id, (accepted.index, accepted.event.hashes));
        if matches!(checked.content, Content::NotYet) {
            let waiting = Waiting {
                message_id: id.to_string(),
                cursor: self.cursor.to_owned(),
                index: accepted.index,
                available_at: checked.record.available_at,
            };
            self.state.waiting.retain(|w| w.index != waiting.index);
            self.state.waiting.push(waiting);
        }
        message(accepted, checked)
    }

    /// `pair_seq` counts the messages of one sender without gaps.
    fn number(&mut self, accepted: &VerifiedEvent, checked: &mut Checked, warnings: &mut Vec<SyncWarning>) {
        let (issuer, number) = (checked.record.sender.issuer.clone(), accepted.event.pair_seq);
        let pair = self.state.pairs.entry(issuer.clone()).or_default();
        if number > pair.highest {
            pair.skip_to(number);
        } else if !pair.missing.remove(&number) {
            warnings.push(SyncWarning::RepeatedNumber { issuer, pair_seq: number });
            let what = "the number of the message was there before";
            checked.content = Content::Defect(Defect::Server(what.to_owned()));
        }
    }

    fn event(&mut self, verified: VerifiedEvent) -> Result<SyncItem, Error> {
        let event = &verified.event;
        if let Some(id) = event.message_id {
            let here = self.known.get(&id).and_then(|(_, hashes)| *hashes);
            let known = here.or_else(|| self.memory.hashes(&id));
            if let (Some(known), Some(named)) = (known, event.hashes)
                && known != named
            {
                return Err(verified.fault("it names other bytes than were accepted"));
            }
        }
        if matches!(event.event_type, EventType::Deleted | EventType::Erased)
            && let Some(id) = event.message_id
        {
            self.state.waiting.retain(|w| w.message_id != id.to_string());
        }
        if event.event_type == EventType::Erased {
            self.explain_erasure(&verified)?;
        }
        let stage = Stage::new(event, verified.index);
        let message_id = event.message_id;
        Ok(SyncItem::Event(Box::new(MailboxEvent { message_id, event: verified, stage })))
    }

    /// An erased message leaves its number behind.
    fn explain_erasure(&mut self, verified: &VerifiedEvent) -> Result<(), Error> {
        let details = ErasedDetails::parse(&verified.event.details).map_err(|e| verified.fault(e))?;
        let Some(sender) = &verified.event.sender else { return Ok(()) };
        let pair = self.state.pairs.entry(sender.issuer()).or_default();
        if details.pair_seq > pair.highest {
            pair.skip_to(details.pair_seq);
        }
        if pair.missing.remove(&details.pair_seq) {
            return Ok(());
        }
        // A number that was there is not missing; one that was not is one of those that are only counted.
        let id = verified.event.message_id;
        let came =
            id.is_some_and(|id| self.known.contains_key(&id) || self.memory.accepted_index(&id).is_some());
        if !came {
            pair.unlisted = pair.unlisted.saturating_sub(1);
        }
        Ok(())
    }
}

/// What is missing at the end of a run, beyond what was told before. Not earlier: an erasure that explains a number stands
/// behind it, perhaps on a later page.
pub(super) fn tell_missing(state: &mut SyncState, warnings: &mut Vec<SyncWarning>) {
    for (issuer, pair) in &mut state.pairs {
        let missing = pair.missing_count();
        let new = missing.saturating_sub(pair.told);
        if new > 0 {
            warnings.push(SyncWarning::MissingMessages { issuer: issuer.clone(), count: new });
        }
        pair.told = missing;
    }
}
