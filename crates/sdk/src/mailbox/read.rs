//! Reading: the cover is checked again, the hand-over is signed, and the letter is opened (SPEC 3).

use postfach_domain::act::{ActType, reason};
use postfach_envelope::Unlock;
use postfach_envelope::hybrid::HybridIdentity;
use postfach_envelope::open::{Fault, OpenError, OpenedCover, OpenedLetter, open_cover};
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;

use super::{Mailbox, MessageRecord};
use crate::client::MAX_ANSWER;
use crate::error::Error;
use crate::evidence::VerifiedEvent;
use crate::work::blocking;

/// A letter that was handed over and whose checks all passed.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReadLetter {
    /// The letter's envelope as transported.
    pub envelope: Vec<u8>,
    /// What it and its cover say.
    pub message: OpenedMessage,
    /// The HANDED_OVER event.
    pub handed_over: VerifiedEvent,
}

/// A cover with its letter.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedMessage {
    /// The cover.
    pub cover: OpenedCover,
    /// The letter.
    pub letter: OpenedLetter,
}

impl Mailbox {
    /// Fetches and opens the letter. The first time this signs the hand-over, which has weight in law; where
    /// `handed_over` says that it stands already, nothing is signed. If what comes is not what the sender signed for,
    /// a dispute is signed and the error is [`Error::LetterNotReceived`]; if the fault is the sender's, the error is
    /// [`Error::BadMessage`], and the owner may [`Mailbox::reject`].
    pub async fn read(&self, record: &MessageRecord, handed_over: bool) -> Result<ReadLetter, Error> {
        // Nothing is signed for a message that fails its checks.
        self.open_cover(record).await?;
        let statement = self.statement(record, ActType::HandedOver, "")?;
        let message_id = statement.message.message_id.to_vec();
        let sign = |time| v1::HandOverRequest {
            message_id: message_id.clone(),
            act: (!handed_over).then(|| self.sign(&statement, time)),
        };
        let call = || {
            self.client.call_signed(sign, |channel, request| async move {
                MailboxServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .hand_over(request)
                    .await
            })
        };
        let answer = match call().await {
            Err(Error::Conflict { reason, .. }) if reason == "HEAD_NOT_NEWEST" => {
                self.refresh_chain().await?;
                call().await?
            }
            other => other?,
        };
        let seen = self.client.observe(answer.checkpoints.as_ref())?;
        let logged = answer.event.ok_or_else(|| Error::answer("no event"))?;
        let handed_over = self.client.verify_event(&logged, &seen)?;
        self.check_own_act(&handed_over, &statement)?;
        self.client.settle().await?;
        let envelope = answer.letter_envelope.to_vec();
        match self.open_both(record, &envelope).await? {
            Ok(message) => Ok(ReadLetter { envelope, message, handed_over }),
            Err(error) if error.fault() == Fault::Server => {
                self.say(record, ActType::Disputed, reason::LETTER_NOT_RECEIVED).await?;
                Err(Error::LetterNotReceived)
            }
            Err(error) => Err(bad_message(&error)),
        }
    }

    /// Opens cover and letter from stored bytes, without a call.
    pub async fn open_letter(&self, record: &MessageRecord, envelope: &[u8]) -> Result<OpenedMessage, Error> {
        match self.open_both(record, envelope).await? {
            Ok(message) => Ok(message),
            Err(error) if error.fault() == Fault::Server => {
                Err(Error::Damaged { what: "letter", reason: error.to_string() })
            }
            Err(error) => Err(bad_message(&error)),
        }
    }

    /// Opens the cover from stored bytes, without a call.
    pub async fn open_cover(&self, record: &MessageRecord) -> Result<OpenedCover, Error> {
        let (mailbox, record) = (self.clone(), record.clone());
        blocking(move |_| {
            let (signer, key) = mailbox.opener(&record)?;
            let origin = mailbox.client.service().origin.clone();
            let received = record.received(&origin, mailbox.keys.address, &signer);
            open_cover(&received, &record.cover_envelope, Unlock::Identity(&key)).map_err(|e| bad_message(&e))
        })
        .await
    }

    /// What is needed to open a message: the sender's key and our own of its generation.
    fn opener(
        &self,
        record: &MessageRecord,
    ) -> Result<(postfach_domain::sign::PublicKey, HybridIdentity), Error> {
        if record.cover_envelope.is_empty() {
            return Err(Error::Conflict { reason: "NOT_YET_AVAILABLE".to_owned(), request_id: None });
        }
        let generation = record.outer()?.recipient_head.generation;
        let key = self.keys.generations.get(&generation).ok_or_else(|| Error::CannotDecrypt {
            what: "the message",
            reason: format!("this device does not hold generation {generation} of the mailbox key"),
        })?;
        Ok((record.signer()?, key.clone()))
    }

    async fn open_both(
        &self,
        record: &MessageRecord,
        envelope: &[u8],
    ) -> Result<Result<OpenedMessage, OpenError>, Error> {
        let (mailbox, record, envelope) = (self.clone(), record.clone(), envelope.to_vec());
        blocking(move |_| {
            let (signer, key) = mailbox.opener(&record)?;
            let origin = mailbox.client.service().origin.clone();
            let received = record.received(&origin, mailbox.keys.address, &signer);
            let open = || {
                let cover = open_cover(&received, &record.cover_envelope, Unlock::Identity(&key))?;
                let letter = cover.open_letter(&envelope, Unlock::Identity(&key))?;
                Ok(OpenedMessage { cover, letter })
            };
            Ok(open())
        })
        .await
    }
}

pub(super) fn bad_message(error: &OpenError) -> Error {
    Error::BadMessage { reason: error.to_string() }
}
