//! What every citizen's command begins with: profile, service, mailbox; and how it opens a letter.

use postfach_domain::event::EventType;
use postfach_domain::id::MessageId;
use postfach_sdk::keys::MailboxKeys;
use postfach_sdk::mailbox::{Mailbox, MessageRecord, OpenedMessage};
use postfach_sdk::stages::Stage;

use crate::connect::Session;
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::explain::failure;
use crate::profile::Kind;
use crate::profile::changes::{Change, Changes};
use crate::profile::mailbox::{Messages, unknown};
use crate::profile::message::{Entry, Fault};
use crate::{fail, t};

/// A citizen at the mailbox.
pub struct Owner {
    /// Profile and client.
    pub session: Session,
    /// The mailbox.
    pub mailbox: Mailbox,
}

impl Owner {
    /// Unlocks the profile. Does not dial yet.
    pub fn open(context: &Context) -> Outcome<Self> {
        let unlocked = context.unlocked(Kind::Citizen)?;
        let keys = MailboxKeys::from_exposed(&unlocked.keys()?).map_err(failure)?;
        let session = Session::open(context, unlocked)?;
        let mailbox = Mailbox::open(&session.client, &keys).map_err(failure)?;
        Ok(Self { session, mailbox })
    }

    /// The messages that the profile remembers.
    pub fn messages(&self) -> Outcome<Messages<'_>> {
        Messages::load(&self.session.unlocked)
    }

    /// The opened letter: from this computer, or from the service, where the first time signs the hand-over. Tells
    /// whether it was signed now.
    pub async fn letter(
        &self,
        context: &Context,
        messages: &mut Messages<'_>,
        entry: &Entry,
    ) -> Outcome<(OpenedMessage, bool)> {
        readable(entry)?;
        let id = entry.message_id;
        let record = messages.record(&id)?;
        if let Some(envelope) = messages.letter(&id)? {
            let opened = self.mailbox.open_letter(&record, &envelope).await.map_err(failure)?;
            return Ok((opened, false));
        }
        let before = entry.has(EventType::HandedOver);
        let read = match self.mailbox.read(&record, before).await {
            Err(error @ postfach_sdk::Error::BadMessage { .. }) => {
                messages.store(Changes::of(id, Change::Fault(Fault::Sender)))?;
                Err(error)
            }
            other => other,
        };
        let read = self.session.finish(context, read)?;
        messages.store_letter(&id, &read.envelope)?;
        let stage = Stage::new(&read.handed_over.event, read.handed_over.index);
        messages.store(Changes::of(id, Change::Stage(stage)))?;
        Ok((read.message, !before))
    }

    /// The opened letter from this computer alone, with what was transported. Refuses what [`Owner::letter`] refuses.
    pub async fn kept_letter(
        &self,
        messages: &mut Messages<'_>,
        entry: &Entry,
    ) -> Outcome<(MessageRecord, Vec<u8>, OpenedMessage)> {
        readable(entry)?;
        let record = messages.record(&entry.message_id)?;
        let id = entry.message_id.to_string();
        let envelope = messages
            .letter(&entry.message_id)?
            .ok_or_else(|| fail!(Conflict, "NOT_HANDED_OVER", "message-not-read"; id = id.as_str()))?;
        let opened = self.mailbox.open_letter(&record, &envelope).await.map_err(failure)?;
        Ok((record, envelope.to_vec(), opened))
    }
}

/// A message that this computer knows and that its owner did not delete.
pub fn known(messages: &Messages<'_>, id: &MessageId) -> Outcome<Entry> {
    match messages.get(id) {
        Some(entry) if entry.is_deleted() => Err(fail!(NotFound, "DELETED", "message-gone-deleted")),
        Some(entry) => Ok(entry.clone()),
        None => Err(unknown(id)),
    }
}

/// A message whose letter may still be shown.
fn readable(entry: &Entry) -> Outcome<()> {
    entry.require_content()?;
    if entry.has(EventType::Withdrawn) {
        return Err(fail!(Conflict, "WITHDRAWN", "message-gone-withdrawn"));
    }
    match entry.defect {
        None => Ok(()),
        Some(Fault::Sender) => Err(bad_message(&entry.message_id)),
        Some(Fault::Server) => {
            let what = t!("defect-server");
            Err(fail!(Evidence, "EVIDENCE", "evidence-wrong", what = what.as_str()))
        }
        Some(Fault::Key) => {
            let what = t!("label-message");
            Err(fail!(CannotDecrypt, "CANNOT_DECRYPT", "cannot-decrypt", what = what.as_str()))
        }
    }
}

fn bad_message(id: &MessageId) -> Failure {
    let id = id.to_string();
    fail!(Evidence, "BAD_MESSAGE", "bad-message-of"; id = id.as_str())
}
