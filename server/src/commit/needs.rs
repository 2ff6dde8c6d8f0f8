//! What a batch must read before it can decide: collected from all its operations, then read with one statement for
//! each kind.

use std::collections::BTreeSet;

use postfach_domain::hash::Digest;
use postfach_domain::id::{ActId, Address, AttachmentId, AuthorityId, KeyId, MessageId, Party};

use super::WorkingSet;
use crate::blobs::BlobKey;
use crate::storage::sql::{attachments, authorities, mailboxes, messages};
use crate::storage::{Query, StoreError};

/// Keys of rows that operations want to see.
#[derive(Debug, Default)]
pub struct Needs {
    /// Mailboxes by address.
    pub mailboxes: BTreeSet<Address>,
    /// Members of chains.
    pub members: BTreeSet<(Address, KeyId)>,
    /// Links by place in a chain.
    pub links: BTreeSet<(Address, u32)>,
    /// Authorities by id.
    pub authorities: BTreeSet<AuthorityId>,
    /// Certified keys.
    pub authority_keys: BTreeSet<KeyId>,
    /// Messages by id.
    pub messages: BTreeSet<MessageId>,
    /// Acts by id.
    pub acts: BTreeSet<ActId>,
    /// Activation codes by hash.
    pub codes: BTreeSet<Digest>,
    /// Counters of (sender, recipient), by number.
    pub pairs: BTreeSet<(u64, u64)>,
    /// Consents of a mailbox to one authority or to all.
    pub consents: BTreeSet<(u64, Option<AuthorityId>)>,
    /// Settings of mailboxes, by number.
    pub settings: BTreeSet<u64>,
    /// Attachments of a sender.
    pub attachments: BTreeSet<(u64, AttachmentId)>,
    /// Attachments that a message uses.
    pub uses: BTreeSet<u64>,
    /// Senders whose open uploads are to be counted.
    pub open_uploads: BTreeSet<u64>,
    /// Blobs whose leaves are wanted, all of them.
    pub leaves: BTreeSet<BlobKey>,
}

impl Needs {
    /// Everything that [`WorkingSet::actor`] asks about a signer.
    pub fn signer(&mut self, party: &Party, signer: KeyId) {
        match party {
            Party::Authority(_) => {
                self.authority_keys.insert(signer);
            }
            Party::Mailbox(address) => {
                self.mailboxes.insert(*address);
                self.members.insert((*address, signer));
            }
        }
    }

    /// Reads everything into the set.
    pub(super) async fn load(self, query: &mut dyn Query, set: &mut WorkingSet) -> Result<(), StoreError> {
        let found = mailboxes::by_address(query, &self.mailboxes).await?;
        set.mailboxes.load(found.into_iter().map(|m| (m.address, m)));
        let found = mailboxes::members(query, &self.members).await?;
        set.members.load(found.into_iter().map(|(address, m)| ((address, m.key_id), m)));
        set.links.load(mailboxes::link_hashes(query, self.links).await?);
        let found = authorities::by_id(query, &self.authorities).await?;
        set.authorities.load(found.into_iter().map(|a| (a.id.clone(), a)));
        let found = authorities::keys(query, &self.authority_keys).await?;
        set.authority_keys.load(found.into_iter().map(|k| (k.key_id, k)));
        let found = messages::by_id(query, &self.messages).await?;
        set.messages.load(found.into_iter().map(|m| (m.message_id, m)));
        let found = messages::acts(query, &self.acts).await?;
        set.acts.load(found.into_iter().map(|a| (a.act_id, a)));
        let found = mailboxes::codes(query, &self.codes).await?;
        set.codes.load(found.into_iter().map(|c| (c.code_hash, c)));
        set.pairs.load(messages::pairs(query, self.pairs).await?);
        let found = mailboxes::consents(query, self.consents).await?;
        set.consents.load(found.into_iter().map(|c| ((c.mailbox_no, c.authority.clone()), c)));
        set.settings.load(mailboxes::setting_times(query, self.settings).await?);
        let found = attachments::by_id(query, self.attachments).await?;
        set.attachments.load(found.into_iter().map(|a| ((a.sender_no, a.attachment_id), a)));
        for message_no in self.uses {
            let found = attachments::of_message(query, message_no).await?;
            let keys = found.iter().map(|a| (a.sender_no, a.attachment_id)).collect();
            set.attachments.load(found.into_iter().map(|a| ((a.sender_no, a.attachment_id), a)));
            set.uses.insert(message_no, keys);
        }
        for sender_no in self.open_uploads {
            let count = attachments::open_uploads(query, sender_no, set.now()).await?;
            set.open_uploads.insert(sender_no, count);
        }
        for blob in self.leaves {
            set.leaves.insert(blob, attachments::leaves(query, blob).await?);
        }
        Ok(())
    }
}
