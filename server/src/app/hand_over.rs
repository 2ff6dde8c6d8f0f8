//! Gives out a letter against the citizen's signed statement that she took it (SPEC 3). Once that stands, a token is
//! enough, for ever.

use bytes::Bytes;
use postfach_domain::act::ActType;
use postfach_domain::event::EventType;
use postfach_domain::format::Signed;
use postfach_domain::id::{MessageId, Party};

use super::act_on_message::ActOnMessage;
use super::answers::Step;
use super::{App, AppError, Caller, HandedOver, Refusal};
use crate::evidence::{Checkpoints, LoggedEvent};
use crate::storage::sql::messages::{self, Message};
use crate::storage::{Ask, StoreError};

impl App {
    /// Gives out a letter against a signed act HANDED_OVER, which may be absent once it stands.
    pub async fn hand_over(
        &self,
        caller: &Caller,
        message_id: MessageId,
        act: Option<Signed>,
    ) -> Result<HandedOver, AppError> {
        self.require_member(caller).await?;
        if let Some(act) = act {
            let (event, checkpoints) = self.take(caller, message_id, act).await?;
            let (_, letter) = self.letter(caller, message_id).await?;
            return Ok(HandedOver { letter, event, checkpoints });
        }
        let (message, letter) = self.letter(caller, message_id).await?;
        let index = message.first(EventType::HandedOver).ok_or(Refusal::NotHandedOver)?;
        let (event, checkpoints) = self.event_at(index).await?;
        Ok(HandedOver { letter, event, checkpoints })
    }

    async fn take(
        &self,
        caller: &Caller,
        message_id: MessageId,
        act: Signed,
    ) -> Result<(LoggedEvent, Checkpoints), AppError> {
        let parsed = self.checked_act(caller, &act).await?;
        if parsed.act_type != ActType::HandedOver {
            return Err(AppError::invalid("act.type", "not HANDED_OVER"));
        }
        if parsed.message.is_none_or(|named| named.message_id != message_id) {
            return Err(AppError::invalid("act.message_id", "not the message of the call"));
        }
        match self.step(ActOnMessage { act: parsed, signed: act }).await? {
            Step::Event(event, checkpoints) => Ok((event, checkpoints)),
            Step::Stored => Err(AppError::Internal),
        }
    }

    /// A message of the caller's mailbox with its letter. Whether it may be given out yet is for the caller to ask.
    async fn letter(&self, caller: &Caller, message_id: MessageId) -> Result<(Message, Bytes), AppError> {
        let found = messages::with_letter(&mut Ask(&*self.store), message_id).await?;
        let (message, letter) = found.ok_or(AppError::NotFound)?;
        if Party::Mailbox(message.recipient) != caller.party || message.has(EventType::Refused) {
            return Err(AppError::NotFound);
        }
        check_given(&message)?;
        Ok((message, letter.ok_or(Refusal::Erased)?.into()))
    }

    /// A message by its id.
    pub(super) async fn message(&self, message_id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(messages::by_id(&mut Ask(&*self.store), [&message_id]).await?.into_iter().next())
    }
}

/// What ends access even after a hand-over: the recipient's own deletion, and erasure.
pub(super) fn check_given(message: &Message) -> Result<(), Refusal> {
    if message.has(EventType::Erased) {
        return Err(Refusal::Erased);
    }
    if message.has(EventType::Deleted) {
        return Err(Refusal::Deleted);
    }
    Ok(())
}
