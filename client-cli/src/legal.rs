//! What the law makes of a notice, in words. The computation is `postfach_domain::legal`; what an authority states in
//! a letter never comes here.

use postfach_domain::legal::{Legal, Reason, RuleSet, Standing, deemed_served};
use postfach_domain::outer::LegalRegime;
use postfach_domain::time::Timestamp;
use postfach_sdk::stages::{Stage, facts};
use serde::Serialize;

use crate::output::Page;
use crate::t;

/// The rules and the instant at which they are asked.
pub struct Law {
    rules: RuleSet,
    now: Timestamp,
}

impl Law {
    /// The built-in rules.
    pub fn at(now: Timestamp) -> Self {
        Self { rules: RuleSet::built_in(), now }
    }

    /// What they make of a message with these stages; `None` beyond the calendar.
    pub fn of(&self, regime: LegalRegime, stages: &[Stage], ags: &str) -> Option<Legal> {
        deemed_served(&self.rules, regime, &facts(stages), ags, self.now)
    }

    /// The same with every step in words.
    pub fn explain(&self, regime: LegalRegime, stages: &[Stage], ags: &str) -> LegalView {
        self.of(regime, stages, ags).map_or_else(LegalView::default, |legal| LegalView::from(&legal))
    }
}

/// A computed date with how it came about.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LegalView {
    /// The day on which the law deems the notice served, YYYY-MM-DD; null until known.
    pub deemed_served: Option<String>,
    /// The day if an uncertain holiday is one there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deemed_served_if_holiday: Option<String>,
    /// Regime and version of the rule, for example `ao-122a@2025-01-01`.
    pub rule: Option<String>,
    /// The statute.
    pub source: Option<String>,
    /// A stable word: not-served, waiting, served, lapsed, withdrawn, disputed.
    pub standing: &'static str,
    /// Every step, in the chosen language.
    pub reasons: Vec<String>,
    /// The same steps as stable words.
    pub reason_codes: Vec<&'static str>,
}

impl LegalView {
    /// Lays the computation out; nothing for plain information.
    pub fn show(&self, page: &mut Page) {
        if self.rule.is_none() || self.standing == "not-served" {
            return;
        }
        page.blank();
        page.heading(&t!("legal-heading"));
        if self.standing == "withdrawn" {
            self.reasons.iter().for_each(|reason| page.item(reason));
            return;
        }
        let unknown = t!("legal-unknown");
        page.fact(&t!("label-deemed-served"), self.deemed_served.as_deref().unwrap_or(&unknown));
        if let Some(other) = &self.deemed_served_if_holiday {
            page.fact(&t!("label-if-holiday"), other);
        }
        page.fact(&t!("label-rule"), self.rule.as_deref().unwrap_or_default());
        page.fact(&t!("label-source"), self.source.as_deref().unwrap_or_default());
        for reason in &self.reasons {
            page.item(reason);
        }
        page.line(&t!("legal-no-advice"));
    }
}

impl From<&Legal> for LegalView {
    fn from(legal: &Legal) -> Self {
        let date = legal.deemed_served;
        let (reason_codes, reasons) = legal.reasons.iter().map(words).unzip();
        Self {
            deemed_served: date.map(|d| d.date.to_string()),
            deemed_served_if_holiday: date.and_then(|d| d.if_holiday).map(|d| d.to_string()),
            rule: Some(legal.rule.version()),
            source: Some(legal.rule.source.clone()),
            standing: standing(legal.standing),
            reasons,
            reason_codes,
        }
    }
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::NotServed => "not-served",
        Standing::Waiting => "waiting",
        Standing::Served => "served",
        Standing::Lapsed => "lapsed",
        Standing::Withdrawn => "withdrawn",
        Standing::Disputed => "disputed",
    }
}

/// A step as a stable word and as a sentence.
fn words(reason: &Reason) -> (&'static str, String) {
    match reason {
        Reason::NoRegime => ("NO_REGIME", t!("legal-no-regime")),
        Reason::ProvidedOn(day) => ("PROVIDED_ON", t!("legal-provided-on", day = day.to_string())),
        Reason::NotifiedOn(day) => ("NOTIFIED_ON", t!("legal-notified-on", day = day.to_string())),
        Reason::HandedOverOn(day) => ("HANDED_OVER_ON", t!("legal-handed-over-on", day = day.to_string())),
        Reason::DaysAfter(days, day) => {
            let days = *days;
            ("DAYS_AFTER", t!("legal-days-after", days = days, day = day.to_string()))
        }
        Reason::MovedToWorkingDay(from, to) => {
            ("MOVED_TO_WORKING_DAY", t!("legal-moved", from = from.to_string(), to = to.to_string()))
        }
        Reason::HolidayUncertain(day) => {
            ("HOLIDAY_UNCERTAIN", t!("legal-holiday-uncertain", day = day.to_string()))
        }
        Reason::NoNotificationYet => ("NO_NOTIFICATION_YET", t!("legal-no-notification")),
        Reason::NoHandOverYet => ("NO_HAND_OVER_YET", t!("legal-no-hand-over")),
        Reason::NotificationFailed => ("NOTIFICATION_FAILED", t!("legal-notification-failed")),
        Reason::LapsesOn(day) => ("LAPSES_ON", t!("legal-lapses-on", day = day.to_string())),
        Reason::LapsedOn(day) => ("LAPSED_ON", t!("legal-lapsed-on", day = day.to_string())),
        Reason::DisputeStands => ("DISPUTE_STANDS", t!("legal-dispute")),
        Reason::WithdrawnBySender => ("WITHDRAWN_BY_SENDER", t!("legal-withdrawn")),
        Reason::RuleUnverified => ("RULE_UNVERIFIED", t!("legal-unverified")),
    }
}
