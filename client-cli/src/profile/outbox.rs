//! What is being sent, one folder a message: sealed bytes that are durable before the first call, so that whatever
//! breaks, the same bytes go out again under the same id.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use postfach_domain::id::MessageId;
use postfach_domain::sign::PublicKey;
use postfach_sdk::sender::OutboxEntry;

use super::files::{create_private_folder, parent, sync_folder};
use super::{Unlocked, io_failure};
use crate::exit::Outcome;
use crate::explain::failure;

const WAITING: &str = "outbox";
const SENT: &str = "sent";
/// Digest of what was asked for, to notice when an id is used for something else.
const REQUEST: &str = "request.sealed";
const ENTRY: &str = "entry.sealed";

/// One message on its way.
pub struct Outgoing<'a> {
    unlocked: &'a Unlocked,
    id: MessageId,
    place: &'static str,
}

impl<'a> Outgoing<'a> {
    /// The folder of a message, among those sent or those waiting. Makes none.
    pub fn find(unlocked: &'a Unlocked, id: MessageId) -> Self {
        let sent = unlocked.path(&format!("{SENT}/{id}")).is_dir();
        Self { unlocked, id, place: if sent { SENT } else { WAITING } }
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
        create_private_folder(&parent(&folder))
            .and_then(|()| create_private_folder(&folder))
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
        if self.place == SENT {
            return Ok(());
        }
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
