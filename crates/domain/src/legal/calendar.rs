//! Periods: how they run, and where they end when the end is no working day (§§ 187-193 BGB, § 31 VwVfG, § 108 AO).

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan as _};

use super::LegalDate;
use super::holidays::{Holiday, holiday};

/// How long a period runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// To the same day number so many months later, or the last day of that month.
    Months(u16),
    /// To the same weekday so many weeks later.
    Weeks(u16),
    /// So many days.
    Days(u16),
}

/// Why a text is no period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a period is a number and m, w or d, for example 1m, 2w or 14d")]
pub struct PeriodError;

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let unit = text.chars().next_back().ok_or(PeriodError)?;
        let number = text.get(..text.len() - unit.len_utf8()).ok_or(PeriodError)?;
        let number = Some(number).filter(|n| n.bytes().all(|b| b.is_ascii_digit())).ok_or(PeriodError)?;
        let count = number.parse::<u16>().ok().filter(|n| (1..=1200).contains(n)).ok_or(PeriodError)?;
        match unit {
            'm' => Ok(Self::Months(count)),
            'w' => Ok(Self::Weeks(count)),
            'd' => Ok(Self::Days(count)),
            _ => Err(PeriodError),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Months(n) => write!(f, "{n}m"),
            Self::Weeks(n) => write!(f, "{n}w"),
            Self::Days(n) => write!(f, "{n}d"),
        }
    }
}

/// The last day of a period that began when something was served; it ends at 24:00 local time. `None` beyond the calendar.
pub fn period_end(served: Date, period: Period, ags: &str) -> Option<LegalDate> {
    let span: Span = match period {
        Period::Months(n) => i64::from(n).months(),
        Period::Weeks(n) => i64::from(n).weeks(),
        Period::Days(n) => i64::from(n).days(),
    };
    // jiff clips to the last day of the month, as § 188 Abs. 3 BGB says.
    next_working_day(served.checked_add(span).ok()?, ags)
}

/// This day, or the next one that is neither Saturday, Sunday nor a public holiday at the seat.
pub fn next_working_day(day: Date, ags: &str) -> Option<LegalDate> {
    let date = first_open(day, ags, false)?;
    let strict = first_open(day, ags, true)?;
    Some(LegalDate { date, if_holiday: (strict != date).then_some(strict) })
}

fn first_open(mut day: Date, ags: &str, uncertain_closes: bool) -> Option<Date> {
    loop {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        let closed = match holiday(day, ags) {
            Holiday::Yes => true,
            Holiday::No => false,
            Holiday::Uncertain => uncertain_closes,
        };
        if !weekend && !closed {
            return Some(day);
        }
        day = day.tomorrow().ok()?;
    }
}
