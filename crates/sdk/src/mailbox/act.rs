//! What the owner says about a message, signed and logged.

use postfach_domain::act::{Act, ActType, MessageRef, reason};
use postfach_domain::format::Signed;
use postfach_domain::id::{ActId, Party};
use postfach_domain::time::Timestamp;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;

use super::{Mailbox, MessageRecord};
use crate::error::Error;
use crate::evidence::VerifiedEvent;

/// Code of the service for an act that names an old head.
const HEAD_NOT_NEWEST: &str = "HEAD_NOT_NEWEST";

/// What an act says, before it is signed.
#[derive(Clone)]
pub(super) struct Statement {
    pub(super) act_id: ActId,
    pub(super) act_type: ActType,
    pub(super) message: MessageRef,
    pub(super) reason: &'static str,
}

impl Mailbox {
    /// Confirms that the letter was received and read.
    pub async fn confirm(&self, record: &MessageRecord) -> Result<VerifiedEvent, Error> {
        self.say(record, ActType::Confirmed, "").await
    }

    /// Disputes that the message arrived.
    pub async fn dispute(&self, record: &MessageRecord) -> Result<VerifiedEvent, Error> {
        self.say(record, ActType::Disputed, reason::NOT_RECEIVED).await
    }

    /// Rejects a message whose hashes hold and whose inside is wrong: the sender's fault (SPEC 3). `cannot_open` tells
    /// whether it did not open at all.
    pub async fn reject(&self, record: &MessageRecord, cannot_open: bool) -> Result<VerifiedEvent, Error> {
        let why = if cannot_open { reason::CANNOT_OPEN } else { reason::CONTENT_INVALID };
        self.say(record, ActType::RejectedByRecipient, why).await
    }

    /// Deletes the content on the service, for this mailbox.
    pub async fn delete(&self, record: &MessageRecord) -> Result<VerifiedEvent, Error> {
        self.say(record, ActType::Deleted, "").await
    }

    pub(super) async fn say(
        &self,
        record: &MessageRecord,
        act_type: ActType,
        reason: &'static str,
    ) -> Result<VerifiedEvent, Error> {
        let statement = self.statement(record, act_type, reason)?;
        let answer = match self.submit(&statement).await {
            Err(Error::Conflict { reason, .. }) if reason == HEAD_NOT_NEWEST => {
                self.refresh_chain().await?;
                self.submit(&statement).await?
            }
            other => other?,
        };
        let seen = self.client.observe(answer.checkpoints.as_ref())?;
        let logged = answer.event.ok_or_else(|| Error::answer("no event"))?;
        let verified = self.client.verify_event(&logged, &seen)?;
        self.check_own_act(&verified, &statement)?;
        self.client.settle().await?;
        Ok(verified)
    }

    pub(super) fn statement(
        &self,
        record: &MessageRecord,
        act_type: ActType,
        reason: &'static str,
    ) -> Result<Statement, Error> {
        let act_id = ActId(self.client.environment().random_bytes());
        Ok(Statement { act_id, act_type, message: record.message_ref()?, reason })
    }

    async fn submit(&self, statement: &Statement) -> Result<v1::SubmitActResponse, Error> {
        let sign = |time| v1::SubmitActRequest { act: Some(self.sign(statement, time)) };
        self.client
            .call_signed(sign, |channel, request| async move {
                MailboxServiceClient::new(channel).submit_act(request).await
            })
            .await
    }

    /// Signs a statement under the newest head that we know.
    pub(super) fn sign(&self, statement: &Statement, time: Timestamp) -> Signed {
        let act = Act {
            origin: self.client.service().origin.clone(),
            act_id: statement.act_id,
            act_type: statement.act_type,
            actor: Party::Mailbox(self.keys.address),
            signer: self.keys.device.sign.key_id(),
            actor_head: Some(self.own_chain().chain.head()),
            message: Some(statement.message),
            time,
            reason: statement.reason.to_owned(),
            details: Vec::new(),
        };
        act.sign(&self.keys.device.sign)
    }

    /// The event must carry our act, or one of another device of ours that said the same before.
    pub(super) fn check_own_act(&self, verified: &VerifiedEvent, statement: &Statement) -> Result<(), Error> {
        verified.stands_for(statement.act_type, statement.message)?;
        self.check_act_of_ours(verified)?;
        Ok(())
    }

    /// Checks that an act is by a device of this mailbox.
    pub(super) fn check_act_of_ours(&self, verified: &VerifiedEvent) -> Result<Act, Error> {
        let act = verified.act_by(&Party::Mailbox(self.keys.address), &self.client.service().origin)?;
        let key = self.own_key(&act).ok_or_else(|| verified.fault("its act is by a key that is not ours"))?;
        verified.check_act(&key)
    }
}
