//! Public holidays in Bavaria, by municipality (Amtlicher Gemeindeschlüssel).

use jiff::ToSpan as _;
use jiff::civil::{Date, date};

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

/// Is this day a public holiday at the seat with this AGS (eight digits, or empty where unknown)? Sundays are not asked.
pub fn holiday(day: Date, ags: &str) -> Holiday {
    let fixed = matches!((day.month(), day.day()), (1, 1 | 6) | (5 | 11, 1) | (10, 3) | (12, 25 | 26));
    if fixed || day == date(2017, 10, 31) || movable(day) {
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

/// Good Friday, Easter Monday, Ascension, Whit Monday, Corpus Christi.
fn movable(day: Date) -> bool {
    let Some(easter) = easter_sunday(day.year()) else { return false };
    [-2, 1, 39, 50, 60].into_iter().any(|days: i64| easter.checked_add(days.days()).is_ok_and(|d| d == day))
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
}
