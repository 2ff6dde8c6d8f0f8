//! The use cases on a real store, with real keys, and every proof that they give out checked.

#![allow(clippy::unwrap_used)]

mod administer;
mod chains;
mod deliver;
mod read;
mod register;
mod upload;

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
