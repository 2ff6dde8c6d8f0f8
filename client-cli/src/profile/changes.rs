//! What a command or a step of a sync found out, as differences. They are applied to what is stored at that moment, so
//! that nothing is lost of what other commands stored meanwhile. Not here: files and locks.

use std::collections::BTreeMap;

use postfach_domain::id::MessageId;
use postfach_sdk::mailbox::MessageRecord;
use postfach_sdk::stages::Stage;
use postfach_sdk::state::SyncState;

use super::message::{Entry, Fault};

/// What was found out; stored together or not at all.
#[derive(Debug, Default)]
pub struct Changes {
    /// Messages that came, with what was transported.
    pub arrived: Vec<(Entry, MessageRecord)>,
    /// What happened to messages; one that is not known is left alone.
    pub happened: Vec<(MessageId, Change)>,
    /// How far the mailbox was read, where that changed.
    pub sync: Option<SyncState>,
}

/// One thing that happened to a message.
#[derive(Debug)]
pub enum Change {
    /// An event of the log.
    Stage(Stage),
    /// A check failed.
    Fault(Fault),
}

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Applied {
    /// Messages that differ from what is stored.
    pub(super) entries: BTreeMap<MessageId, Entry>,
    /// What was transported of those that came; not of those whose content is gone.
    pub(super) records: BTreeMap<MessageId, MessageRecord>,
    /// How far the mailbox was read, where that changed.
    pub(super) sync: Option<SyncState>,
}

impl Changes {
    /// One thing that happened to one message.
    pub fn of(id: MessageId, change: Change) -> Self {
        Self { happened: vec![(id, change)], ..Self::default() }
    }

    /// Applies the differences to what is stored now.
    pub(super) fn apply(self, stored: &BTreeMap<MessageId, Entry>) -> Applied {
        let mut applied = Applied { sync: self.sync, ..Applied::default() };
        for (entry, record) in self.arrived {
            let id = entry.message_id;
            let entry = match applied.current(stored, &id) {
                Some(known) => entry.following(known),
                None => entry,
            };
            applied.entries.insert(id, entry);
            applied.records.insert(id, record);
        }
        for (id, change) in self.happened {
            let Some(entry) = applied.current(stored, &id) else { continue };
            match change {
                Change::Stage(stage) => entry.add(stage),
                Change::Fault(fault) => entry.defect = entry.defect.or(Some(fault)),
            }
        }
        applied.drop_content();
        applied.entries.retain(|id, entry| stored.get(id) != Some(entry));
        applied
    }
}

impl Applied {
    /// A message as it will be.
    fn current(&mut self, stored: &BTreeMap<MessageId, Entry>, id: &MessageId) -> Option<&mut Entry> {
        if !self.entries.contains_key(id) {
            self.entries.insert(*id, stored.get(id)?.clone());
        }
        self.entries.get_mut(id)
    }

    fn drop_content(&mut self) {
        for entry in self.entries.values_mut().filter(|entry| entry.is_content_gone()) {
            entry.drop_content();
            self.records.remove(&entry.message_id);
        }
    }

    /// Messages whose content is stored, and must not be any longer.
    pub(super) fn leaving(&self, stored: &BTreeMap<MessageId, Entry>) -> Vec<MessageId> {
        let gone = self.entries.values().filter(|entry| entry.is_content_gone());
        let is_stored = |id: &MessageId| stored.get(id).is_some_and(|before| before.cover_at.is_some());
        gone.map(|entry| entry.message_id).filter(is_stored).collect()
    }
}
