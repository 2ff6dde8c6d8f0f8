//! Instants as the formats carry them: milliseconds since the Unix epoch.

use std::fmt;

/// Milliseconds since the Unix epoch (SPEC 1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Debug)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds as the database stores them; saturates in the year 292 million.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From a database column; negative values become 0.
    pub fn from_i64(ms: i64) -> Self {
        Self(u64::try_from(ms).unwrap_or(0))
    }

    /// Reads milliseconds; `None` beyond the year 9999, where calendars and database columns end.
    pub fn checked(ms: u64) -> Option<Self> {
        (ms <= 253_402_300_799_999).then_some(Self(ms))
    }

    /// This instant plus a number of milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// How far two instants are apart, in milliseconds.
    pub fn distance_ms(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }

    /// RFC 3339 in UTC with milliseconds, or the bare number where the calendar ends.
    pub fn to_rfc3339(self) -> String {
        match jiff::Timestamp::from_millisecond(self.as_i64()) {
            Ok(instant) => format!("{instant:.3}"),
            Err(_) => self.0.to_string(),
        }
    }

    /// Reads RFC 3339.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        u64::try_from(instant.as_millisecond()).ok().map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_rfc3339())
    }
}
