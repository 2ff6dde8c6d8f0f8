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

use super::changes::{Applied, Changes};
use super::files::create_private_folder;
use super::journal::{Extent, Journal, JournalError};
use super::message::Entry;
use super::{Unlocked, io_failure};
use crate::exit::{Failure, Outcome};
use crate::{clock, fail, text_form};

const MANIFEST: &str = "mailbox.sealed";
const LETTERS: &str = "letters";
/// What the two kinds of journals are called.
const MESSAGES: &str = "messages";
const COVERS: &str = "covers";
/// Form of manifest and journals; another one is not read.
const FORM: u32 = 2;
/// Records that may be outdated, beyond as many as there are messages, before the journal is written anew.
const SLACK: u64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    form: u32,
    messages: Extent,
    covers: Extent,
    /// Records in the journal of messages, outdated ones too.
    records: u64,
    sync: SyncState,
}

/// The part of a manifest that every form has.
#[derive(Deserialize)]
struct AnyForm {
    #[serde(default)]
    form: u32,
}

/// A frame of the journal of covers: whose it is, and what was transported.
#[derive(Serialize, Deserialize)]
struct Cover {
    #[serde(with = "text_form")]
    message_id: MessageId,
    record: MessageRecord,
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
        if let Ok(messages) = Self::read(unlocked) {
            return Ok(messages);
        }
        // Another command may have written the journals anew between our two reads. Under the lock none does.
        let _lock = unlocked.lock()?;
        Self::read(unlocked)
    }

    fn read(unlocked: &'a Unlocked) -> Outcome<Self> {
        let manifest = read_manifest(unlocked)?;
        let mut messages = Self { unlocked, manifest: manifest.clone(), entries: BTreeMap::new() };
        messages.read_from(&manifest.messages, 0)?;
        Ok(messages)
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

    /// Outer header and cover of a message whose content is still there.
    pub fn record(&mut self, id: &MessageId) -> Outcome<MessageRecord> {
        if let Some(Ok(record)) = self.get(id).map(|entry| self.cover(entry)) {
            return Ok(record);
        }
        // Another command may have written the journals anew, and ours are no more. Under the lock none does.
        let _lock = self.unlocked.lock()?;
        self.catch_up()?;
        self.cover(self.get(id).ok_or_else(|| unknown(id))?)
    }

    /// Stores what was found out, on top of what other commands stored meanwhile. It is durable when this returns, and
    /// what was deleted or erased has left this computer: covers, subjects, letters.
    pub fn store(&mut self, changes: Changes) -> Outcome<()> {
        let _lock = self.unlocked.lock()?;
        self.catch_up()?;
        let applied = changes.apply(&self.entries);
        let leaving = applied.leaving(&self.entries);
        leaving.iter().try_for_each(|id| self.remove_letter(id))?;
        if leaving.is_empty() { self.append(applied) } else { self.rewrite(applied) }
    }

    /// The letter envelope, where it was received.
    pub fn letter(&self, id: &MessageId) -> Outcome<Option<Zeroizing<Vec<u8>>>> {
        self.unlocked.read_sealed(&letter_name(id))
    }

    /// Stores a letter envelope, durably; not that of a message that was deleted or erased meanwhile.
    pub fn store_letter(&mut self, id: &MessageId, envelope: &[u8]) -> Outcome<()> {
        let _lock = self.unlocked.lock()?;
        self.catch_up()?;
        if self.get(id).is_none_or(Entry::is_content_gone) {
            return Ok(());
        }
        let folder = self.unlocked.path(LETTERS);
        create_private_folder(&folder).map_err(|e| io_failure(&folder, &e))?;
        self.unlocked.write_sealed(&letter_name(id), envelope)
    }

    fn remove_letter(&self, id: &MessageId) -> Outcome<()> {
        let letter = self.unlocked.path(&letter_name(id));
        match fs::remove_file(&letter) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io_failure(&letter, &e)),
            _ => Ok(()),
        }
    }

    fn read_from(&mut self, extent: &Extent, from: u64) -> Outcome<()> {
        let journal = Journal::new(self.unlocked.profile().home(), extent, self.unlocked.key());
        let (entries, mut unreadable) = (&mut self.entries, None);
        let read = journal.each(from, |_, plain| match serde_json::from_slice::<Vec<Entry>>(&plain) {
            Ok(records) => entries.extend(records.into_iter().map(|entry| (entry.message_id, entry))),
            Err(_) => unreadable = Some(JournalError::Damaged),
        });
        read.and(unreadable.map_or(Ok(()), Err)).map_err(|e| self.journal_failure(extent, e))
    }

    /// What the journal of covers holds of a message.
    fn cover(&self, entry: &Entry) -> Outcome<MessageRecord> {
        let covers = &self.manifest.covers;
        let damaged = |error| self.journal_failure(covers, error);
        let Some(at) = entry.cover_at else {
            entry.require_content()?;
            return Err(damaged(JournalError::Damaged));
        };
        let journal = Journal::new(self.unlocked.profile().home(), covers, self.unlocked.key());
        let plain = journal.at(at).map_err(damaged)?;
        match serde_json::from_slice::<Cover>(&plain) {
            Ok(cover) if cover.message_id == entry.message_id => Ok(cover.record),
            _ => Err(damaged(JournalError::Damaged)),
        }
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
        self.read_from(&stored.messages, from)?;
        self.manifest = stored;
        Ok(())
    }

    /// Writes changes behind what the journals hold. The lock is held.
    fn append(&mut self, applied: Applied) -> Outcome<()> {
        let Applied { mut entries, records, sync } = applied;
        let covers = records.into_iter().map(|(message_id, record)| Cover { message_id, record });
        let covers: Vec<Cover> = covers.collect();
        let frames: Vec<_> = covers.iter().map(json).collect();
        let (places, extent) = self.write(&self.manifest.covers, &frames)?;
        for (cover, place) in covers.iter().zip(places) {
            if let Some(entry) = entries.get_mut(&cover.message_id) {
                entry.cover_at = Some(place);
            }
        }
        let changed: Vec<&Entry> = entries.values().collect();
        let frames = if changed.is_empty() { Vec::new() } else { vec![json(&changed)] };
        let (_, messages) = self.write(&self.manifest.messages, &frames)?;
        let records = self.manifest.records + changed.len() as u64;
        let sync = sync.unwrap_or_else(|| self.manifest.sync.clone());
        self.write_manifest(Manifest { form: FORM, messages, covers: extent, records, sync })?;
        self.entries.extend(entries);
        let too_many = records > 2 * self.entries.len() as u64 + SLACK;
        if too_many { self.rewrite(Applied::default()) } else { Ok(()) }
    }

    /// Writes both journals anew, with changes, and with nothing that does not count any more. The lock is held.
    fn rewrite(&mut self, applied: Applied) -> Outcome<()> {
        let Applied { entries: changed, mut records, sync } = applied;
        let mut entries = self.entries.clone();
        entries.extend(changed);
        let mut entries: Vec<Entry> = entries.into_values().collect();
        let mut covers = Extent::empty(COVERS, &mut clock::rng());
        for page in entries.chunks_mut(200) {
            let has_cover =
                |entry: &&mut Entry| entry.cover_at.is_some() || records.contains_key(&entry.message_id);
            let mut page: Vec<&mut Entry> = page.iter_mut().filter(has_cover).collect();
            let mut frames = Vec::with_capacity(page.len());
            for entry in &page {
                let message_id = entry.message_id;
                let record = records.remove(&message_id).map_or_else(|| self.cover(entry), Ok)?;
                frames.push(json(&Cover { message_id, record }));
            }
            let (places, extent) = self.write(&covers, &frames)?;
            page.iter_mut().zip(places).for_each(|(entry, place)| entry.cover_at = Some(place));
            covers = extent;
        }
        let frames: Vec<_> = entries.chunks(500).map(json).collect();
        let (_, messages) = self.write(&Extent::empty(MESSAGES, &mut clock::rng()), &frames)?;
        let sync = sync.unwrap_or_else(|| self.manifest.sync.clone());
        self.write_manifest(Manifest { form: FORM, messages, covers, records: entries.len() as u64, sync })?;
        self.entries = entries.into_iter().map(|entry| (entry.message_id, entry)).collect();
        self.sweep();
        Ok(())
    }

    /// Appends frames to a journal, durably; they count once the manifest says so.
    fn write(&self, extent: &Extent, frames: &[Zeroizing<Vec<u8>>]) -> Outcome<(Vec<u64>, Extent)> {
        let folder = self.unlocked.profile().home();
        let journal = Journal::new(folder, extent, self.unlocked.key());
        journal.append(frames, &mut clock::rng()).map_err(|e| io_failure(folder, &e))
    }

    /// Removes journals that do not count any more, also what a crash left. The lock is held.
    fn sweep(&self) {
        let counts = [&self.manifest.messages.file, &self.manifest.covers.file];
        let Ok(listed) = fs::read_dir(self.unlocked.profile().home()) else { return };
        for file in listed.filter_map(Result::ok) {
            let name = file.file_name();
            let is_left = |name: &str| {
                [MESSAGES, COVERS].iter().any(|kind| Extent::is_of(name, kind))
                    && counts.iter().all(|c| *c != name)
            };
            if name.to_str().is_some_and(is_left) {
                // One that cannot be removed is not referred to any more; the next time tries again.
                let _ = fs::remove_file(file.path());
            }
        }
    }

    fn write_manifest(&mut self, manifest: Manifest) -> Outcome<()> {
        self.unlocked.write_json(MANIFEST, &manifest)?;
        self.manifest = manifest;
        Ok(())
    }

    /// Makes an entry point at another one's cover, for tests.
    #[cfg(test)]
    pub fn misplace(&mut self, id: &MessageId, cover_at: Option<u64>) {
        self.entries.entry(*id).and_modify(|entry| entry.cover_at = cover_at);
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
        self.get(id).map(|entry| entry.hashes)
    }
}

/// A message that is not here.
pub fn unknown(id: &MessageId) -> Failure {
    let id = id.to_string();
    fail!(NotFound, "MESSAGE_UNKNOWN", "message-unknown", id = id.as_str())
}

/// The messages are on the server too: what to move away so that the next sync brings them back.
fn mailbox_damaged(path: &Path, manifest: &Path) -> Failure {
    let (file, manifest) = (path.display().to_string(), manifest.display().to_string());
    fail!(Other, "MAILBOX_DAMAGED", "mailbox-damaged", file = file.as_str(); manifest = manifest.as_str())
}

fn read_manifest(unlocked: &Unlocked) -> Outcome<Manifest> {
    let path = unlocked.path(MANIFEST);
    let stored = unlocked.read_sealed(MANIFEST).map_err(|failure| match failure.reason.as_str() {
        "PROFILE_DAMAGED" => mailbox_damaged(&path, &path),
        _ => failure,
    })?;
    let Some(plain) = stored else {
        return Ok(Manifest {
            form: FORM,
            messages: Extent::empty(MESSAGES, &mut clock::rng()),
            covers: Extent::empty(COVERS, &mut clock::rng()),
            records: 0,
            sync: SyncState::default(),
        });
    };
    match serde_json::from_slice::<AnyForm>(&plain) {
        Ok(AnyForm { form: FORM }) => {}
        Ok(_) => {
            let file = path.display().to_string();
            return Err(fail!(Other, "MAILBOX_OTHER_FORM", "mailbox-other-form", file = file.as_str()));
        }
        Err(_) => return Err(mailbox_damaged(&path, &path)),
    }
    serde_json::from_slice(&plain).map_err(|_| mailbox_damaged(&path, &path))
}

fn letter_name(id: &MessageId) -> String {
    format!("{LETTERS}/{id}.sealed")
}

fn json(value: &(impl Serialize + ?Sized)) -> Zeroizing<Vec<u8>> {
    // Safe because everything stored has text keys.
    Zeroizing::new(serde_json::to_vec(value).expect("records serialise"))
}
