//! Removes a message for good: content, events and salts go, the ERASED event and all commitments stay (SPEC 5).

use postfach_domain::decide::{Outcome as Decision, Refusal, decide_erase};
use postfach_domain::event::{ErasedDetails, Event, EventType};
use postfach_domain::id::MessageId;

use super::{App, AppError, Erased};
use crate::commit::{Applied, Needs, Operation, Outcome, WorkingSet};
use crate::storage::Ask;
use crate::storage::sql::events;

impl App {
    /// Removes a message's content, salts and events; logs ERASED.
    pub async fn erase(&self, message_id: MessageId) -> Result<Erased, AppError> {
        let (evidence_index, event) = match self.submit(Erase { message_id }).await? {
            Outcome::Logged { events, .. } => {
                let event = events.into_iter().next().ok_or(AppError::Internal)?;
                (event.index, Some(event.event))
            }
            Outcome::Known(Some(index)) => {
                let rows = events::by_index(&mut Ask(&*self.store), [index]).await?;
                (index, rows.into_iter().next().and_then(|row| row.event))
            }
            Outcome::Known(None) | Outcome::Stored => return Err(AppError::Internal),
        };
        let event = event.and_then(|bytes| Event::parse(&bytes).ok()).ok_or(AppError::Internal)?;
        let details = ErasedDetails::parse(&event.details).map_err(|_| AppError::Internal)?;
        // What was deleted must leave every file too.
        self.store.tidy(true).await?;
        self.clean().await?;
        Ok(Erased { evidence_index, erased_indexes: details.indexes })
    }
}

/// An erasure on its way.
#[derive(Debug)]
struct Erase {
    message_id: MessageId,
}

impl Operation for Erase {
    fn needs(&self, needs: &mut Needs) {
        needs.messages.insert(self.message_id);
    }

    fn needs_then(&self, set: &WorkingSet, needs: &mut Needs) {
        needs.uses.extend(set.messages.get(&self.message_id).map(|message| message.no));
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let message = set.messages.get(&self.message_id).cloned().ok_or(Refusal::NotFound)?;
        let state = WorkingSet::message_state(&message);
        let event = match decide_erase(&state, set.moment()) {
            Decision::Stands(_) => return Ok(Applied::Known(message.first(EventType::Erased))),
            Decision::Log(event) => event,
        };
        let index = set.log_on_message(&message, &event);
        if let Some(mut changed) = set.messages.get(&self.message_id).cloned() {
            for (event_type, at) in &mut changed.events {
                if *at != index {
                    *event_type = None;
                }
            }
            (changed.hashes, changed.regime) = (None, None);
            (changed.cover_length, changed.letter_length) = (None, None);
            set.messages.put(self.message_id, changed);
        }
        set.changes.erased.push((message.no, message.events.iter().map(|(_, at)| *at).collect()));
        for key in set.uses.remove(&message.no).unwrap_or_default() {
            release(set, key);
        }
        Ok(Applied::Logged { keys: Vec::new(), events: vec![index] })
    }
}

/// Takes back one use of an attachment; the last one takes its ciphertext along.
fn release(set: &mut WorkingSet, key: (u64, postfach_domain::id::AttachmentId)) {
    let Some(mut attachment) = set.attachments.get(&key).cloned() else { return };
    attachment.refs = attachment.refs.saturating_sub(1);
    if attachment.refs == 0 {
        set.attachments.remove(&key);
        set.changes.dropped_blobs.push(attachment.blob);
    } else {
        set.attachments.put(key, attachment);
    }
}
