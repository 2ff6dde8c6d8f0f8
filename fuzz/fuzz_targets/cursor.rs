//! Page tokens, by the server's own source. They are the server's own words, so that another spelling is no token.
#![no_main]

use postfach_fuzz::{bounded, seeds, target, text};

#[path = "../../server/src/app/cursor.rs"]
#[allow(dead_code)]
mod cursor;

/// The server's error, as far as that source names it.
#[derive(Debug)]
enum AppError {
    Invalid,
    #[allow(dead_code)]
    Limit(&'static str),
}

impl AppError {
    fn invalid(_field: &'static str, _problem: &'static str) -> Self {
        Self::Invalid
    }
}

target!(seeds: seeds::of_texts(["", "i.0", "i.77", "i.9223372036854775807"]), |data| {
    let token = text!(data);
    let Ok(index) = bounded(data.len(), 1, || cursor::index("cursor", token)) else { return };
    assert!(token.is_empty() || cursor::of_index(index) == token, "another spelling: {token:?}");
    assert!(i64::try_from(index).is_ok(), "the database has no such index");
});
