//! What is being sent, one folder a message: sealed bytes that are durable before it is delivered, so that whatever
//! breaks, the same bytes go out again under the same id.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postfach_domain::id::MessageId;
use postfach_domain::sign::PublicKey;
use postfach_sdk::sender::OutboxEntry;

use super::files::{create_private_folder, parent, sync_folder};
use super::lock::{Lock, LockError, lock};
use super::{Unlocked, io_failure};
use crate::exit::Outcome;
use crate::explain::failure;
use crate::fail;

const WAITING: &str = "outbox";
const SENT: &str = "sent";
/// Digest of what was asked for, to notice when an id is used for something else.
const REQUEST: &str = "request.sealed";
const ENTRY: &str = "entry.sealed";

/// How long a command waits for another one that sends the same message.
const PATIENCE: Duration = Duration::from_secs(30);

/// One message on its way. Whoever holds it is the only command that works on this message.
pub struct Outgoing<'a> {
    unlocked: &'a Unlocked,
    id: MessageId,
    place: &'static str,
    lock_file: PathBuf,
    _lock: Lock,
}

impl<'a> Outgoing<'a> {
    /// Takes hold of a message, among those sent or those waiting; waits for another command that does so.
    pub fn claim(unlocked: &'a Unlocked, id: MessageId) -> Outcome<Self> {
        let folder = unlocked.path(WAITING);
        create_private_folder(&folder).map_err(|e| io_failure(&folder, &e))?;
        let lock_file = folder.join(format!("{id}.lock"));
        let lock = lock(&lock_file, PATIENCE).map_err(|error| match error {
            LockError::Busy => fail!(Conflict, "MESSAGE_BUSY", "send-busy"),
            LockError::Io(e) => io_failure(&lock_file, &e),
        })?;
        let sent = unlocked.path(&format!("{SENT}/{id}")).is_dir();
        Ok(Self { unlocked, id, place: if sent { SENT } else { WAITING }, lock_file, _lock: lock })
    }

    /// The message.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The entry that was stored, with the digest of what was asked for; `None` where sealing never ended.
    pub fn stored(&self, key: &PublicKey) -> Outcome<Option<(String, OutboxEntry)>> {
        let read = |file| self.unlocked.read_sealed_at(&self.place(file), &self.name(file));
        let (Some(digest), Some(entry)) = (read(REQUEST)?, read(ENTRY)?) else { return Ok(None) };
        let entry = OutboxEntry::from_bytes(&entry, key).map_err(failure)?;
        Ok(Some((String::from_utf8_lossy(&digest).into_owned(), entry)))
    }

    /// An empty folder for sealed attachments; what an interrupted run left there goes.
    pub fn fresh_spool(&self) -> Outcome<PathBuf> {
        let folder = self.folder();
        match fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_failure(&folder, &e)),
            _ => {}
        }
        create_private_folder(&folder)
            .and_then(|()| sync_folder(&parent(&folder)))
            .map_err(|e| io_failure(&folder, &e))?;
        Ok(folder)
    }

    /// Where sealed attachments lie.
    pub fn folder(&self) -> PathBuf {
        self.unlocked.path(self.place).join(self.id.to_string())
    }

    /// Stores the entry, durably.
    pub fn store(&self, digest: &str, entry: &OutboxEntry) -> Outcome<()> {
        let write =
            |file, bytes: &[u8]| self.unlocked.write_sealed_at(&self.place(file), &self.name(file), bytes);
        write(REQUEST, digest.as_bytes())?;
        write(ENTRY, &entry.to_bytes())
    }

    /// The service has it: the sealed attachments go, the entry stays among those sent.
    pub fn delivered(&self) -> Outcome<()> {
        if self.place == WAITING {
            self.keep_as_sent()?;
        }
        // What is sent does not change any more: whoever waited for this very file, or makes a new one, finds it sent.
        match fs::remove_file(&self.lock_file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(io_failure(&self.lock_file, &e)),
            _ => Ok(()),
        }
    }

    fn keep_as_sent(&self) -> Outcome<()> {
        let folder = self.folder();
        remove_spool(&folder).map_err(|e| io_failure(&folder, &e))?;
        let target = self.unlocked.path(SENT);
        create_private_folder(&target)
            .and_then(|()| fs::rename(&folder, target.join(self.id.to_string())))
            .and_then(|()| sync_folder(&target))
            .map_err(|e| io_failure(&folder, &e))
    }

    /// Gives a message up that the service refused for good, so that its id is free for another try.
    pub fn discard(&self) -> Outcome<()> {
        let folder = self.folder();
        fs::remove_dir_all(&folder).map_err(|e| io_failure(&folder, &e))
    }

    fn place(&self, file: &str) -> String {
        format!("{}/{}/{file}", self.place, self.id)
    }

    /// Files are sealed for a name that does not change when the folder moves.
    fn name(&self, file: &str) -> String {
        format!("outgoing/{}/{file}", self.id)
    }
}

/// Messages that were sealed and not yet delivered, apart from one.
pub fn waiting(unlocked: &Unlocked, apart_from: &MessageId) -> Outcome<Vec<MessageId>> {
    let folder = unlocked.path(WAITING);
    let listed = match fs::read_dir(&folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| io_failure(&folder, &e))?,
    };
    let mut ids: Vec<MessageId> = listed
        .filter_map(Result::ok)
        .filter(|entry| entry.path().join(ENTRY).is_file())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|id| id != apart_from)
        .collect();
    ids.sort();
    Ok(ids)
}

fn remove_spool(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "age") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
