//! The state that one batch sees: what was read, as the operations before left it, and what they add. Nothing here asks
//! or writes the database.

use std::collections::HashMap;

use postfach_domain::decide::{ActorState, MessageState, Moment};
use postfach_domain::event::{self, Event};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{ActId, Address, AttachmentId, AuthorityId, KeyId, MessageId, Party};
use postfach_domain::keylog::KeyLeaf;
use postfach_domain::segments::SegmentRoot;
use postfach_domain::terms::LegalRegime;
use postfach_domain::time::Timestamp;
use rand::rngs::StdRng;
use rand_core::RngCore as _;

use super::changes::Changes;
use super::table::Table;
use crate::blobs::BlobKey;
use crate::storage::sql::attachments::Attachment;
use crate::storage::sql::authorities::{Authority, AuthorityKeyRow};
use crate::storage::sql::events::EventRow;
use crate::storage::sql::mailboxes::{Code, Consent, Mailbox, Member, Role};
use crate::storage::sql::messages::{ActRow, Message};

/// Whom an event concerns, by number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concerns {
    /// The message.
    pub message_no: Option<u64>,
    /// Its sender.
    pub sender_no: Option<u64>,
    /// Its recipient, or the mailbox that acted.
    pub recipient_no: Option<u64>,
}

/// What one batch sees and changes.
pub struct WorkingSet {
    occurred_at: Timestamp,
    first_key: u64,
    first_event: u64,
    salts: StdRng,
    /// Mailboxes by address.
    pub mailboxes: Table<Address, Mailbox>,
    /// Members of chains.
    pub members: Table<(Address, KeyId), Member>,
    /// Hash and position in the keys log of links.
    pub links: Table<(Address, u32), (Digest, u64)>,
    /// Authorities by id.
    pub authorities: Table<AuthorityId, Authority>,
    /// Certified keys.
    pub authority_keys: Table<KeyId, AuthorityKeyRow>,
    /// Messages by id.
    pub messages: Table<MessageId, Message>,
    /// Acts by id.
    pub acts: Table<ActId, ActRow>,
    /// Activation codes by hash.
    pub codes: Table<Digest, Code>,
    /// How many messages were accepted for (sender, recipient).
    pub pairs: Table<(u64, u64), u64>,
    /// Newest consents.
    pub consents: Table<(u64, Option<AuthorityId>), Consent>,
    /// Times of stored settings, by mailbox number.
    pub settings: Table<u64, Timestamp>,
    /// Attachments of senders.
    pub attachments: Table<(u64, AttachmentId), Attachment>,
    /// Which attachments a message uses.
    pub uses: HashMap<u64, Vec<(u64, AttachmentId)>>,
    /// Open uploads of senders, those of this batch included.
    pub open_uploads: HashMap<u64, u64>,
    /// Leaves of the segments that a blob has, in order, as they were before this batch.
    pub leaves: HashMap<BlobKey, Vec<Digest>>,
    /// Rows to add or remove that no later operation of the batch looks at.
    pub changes: Changes,
}

impl WorkingSet {
    pub(super) fn new(occurred_at: Timestamp, (first_key, first_event): (u64, u64), salts: StdRng) -> Self {
        Self {
            occurred_at,
            first_key,
            first_event,
            salts,
            mailboxes: Table::default(),
            members: Table::default(),
            links: Table::default(),
            authorities: Table::default(),
            authority_keys: Table::default(),
            messages: Table::default(),
            acts: Table::default(),
            codes: Table::default(),
            pairs: Table::default(),
            consents: Table::default(),
            settings: Table::default(),
            attachments: Table::default(),
            uses: HashMap::new(),
            open_uploads: HashMap::new(),
            leaves: HashMap::new(),
            changes: Changes::default(),
        }
    }

    /// `occurred_at` of everything in this batch.
    pub fn now(&self) -> Timestamp {
        self.occurred_at
    }

    /// When and where in the keys log the next operation is applied.
    pub fn moment(&self) -> Moment {
        Moment { occurred_at: self.occurred_at, keys_size: self.next_key() }
    }

    /// Index that the next leaf of the keys log gets.
    pub fn next_key(&self) -> u64 {
        self.first_key + self.changes.key_leaves.len() as u64
    }

    /// Index that the next leaf of the evidence log gets.
    pub fn next_event(&self) -> u64 {
        self.first_event + self.changes.events.len() as u64
    }

    /// Adds a leaf to the keys log.
    pub fn log_key(&mut self, leaf: KeyLeaf) -> u64 {
        let index = self.next_key();
        self.changes.key_leaves.push(leaf);
        index
    }

    /// Adds an event to the evidence log, under a fresh salt; answers its index and commitment.
    pub fn log_event(&mut self, event: &Event, concerns: Concerns) -> (u64, Digest) {
        let mut salt = [0; event::SALT_LEN];
        self.salts.fill_bytes(&mut salt);
        let bytes = event.encode();
        let commitment = event::commitment(&salt, &bytes);
        let index = self.next_event();
        self.changes.events.push(EventRow {
            index,
            commitment,
            salt: Some(salt),
            event: Some(bytes),
            event_type: Some(event.event_type),
            occurred_at: Some(event.occurred_at),
            message_no: concerns.message_no,
            sender_no: concerns.sender_no,
            recipient_no: concerns.recipient_no,
        });
        (index, commitment)
    }

    /// An event that this batch added.
    pub(super) fn event(&self, index: u64) -> Option<&EventRow> {
        let at = usize::try_from(index.checked_sub(self.first_event)?).ok()?;
        self.changes.events.get(at)
    }

    /// Adds an event of a message that exists, and moves the message on.
    pub fn log_on_message(&mut self, message: &Message, event: &Event) -> u64 {
        let concerns = Concerns {
            message_no: Some(message.no),
            sender_no: Some(message.sender_no),
            recipient_no: Some(message.recipient_no),
        };
        let (index, commitment) = self.log_event(event, concerns);
        let mut message = message.clone();
        message.last_commitment = commitment;
        message.events.push((Some(event.event_type), index));
        self.messages.put(message.message_id, message);
        index
    }

    /// A message as the rules want it.
    pub fn message_state(message: &Message) -> MessageState {
        MessageState {
            message_id: message.message_id,
            sender: message.sender.clone(),
            recipient: message.recipient,
            hashes: message.hashes,
            regime: message.regime.unwrap_or(LegalRegime::None),
            accepted_at: message.accepted_at,
            available_at: message.available_at,
            pair_seq: message.pair_seq,
            last_commitment: message.last_commitment,
            events: message.events.iter().filter_map(|(t, index)| t.map(|t| (t, *index))).collect(),
        }
    }

    /// Number, and key and head as of now, of whoever signs; `None` for an unknown party. Needs the mailbox and the
    /// member, or the authority's key.
    pub fn actor(&self, party: &Party, signer: &KeyId) -> Option<(u64, ActorState)> {
        match party {
            Party::Authority(id) => {
                let key = self.authority_keys.get(signer).filter(|key| key.authority_id == *id)?;
                let state = ActorState { key_active: key.active(self.occurred_at), head: None };
                Some((key.authority_no, state))
            }
            Party::Mailbox(address) => {
                let mailbox = self.mailboxes.get(address)?;
                let member = self.members.get(&(*address, *signer));
                let key_active = member.is_some_and(|m| m.role == Role::Device && m.removed_seq.is_none());
                let head = ChainHead { seq: mailbox.head_seq, link_hash: mailbox.head_hash };
                Some((mailbox.no, ActorState { key_active, head: Some(head) }))
            }
        }
    }

    /// Does the mailbox agree to letters of this authority? Of the two newest acts that concern it, for all and for
    /// this one, the newer decides. Needs both.
    pub fn consents_to(&self, mailbox_no: u64, authority: &AuthorityId) -> bool {
        let all = self.consents.get(&(mailbox_no, None));
        let one = self.consents.get(&(mailbox_no, Some(authority.clone())));
        let newest = all.into_iter().chain(one).max_by_key(|consent| consent.time);
        newest.is_some_and(|consent| consent.granted)
    }

    /// Root over the segments of a blob, with those that this batch wrote anew, and how many there are. Needs its leaves,
    /// and that none was missing before this batch.
    pub fn root_of(&self, blob: BlobKey) -> (Digest, u64) {
        let mut root = SegmentRoot::new();
        for (index, leaf) in (0..).zip(self.leaves.get(&blob).into_iter().flatten()) {
            root.push(*self.changes.segments.get(&(blob, index)).unwrap_or(leaf));
        }
        (root.root(), root.len())
    }

    /// Remembers an act under its id.
    pub fn remember_act(&mut self, act_id: ActId, actor_no: u64, signed: &Signed, event_idx: Option<u64>) {
        let body_hash = Digest::of(&signed.body);
        self.acts.put(act_id, ActRow { act_id, actor_no, body_hash, event_idx });
    }
}
