//! One message: its row, what was submitted, and the submission signature, against its first event.

use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::format::Signature;
use postfach_domain::hash::Digest;
use postfach_domain::head::ChainHead;
use postfach_domain::id::AttachmentId;
use postfach_domain::outer::Outer;
use postfach_domain::submission::Hashes;
use postfach_domain::time::Timestamp;
use prost::Message as _;

use super::acts::Numbers;
use super::facts::{Context, Keys};
use super::problem::{Checked, bad, hold};
use super::stages::Stages;
use super::tags::{half_of, tag_of};
use crate::blobs::BlobKey;
use crate::storage::audit::Record;

/// What the row of a message comes to.
#[derive(Debug)]
pub struct MessageFacts {
    /// Chosen by the sender.
    pub message_id: [u8; 16],
    /// Half a hash over its three hashes; `None` once erased.
    pub hashes: Option<[u8; 16]>,
    /// Counts the pair; 0 where it was refused.
    pub pair_seq: u64,
    /// When it came, as the row says.
    pub accepted_at: Timestamp,
    /// Stands for the commitment of its newest event, as the row says.
    pub last: [u8; 16],
    /// Its events, as the row says.
    pub stages: Stages,
    /// Blobs of its attachments.
    pub blobs: Vec<BlobKey>,
}

/// Rows that belong to one message.
#[derive(Debug)]
pub struct MessageRows {
    /// The message.
    pub message: Record,
    /// What was submitted.
    pub content: Option<Record>,
    /// Attachments in use.
    pub uses: Vec<Record>,
}

/// The first event of a message.
#[derive(Clone, Copy, Debug)]
pub struct First<'a> {
    /// Its index, which is also the number of the message.
    pub index: u64,
    /// The event; `None` once erased.
    pub event: Option<&'a Event>,
    /// Sender and recipient, as its row says.
    pub numbers: Numbers,
}

/// Columns that are gone once a message is erased.
struct Body {
    hashes: Hashes,
    regime: u32,
    cover_length: u64,
    letter_length: u64,
}

/// Checks one message.
pub fn check_message(
    context: &Context,
    keys: &Keys,
    rows: MessageRows,
    first: First<'_>,
) -> Checked<MessageFacts> {
    let MessageRows { message: mut row, content, uses } = rows;
    hold(&row, row.first_key() == i64::try_from(first.index).ok(), "the message has no first event")?;
    row.skip();
    let message_id: [u8; 16] = row.array()?;
    let numbers = (Some(row.unsigned()?), Some(row.unsigned()?));
    let parties = numbers == (first.numbers.sender, first.numbers.recipient);
    hold(&row, parties, "sender or recipient is not that of the first event")?;
    let (outer, cover, letter) = (row.opt_array()?, row.opt_array()?, row.opt_array()?);
    let regime = row.opt_small()?;
    let pair_seq = row.unsigned()?;
    let (accepted_at, available_at) = (Timestamp(row.unsigned()?), Timestamp(row.unsigned()?));
    let last = tag_of(&Digest(row.array()?));
    let stages =
        Stages::of_column(&row.blob()?).ok_or_else(|| bad(&row, "events is not a list of events"))?;
    let lengths = (row.opt_unsigned()?, row.opt_unsigned()?);
    let body = match (outer, cover, letter, regime, lengths) {
        (Some(outer), Some(cover), Some(letter), Some(regime), (Some(cover_length), Some(letter_length))) => {
            let hashes = Hashes { outer: Digest(outer), cover: Digest(cover), letter: Digest(letter) };
            Some(Body { hashes, regime, cover_length, letter_length })
        }
        (None, None, None, None, (None, None)) => None,
        _ => return Err(bad(&row, "the message is erased in part")),
    };
    let mut facts = MessageFacts {
        message_id,
        hashes: body.as_ref().map(|body| half_of(&body.hashes)),
        pair_seq,
        accepted_at,
        last,
        stages,
        blobs: Vec::new(),
    };
    let (event, body) = match (first.event, body) {
        (Some(event), Some(body)) => (event, body),
        (None, None) => {
            hold(&row, available_at >= accepted_at, "available_at lies before accepted_at")?;
            return match (content, uses.first()) {
                (Some(content), _) => Err(bad(&content, "the content of an erased message is still there")),
                (_, Some(used)) => Err(bad(used, "an erased message still uses an attachment")),
                (None, None) => Ok(facts),
            };
        }
        (Some(_), None) => return Err(bad(&row, "the message is erased, its first event is not")),
        (None, Some(_)) => return Err(bad(&row, "the first event is erased, the message is not")),
    };
    hold(&row, event.message_id.map(|id| id.0) == Some(message_id), "the first event is another message's")?;
    hold(&row, event.hashes == Some(body.hashes), "the hashes are not those of the first event")?;
    hold(&row, event.pair_seq == pair_seq, "pair_seq is not that of the first event")?;
    hold(&row, event.occurred_at == accepted_at, "accepted_at is not that of the first event")?;
    hold(&row, event.available_at == available_at, "available_at is not that of the first event")?;
    let content = content.ok_or_else(|| bad(&row, "the content of the message is missing"))?;
    let outer = check_content(context, keys, content, (event, first.numbers), &body)?;
    let regime = u32::try_from(outer.regime.to_wire()).ok();
    hold(&row, regime == Some(body.regime), "regime is not that of the outer header")?;
    facts.blobs = check_uses(&row, uses, event, &outer, first.numbers)?;
    Ok(facts)
}

fn check_content(
    context: &Context,
    keys: &Keys,
    mut row: Record,
    (event, numbers): (&Event, Numbers),
    body: &Body,
) -> Checked<Outer> {
    row.skip();
    let outer_bytes = row.blob()?;
    let signature_bytes = row.blob()?;
    // Unsigned: a wrong copy opens nothing.
    row.opt_unsigned()?;
    let (cover, letter) = (row.opt_blob()?, row.opt_blob()?);
    hold(&row, Digest::of(&outer_bytes) == body.hashes.outer, "outer_bytes has not the signed hash")?;
    match (event.event_type, &cover, &letter) {
        (EventType::Accepted, Some(cover), Some(letter)) => {
            hold(&row, Digest::of(cover) == body.hashes.cover, "cover has not the signed hash")?;
            hold(&row, Digest::of(letter) == body.hashes.letter, "letter has not the signed hash")?;
            let lengths = (cover.len() as u64, letter.len() as u64);
            let fits = lengths == (body.cover_length, body.letter_length);
            hold(&row, fits, "cover_length or letter_length of the message is wrong")?;
        }
        (EventType::Refused, None, None) => {}
        _ => return Err(bad(&row, "cover and letter do not fit the first event")),
    }
    let outer = Outer::parse(&outer_bytes).map_err(|error| bad(&row, error))?;
    check_outer(context, keys, &row, (&outer, event), numbers)?;
    let Some(EventSigned::Submission(signature)) = &event.signed else {
        return Err(bad(&row, "the first event carries no submission signature"));
    };
    hold(&row, signature.encode_to_vec() == signature_bytes, "signature is not that of the first event")?;
    check_signature(context, keys, &row, (&outer, event, signature), &body.hashes, numbers)?;
    Ok(outer)
}

/// The event repeats the outer header, and the header fits the chains as they were.
fn check_outer(
    context: &Context,
    keys: &Keys,
    row: &Record,
    (outer, event): (&Outer, &Event),
    numbers: Numbers,
) -> Checked<()> {
    hold(row, outer.origin == context.origin, "the outer header belongs to another deployment")?;
    hold(row, Some(outer.message_id) == event.message_id, "the outer header is another message's")?;
    hold(row, Some(&outer.sender) == event.sender.as_ref(), "the outer header names another sender")?;
    hold(row, Some(outer.recipient) == event.recipient, "the outer header names another recipient")?;
    let available = outer.available_at(event.occurred_at);
    hold(row, available == event.available_at, "available_at does not follow from the outer header")?;
    let recipient = numbers.recipient.and_then(|no| keys.mailbox(no));
    let recipient = recipient.ok_or_else(|| bad(row, "the recipient has no mailbox"))?;
    let newest = recipient.head_at(event.keys_size);
    let (_, newest) = newest.ok_or_else(|| bad(row, "the recipient had no mailbox yet"))?;
    let named = outer.recipient_head;
    let link = recipient.links.get(named.head.seq as usize);
    let known =
        link.is_some_and(|link| link.hash == named.head.link_hash && link.key_index < event.keys_size);
    hold(row, known, "recipient_head was no link of the recipient's chain")?;
    hold(row, named.generation == newest.generation, "the generation was not the newest")?;
    let to_citizen = recipient.authority_no.is_none();
    hold(row, !(outer.is_from_mailbox() && to_citizen), "a citizen wrote to a citizen")
}

fn check_signature(
    context: &Context,
    keys: &Keys,
    row: &Record,
    (outer, event, signature): (&Outer, &Event, &Signature),
    hashes: &Hashes,
    numbers: Numbers,
) -> Checked<()> {
    let head: Option<ChainHead> = outer.sender_head;
    let sender = numbers.sender.ok_or_else(|| bad(row, "the message has no sender"))?;
    let moment = (event.keys_size, event.occurred_at);
    let signer = keys.signer(sender, &outer.signer, head, moment).map_err(|what| bad(row, what))?;
    let named = signature.key_id == outer.signer.as_bytes();
    hold(row, named, "the signature names another key than the outer header")?;
    if context.signatures {
        let key = signer.public().ok_or_else(|| bad(row, "the signer's key is no key"))?;
        hashes.verify(&key, signature).map_err(|error| bad(row, format!("submission signature: {error}")))?;
    }
    Ok(())
}

/// An accepted message uses exactly the attachments of its outer header; a refused one uses none.
fn check_uses(
    message: &Record,
    uses: Vec<Record>,
    event: &Event,
    outer: &Outer,
    numbers: Numbers,
) -> Checked<Vec<BlobKey>> {
    let wanted = if event.event_type == EventType::Accepted { outer.attachments.as_slice() } else { &[] };
    let mut blobs = Vec::with_capacity(uses.len());
    for mut row in uses {
        row.skip();
        let id = AttachmentId(row.array()?);
        let blob = BlobKey(row.array()?);
        let sender = row.opt_unsigned()?;
        hold(&row, sender.is_some(), "there is no such attachment")?;
        let (stored_id, length, root): (Option<[u8; 16]>, _, Option<[u8; 32]>) =
            (row.opt_array()?, row.opt_unsigned()?, row.opt_array()?);
        let named = wanted.iter().find(|named| named.id == id);
        let named = named.ok_or_else(|| bad(&row, "the outer header names no such attachment"))?;
        hold(&row, sender == numbers.sender, "the attachment was uploaded by somebody else")?;
        let same = (stored_id, length, root) == (Some(id.0), Some(named.ct_len), Some(named.ct_root.0));
        hold(&row, same, "the attachment is not the one that the outer header names")?;
        blobs.push(blob);
    }
    // Ids of rows differ, and so do those of the header.
    hold(
        message,
        blobs.len() == wanted.len(),
        "an attachment of the message has no row in message_attachment",
    )?;
    Ok(blobs)
}
