//! The messages of a mailbox as a profile remembers them: one compact sealed journal of records, read whole, and one of
//! covers, read by place. Not here: what is asked of the service.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use postfach_domain::id::MessageId;
use postfach_domain::submission::Hashes;
use postfach_sdk::mailbox::{MailboxMemory, MessageRecord};
use postfach_sdk::state::SyncState;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::files::create_private_folder;
use super::journal::{Extent, Journal, JournalError};
use super::message::Entry;
use super::{Unlocked, io_failure};
use crate::clock;
use crate::exit::{Failure, Outcome};
use crate::fail;

const MANIFEST: &str = "mailbox.sealed";
const LETTERS: &str = "letters";
/// Records that may be outdated, beyond as many as there are messages, before the journal is written anew.
const SLACK: u64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    messages: Extent,
    covers: Extent,
    /// Records in the journal of messages, outdated ones too.
    records: u64,
    sync: SyncState,
}

/// What one step of a sync found out; stored together or not at all.
#[derive(Debug, Default)]
pub struct Changes {
    /// New messages with what was transported.
    pub new: Vec<(Entry, MessageRecord)>,
    /// Messages that changed, whole.
    pub changed: Vec<Entry>,
    /// How far the mailbox was read, where that changed.
    pub sync: Option<SyncState>,
}

/// All messages, in memory.
pub struct Messages<'a> {
    unlocked: &'a Unlocked,
    manifest: Manifest,
    entries: BTreeMap<MessageId, Entry>,
}

impl<'a> Messages<'a> {
    /// Reads everything that is remembered.
    pub fn load(unlocked: &'a Unlocked) -> Outcome<Self> {
        // Another command may write the journal anew between our two reads; then the manifest names a new file.
        for _ in 0..3 {
            let manifest = read_manifest(unlocked)?;
            let mut messages = Self { unlocked, manifest, entries: BTreeMap::new() };
            match messages.read_entries() {
                Ok(()) => return Ok(messages),
                Err(_) if read_manifest(unlocked)? != messages.manifest => {}
                Err(error) => return Err(messages.journal_failure(&messages.manifest.messages, error)),
            }
        }
        Err(fail!(Conflict, "PROFILE_BUSY", "profile-busy"))
    }

    /// Takes over what other commands stored since this was loaded.
    pub fn reload(&mut self) -> Outcome<()> {
        let _lock = self.unlocked.lock()?;
        self.catch_up()
    }

    /// Every message, also deleted ones, oldest first by id.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// One message.
    pub fn get(&self, id: &MessageId) -> Option<&Entry> {
        self.entries.get(id)
    }

    /// How far the mailbox was read.
    pub fn sync_state(&self) -> &SyncState {
        &self.manifest.sync
    }

    /// Outer header and cover of a message.
    pub fn record(&self, entry: &Entry) -> Outcome<MessageRecord> {
        let covers = &self.manifest.covers;
        let journal = Journal::new(self.unlocked.profile().home(), covers, self.unlocked.key());
        let plain = journal.at(entry.cover_at).map_err(|e| self.journal_failure(covers, e))?;
        serde_json::from_slice(&plain).map_err(|_| self.journal_failure(covers, JournalError::Damaged))
    }

    /// Stores changes. They are durable when this returns. Changes of other commands since `load` are kept: what was
    /// changed here wins message by message.
    pub fn store(&mut self, changes: Changes) -> Outcome<()> {
        let _lock = self.unlocked.lock()?;
        self.catch_up()?;
        let mut rng = clock::rng();
        let folder = self.unlocked.profile().home().to_path_buf();
        let frames: Vec<_> = changes.new.iter().map(|(_, record)| json(record)).collect();
        let covers = self.manifest.covers.clone();
        let appended = Journal::new(&folder, &covers, self.unlocked.key()).append(&frames, &mut rng);
        let (places, covers) = appended.map_err(|e| io_failure(&folder, &e))?;
        let new =
            changes.new.into_iter().zip(places).map(|((entry, _), cover_at)| Entry { cover_at, ..entry });
        let records: Vec<Entry> = new.chain(changes.changed).collect();
        let messages = self.manifest.messages.clone();
        let frames = if records.is_empty() { Vec::new() } else { vec![json(&records)] };
        let appended = Journal::new(&folder, &messages, self.unlocked.key()).append(&frames, &mut rng);
        let (_, messages) = appended.map_err(|e| io_failure(&folder, &e))?;
        let records_now = self.manifest.records + records.len() as u64;
        let sync = changes.sync.unwrap_or_else(|| self.manifest.sync.clone());
        self.write_manifest(Manifest { messages, covers, records: records_now, sync })?;
        self.entries.extend(records.into_iter().map(|entry| (entry.message_id, entry)));
        if records_now > 2 * self.entries.len() as u64 + SLACK { self.rewrite() } else { Ok(()) }
    }

    /// Removes the content of deleted and erased messages from this computer: covers, subjects, letters.
    pub fn purge(&mut self, id: &MessageId) -> Outcome<()> {
        let letter = self.unlocked.path(&letter_name(id));
        match fs::remove_file(&letter) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io_failure(&letter, &e)),
            _ => {}
        }
        let _lock = self.unlocked.lock()?;
        self.catch_up()?;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.subject.clear();
            entry.kind_detail.clear();
            entry.attachments.clear();
        }
        self.rewrite()
    }

    /// The letter envelope, where it was received.
    pub fn letter(&self, id: &MessageId) -> Outcome<Option<Zeroizing<Vec<u8>>>> {
        self.unlocked.read_sealed(&letter_name(id))
    }

    /// Stores a letter envelope, durably.
    pub fn store_letter(&self, id: &MessageId, envelope: &[u8]) -> Outcome<()> {
        let folder = self.unlocked.path(LETTERS);
        create_private_folder(&folder).map_err(|e| io_failure(&folder, &e))?;
        self.unlocked.write_sealed(&letter_name(id), envelope)
    }

    fn read_entries(&mut self) -> Result<(), JournalError> {
        let manifest = self.manifest.clone();
        self.read_from(&manifest.messages, 0)
    }

    fn read_from(&mut self, extent: &Extent, from: u64) -> Result<(), JournalError> {
        let journal = Journal::new(self.unlocked.profile().home(), extent, self.unlocked.key());
        let (entries, mut damaged) = (&mut self.entries, None);
        journal.each(from, |_, plain| match serde_json::from_slice::<Vec<Entry>>(&plain) {
            Ok(records) => entries.extend(records.into_iter().map(|entry| (entry.message_id, entry))),
            Err(_) => damaged = Some(JournalError::Damaged),
        })?;
        damaged.map_or(Ok(()), Err)
    }

    /// Takes over what other commands stored since. The lock is held.
    fn catch_up(&mut self) -> Outcome<()> {
        let stored = read_manifest(self.unlocked)?;
        // An extent that never was written has a name of its own each time it is read.
        if stored == self.manifest || stored.messages.len == 0 {
            return Ok(());
        }
        let same_file = stored.messages.file == self.manifest.messages.file;
        let from = if same_file { self.manifest.messages.len } else { 0 };
        let read = self.read_from(&stored.messages, from);
        self.manifest = stored;
        read.map_err(|error| self.journal_failure(&self.manifest.messages, error))
    }

    /// Writes both journals anew with what still counts. The lock is held.
    fn rewrite(&mut self) -> Outcome<()> {
        let (folder, key) = (self.unlocked.profile().home().to_path_buf(), self.unlocked.key());
        let mut rng = clock::rng();
        let mut covers = Extent::empty("covers", &mut rng);
        let mut entries: Vec<Entry> = self.entries.values().cloned().collect();
        for page in entries.chunks_mut(200) {
            let mut frames = Vec::new();
            for entry in page.iter().filter(|entry| !entry.is_deleted() && !entry.erased) {
                frames.push(json(&self.record(entry)?));
            }
            let appended = Journal::new(&folder, &covers, key).append(&frames, &mut rng);
            let (places, extent) = appended.map_err(|e| io_failure(&folder, &e))?;
            let kept = page.iter_mut().filter(|entry| !entry.is_deleted() && !entry.erased);
            for (entry, place) in kept.zip(places) {
                entry.cover_at = place;
            }
            covers = extent;
        }
        let frames: Vec<_> = entries.chunks(500).map(json).collect();
        let messages = Extent::empty("messages", &mut rng);
        let appended = Journal::new(&folder, &messages, key).append(&frames, &mut rng);
        let (_, messages) = appended.map_err(|e| io_failure(&folder, &e))?;
        let old = self.manifest.clone();
        let sync = old.sync.clone();
        self.write_manifest(Manifest { messages, covers, records: entries.len() as u64, sync })?;
        self.entries = entries.into_iter().map(|entry| (entry.message_id, entry)).collect();
        for name in [old.messages.file, old.covers.file] {
            // A file that cannot be removed is not referred to any more.
            let _ = fs::remove_file(folder.join(name));
        }
        Ok(())
    }

    fn write_manifest(&mut self, manifest: Manifest) -> Outcome<()> {
        self.unlocked.write_json(MANIFEST, &manifest)?;
        self.manifest = manifest;
        Ok(())
    }

    fn journal_failure(&self, extent: &Extent, error: JournalError) -> Failure {
        let path = self.unlocked.path(&extent.file);
        match error {
            JournalError::Io(e) => io_failure(&path, &e),
            JournalError::Damaged => mailbox_damaged(&path, &self.unlocked.path(MANIFEST)),
        }
    }
}

impl MailboxMemory for Messages<'_> {
    fn accepted_index(&self, id: &MessageId) -> Option<u64> {
        self.get(id).map(|entry| entry.accepted_index)
    }

    fn hashes(&self, id: &MessageId) -> Option<Hashes> {
        self.record(self.get(id).filter(|entry| !entry.is_deleted() && !entry.erased)?).ok()?.hashes().ok()
    }
}

/// The messages are on the server too: what to move away so that the next sync brings them back.
fn mailbox_damaged(path: &Path, manifest: &Path) -> Failure {
    let (file, manifest) = (path.display().to_string(), manifest.display().to_string());
    fail!(Other, "MAILBOX_DAMAGED", "mailbox-damaged", file = file.as_str(); manifest = manifest.as_str())
}

fn read_manifest(unlocked: &Unlocked) -> Outcome<Manifest> {
    let stored = unlocked.read_json(MANIFEST).map_err(|failure| {
        if failure.reason != "PROFILE_DAMAGED" {
            return failure;
        }
        let path = unlocked.path(MANIFEST);
        mailbox_damaged(&path, &path)
    })?;
    Ok(stored.unwrap_or_else(|| Manifest {
        messages: Extent::empty("messages", &mut clock::rng()),
        covers: Extent::empty("covers", &mut clock::rng()),
        records: 0,
        sync: SyncState::default(),
    }))
}

fn letter_name(id: &MessageId) -> String {
    format!("{LETTERS}/{id}.sealed")
}

fn json(value: &(impl Serialize + ?Sized)) -> Zeroizing<Vec<u8>> {
    // Safe because everything stored has text keys.
    Zeroizing::new(serde_json::to_vec(value).expect("records serialise"))
}
