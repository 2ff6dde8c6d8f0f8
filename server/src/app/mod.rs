//! The use cases, one file each, named by its verb. They take typed requests, check what can be checked without the
//! database, and hand every change to the committer. No wire formats here, no SQL.

mod act_on_message;
mod answers;
mod append_link;
mod authorities;
mod caller_key;
mod consistency;
mod create_codes;
mod cursor;
mod deliver;
mod deliver_batch;
mod erase;
mod error;
mod get_chain;
mod get_delivery;
mod get_receipts;
mod hand_over;
mod housekeeping;
mod links;
mod list_deliveries;
mod list_delivery_events;
mod log_resource;
mod open;
mod read_segments;
mod register;
mod register_authority;
mod resolve_recipient;
mod revoke_authority;
mod status;
mod submit_act;
mod suspend_mailbox;
mod sync;
mod types;
mod upload;
mod waiting;
mod watch;
mod watch_delivery_events;
mod withdraw;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use postfach_domain::id::{Origin, Party};
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;
use postfach_ledger::vkey::LogSigner;
use rand_core::CryptoRngCore;
use tokio::task::JoinHandle;

use crate::blobs::BlobStore;
use crate::clock::{Chance, Clock as _, StoreClock};
use crate::commit::Committer;
use crate::key_book::KeyBook;
use crate::logs::LogView;
use crate::places::Places;
use crate::storage::Store;
use crate::watch::Hub;
pub use deliver_batch::BatchResult;
pub use error::AppError;
pub use open::OpenError;
pub use postfach_domain::decide::Refusal;
pub use read_segments::AttachmentReader;
pub use types::*;
pub use waiting::{WatchEnd, Watcher};
pub use watch::{MailboxNews, MailboxWatch};
pub use watch_delivery_events::{DeliveryNews, DeliveryWatch};

/// What a deployment is made of besides its store.
#[derive(Debug)]
pub struct Deployment {
    /// The deployment's name.
    pub origin: Origin,
    /// The registrar's root key, which signs certificates and revocations.
    pub registrar: PublicKey,
    /// Signs checkpoints of the keys log and head statements.
    pub keys_signer: LogSigner,
    /// Signs checkpoints of the evidence log.
    pub evidence_signer: LogSigner,
    /// Folder for the last signed checkpoints, outside the database; made if absent.
    pub checkpoints: PathBuf,
}

/// All use cases over one store. Share it behind an `Arc`; [`App::open`] makes it, [`App::close`] ends it.
pub struct App {
    origin: Origin,
    registrar: PublicKey,
    keys_signer: Arc<LogSigner>,
    store: Arc<dyn Store>,
    blobs: Arc<dyn BlobStore>,
    clock: Arc<StoreClock>,
    chance: Mutex<Chance>,
    view: Arc<LogView>,
    committer: Arc<Committer>,
    hub: Arc<Hub>,
    keys: Arc<KeyBook>,
    /// Attachments that are being read.
    readers: Arc<Places<Party>>,
    workers: Mutex<Vec<JoinHandle<()>>>,
    kept: crate::logs::KeptCheckpoints,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({}, {:?})", self.origin, self.store)
    }
}

impl App {
    /// The deployment's name.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The deployment's clock, as errors and GetServerInfo carry it.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// True while writes are taken: storing works, of attachments too as far as is known, and the clock does not stand behind the logs.
    pub fn is_ready(&self) -> bool {
        self.committer.is_healthy()
            && self.blobs.is_writable()
            && crate::commit::clock_fits(&self.view.snapshot().heads, self.now())
    }

    /// The newest committed state of both logs, and news of it.
    pub fn logs(&self) -> &Arc<LogView> {
        &self.view
    }

    /// Ends all streams that wait for news; calls in progress go on.
    pub fn end_watches(&self) {
        self.hub.close();
    }

    /// Draws from the random source.
    fn with_chance<T>(&self, draw: impl FnOnce(&mut dyn CryptoRngCore) -> T) -> T {
        let mut chance = self.chance.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        draw(&mut **chance)
    }

    /// 16 random bytes.
    fn random_16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.with_chance(|chance| chance.fill_bytes(&mut bytes));
        bytes
    }
}
