//! Opaque tokens of pages: where to go on, with the size of pages.

use postfach_domain::limits;

use super::AppError;

/// Reads a cursor over log indexes; empty means from the start.
pub(super) fn index(field: &'static str, token: &str) -> Result<u64, AppError> {
    if token.is_empty() {
        return Ok(0);
    }
    let number = token.strip_prefix("i.").and_then(|text| text.parse().ok());
    // As it was written: no sign, no zeros in front.
    number
        .filter(|n| i64::try_from(*n).is_ok() && of_index(*n) == token)
        .ok_or_else(|| AppError::invalid(field, "unknown token"))
}

/// Writes a cursor over log indexes.
pub(super) fn of_index(next: u64) -> String {
    format!("i.{next}")
}

/// Rows of a page: 0 means the default.
pub(super) fn page_size(asked: u32) -> Result<u64, AppError> {
    match asked as usize {
        0 => Ok(limits::PAGE_DEFAULT as u64),
        1..=limits::PAGE_MAX => Ok(u64::from(asked)),
        _ => Err(AppError::Limit("page_max")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn cursors_round_trip_and_others_are_refused() {
        assert_eq!(index("cursor", "").unwrap(), 0);
        assert_eq!(index("cursor", &of_index(77)).unwrap(), 77);
        for bad in ["77", "i.", "i.-1", "i.99999999999999999999", "i.+7", "i.07", "x"] {
            assert!(index("cursor", bad).is_err(), "{bad}");
        }
        assert_eq!(page_size(0).unwrap(), 100);
        assert_eq!(page_size(500).unwrap(), 500);
        assert!(page_size(501).is_err());
    }
}
