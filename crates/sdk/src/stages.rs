//! Where a message stands: its stages, and what the law makes of them. Computed from events that were verified before.

use jiff::civil::Date;
use postfach_domain::act::{Act, reason};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::legal::{Dispute, Facts, Legal, RuleSet, deemed_served};
use postfach_domain::terms::LegalRegime;
use postfach_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One thing that happened to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Name of the event, for example `HANDED_OVER`.
    pub stage: String,
    /// When, in milliseconds since the Unix epoch: the instant that counts in law.
    pub at: u64,
    /// Its place in the evidence log.
    pub evidence_index: u64,
    /// From when cover and letter are there, milliseconds; ACCEPTED only, else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub available_at: u64,
    /// A stable code; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Stage {
    /// The event that it is, if this version knows it.
    pub fn event_type(&self) -> Option<EventType> {
        EventType::from_name(&self.stage)
    }
}

impl Stage {
    /// The stage that a verified event makes. An act's own reason stands where the event has none.
    pub fn new(event: &Event, index: u64) -> Self {
        let of_act = match &event.signed {
            Some(EventSigned::Act(signed)) => Act::peek(signed).map(|act| act.reason).unwrap_or_default(),
            _ => String::new(),
        };
        let reason = if event.reason.is_empty() { of_act } else { event.reason.clone() };
        Self {
            stage: event.event_type.as_str().to_owned(),
            at: event.occurred_at.0,
            evidence_index: index,
            available_at: event.available_at.0,
            reason,
        }
    }
}

/// The facts that legal time asks for, from the stages of one message in the order of the log.
pub fn facts(stages: &[Stage]) -> Facts {
    let mut facts = Facts::default();
    for stage in stages {
        let at = Timestamp(stage.at);
        match stage.event_type() {
            Some(EventType::Accepted) => {
                facts.accepted = at;
                facts.available = Timestamp(stage.available_at.max(stage.at));
            }
            Some(EventType::Notified) => facts.notified = facts.notified.or(Some(at)),
            Some(EventType::NotificationFailed) => facts.notification_failed = true,
            Some(EventType::HandedOver) => facts.handed_over = facts.handed_over.or(Some(at)),
            Some(EventType::RejectedByRecipient) => facts.dispute = Dispute::LetterMissing,
            Some(EventType::Disputed) if stage.reason == reason::LETTER_NOT_RECEIVED => {
                facts.dispute = Dispute::LetterMissing;
            }
            Some(EventType::Disputed) => facts.dispute = facts.dispute.max(Dispute::Stated),
            Some(EventType::Confirmed) => facts.dispute = Dispute::None,
            Some(EventType::Withdrawn) => facts.withdrawn = true,
            _ => {}
        }
    }
    facts.notification_failed &= facts.notified.is_none();
    facts
}

/// What the law makes of a message under the built-in rules. `ags` is the authority's seat, empty where unknown.
pub fn legal(regime: LegalRegime, stages: &[Stage], ags: &str, now: Timestamp) -> Option<Legal> {
    deemed_served(&RuleSet::built_in(), regime, &facts(stages), ags, now)
}

/// The deemed day alone.
pub fn deemed_day(legal: &Legal) -> Option<Date> {
    legal.deemed_served.as_ref().map(|date| date.date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str, at: u64, reason: &str) -> Stage {
        Stage {
            stage: name.to_owned(),
            at,
            evidence_index: at,
            available_at: if name == "ACCEPTED" { at + 5 } else { 0 },
            reason: reason.to_owned(),
        }
    }

    #[test]
    fn facts_are_read_in_order() {
        let all = [
            stage("ACCEPTED", 10, ""),
            stage("NOTIFICATION_FAILED", 11, ""),
            stage("NOTIFIED", 12, ""),
            stage("NOTIFIED", 13, ""),
            stage("HANDED_OVER", 20, ""),
            stage("DISPUTED", 21, "LETTER_NOT_RECEIVED"),
        ];
        let facts = facts(&all);
        assert_eq!((facts.accepted.0, facts.available.0), (10, 15));
        assert_eq!((facts.notified, facts.handed_over), (Some(Timestamp(12)), Some(Timestamp(20))));
        assert!(facts.dispute == Dispute::LetterMissing && !facts.notification_failed && !facts.withdrawn);
        let confirmed: Vec<_> = all.into_iter().chain([stage("CONFIRMED", 30, "")]).collect();
        assert_eq!(super::facts(&confirmed).dispute, Dispute::None);
    }

    #[test]
    fn another_dispute_is_told_and_does_not_touch_the_hand_over() {
        assert_eq!(facts(&[stage("DISPUTED", 1, "NOT_RECEIVED")]).dispute, Dispute::Stated);
    }

    #[test]
    fn a_failed_notification_is_a_fact() {
        assert!(facts(&[stage("NOTIFICATION_FAILED", 1, "")]).notification_failed);
    }
}
