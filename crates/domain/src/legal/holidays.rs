//! Public holidays in Bavaria, by municipality (Amtlicher Gemeindeschlüssel). Of other states it knows the days that all
//! of Germany keeps; a day that only some of them keep is uncertain there.

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday, date};

/// Whether a day is a public holiday at a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holiday {
    /// An ordinary day.
    No,
    /// A public holiday.
    Yes,
    /// It depends on the municipality, and the table does not know this one.
    Uncertain,
}

/// Municipalities in which Assumption Day (15 August) is known to be a holiday, or known not to be
/// (Art. 1 Abs. 1 Nr. 2 FTG; Statistisches Landesamt).
const ASSUMPTION: [(&str, bool); 5] = [
    ("09162000", true),  // München
    ("09761000", true),  // Augsburg
    ("09562000", false), // Erlangen
    ("09563000", false), // Fürth
    ("09564000", false), // Nürnberg
];

/// The city of Augsburg, the only one with the Peace Festival (8 August).
const AUGSBURG: &str = "09761000";

/// How the AGS of every municipality in Bavaria begins.
const BAVARIA: &str = "09";

/// Is this day a public holiday at the seat with this AGS? Eight digits, or empty where unknown: then Bavaria's count.
/// Sundays are not asked.
pub fn holiday(day: Date, ags: &str) -> Holiday {
    if is_nationwide(day) {
        return Holiday::Yes;
    }
    if !ags.is_empty() && !ags.starts_with(BAVARIA) {
        return if may_be_regional(day) { Holiday::Uncertain } else { Holiday::No };
    }
    if matches!((day.month(), day.day()), (1, 6) | (11, 1)) || is_from_easter(day, &[CORPUS_CHRISTI]) {
        return Holiday::Yes;
    }
    match (day.month(), day.day()) {
        (8, 8) if ags == AUGSBURG => Holiday::Yes,
        (8, 8) if ags.is_empty() => Holiday::Uncertain,
        (8, 15) => match ASSUMPTION.iter().find(|(known, _)| *known == ags) {
            Some((_, true)) => Holiday::Yes,
            Some((_, false)) => Holiday::No,
            None => Holiday::Uncertain,
        },
        _ => Holiday::No,
    }
}

/// Days from Easter Sunday to Corpus Christi.
const CORPUS_CHRISTI: i64 = 60;

/// A holiday of all states: fixed days, the one 31 October, Good Friday, Easter Monday, Ascension, Whit Monday.
fn is_nationwide(day: Date) -> bool {
    matches!((day.month(), day.day()), (1 | 5, 1) | (10, 3) | (12, 25 | 26))
        || day == date(2017, 10, 31)
        || is_from_easter(day, &[-2, 1, 39, 50])
}

/// A day that some state keeps or kept: Epiphany, Women's Day, Liberation Day, Assumption, Children's Day, Reformation,
/// All Saints, Corpus Christi, and the Wednesday before 23 November.
fn may_be_regional(day: Date) -> bool {
    let repentance =
        day.month() == 11 && (16..=22).contains(&day.day()) && day.weekday() == Weekday::Wednesday;
    let fixed = [(1, 6), (3, 8), (5, 8), (8, 15), (9, 20), (10, 31), (11, 1)];
    repentance || fixed.contains(&(day.month(), day.day())) || is_from_easter(day, &[CORPUS_CHRISTI])
}

/// True where the day lies one of these numbers of days after Easter Sunday.
fn is_from_easter(day: Date, distances: &[i64]) -> bool {
    // Easter Sunday lies between 22 March and 25 April.
    if !(3..=6).contains(&day.month()) {
        return false;
    }
    let Some(easter) = easter_sunday(day.year()) else { return false };
    distances.iter().any(|days| easter.checked_add(days.days()).is_ok_and(|date| date == day))
}

/// Easter Sunday of the Gregorian calendar (Meeus, Astronomical Algorithms, 1991); `None` beyond the calendar.
#[allow(clippy::many_single_char_names)] // the names of the source
fn easter_sunday(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y.rem_euclid(19), y.div_euclid(100), y.rem_euclid(100));
    let g = (b - (b + 8).div_euclid(25) + 1).div_euclid(3);
    let h = (19 * a + b - b.div_euclid(4) - g + 15).rem_euclid(30);
    let l = (32 + 2 * b.rem_euclid(4) + 2 * c.div_euclid(4) - h - c.rem_euclid(4)).rem_euclid(7);
    let m = (a + 11 * h + 22 * l).div_euclid(451);
    let sum = h + l - 7 * m + 114;
    let (month, day) = (sum.div_euclid(31), sum.rem_euclid(31) + 1);
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_of_known_years() {
        for (year, month, day) in [
            (1997, 3, 30),
            (2008, 3, 23),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2038, 4, 25),
        ] {
            assert_eq!(easter_sunday(year), Some(date(year, month, day)), "{year}");
        }
    }

    #[test]
    fn what_depends_on_the_municipality() {
        assert_eq!(holiday(date(2025, 8, 15), "09564000"), Holiday::No);
        assert_eq!(holiday(date(2025, 8, 15), "09162000"), Holiday::Yes);
        assert_eq!(holiday(date(2025, 8, 15), "09178124"), Holiday::Uncertain);
        assert_eq!(holiday(date(2025, 8, 8), "09761000"), Holiday::Yes);
        assert_eq!(holiday(date(2025, 8, 8), "09162000"), Holiday::No);
        assert_eq!(holiday(date(2017, 10, 31), ""), Holiday::Yes);
        assert_eq!(holiday(date(2018, 10, 31), ""), Holiday::No);
        assert_eq!(holiday(date(2026, 12, 24), ""), Holiday::No);
        assert_eq!(holiday(date(2026, 6, 4), ""), Holiday::Yes, "Corpus Christi");
    }

    #[test]
    fn outside_of_bavaria_only_what_all_states_keep_is_certain() {
        let berlin = |year, month, day| holiday(date(year, month, day), "11000000");
        assert_eq!(berlin(2026, 10, 3), Holiday::Yes);
        assert_eq!(berlin(2026, 5, 14), Holiday::Yes, "Ascension");
        for (year, month, day) in [(2027, 1, 6), (2026, 6, 4), (2026, 3, 8), (2026, 11, 18), (2026, 10, 31)] {
            assert_eq!(berlin(year, month, day), Holiday::Uncertain, "{year}-{month}-{day}");
        }
        assert_eq!(berlin(2026, 8, 8), Holiday::No, "the Peace Festival of Augsburg");
        assert_eq!(berlin(2026, 11, 19), Holiday::No);
        assert_eq!(holiday(date(2026, 10, 31), "09162000"), Holiday::No);
        assert_eq!(holiday(date(2026, 11, 18), "09162000"), Holiday::No);
    }
}
