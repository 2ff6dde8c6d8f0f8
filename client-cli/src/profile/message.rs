//! What is remembered of one message: its verified outer header and cover, and the events of the log about it.

use postfach_domain::event::EventType;
use postfach_domain::id::MessageId;
use postfach_domain::outer::LegalRegime;
use postfach_domain::submission::Hashes;
use postfach_sdk::hashes_form;
use postfach_sdk::stages::{Stage, facts};
use serde::{Deserialize, Serialize};

use crate::exit::Outcome;
use crate::{fail, text_form};

/// One message of the mailbox, without its letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Chosen by the sender.
    #[serde(with = "text_form")]
    pub message_id: MessageId,
    /// The name in the sender's certificate, or a citizen's address.
    pub sender: String,
    /// The sender, where it is an authority.
    pub authority_id: Option<String>,
    /// The authority's municipality, or empty; its holidays count.
    pub ags: String,
    /// As the sender wrote it.
    pub subject: String,
    /// Free text that names the document.
    pub kind_detail: String,
    /// Kind of notice.
    pub kind: String,
    /// The law under which it is served.
    #[serde(with = "text_form")]
    pub regime: LegalRegime,
    /// The sender's claim, milliseconds.
    pub created_at: u64,
    /// The sender asks for a confirmation.
    pub confirmation_requested: bool,
    /// The message that this one answers.
    pub in_reply_to: Option<String>,
    /// The sender wants it to be readable from this instant on, milliseconds; 0 for at once. Nothing of the content is
    /// known before.
    pub not_before: u64,
    /// A check failed: nothing of the content is shown.
    pub defect: Option<Fault>,
    /// What is attached.
    pub attachments: Vec<Attached>,
    /// Every event so far, in the order of the log.
    pub stages: Vec<Stage>,
    /// The service removed the content.
    pub erased: bool,
    /// Place of ACCEPTED in the evidence log.
    pub accepted_index: u64,
    /// Outer header, cover and letter as they were accepted; later events must name the same.
    #[serde(with = "hashes_form")]
    pub hashes: Hashes,
    /// Where outer header and cover lie in the journal of covers; `None` once the content is gone.
    pub cover_at: Option<u64>,
}

/// Whose fault it is that a message is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fault {
    /// Evidence against the service.
    Server,
    /// The owner may reject the message.
    Sender,
    /// This device lacks the key.
    Key,
}

/// An attachment as its cover announces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Hexadecimal.
    pub id: String,
    /// As the sender wrote it.
    pub name: String,
    /// Bytes of content.
    pub size: u64,
}

impl Entry {
    /// Takes an event over, once.
    pub fn add(&mut self, stage: Stage) {
        self.erased |= stage.event_type() == Some(EventType::Erased);
        let known = self.stages.binary_search_by_key(&stage.evidence_index, |known| known.evidence_index);
        if let Err(at) = known {
            self.stages.insert(at, stage);
        }
    }

    /// A message that came again, for example because its cover became available: what happened to it before stays, and
    /// so does a fault that was seen.
    #[must_use]
    pub fn following(mut self, before: &Self) -> Self {
        before.stages.iter().for_each(|stage| self.add(stage.clone()));
        self.erased |= before.erased;
        self.defect = self.defect.or(before.defect);
        self
    }

    /// Forgets what the message says; what happened to it stays.
    pub fn drop_content(&mut self) {
        self.subject.clear();
        self.kind_detail.clear();
        self.attachments.clear();
        self.cover_at = None;
    }

    /// True where an event of this type happened.
    pub fn has(&self, event: EventType) -> bool {
        self.stages.iter().any(|stage| stage.stage == event.as_str())
    }

    /// When the service took it, milliseconds.
    pub fn received_at(&self) -> u64 {
        facts(&self.stages).accepted.0
    }

    /// Not handed over yet, and still there to be read.
    pub fn is_unread(&self) -> bool {
        !self.has(EventType::HandedOver) && !self.is_gone()
    }

    /// Nothing can be read any more.
    pub fn is_gone(&self) -> bool {
        self.erased || self.has(EventType::Withdrawn) || self.has(EventType::Lapsed)
    }

    /// Removed by the owner: not listed any more.
    pub fn is_deleted(&self) -> bool {
        self.has(EventType::Deleted)
    }

    /// Removed by the owner or by the service: nothing of what it says is kept here.
    pub fn is_content_gone(&self) -> bool {
        self.erased || self.is_deleted()
    }

    /// A failure where what the message says is not kept any more.
    pub fn require_content(&self) -> Outcome<()> {
        if self.is_deleted() {
            return Err(fail!(NotFound, "DELETED", "message-gone-deleted"));
        }
        if self.erased {
            return Err(fail!(Conflict, "ERASED", "message-gone-erased"));
        }
        Ok(())
    }
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::hash::Digest;
    use postfach_domain::time::Timestamp;

    use super::*;

    /// A message for tests.
    pub fn entry(n: u8, subject: &str) -> Entry {
        Entry {
            message_id: MessageId::new(Timestamp(1_795_000_000_000), [n; 10]),
            sender: "Stadt Muster".to_owned(),
            authority_id: Some("stadt".to_owned()),
            ags: String::new(),
            subject: subject.to_owned(),
            kind_detail: String::new(),
            kind: "notice".to_owned(),
            regime: LegalRegime::Ozg9,
            created_at: 1_795_000_000_000,
            confirmation_requested: false,
            in_reply_to: None,
            not_before: 0,
            defect: None,
            attachments: Vec::new(),
            stages: vec![stage(EventType::Accepted, 1)],
            erased: false,
            accepted_index: 1,
            hashes: Hashes { outer: Digest([n; 32]), cover: Digest([n; 32]), letter: Digest([n; 32]) },
            cover_at: None,
        }
    }

    /// An event for tests.
    pub fn stage(event: EventType, index: u64) -> Stage {
        let at = 1_795_000_000_000 + index;
        let stage = event.as_str().to_owned();
        Stage { stage, at, evidence_index: index, available_at: at, reason: String::new() }
    }

    #[test]
    fn events_are_taken_once_and_in_order() {
        let mut entry = entry(1, "x");
        entry.add(stage(EventType::Confirmed, 9));
        entry.add(stage(EventType::HandedOver, 5));
        entry.add(stage(EventType::HandedOver, 5));
        let names: Vec<&str> = entry.stages.iter().map(|s| s.stage.as_str()).collect();
        assert_eq!(names, ["ACCEPTED", "HANDED_OVER", "CONFIRMED"]);
        assert!(!entry.is_unread());
    }

    #[test]
    fn a_record_reads_back() {
        let entry = entry(3, "Bescheid");
        let text = serde_json::to_string(&entry).unwrap();
        assert_eq!(serde_json::from_str::<Entry>(&text).unwrap(), entry);
    }
}
