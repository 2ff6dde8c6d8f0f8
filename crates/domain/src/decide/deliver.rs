//! May this submission be accepted? The checks of SPEC 3, "In the delivery transaction", in their order.

use super::{Moment, Refusal};
use crate::event::{Event, EventSigned, EventType};
use crate::format;
use crate::hash::Digest;
use crate::head::ChainHead;
use crate::id::{AttachmentId, Party};
use crate::outer::Outer;
use crate::submission::Hashes;
use crate::terms::TrustLevel;

/// Reason of REFUSED: the recipient cannot be served electronically by this sender now; the sender is not told why.
pub const PAPER_REQUIRED: &str = "PAPER_REQUIRED";

/// A submission whose signature, hashes and form hold.
#[derive(Clone, Copy, Debug)]
pub struct DeliverCommand<'a> {
    /// Parsed outer header.
    pub outer: &'a Outer,
    /// Of the three parts as they came.
    pub hashes: Hashes,
    /// By the signer that the outer header names.
    pub signature: &'a format::Signature,
}

/// What is known when a submission's turn comes.
#[derive(Clone, Copy, Debug)]
pub struct DeliverState<'a> {
    /// Hashes of the message that has this id already; `Some(None)` once that was erased.
    pub existing: Option<Option<Hashes>>,
    /// The signer is an active key of the sender.
    pub signer_active: bool,
    /// Newest link of a sending mailbox.
    pub sender_head: Option<ChainHead>,
    /// The recipient's mailbox.
    pub recipient: Option<&'a RecipientState>,
    /// Hash of the recipient's link at the seq that the submission names.
    pub named_link: Option<Digest>,
    /// The first attachment that this sender has not uploaded and committed with this length and root.
    pub attachment_not_ready: Option<AttachmentId>,
    /// pair_seq of the last ACCEPTED of this pair; 0 if none.
    pub pair_seq: u64,
}

/// A mailbox as a sender meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // four facts of the database, independent of each other
pub struct RecipientState {
    /// Newest link.
    pub head: ChainHead,
    /// Newest generation.
    pub generation: u32,
    /// How well it is bound to a person.
    pub trust_level: TrustLevel,
    /// It belongs to an authority: always accepts, and is the only kind that citizens may write to.
    pub of_authority: bool,
    /// The owner consented to this sender, or to all.
    pub consents: bool,
    /// By the operator.
    pub suspended: bool,
    /// By its owner.
    pub closed: bool,
}

impl RecipientState {
    /// Would a message be accepted? Suspended, closed and without consent are told apart to nobody.
    pub fn accepts(&self) -> bool {
        (self.consents || self.of_authority) && !self.suspended && !self.closed
    }
}

/// The decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Delivered {
    /// The same submission stands: answer with its first event.
    Again,
    /// Store the message and log ACCEPTED.
    Accepted(Box<Event>),
    /// Keep the id and log REFUSED; nothing else is stored.
    Refused(Box<Event>),
}

/// Decides on one submission.
pub fn decide_deliver(
    state: &DeliverState<'_>,
    command: &DeliverCommand<'_>,
    moment: Moment,
) -> Result<Delivered, Refusal> {
    let outer = command.outer;
    if let Some(existing) = state.existing {
        return if existing == Some(command.hashes) {
            Ok(Delivered::Again)
        } else {
            Err(Refusal::MessageIdReused)
        };
    }
    if !state.signer_active {
        return Err(Refusal::KeyNotActive);
    }
    let recipient = state.recipient.ok_or(Refusal::NotFound)?;
    if let Party::Mailbox(_) = outer.sender {
        let newest = state.sender_head.ok_or(Refusal::KeyNotActive)?;
        if outer.sender_head != Some(newest) {
            return Err(Refusal::HeadNotNewest { head: newest });
        }
        if !recipient.of_authority {
            return Err(Refusal::RecipientNotAuthority);
        }
    }
    if let Some(id) = state.attachment_not_ready {
        return Err(Refusal::AttachmentNotReady { id });
    }
    let named = outer.recipient_head;
    if named.generation != recipient.generation || state.named_link != Some(named.head.link_hash) {
        return Err(Refusal::ChainStale { head: recipient.head, generation: recipient.generation });
    }
    // A mailbox bound less well than the sender demands is refused like one that wants paper: the sender learns nothing
    // about the person, and may send again under a new id when the level has risen.
    if !recipient.accepts() || recipient.trust_level < outer.min_trust_level {
        return Ok(Delivered::Refused(Box::new(event(EventType::Refused, command, 0, moment))));
    }
    let pair_seq = state.pair_seq + 1;
    Ok(Delivered::Accepted(Box::new(event(EventType::Accepted, command, pair_seq, moment))))
}

fn event(event_type: EventType, command: &DeliverCommand<'_>, pair_seq: u64, moment: Moment) -> Event {
    let outer = command.outer;
    let reason = if event_type == EventType::Refused { PAPER_REQUIRED } else { "" };
    Event {
        event_type,
        message_id: Some(outer.message_id),
        sender: Some(outer.sender.clone()),
        recipient: Some(outer.recipient),
        hashes: Some(command.hashes),
        occurred_at: moment.occurred_at,
        available_at: outer.available_at(moment.occurred_at),
        pair_seq,
        keys_size: moment.keys_size,
        signed: Some(EventSigned::Submission(command.signature.clone())),
        prev_commitment: Digest::ZERO,
        reason: reason.to_owned(),
        details: Vec::new(),
    }
}
