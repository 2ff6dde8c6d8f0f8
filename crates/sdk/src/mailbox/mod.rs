//! A mailbox, for its owner: open it, sync it, read letters, and say what was done with them.
//!
//! Everything is checked before it is handed on (SPEC 3, "The reader checks"); nothing is stored here.

mod act;
mod attachment;
mod chain;
mod page;
mod partial;
mod read;
mod record;
mod register;
mod scan;
mod sort;
mod sync;
#[cfg(test)]
mod tests;
mod verify;
mod watch;

pub use attachment::SavedAttachment;
pub use page::{
    Content, Defect, MailboxEvent, MailboxMemory, ReceivedMessage, SyncItem, SyncPage, SyncWarning,
};
pub use read::{OpenedMessage, ReadLetter};
pub use record::{MessageRecord, SenderInfo};
pub use register::{NewMailbox, Registered, Registration, StoredWrap, create_mailbox, register};
pub use watch::MailboxNews;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use postfach_domain::id::{Address, Party};

use crate::client::Client;
use crate::error::Error;
use crate::evidence::chain::ProvenChain;
use crate::keys::MailboxKeys;

/// One mailbox with one device's keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailbox {
    client: Client,
    keys: Arc<MailboxKeys>,
    /// The owner's own chain as last seen.
    chain: Arc<Mutex<Arc<ProvenChain>>>,
    /// The chain was asked for in this run.
    chain_is_fresh: Arc<AtomicBool>,
}

impl Mailbox {
    /// A mailbox that was registered: its chain is what the client remembers. Does not dial.
    pub fn open(client: &Client, keys: &MailboxKeys) -> Result<Self, Error> {
        let client = client.calling_as(Party::Mailbox(keys.address), keys.device.sign.clone());
        let stored = client.with_trust(|trust| trust.own_chain.clone());
        let stored =
            stored.ok_or_else(|| Error::Damaged { what: "key chain", reason: "it is missing".to_owned() })?;
        let chain = Arc::new(Mutex::new(Arc::new(ProvenChain::restore(&client, &stored, &keys.address)?)));
        let chain_is_fresh = Arc::new(AtomicBool::new(false));
        Ok(Self { client, keys: Arc::new(keys.clone()), chain, chain_is_fresh })
    }

    /// The client that calls in this mailbox's name.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The mailbox's address.
    pub fn address(&self) -> Address {
        self.keys.address
    }

    fn own_chain(&self) -> Arc<ProvenChain> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
