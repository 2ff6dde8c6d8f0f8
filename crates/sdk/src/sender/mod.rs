//! Sending: prepare a sealed submission, keep it durably, upload, deliver, and follow what becomes of it.
//!
//! The order that loses nothing: [`Sender::prepare`], store the [`OutboxEntry`] and its spool files durably, then
//! [`Sender::send`] as often as needed until it answers. [`Sender::prepare_and_upload`] lets large attachments go up
//! meanwhile.

mod afterwards;
mod ahead;
mod batch;
mod deliver;
mod events;
mod message;
mod outbox;
mod prepare;
mod segment_call;
mod spool;
#[cfg(test)]
mod tests;
mod upload;

pub use afterwards::{SentMessage, Withdrawn};
pub use ahead::Ahead;
pub use deliver::Sent;
pub use events::{DeliveryEvent, DeliveryEvents, DeliveryNews};
pub use message::{FileToSend, NewMessage};
pub use outbox::{OutboxAttachment, OutboxEntry};

use std::sync::Arc;

use postfach_domain::id::Party;
use postfach_domain::sign::SecretKey;

use crate::client::Client;
use crate::keys::{AuthorityKeys, MailboxKeys};

/// One who sends, with the keys for it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    client: Client,
    party: Party,
    key: Arc<SecretKey>,
    mailbox: Arc<MailboxKeys>,
}

impl Sender {
    /// An authority: messages are signed by the certified key.
    pub fn authority(client: &Client, keys: &AuthorityKeys) -> Self {
        let party = Party::Authority(keys.authority_id.clone());
        let client = client.calling_as(party.clone(), keys.sign.clone());
        Self { client, party, key: keys.sign.clone(), mailbox: Arc::new(keys.mailbox.clone()) }
    }

    /// The client that calls in this sender's name.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// In whose name.
    pub fn party(&self) -> &Party {
        &self.party
    }
}
