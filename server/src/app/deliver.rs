//! Stores a sealed message with its evidence (SPEC 3). The server checks what it can read: hashes, signature, heads,
//! sizes; what is sealed stays sealed.

use postfach_domain::decide::{
    DeliverCommand, DeliverState, Delivered, RecipientState, Refusal, decide_deliver,
};
use postfach_domain::event::Event;
use postfach_domain::format::Signature;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{AttachmentId, Party};
use postfach_domain::limits;
use postfach_domain::outer::{Outer, OuterError};
use postfach_domain::submission::Hashes;

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::answers::check_submission;
use super::{App, AppError, Caller, Logged, Submission};
use crate::commit::{Applied, Needs, Operation, WorkingSet, try_out};
use crate::evidence::Checkpoints;
use crate::storage::sql::mailboxes::Mailbox;
use crate::storage::sql::messages::{Content, Message};

impl App {
    /// Stores a sealed message with its evidence. With `validate_only` checks everything and writes nothing.
    pub async fn deliver(
        &self,
        caller: &Caller,
        submission: Submission,
        validate_only: bool,
    ) -> Result<Logged, AppError> {
        let operation = self.checked(caller, submission).await?;
        if validate_only {
            return self.validate(&operation).await;
        }
        Ok(self.step(operation).await?.into())
    }

    /// Everything that can be checked before the lock.
    pub(super) async fn checked(&self, caller: &Caller, submission: Submission) -> Result<Deliver, AppError> {
        check_sizes(&submission)?;
        let outer = Outer::parse(&submission.outer).map_err(outer_error)?;
        if outer.origin != self.origin {
            return Err(AppError::invalid("outer.origin", "another deployment"));
        }
        if outer.sender != caller.party {
            return Err(AppError::invalid("outer.sender", "not the caller"));
        }
        let signature = submission
            .signature
            .clone()
            .ok_or_else(|| AppError::invalid("submission.signature", "missing"))?;
        let hashes = Hashes::of(&submission.outer, &submission.cover, &submission.letter);
        let key = self.signing_key(&outer.sender, &outer.signer).await?;
        check_submission(&hashes, &key, &signature)?;
        Ok(Deliver { outer, hashes, signature, submission })
    }

    pub(super) async fn validate(&self, operation: &Deliver) -> Result<Logged, AppError> {
        let salts = self.with_chance(|chance| StdRng::from_rng(chance)).map_err(|_| AppError::Internal)?;
        let tried = try_out(&*self.store, &*self.clock, salts, operation).await?;
        match tried {
            Applied::Known(Some(index)) => {
                let (event, checkpoints) = self.event_at(index).await?;
                Ok(Logged { event: Some(event), checkpoints })
            }
            _ => Ok(Logged { event: None, checkpoints: Checkpoints::default() }),
        }
    }
}

fn outer_error(error: OuterError) -> AppError {
    AppError::invalid(error.field(), error)
}

impl Submission {
    /// Bytes of everything in it.
    pub(super) fn len(&self) -> usize {
        self.outer.len() + self.cover.len() + self.letter.len() + self.sender_copy.len()
    }
}

fn check_sizes(submission: &Submission) -> Result<(), AppError> {
    for (length, limit, name) in [
        (submission.cover.len(), limits::COVER_ENVELOPE_LEN, "cover_envelope_bytes"),
        (submission.letter.len(), limits::LETTER_ENVELOPE_LEN, "letter_envelope_bytes"),
        (submission.sender_copy.len(), limits::SENDER_COPY_LEN, "sender_copy_bytes"),
        (submission.outer.len(), limits::OUTER_LEN, "outer_bytes"),
    ] {
        if length > limit {
            return Err(AppError::Limit(name));
        }
    }
    if submission.cover.is_empty() {
        return Err(AppError::invalid("submission.cover_envelope", "empty"));
    }
    if submission.letter.is_empty() {
        return Err(AppError::invalid("submission.letter_envelope", "empty"));
    }
    Ok(())
}

/// One submission on its way.
#[derive(Debug)]
pub(super) struct Deliver {
    outer: Outer,
    hashes: Hashes,
    signature: Signature,
    submission: Submission,
}

impl Operation for Deliver {
    fn weight(&self) -> usize {
        self.submission.len() + 1024
    }

    fn needs(&self, needs: &mut Needs) {
        needs.messages.insert(self.outer.message_id);
        needs.mailboxes.insert(self.outer.recipient);
        needs.signer(&self.outer.sender, self.outer.signer);
    }

    fn needs_then(&self, set: &WorkingSet, needs: &mut Needs) {
        let sender = set.actor(&self.outer.sender, &self.outer.signer);
        let (Some(recipient), Some((sender_no, _))) = (set.mailboxes.get(&self.outer.recipient), sender)
        else {
            return;
        };
        let named = self.outer.recipient_head.head.seq;
        if named != recipient.head_seq {
            needs.links.insert((recipient.address, named));
        }
        needs.pairs.insert((sender_no, recipient.no));
        if let Party::Authority(id) = &self.outer.sender {
            needs.consents.insert((recipient.no, None));
            needs.consents.insert((recipient.no, Some(id.clone())));
        }
        needs.attachments.extend(self.outer.attachments.iter().map(|a| (sender_no, a.id)));
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let sender = set.actor(&self.outer.sender, &self.outer.signer);
        let sender_no = sender.map(|(no, _)| no).unwrap_or_default();
        let recipient = set.mailboxes.get(&self.outer.recipient).cloned();
        let recipient_state = recipient.as_ref().map(|mailbox| self.recipient_state(set, mailbox));
        let closed = |party: &Party| match party {
            Party::Mailbox(address) => set.mailboxes.get(address).is_some_and(|m| m.closed_at.is_some()),
            Party::Authority(_) => false,
        };
        let existing = set.messages.get(&self.outer.message_id);
        let known = existing.map(|message| message.no);
        let recipient_no = recipient.as_ref().map(|mailbox| mailbox.no).unwrap_or_default();
        let state = DeliverState {
            existing: existing.map(|message| message.hashes),
            signer_active: sender.is_some_and(|(_, actor)| actor.key_active) && !closed(&self.outer.sender),
            sender_head: sender.and_then(|(_, actor)| actor.head),
            recipient: recipient_state.as_ref(),
            named_link: recipient.as_ref().and_then(|mailbox| self.named_link(set, mailbox)),
            attachment_not_ready: self.attachment_not_ready(set, sender_no),
            pair_seq: set.pairs.get(&(sender_no, recipient_no)).copied().unwrap_or_default(),
        };
        let command = DeliverCommand { outer: &self.outer, hashes: self.hashes, signature: &self.signature };
        match decide_deliver(&state, &command, set.moment())? {
            Delivered::Again => Ok(Applied::Known(known)),
            Delivered::Accepted(event) => Ok(self.store(set, &event, (sender_no, recipient_no), true)),
            Delivered::Refused(event) => Ok(self.store(set, &event, (sender_no, recipient_no), false)),
        }
    }
}

impl Deliver {
    fn recipient_state(&self, set: &WorkingSet, mailbox: &Mailbox) -> RecipientState {
        let consents = match &self.outer.sender {
            Party::Authority(id) => set.consents_to(mailbox.no, id),
            Party::Mailbox(_) => false,
        };
        recipient_state(mailbox, consents)
    }

    fn named_link(&self, set: &WorkingSet, mailbox: &Mailbox) -> Option<postfach_domain::hash::Digest> {
        let named = self.outer.recipient_head.head.seq;
        if named == mailbox.head_seq {
            return Some(mailbox.head_hash);
        }
        set.links.get(&(mailbox.address, named)).map(|(hash, _)| *hash)
    }

    fn attachment_not_ready(&self, set: &WorkingSet, sender_no: u64) -> Option<AttachmentId> {
        let ready = |named: &postfach_domain::outer::OuterAttachment| {
            set.attachments
                .get(&(sender_no, named.id))
                .is_some_and(|a| a.ct_len == named.ct_len && a.ct_root == Some(named.ct_root))
        };
        self.outer.attachments.iter().find(|named| !ready(named)).map(|named| named.id)
    }

    /// Writes the message and its first event. A refused one keeps its id and outer header, nothing else.
    fn store(
        &self,
        set: &mut WorkingSet,
        event: &Event,
        (sender_no, recipient_no): (u64, u64),
        accepted: bool,
    ) -> Applied {
        let no = set.next_event();
        let concerns = crate::commit::Concerns {
            message_no: Some(no),
            sender_no: Some(sender_no),
            recipient_no: Some(recipient_no),
        };
        let (index, commitment) = set.log_event(event, concerns);
        let message_id = self.outer.message_id;
        let message = Message {
            no,
            message_id,
            sender_no,
            sender: self.outer.sender.clone(),
            recipient_no,
            recipient: self.outer.recipient,
            hashes: Some(self.hashes),
            regime: Some(self.outer.regime),
            pair_seq: event.pair_seq,
            accepted_at: event.occurred_at,
            available_at: event.available_at,
            last_commitment: commitment,
            events: vec![(Some(event.event_type), index)],
            cover_length: Some(self.submission.cover.len() as u64),
            letter_length: Some(self.submission.letter.len() as u64),
        };
        set.messages.put(message_id, message);
        set.changes.new_messages.insert(message_id);
        let kept = |bytes: &bytes::Bytes| (accepted && !bytes.is_empty()).then(|| bytes.to_vec());
        set.changes.contents.push(Content {
            message_no: no,
            outer: self.submission.outer.to_vec(),
            signature: self.signature.clone(),
            sender_copy: kept(&self.submission.sender_copy),
            cover: kept(&self.submission.cover),
            letter: kept(&self.submission.letter),
        });
        if accepted {
            set.pairs.put((sender_no, recipient_no), event.pair_seq);
            self.use_attachments(set, no, sender_no);
        }
        Applied::Logged { keys: Vec::new(), events: vec![index] }
    }

    fn use_attachments(&self, set: &mut WorkingSet, message_no: u64, sender_no: u64) {
        for named in &self.outer.attachments {
            let key = (sender_no, named.id);
            let Some(mut attachment) = set.attachments.get(&key).cloned() else { continue };
            attachment.refs += 1;
            set.changes.uses.push((message_no, named.id, attachment.blob));
            set.uses.entry(message_no).or_default().push(key);
            set.attachments.put(key, attachment);
        }
    }
}

/// A mailbox as a sender meets it.
pub(super) fn recipient_state(mailbox: &Mailbox, consents: bool) -> RecipientState {
    RecipientState {
        head: ChainHead { seq: mailbox.head_seq, link_hash: mailbox.head_hash },
        generation: mailbox.generation,
        trust_level: mailbox.trust_level,
        of_authority: mailbox.authority_no.is_some(),
        consents,
        suspended: mailbox.suspended_at.is_some(),
        closed: mailbox.closed_at.is_some(),
    }
}
