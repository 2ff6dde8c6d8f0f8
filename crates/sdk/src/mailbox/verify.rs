//! The reader's checks of one accepted message, in the order of SPEC 3, up to the cover. They touch nothing but the
//! bytes, so that a page is checked on all processors at once.

use postfach_domain::event::EventSigned;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Origin, Party};
use postfach_domain::outer::{Outer, outer_hash};
use postfach_domain::sign::PublicKey;
use postfach_envelope::Unlock;
use postfach_envelope::open::{Fault, OpenedCover, Received, open_cover};

use super::page::{Content, Defect};
use super::{MessageRecord, SenderInfo};
use crate::error::Error;
use crate::evidence::chain::ProvenChain;
use crate::evidence::{CertifiedKey, VerifiedEvent};
use crate::keys::MailboxKeys;

/// What all messages of a page are checked against.
pub(super) struct Reader<'a> {
    pub(super) origin: &'a Origin,
    pub(super) keys: &'a MailboxKeys,
    pub(super) chain: &'a ProvenChain,
    pub(super) certificates: &'a [CertifiedKey],
    pub(super) senders: &'a [ProvenChain],
}

/// An accepted message as it came.
pub(super) struct Arrived<'a> {
    pub(super) accepted: &'a VerifiedEvent,
    pub(super) outer: &'a [u8],
    pub(super) cover_envelope: &'a [u8],
    pub(super) letter_length: u64,
}

/// A message after its checks.
pub(super) struct Checked {
    pub(super) record: MessageRecord,
    pub(super) content: Content,
}

impl Reader<'_> {
    /// Checks one message. Whatever is wrong with it stands in its content; the event itself was verified before.
    pub(super) fn check(&self, arrived: &Arrived<'_>) -> Result<Checked, Error> {
        let accepted = arrived.accepted;
        let event = &accepted.event;
        let (Some(hashes), Some(sender)) = (event.hashes, event.sender.as_ref()) else {
            return Err(accepted.fault("it lacks hashes or sender"));
        };
        if event.recipient != Some(self.keys.address) {
            return Err(accepted.fault("it is in another mailbox"));
        }
        let signer = self.signer(arrived, sender);
        let info = SenderInfo::of(sender, signer.as_ref().ok().and_then(|(_, cert)| *cert));
        let key = signer.as_ref().ok().map(|(key, _)| *key);
        let record = MessageRecord::new(
            arrived.outer.to_vec(),
            arrived.cover_envelope.to_vec(),
            arrived.letter_length,
            (accepted.index, event.available_at.0.max(event.occurred_at.0)),
            hashes,
            key.as_ref(),
            info,
        );
        let content = match signer.and_then(|(key, _)| self.open(arrived, &key)) {
            Ok(Some(cover)) => Content::Opened(Box::new(cover)),
            Ok(None) => Content::NotYet,
            Err(defect) => Content::Defect(defect),
        };
        Ok(Checked { record, content })
    }

    /// Outer header and submission: whose key signed, and may it.
    fn signer(
        &self,
        arrived: &Arrived<'_>,
        sender: &Party,
    ) -> Result<(PublicKey, Option<&postfach_domain::authority::AuthorityCert>), Defect> {
        let event = &arrived.accepted.event;
        let server = |reason: &str| Defect::Server(reason.to_owned());
        let hashes = event.hashes.ok_or_else(|| server("no hashes"))?;
        if outer_hash(arrived.outer) != hashes.outer {
            return Err(server("the outer header that came is not the one that was accepted"));
        }
        let outer = Outer::parse(arrived.outer).map_err(|e| Defect::Server(e.to_string()))?;
        if Some(outer.message_id) != event.message_id || outer.sender != *sender {
            return Err(server("the outer header names another message or sender"));
        }
        if event.available_at != outer.available_at(event.occurred_at) {
            return Err(server("it is said to be available from another time than its sender asked for"));
        }
        let (key, certificate) = self.key_of(arrived, &outer)?;
        let Some(EventSigned::Submission(signature)) = &event.signed else {
            return Err(server("the event carries no submission signature"));
        };
        hashes.verify(&key, signature).map_err(|e| Defect::Server(e.to_string()))?;
        Ok((key, certificate))
    }

    /// The sender's key, certified or in the chain, unrevoked at the event's `keys_size`.
    fn key_of(
        &self,
        arrived: &Arrived<'_>,
        outer: &Outer,
    ) -> Result<(PublicKey, Option<&postfach_domain::authority::AuthorityCert>), Defect> {
        let event = &arrived.accepted.event;
        let server = |reason: &str| Defect::Server(reason.to_owned());
        match &outer.sender {
            Party::Authority(id) => {
                let fits = |key: &&CertifiedKey| {
                    key.certificate.key_id() == outer.signer
                        && key.certificate.authority_id == *id
                        && key.counts_at(event.keys_size, event.occurred_at)
                };
                let found = self.certificates.iter().find(fits);
                let key = found.ok_or_else(|| server("no certificate of the sender's key counts"))?;
                Ok((key.certificate.sign_pub, Some(&key.certificate)))
            }
            Party::Mailbox(address) => {
                let head = outer.sender_head.ok_or_else(|| server("no sender head"))?;
                let chain = self.senders.iter().find(|c| c.chain.address() == *address);
                let chain = chain.filter(|c| c.chain.contains(&head));
                let chain = chain.ok_or_else(|| server("no chain of the sender with the head it names"))?;
                let key = chain.chain.active_key_at(&outer.signer, head.seq);
                key.map(|key| (*key, None)).ok_or_else(|| server("the sender's key was not active"))
            }
        }
    }

    /// Recipient, generation and cover. `None` where the cover did not come.
    fn open(&self, arrived: &Arrived<'_>, signer: &PublicKey) -> Result<Option<OpenedCover>, Defect> {
        let event = &arrived.accepted.event;
        let server = |reason: &str| Defect::Server(reason.to_owned());
        let hashes = event.hashes.ok_or_else(|| server("no hashes"))?;
        let received = Received {
            origin: self.origin,
            recipient: self.keys.address,
            signer,
            hashes,
            outer: arrived.outer,
        };
        let outer = received.check_outer().map_err(|e| defect_of(&e))?;
        let head = outer.recipient_head;
        if !self.chain.chain.contains(&head.head) {
            return Err(server("it names a head that our chain does not have"));
        }
        if self.chain.generation_at(event.keys_size) != Some(head.generation) {
            return Err(server("it was not sealed for the newest key of this mailbox"));
        }
        // Not available yet, or deleted since, which a later event will say.
        if arrived.cover_envelope.is_empty() {
            return Ok(None);
        }
        if Digest::of(arrived.cover_envelope) != hashes.cover {
            return Err(server("the cover that came is not the one that was accepted"));
        }
        let key = self.keys.generations.get(&head.generation).ok_or(Defect::NoKey(head.generation))?;
        open_cover(&received, arrived.cover_envelope, Unlock::Identity(key))
            .map(Some)
            .map_err(|e| defect_of(&e))
    }
}

fn defect_of(error: &postfach_envelope::open::OpenError) -> Defect {
    match error.fault() {
        Fault::Server => Defect::Server(error.to_string()),
        Fault::Sender => Defect::Sender(error.to_string()),
    }
}
