//! When a notice counts as served, from the facts of the log and the version of the rule it was accepted under.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::calendar::next_working_day;
use super::rules::{Rule, RuleSet, Trigger};
use super::{LegalDate, local_date};
use crate::terms::LegalRegime;
use crate::time::Timestamp;

/// What the log says about one notice. Instants are `occurred_at` of their events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// ACCEPTED.
    pub accepted: Timestamp,
    /// When letter and cover became available, `max(occurred_at, not_before)`.
    pub available: Timestamp,
    /// The first NOTIFIED.
    pub notified: Option<Timestamp>,
    /// Attempts failed, and none succeeded.
    pub notification_failed: bool,
    /// HANDED_OVER.
    pub handed_over: Option<Timestamp>,
    /// What the recipient objected, and no CONFIRMED after it.
    pub dispute: Dispute,
    /// WITHDRAWN.
    pub withdrawn: bool,
}

/// What the recipient objected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dispute {
    /// Nothing.
    #[default]
    None,
    /// DISPUTED: both sides are told, the date stays as the evidence has it.
    Stated,
    /// DISPUTED{LETTER_NOT_RECEIVED} or REJECTED_BY_RECIPIENT: no date rests on the hand-over.
    LetterMissing,
}

/// Where the notice stands in law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is served under this regime.
    NotServed,
    /// The trigger has not happened.
    Waiting,
    /// A date is computed; it may lie ahead.
    Served,
    /// Not handed over in time: nothing is served.
    Lapsed,
    /// Taken back by the sender.
    Withdrawn,
    /// The citizen says that the letter did not arrive, and the date would rest on its hand-over.
    Disputed,
}

/// One step of the computation, in the order in which they are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The regime is plain information.
    NoRegime,
    /// The letter became available on this day, which is not counted.
    ProvidedOn(Date),
    /// The notification was dispatched on this day, which is not counted.
    NotifiedOn(Date),
    /// The letter was handed over on this day, which is not counted.
    HandedOverOn(Date),
    /// So many calendar days after day 0 is this date.
    DaysAfter(u8, Date),
    /// From a day that is no working day, moved to the next one.
    MovedToWorkingDay(Date, Date),
    /// Whether this day is a holiday at the seat is not known; if it is, the other date counts.
    HolidayUncertain(Date),
    /// Nothing happened yet that starts the period.
    NoNotificationYet,
    /// Not handed over yet.
    NoHandOverYet,
    /// Every notification failed.
    NotificationFailed,
    /// Unless handed over before, the provision lapses at the beginning of this day.
    LapsesOn(Date),
    /// The provision lapsed at the beginning of this day.
    LapsedOn(Date),
    /// A dispute or a rejection stands.
    DisputeStands,
    /// The sender took the notice back.
    WithdrawnBySender,
    /// Sources disagree on this version of the rule.
    RuleUnverified,
}

/// What the law makes of a notice, with the rule used and every step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Legal {
    /// The deemed day, where one follows from the facts.
    pub deemed_served: Option<LegalDate>,
    /// Where the notice stands.
    pub standing: Standing,
    /// The version of the rule.
    pub rule: Rule,
    /// Steps, in order.
    pub reasons: Vec<Reason>,
}

/// Computes the deemed day (LEGAL regimes). `ags` is the authority's seat. `None` where an instant lies beyond the calendar.
pub fn deemed_served(
    rules: &RuleSet,
    regime: LegalRegime,
    facts: &Facts,
    ags: &str,
    now: Timestamp,
) -> Option<Legal> {
    let rule = rules.rule(regime, local_date(facts.accepted)?)?.clone();
    let mut reasons = Vec::new();
    let (standing, deemed_served) = if facts.withdrawn {
        reasons.push(Reason::WithdrawnBySender);
        (Standing::Withdrawn, None)
    } else {
        from_trigger(&rule, facts, ags, now, &mut reasons)?
    };
    if rule.unverified && deemed_served.is_some() {
        reasons.push(Reason::RuleUnverified);
    }
    Some(Legal { deemed_served, standing, rule, reasons })
}

type Outcome = (Standing, Option<LegalDate>);

fn from_trigger(
    rule: &Rule,
    facts: &Facts,
    ags: &str,
    now: Timestamp,
    reasons: &mut Vec<Reason>,
) -> Option<Outcome> {
    match rule.trigger {
        Trigger::None => {
            reasons.push(Reason::NoRegime);
            Some((Standing::NotServed, None))
        }
        Trigger::Provision => {
            let day = local_date(facts.available.max(facts.accepted))?;
            reasons.push(Reason::ProvidedOn(day));
            if facts.dispute > Dispute::None {
                reasons.push(Reason::DisputeStands);
            }
            Some((Standing::Served, Some(count(rule, day, ags, reasons)?)))
        }
        Trigger::Notification => from_notification(rule, facts, ags, reasons),
        Trigger::HandOver => from_hand_over(rule, facts, ags, now, reasons),
    }
}

fn from_notification(rule: &Rule, facts: &Facts, ags: &str, reasons: &mut Vec<Reason>) -> Option<Outcome> {
    let Some(notified) = facts.notified else {
        reasons.push(if facts.notification_failed {
            Reason::NotificationFailed
        } else {
            Reason::NoNotificationYet
        });
        return Some((Standing::Waiting, None));
    };
    let day = local_date(notified)?;
    reasons.push(Reason::NotifiedOn(day));
    if facts.dispute > Dispute::None {
        reasons.push(Reason::DisputeStands);
    }
    Some((Standing::Served, Some(count(rule, day, ags, reasons)?)))
}

fn from_hand_over(
    rule: &Rule,
    facts: &Facts,
    ags: &str,
    now: Timestamp,
    reasons: &mut Vec<Reason>,
) -> Option<Outcome> {
    if let Some(handed_over) = facts.handed_over {
        let day = local_date(handed_over)?;
        reasons.push(Reason::HandedOverOn(day));
        if facts.dispute > Dispute::None {
            reasons.push(Reason::DisputeStands);
        }
        if facts.dispute == Dispute::LetterMissing {
            return Some((Standing::Disputed, None));
        }
        return Some((Standing::Served, Some(count(rule, day, ags, reasons)?)));
    }
    reasons.push(Reason::NoHandOverYet);
    if let (Some(lapse_days), Some(notified)) = (rule.lapse_days, facts.notified) {
        let notified = local_date(notified)?;
        reasons.push(Reason::NotifiedOn(notified));
        // Day 11 at 00:00: the ten days after the notification have passed whole.
        let lapse = notified.checked_add((i64::from(lapse_days) + 1).days()).ok()?;
        if local_date(now)? >= lapse {
            reasons.push(Reason::LapsedOn(lapse));
            return Some((Standing::Lapsed, None));
        }
        reasons.push(Reason::LapsesOn(lapse));
    }
    Some((Standing::Waiting, None))
}

/// Day 0 plus the rule's days, moved where the rule moves it.
fn count(rule: &Rule, day: Date, ags: &str, reasons: &mut Vec<Reason>) -> Option<LegalDate> {
    let deemed = day.checked_add(i64::from(rule.days).days()).ok()?;
    reasons.push(Reason::DaysAfter(rule.days, deemed));
    if !rule.shift {
        return Some(LegalDate { date: deemed, if_holiday: None });
    }
    let moved = next_working_day(deemed, ags)?;
    if moved.date != deemed {
        reasons.push(Reason::MovedToWorkingDay(deemed, moved.date));
    }
    if let Some(other) = moved.if_holiday {
        reasons.push(Reason::HolidayUncertain(other));
    }
    Some(moved)
}
