//! Legal time: when the law deems a notice served, and when a period ends. Pure functions over versioned data.
//!
//! The program computes and explains; it gives no legal advice. Dates that an authority *states* in a letter never
//! pass through here. Texts for people are made elsewhere from the structured [`Reason`]s.

mod calendar;
mod holidays;
mod rules;
mod served;

#[cfg(test)]
mod golden;

pub use calendar::{Period, PeriodError, next_working_day, period_end};
pub use holidays::{Holiday, holiday};
pub use rules::{Rule, RuleSet, RuleSetError, Trigger};
pub use served::{Dispute, Facts, Legal, Reason, Standing, deemed_served};

use std::sync::LazyLock;

use jiff::ZonedDateTime;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::time::Timestamp;

/// A computed date; where a municipality's holidays are not known, both candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LegalDate {
    /// The date, taking an uncertain holiday as a working day.
    pub date: Date,
    /// The date if the uncertain day is a holiday there.
    pub if_holiday: Option<Date>,
}

/// Where legal dates live.
const ZONE: &str = "Europe/Berlin";

/// The local time of an instant where legal dates live; `None` beyond the calendar.
pub fn local_time(instant: Timestamp) -> Option<ZonedDateTime> {
    static TIME_ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
        // Safe because the time zone database is part of the program.
        TimeZone::get(ZONE).expect("the zone is in the database")
    });
    Some(jiff::Timestamp::from_millisecond(instant.as_i64()).ok()?.to_zoned_datetime(TIME_ZONE.clone()))
}

/// The local calendar date (Europe/Berlin) of an instant; `None` beyond the calendar.
pub fn local_date(instant: Timestamp) -> Option<Date> {
    Some(local_time(instant)?.date())
}

/// 00:00 local time of a date as an instant; `None` beyond the calendar.
pub fn local_midnight(date: Date) -> Option<Timestamp> {
    let instant = date.in_tz(ZONE).ok()?.timestamp().as_millisecond();
    u64::try_from(instant).ok().map(Timestamp)
}
