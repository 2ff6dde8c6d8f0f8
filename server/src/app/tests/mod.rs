//! The use cases on a real store, with real keys, and every proof that they give out checked.

#![allow(clippy::unwrap_used)]

mod administer;
mod chains;
mod deliver;
mod deliver_batch;
mod faults;
mod gap;
mod nodes;
mod read;
mod register;
mod upload;
mod watch;

use super::{AppError, Refusal};

/// The refusal in an answer.
fn refusal<T: std::fmt::Debug>(answer: Result<T, AppError>) -> Refusal {
    match answer {
        Err(AppError::Refused(refusal)) => refusal,
        other => panic!("not refused by a rule: {other:?}"),
    }
}

/// The field that an answer complains of.
fn field<T: std::fmt::Debug>(answer: Result<T, AppError>) -> &'static str {
    match answer {
        Err(AppError::Invalid { field, .. }) => field,
        other => panic!("not invalid: {other:?}"),
    }
}

/// Every limit that an answer names stands in the documented table.
#[test]
fn limits_are_those_of_the_table() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app");
    let mut named = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        for rest in text.split("AppError::Limit(\"").skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(postfach_domain::limits::TABLE.iter().any(|limit| limit.name == name), "{name}");
            named += 1;
        }
    }
    assert!(named >= 8, "{named}");
}
