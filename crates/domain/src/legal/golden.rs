//! The golden dates of docs/spec (legal time), each a test, and properties of periods.

#![allow(clippy::unwrap_used)]

use jiff::civil::{Date, Weekday};
use proptest::prelude::*;

use super::*;
use crate::terms::LegalRegime;

const NUREMBERG: &str = "09564000";
const MUNICH: &str = "09162000";
const AUGSBURG: &str = "09761000";

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Noon in UTC, the same date in Europe/Berlin.
fn noon(text: &str) -> Timestamp {
    Timestamp::from_rfc3339(&format!("{text}T12:00:00Z")).unwrap()
}

fn with_days(regime: &str, days: u8) -> RuleSet {
    let text: String = include_str!("rules.toml")
        .split("[[rule]]")
        .map(|entry| {
            if entry.contains(&format!("\"{regime}\"")) {
                let old = entry.lines().find(|l| l.starts_with("days")).unwrap();
                entry.replace(old, &format!("days = {days}"))
            } else {
                entry.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("[[rule]]");
    RuleSet::parse(&text).unwrap()
}

fn notified(regime: LegalRegime, rules: &RuleSet, on: &str, ags: &str) -> Date {
    let facts =
        Facts { accepted: noon(on), available: noon(on), notified: Some(noon(on)), ..Facts::default() };
    deemed_served(rules, regime, &facts, ags, noon(on)).unwrap().deemed_served.unwrap().date
}

fn provided(regime: LegalRegime, on: &str) -> Date {
    let facts = Facts { accepted: noon(on), available: noon(on), ..Facts::default() };
    let legal = deemed_served(&RuleSet::built_in(), regime, &facts, MUNICH, noon(on)).unwrap();
    legal.deemed_served.unwrap().date
}

fn month_after(served: Date, ags: &str) -> Date {
    period_end(served, Period::Months(1), ags).unwrap().date
}

#[test]
fn bavarian_portal_notices() {
    let three = with_days("baydig-24", 3);
    let cases = [
        ("A", "2026-11-23", "2026-11-26", MUNICH, "2026-12-28"),
        ("C", "2026-04-01", "2026-04-04", MUNICH, "2026-05-04"),
        ("F", "2026-01-28", "2026-01-31", MUNICH, "2026-03-02"),
        ("G", "2028-01-28", "2028-01-31", MUNICH, "2028-02-29"),
        ("H", "2025-07-12", "2025-07-15", NUREMBERG, "2025-08-15"),
        ("H", "2025-07-12", "2025-07-15", MUNICH, "2025-08-18"),
        ("I", "2025-07-05", "2025-07-08", AUGSBURG, "2025-08-11"),
        ("I", "2025-07-05", "2025-07-08", MUNICH, "2025-08-08"),
    ];
    for (case, on, served, ags, end) in cases {
        let date = notified(LegalRegime::Baydig24, &three, on, ags);
        assert_eq!((date, month_after(date, ags)), (day(served), day(end)), "{case}");
    }
    let date = notified(LegalRegime::Baydig24, &RuleSet::built_in(), "2026-11-23", MUNICH);
    assert_eq!((date, month_after(date, MUNICH)), (day("2026-11-27"), day("2026-12-28")), "B");
}

#[test]
fn tax_notices_move_to_the_next_working_day() {
    for (case, on, served, end) in
        [("D", "2026-04-01", "2026-04-07", "2026-05-07"), ("E", "2026-12-22", "2026-12-28", "2027-01-28")]
    {
        let date = provided(LegalRegime::Ao122a, on);
        assert_eq!((date, month_after(date, MUNICH)), (day(served), day(end)), "{case}");
    }
    let date = notified(LegalRegime::Ao122a, &RuleSet::built_in(), "1997-12-18", MUNICH);
    assert_eq!(date, day("1997-12-22"), "posted on a Thursday, third day");
    let date = notified(LegalRegime::Ao122a, &with_days("ao-122a", 4), "2024-06-11", MUNICH);
    assert_eq!(date, day("2024-06-17"), "fourth day");
}

#[test]
fn retrieval_counts_and_lapses() {
    let rules = RuleSet::built_in();
    let facts = Facts {
        accepted: noon("2026-11-23"),
        available: noon("2026-11-23"),
        notified: Some(noon("2026-11-23")),
        handed_over: Some(noon("2026-11-27")),
        ..Facts::default()
    };
    let served = |facts: &Facts, now: Timestamp| {
        deemed_served(&rules, LegalRegime::Vwvfg412a, facts, MUNICH, now).unwrap()
    };
    let legal = served(&facts, noon("2026-11-27"));
    let date = legal.deemed_served.unwrap().date;
    assert_eq!((date, month_after(date, MUNICH)), (day("2026-11-28"), day("2026-12-28")), "J");

    let waiting = Facts { handed_over: None, ..facts };
    let last = Timestamp::from_rfc3339("2026-12-03T22:59:59Z").unwrap();
    assert_eq!(served(&waiting, last).standing, Standing::Waiting, "23:59:59 local on the tenth day");
    let lapsed = served(&waiting, last.plus_ms(1000));
    assert_eq!((lapsed.standing, lapsed.deemed_served), (Standing::Lapsed, None), "J: lapsed");

    let told = served(&Facts { dispute: Dispute::Stated, ..facts }, noon("2026-11-28"));
    assert_eq!((told.standing, told.deemed_served.map(|d| d.date)), (Standing::Served, Some(date)));
    assert!(told.reasons.contains(&Reason::DisputeStands), "both sides are told");
    let disputed = Facts { dispute: Dispute::LetterMissing, ..facts };
    assert_eq!(served(&disputed, noon("2026-11-28")).standing, Standing::Disputed);
    assert_eq!(served(&disputed, noon("2026-11-28")).deemed_served, None);
}

#[test]
fn the_date_is_the_local_one_and_the_later_provision_counts() {
    assert_eq!(local_date(Timestamp::from_rfc3339("2026-03-28T23:30:00Z").unwrap()), Some(day("2026-03-29")));
    assert_eq!(local_date(Timestamp::from_rfc3339("2026-07-01T22:30:00Z").unwrap()), Some(day("2026-07-02")));
    let facts = Facts { accepted: noon("2026-11-01"), available: noon("2026-11-10"), ..Facts::default() };
    let legal =
        deemed_served(&RuleSet::built_in(), LegalRegime::Ozg9, &facts, MUNICH, noon("2026-11-01")).unwrap();
    assert_eq!(legal.deemed_served.unwrap().date, day("2026-11-13"));
    assert!(legal.reasons.contains(&Reason::RuleUnverified));
}

#[test]
fn nothing_is_served_without_its_trigger() {
    let facts = Facts { accepted: noon("2026-11-02"), available: noon("2026-11-02"), ..Facts::default() };
    for (regime, standing) in [
        (LegalRegime::None, Standing::NotServed),
        (LegalRegime::Baydig24, Standing::Waiting),
        (LegalRegime::Vwvfg412, Standing::Waiting),
        (LegalRegime::Vwvfg412a, Standing::Waiting),
        (LegalRegime::Sgbx37, Standing::Waiting),
    ] {
        let legal = deemed_served(&RuleSet::built_in(), regime, &facts, MUNICH, noon("2026-12-24")).unwrap();
        assert_eq!((legal.standing, legal.deemed_served), (standing, None), "{regime:?}");
    }
}

#[test]
fn an_unknown_municipality_gets_both_dates() {
    let end = period_end(day("2025-07-15"), Period::Months(1), "09178124").unwrap();
    assert_eq!((end.date, end.if_holiday), (day("2025-08-15"), Some(day("2025-08-18"))));
}

proptest! {
    #[test]
    fn a_period_never_ends_on_a_closed_day_nor_before_its_length(
        start in 0i64..20_000, months in 1u16..60, seat in 0usize..4,
    ) {
        let ags = [NUREMBERG, MUNICH, AUGSBURG, ""][seat];
        let served = day("1990-01-01").checked_add(jiff::Span::new().days(start)).unwrap();
        for period in [Period::Months(months), Period::Weeks(months), Period::Days(months)] {
            let end = period_end(served, period, ags).unwrap();
            let span = match period {
                Period::Months(n) => jiff::Span::new().months(n),
                Period::Weeks(n) => jiff::Span::new().weeks(n),
                Period::Days(n) => jiff::Span::new().days(n),
            };
            prop_assert!(end.date >= served.checked_add(span).unwrap());
            for date in std::iter::once(end.date).chain(end.if_holiday) {
                prop_assert!(!matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday));
                prop_assert_ne!(holiday(date, ags), Holiday::Yes);
            }
            prop_assert_eq!(period.to_string().parse::<Period>(), Ok(period));
        }
    }
}
