//! Delivering: the submission goes out as stored, and the receipt that comes back is checked against it.

use std::path::Path;

use postfach_domain::event::{EventSigned, EventType};
use postfach_proto::v1;
use postfach_proto::v1::delivery_service_client::DeliveryServiceClient;

use super::{OutboxEntry, Sender};
use crate::client::{MAX_ANSWER, Pace};
use crate::error::Error;
use crate::evidence::VerifiedEvent;
use crate::evidence::follow::Seen;
use crate::progress::Progress;

/// How often a message is sealed again because the recipient's keys changed meanwhile.
const RESEALS: usize = 5;
/// The recipient's chain has a newer head than the one sealed for.
const CHAIN_STALE: &str = "CHAIN_STALE";

/// A message that the service accepted, with proof.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Sent {
    /// The entry that was accepted; another one than was given where the message had to be sealed again.
    pub entry: OutboxEntry,
    /// The ACCEPTED event.
    pub accepted: VerifiedEvent,
}

impl Sender {
    /// Uploads and delivers, and checks the receipt. May be called again with the same entry as often as needed. Where
    /// the recipient's keys changed, the message is sealed again under the same id, and `save` stores the new entry
    /// durably before it goes out.
    pub async fn send(
        &self,
        mut entry: OutboxEntry,
        spool: &Path,
        mut save: impl FnMut(&OutboxEntry) -> std::io::Result<()>,
        progress: &Progress,
    ) -> Result<Sent, Error> {
        self.upload(&entry, spool, progress).await?;
        let mut reseals = 0;
        let accepted = loop {
            match self.deliver(&entry).await {
                Err(Error::Conflict { reason, .. }) if reason == CHAIN_STALE && reseals < RESEALS => {
                    let recipient = self.client.resolve(entry.recipient()?).await?;
                    entry = self.reseal(&entry, &recipient).await?;
                    save(&entry).map_err(|e| Error::local("outbox", e))?;
                    reseals += 1;
                }
                other => break other?,
            }
        };
        self.client.settle().await?;
        Ok(Sent { entry, accepted })
    }

    /// One Deliver call, its receipt checked but its checkpoint not yet linked (see [`crate::Client::settle`]).
    pub async fn deliver(&self, entry: &OutboxEntry) -> Result<VerifiedEvent, Error> {
        let request = v1::DeliverRequest { submission: Some(entry.submission()?), validate_only: false };
        let answer = self
            .client
            .call(Pace::Normal, request, |channel, request| async move {
                DeliveryServiceClient::new(channel)
                    .max_encoding_message_size(MAX_ANSWER)
                    .deliver(request)
                    .await
            })
            .await?;
        let seen = self.client.observe(answer.checkpoints.as_ref())?;
        let logged = answer.event.ok_or_else(|| Error::answer("no event"))?;
        self.accepted(entry, &logged, &seen)
    }

    /// The receipt for an entry, checked.
    pub(super) fn accepted(
        &self,
        entry: &OutboxEntry,
        logged: &v1::LoggedEvent,
        seen: &Seen,
    ) -> Result<VerifiedEvent, Error> {
        let verified = self.client.verify_event(logged, seen)?;
        self.check_receipt(entry, &verified)?;
        match verified.event.event_type {
            EventType::Accepted => Ok(verified),
            _ => Err(Error::PaperRequired),
        }
    }

    /// Asks whether a submission would be accepted; nothing is stored. Attachments must be uploaded.
    pub async fn check(&self, entry: &OutboxEntry) -> Result<(), Error> {
        let request = v1::DeliverRequest { submission: Some(entry.submission()?), validate_only: true };
        self.client
            .call(Pace::Normal, request, |channel, request| async move {
                DeliveryServiceClient::new(channel)
                    .max_encoding_message_size(MAX_ANSWER)
                    .deliver(request)
                    .await
            })
            .await
            .map(|_| ())
    }

    /// The event must be about exactly what was sent, and carry our signature over it.
    fn check_receipt(&self, entry: &OutboxEntry, verified: &VerifiedEvent) -> Result<(), Error> {
        let (event, outer) = (&verified.event, entry.outer()?);
        let known = matches!(event.event_type, EventType::Accepted | EventType::Refused);
        let ours = event.message_id == Some(outer.message_id)
            && event.sender.as_ref() == Some(&self.party)
            && event.recipient == Some(outer.recipient)
            && event.hashes == Some(entry.hashes());
        if !known || !ours {
            return Err(verified.fault("the receipt is for something else than was sent"));
        }
        let signed = entry.signature()?;
        let same = match &event.signed {
            Some(EventSigned::Submission(signature)) => *signature == signed,
            Some(EventSigned::Act(_)) => false,
            None => event.event_type == EventType::Refused,
        };
        if same { Ok(()) } else { Err(verified.fault("the receipt carries another signature than ours")) }
    }
}
