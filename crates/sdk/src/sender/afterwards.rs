//! What a sender does after a message was accepted: take it back, and read again what was sent.

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::id::{ActId, KeyId, MessageId, Party};
use postfach_domain::outer::Outer;
use postfach_domain::sign::PublicKey;
use postfach_domain::submission::Hashes;
use postfach_envelope::open::{OpenedCover, OpenedLetter, Received, open_cover};
use postfach_envelope::{Unlock, open_sender_copy};
use postfach_proto::v1;
use postfach_proto::v1::delivery_service_client::DeliveryServiceClient;

use super::Sender;
use crate::client::{MAX_ANSWER, Pace};
use crate::error::{Error, EvidenceFault};
use crate::evidence::history::is_gone;
use crate::evidence::{CertifiedKey, VerifiedEvent};
use crate::receipts::History;
use crate::work::blocking;

/// A message as it was sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct SentMessage {
    /// What the server reads.
    pub outer: Outer,
    /// The opened cover.
    pub cover: OpenedCover,
    /// The opened letter.
    pub letter: OpenedLetter,
}

/// A message that was taken back.
#[derive(Debug)]
#[non_exhaustive]
pub struct Withdrawn {
    /// The WITHDRAWN event.
    pub event: VerifiedEvent,
    /// True where it stood before: another clerk did it, or the answer to an earlier try got lost.
    pub repeated: bool,
}

/// What the service itself answers about content that is gone.
fn erased() -> Error {
    Error::Conflict { reason: "ERASED".to_owned(), request_id: None }
}

impl Sender {
    /// What became of a message, with a receipt for each event.
    pub async fn history(&self, message_id: MessageId) -> Result<History, Error> {
        self.client.history(message_id).await
    }

    /// Takes a message back, where it was neither handed over nor served. May be repeated.
    pub async fn withdraw(&self, message_id: MessageId) -> Result<Withdrawn, Error> {
        let hashes = self.accepted_hashes(message_id).await?;
        let act_id = ActId(self.client.environment().random_bytes());
        let message = MessageRef { message_id, outer_hash: hashes.outer, letter_hash: hashes.letter };
        let sign = |time| {
            let act = Act {
                origin: self.client.service().origin.clone(),
                act_id,
                act_type: ActType::Withdrawn,
                actor: self.party.clone(),
                signer: self.key.key_id(),
                actor_head: None,
                message: Some(message),
                time,
                reason: String::new(),
                details: Vec::new(),
            };
            v1::WithdrawRequest { act: Some(act.sign(&self.key)) }
        };
        let answer = self
            .client
            .call_signed(sign, |channel, request| async move {
                DeliveryServiceClient::new(channel).withdraw(request).await
            })
            .await?;
        let seen = self.client.observe(answer.checkpoints.as_ref())?;
        let logged = answer.event.ok_or_else(|| Error::answer("no event"))?;
        let verified = self.client.verify_event(&logged, &seen)?;
        let act = self.check_withdrawal(&verified, message).await?;
        self.client.settle().await?;
        Ok(Withdrawn { event: verified, repeated: act.act_id != act_id })
    }

    /// The event must carry an act of ours about this message, by any clerk's key and of any time.
    pub(super) async fn check_withdrawal(
        &self,
        verified: &VerifiedEvent,
        message: MessageRef,
    ) -> Result<Act, Error> {
        verified.stands_for(ActType::Withdrawn, message)?;
        let act = verified.act_by(&self.party, &self.client.service().origin)?;
        verified.check_act(&self.clerk_key(&act.signer, &verified.event).await?)
    }

    /// Opens a sent message again through its sender copy.
    pub async fn read_sent(&self, message_id: MessageId) -> Result<SentMessage, Error> {
        let answer = self.delivery(message_id, true).await?;
        let (hashes, signer) = self.hashes_in(&answer, message_id).await?;
        let submission = answer.submission.ok_or_else(erased)?;
        let outer = Outer::parse(&submission.outer).map_err(|e| Error::answer(e.to_string()))?;
        self.client.settle().await?;
        let sender = self.clone();
        blocking(move |_| sender.open_sent(outer, &submission, hashes, &signer)).await
    }

    fn open_sent(
        &self,
        outer: Outer,
        submission: &v1::Submission,
        hashes: Hashes,
        signer: &PublicKey,
    ) -> Result<SentMessage, Error> {
        let undecryptable = |reason: String| Error::CannotDecrypt { what: "the sender copy", reason };
        let own = self.mailbox.generations.values().rev();
        let keys = own
            .map(|key| open_sender_copy(&submission.sender_copy, key))
            .find_map(Result::ok)
            .ok_or_else(|| undecryptable("no key of this device opens it".to_owned()))?;
        let origin = &self.client.service().origin;
        let received =
            Received { origin, recipient: outer.recipient, signer, hashes, outer: &submission.outer };
        let cover = open_cover(&received, &submission.cover_envelope, Unlock::FileKey(&keys.cover))
            .map_err(|e| undecryptable(e.to_string()))?;
        let letter = cover
            .open_letter(&submission.letter_envelope, Unlock::FileKey(&keys.letter))
            .map_err(|e| undecryptable(e.to_string()))?;
        Ok(SentMessage { outer, cover, letter })
    }

    /// The key of ours, or of another clerk of the same authority, that counted at an event.
    async fn clerk_key(&self, key_id: &KeyId, event: &Event) -> Result<PublicKey, Error> {
        if *key_id == self.key.key_id() {
            return Ok(self.key.public());
        }
        let unknown =
            || Error::evidence(EvidenceFault::Certificate("the key that signed is unknown".to_owned()));
        let Party::Authority(id) = &self.party else { return Err(unknown()) };
        let keys = self.client.authority(id).await?;
        let counts = |key: &&CertifiedKey| {
            key.certificate.key_id() == *key_id && key.counts_at(event.keys_size, event.occurred_at)
        };
        let found = keys.iter().find(counts);
        found.map(|key| key.certificate.sign_pub).ok_or_else(unknown)
    }

    async fn accepted_hashes(&self, message_id: MessageId) -> Result<Hashes, Error> {
        let answer = self.delivery(message_id, false).await?;
        self.hashes_in(&answer, message_id).await.map(|(hashes, _)| hashes)
    }

    async fn delivery(
        &self,
        message_id: MessageId,
        include_content: bool,
    ) -> Result<v1::GetDeliveryResponse, Error> {
        let request = v1::GetDeliveryRequest { message_id: message_id.to_vec(), include_content };
        self.client
            .call(Pace::Normal, request, |channel, request| async move {
                DeliveryServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .get_delivery(request)
                    .await
            })
            .await
    }

    /// The hashes that the log says we submitted, checked with the key that signed them: ours, or another clerk's.
    async fn hashes_in(
        &self,
        answer: &v1::GetDeliveryResponse,
        message_id: MessageId,
    ) -> Result<(Hashes, PublicKey), Error> {
        let seen = self.client.observe(answer.checkpoints.as_ref())?;
        for logged in answer.events.iter().filter(|logged| !is_gone(logged)) {
            let verified = self.client.verify_event(logged, &seen)?;
            match verified.event.event_type {
                EventType::Accepted => {}
                EventType::Erased => {
                    verified.expect(EventType::Erased, Some(message_id))?;
                    return Err(erased());
                }
                _ => continue,
            }
            verified.expect(EventType::Accepted, Some(message_id))?;
            let (Some(hashes), Some(EventSigned::Submission(signature))) =
                (verified.event.hashes, &verified.event.signed)
            else {
                return Err(verified.fault("it has no hashes or no signature"));
            };
            if verified.event.sender.as_ref() != Some(&self.party) {
                return Err(verified.fault("it is not what we submitted"));
            }
            let key_id = KeyId::try_from(signature.key_id.as_slice()).map_err(|e| verified.fault(e))?;
            let key = self.clerk_key(&key_id, &verified.event).await?;
            hashes.verify(&key, signature).map_err(|e| verified.fault(e))?;
            return Ok((hashes, key));
        }
        Err(Error::evidence(EvidenceFault::Answer("no ACCEPTED event".to_owned())))
    }
}
