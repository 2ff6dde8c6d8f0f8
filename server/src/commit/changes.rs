//! What a batch writes, and writing it: a handful of statements over many rows.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{AttachmentId, KeyId, MessageId};
use postfach_domain::keylog::KeyLeaf;
use postfach_domain::time::Timestamp;

use super::WorkingSet;
use crate::blobs::BlobKey;
use crate::storage::sql::authorities::{Authority, AuthorityKeyRow};
use crate::storage::sql::events::EventRow;
use crate::storage::sql::mailboxes::{Link, Member, WrapRow};
use crate::storage::sql::messages::{ActRow, Content, Message};
use crate::storage::sql::{attachments, authorities, events, logs, mailboxes, messages};
use crate::storage::{StoreError, Tx};

/// Rows to add or remove, beside the tables of the working set that changed.
#[derive(Debug, Default)]
pub struct Changes {
    /// New leaves of the keys log, in order.
    pub(super) key_leaves: Vec<KeyLeaf>,
    /// New leaves of the evidence log, in order.
    pub(super) events: Vec<EventRow>,
    /// Links of chains.
    pub links: Vec<Link>,
    /// Wraps.
    pub wraps: Vec<WrapRow>,
    /// Signed SETTINGS of mailboxes.
    pub settings: Vec<(u64, Timestamp, Signed)>,
    /// Authorities.
    pub authorities: Vec<Authority>,
    /// Certified keys with their certificates.
    pub authority_keys: Vec<(AuthorityKeyRow, Signed)>,
    /// Revocations with their positions in the keys log.
    pub revocations: Vec<(KeyId, Signed, u64)>,
    /// Messages that did not exist before this batch.
    pub new_messages: HashSet<MessageId>,
    /// What was submitted.
    pub contents: Vec<Content>,
    /// Which message uses which attachment.
    pub uses: Vec<(u64, AttachmentId, BlobKey)>,
    /// Segments that were stored.
    pub segments: BTreeMap<(BlobKey, u64), Digest>,
    /// Messages to blank, with the indexes of the events to erase.
    pub erased: Vec<(u64, Vec<u64>)>,
    /// Attachments to delete with their segments.
    pub dropped_blobs: Vec<BlobKey>,
    /// Blobs that no attachment has and that something was stored for.
    pub orphans: BTreeSet<BlobKey>,
    /// Blobs that the blob store has deleted.
    pub collected: Vec<BlobKey>,
    /// Writes the heads as they are: shows whether anything can be written.
    pub probe: bool,
}

/// Writes everything that a batch changed, but for trees and heads.
pub(super) async fn write(tx: &mut dyn Tx, set: &mut WorkingSet) -> Result<(), StoreError> {
    write_keys(tx, set).await?;
    write_messages(tx, set).await?;
    write_attachments(tx, set).await?;
    // Last, so that what this batch wrote is erased too.
    for (message_no, indexes) in std::mem::take(&mut set.changes.erased) {
        events::erase(tx, &indexes).await?;
        messages::blank(tx, &[message_no]).await?;
        messages::delete_content(tx, &[message_no]).await?;
        attachments::delete_uses(tx, message_no).await?;
    }
    attachments::delete(tx, &std::mem::take(&mut set.changes.dropped_blobs)).await?;
    for blob in std::mem::take(&mut set.changes.collected) {
        attachments::forget_garbage(tx, blob).await?;
    }
    attachments::insert_garbage(tx, &Vec::from_iter(std::mem::take(&mut set.changes.orphans))).await?;
    Ok(())
}

async fn write_keys(tx: &mut dyn Tx, set: &mut WorkingSet) -> Result<(), StoreError> {
    let first = set.next_key() - set.changes.key_leaves.len() as u64;
    logs::insert_key_leaves(tx, first, &set.changes.key_leaves).await?;
    let changed: Vec<_> = set.mailboxes.changed().map(|(_, row)| row).collect();
    mailboxes::upsert(tx, &changed).await?;
    mailboxes::insert_links(tx, &set.changes.links).await?;
    let members: Vec<Member> = set.members.changed().map(|(_, row)| row.clone()).collect();
    mailboxes::upsert_members(tx, &members).await?;
    mailboxes::insert_wraps(tx, &set.changes.wraps).await?;
    authorities::insert(tx, &set.changes.authorities).await?;
    authorities::insert_keys(tx, &set.changes.authority_keys).await?;
    authorities::revoke_keys(tx, &set.changes.revocations).await?;
    let codes: Vec<_> = set.codes.changed().map(|(_, row)| row).collect();
    mailboxes::upsert_codes(tx, &codes).await?;
    let consents: Vec<_> = set.consents.changed().map(|(_, row)| row).collect();
    mailboxes::upsert_consents(tx, &consents).await?;
    for (mailbox_no, time, signed) in &set.changes.settings {
        mailboxes::upsert_setting(tx, *mailbox_no, *time, signed).await?;
    }
    Ok(())
}

async fn write_messages(tx: &mut dyn Tx, set: &mut WorkingSet) -> Result<(), StoreError> {
    let is_new = |message: &Message| set.changes.new_messages.contains(&message.message_id);
    let (new, updated): (Vec<_>, Vec<_>) =
        set.messages.changed().map(|(_, row)| row).partition(|message| is_new(message));
    messages::insert(tx, &new).await?;
    messages::update_stages(tx, &updated).await?;
    messages::insert_contents(tx, std::mem::take(&mut set.changes.contents)).await?;
    events::insert(tx, std::mem::take(&mut set.changes.events)).await?;
    let pairs: Vec<_> = set.pairs.changed().map(|(key, seq)| (*key, *seq)).collect();
    messages::upsert_pairs(tx, &pairs).await?;
    let acts: Vec<ActRow> = set.acts.changed().map(|(_, row)| row.clone()).collect();
    messages::insert_acts(tx, &acts).await
}

async fn write_attachments(tx: &mut dyn Tx, set: &WorkingSet) -> Result<(), StoreError> {
    let changed: Vec<_> = set.attachments.changed().map(|(_, row)| row).collect();
    attachments::upsert(tx, &changed).await?;
    attachments::insert_uses(tx, &set.changes.uses).await?;
    let segments: Vec<_> =
        set.changes.segments.iter().map(|((blob, index), leaf)| (*blob, *index, *leaf)).collect();
    attachments::upsert_segments(tx, &segments).await
}
