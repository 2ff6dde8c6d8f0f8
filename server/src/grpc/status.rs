//! The only place where errors become a gRPC status with rich details (google.rpc). Inner detail never crosses the wire.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use postfach_domain::head::ChainHead;
use postfach_domain::limits;
use postfach_domain::time::Timestamp;
use postfach_proto::convert::FieldError;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::reasons::{self, Language, Reason};
use crate::app::{AppError, Refusal};
use crate::auth::token::TokenError;
use crate::auth::verifier::AuthError;

/// What every error of one call says besides its own details.
#[derive(Clone, Debug)]
pub struct Common {
    /// Of `RequestInfo`.
    pub request_id: RequestId,
    /// Of `LocalizedMessage`.
    pub language: Language,
    /// `ErrorInfo.domain`: the deployment's origin.
    pub domain: Arc<str>,
}

/// Names a call in its error and in the server's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    /// Random for each run of the server.
    pub run: u32,
    /// Counts the calls of the run.
    pub number: u64,
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}-{:x}", self.run, self.number)
    }
}

/// An error of a use case.
pub fn from_app(error: AppError) -> Status {
    match error {
        AppError::Invalid { field, problem } => invalid(field, &problem),
        AppError::Refused(refusal) => refused(&refusal),
        AppError::NotFound => known("NOT_FOUND"),
        AppError::NotAllowed => known("NOT_ALLOWED"),
        AppError::Limit(name) => limit(name),
        AppError::Unavailable { retry_after_ms } => {
            retry(&known("UNAVAILABLE"), Duration::from_millis(retry_after_ms))
        }
        AppError::ClockBehind { now } => {
            let metadata = HashMap::from([("server_time".to_owned(), now.0.to_string())]);
            retry(&with_metadata("CLOCK_BEHIND", metadata), Duration::from_mins(1))
        }
        AppError::Internal => known("INTERNAL"),
    }
}

/// A field that could not be read.
pub fn from_field(error: FieldError) -> Status {
    let FieldError { field, problem } = error;
    invalid(field, &problem)
}

/// A token that does not admit. Carries the server's clock where time is what is wrong.
pub fn from_auth(error: &AuthError, now: Timestamp) -> Status {
    let (reason, about_time) = match error {
        AuthError::App(_) => return retry(&known("UNAVAILABLE"), Duration::from_secs(1)),
        AuthError::Token(error) => match error {
            TokenError::Missing => ("TOKEN_MISSING", false),
            TokenError::Malformed => ("TOKEN_MALFORMED", false),
            TokenError::WrongAudience => ("TOKEN_WRONG_AUDIENCE", false),
            TokenError::TooLong => ("TOKEN_LIFE_TOO_LONG", false),
            TokenError::Expired => ("TOKEN_EXPIRED", true),
            TokenError::FromTheFuture => ("TOKEN_TIME_OFF", true),
            TokenError::KeyNotActive => ("KEY_NOT_ACTIVE", false),
            TokenError::WrongSignature => ("TOKEN_WRONG_SIGNATURE", false),
        },
    };
    let time = about_time.then(|| ("server_time".to_owned(), now.0.to_string()));
    with_metadata(reason, time.into_iter().collect())
}

/// Too many failed tries.
pub fn too_many_tries(wait: Duration) -> Status {
    retry(&known("TOO_MANY_TRIES"), wait)
}

/// A call that took longer than its deadline.
pub fn deadline_exceeded() -> Status {
    known("DEADLINE_EXCEEDED")
}

/// Adds what all errors of a call have in common; an error of the transport without details gets its reason here.
pub fn complete(status: &Status, common: &Common) -> Status {
    let mut details = status.get_error_details();
    let (code, message) = if details.error_info().is_none() {
        let reason = of_transport(status.code());
        details.set_error_info(reason.name, "", HashMap::new());
        (reason.code, if status.code() == Code::Internal { reason.en } else { status.message() })
    } else {
        (status.code(), status.message())
    };
    if let Some(mut info) = details.error_info().cloned() {
        let reason = reasons::find(&info.reason);
        info.domain = common.domain.to_string();
        details.set_error_info(info.reason, info.domain, info.metadata);
        if let Some(reason) = reason {
            details.set_localized_message(common.language.tag(), common.language.text(reason));
        }
    }
    details.set_request_info(common.request_id.to_string(), "");
    Status::with_error_details(code, message, details)
}

/// The reason of a status that tonic itself made.
fn of_transport(code: Code) -> &'static Reason {
    let name = match code {
        Code::OutOfRange | Code::ResourceExhausted => "MESSAGE_TOO_LARGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::InvalidArgument | Code::Internal => "BAD_REQUEST",
        _ => "UNAVAILABLE",
    };
    // Safe because a test asks for each of these names.
    reasons::find(name).expect("in the table")
}

fn known(name: &str) -> Status {
    with_metadata(name, HashMap::new())
}

fn with_metadata(name: &str, metadata: HashMap<String, String>) -> Status {
    let (code, text) =
        reasons::find(name).map_or((Code::FailedPrecondition, name), |reason| (reason.code, reason.en));
    Status::with_error_details(code, text, ErrorDetails::with_error_info(name, "", metadata))
}

fn retry(status: &Status, after: Duration) -> Status {
    let mut details = status.get_error_details();
    details.set_retry_info(Some(after));
    Status::with_error_details(status.code(), status.message(), details)
}

fn invalid(field: &str, problem: &str) -> Status {
    let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "", HashMap::new());
    details.set_bad_request(vec![FieldViolation::new(field, problem)]);
    Status::with_error_details(Code::InvalidArgument, format!("{field}: {problem}"), details)
}

fn limit(name: &str) -> Status {
    let Some(limit) = limits::TABLE.iter().find(|limit| limit.name == name) else {
        return known("LIMIT_EXCEEDED");
    };
    let reason = if limit.reason.is_empty() { "LIMIT_EXCEEDED" } else { limit.reason };
    let metadata = HashMap::from([
        ("limit".to_owned(), limit.name.to_owned()),
        ("value".to_owned(), limit.value.to_string()),
        ("unit".to_owned(), limit.unit.as_str().to_owned()),
    ]);
    let message = format!("{} At most {} {}.", limit.meaning, limit.value, limit.unit.as_str());
    let code = reasons::find(reason).map_or(Code::InvalidArgument, |reason| reason.code);
    Status::with_error_details(code, message, ErrorDetails::with_error_info(reason, "", metadata))
}

fn refused(refusal: &Refusal) -> Status {
    let head = |head: &ChainHead| vec![("seq", head.seq.to_string()), ("link_hash", head.link_hash.to_hex())];
    let metadata = match refusal {
        Refusal::ChainStale { head: newest, generation } => {
            let mut metadata = head(newest);
            metadata.push(("generation", generation.to_string()));
            metadata
        }
        Refusal::HeadNotNewest { head: newest } | Refusal::LinkConflict { head: newest } => head(newest),
        Refusal::ActTimeOff { server_time } => vec![("server_time", server_time.0.to_string())],
        Refusal::AttachmentNotReady { id } => vec![("attachment_id", id.to_string())],
        Refusal::NotYetAvailable { available_at } => vec![("available_at", available_at.0.to_string())],
        Refusal::ConsentNotNewer { newest } => vec![("newest", newest.0.to_string())],
        _ => Vec::new(),
    };
    let metadata = metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    with_metadata(refusal.reason(), metadata)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn common() -> Common {
        Common {
            request_id: RequestId { run: 1, number: 10 },
            language: Language::German,
            domain: "post.example".into(),
        }
    }

    fn sent(status: &Status) -> (Code, String, ErrorDetails) {
        let complete = complete(status, &common());
        let details = complete.get_error_details();
        (complete.code(), details.error_info().unwrap().reason.clone(), details)
    }

    #[test]
    fn every_error_of_a_use_case_has_code_reason_and_company() {
        for (error, code, reason) in [
            (AppError::invalid("act", "is missing"), Code::InvalidArgument, "INVALID_FIELD"),
            (AppError::NotFound, Code::NotFound, "NOT_FOUND"),
            (AppError::NotAllowed, Code::PermissionDenied, "NOT_ALLOWED"),
            (AppError::Limit("letter_bytes"), Code::InvalidArgument, "LETTER_TOO_LARGE"),
            (AppError::Unavailable { retry_after_ms: 5 }, Code::Unavailable, "UNAVAILABLE"),
            (AppError::ClockBehind { now: Timestamp(7) }, Code::Unavailable, "CLOCK_BEHIND"),
            (AppError::Internal, Code::Internal, "INTERNAL"),
            (AppError::Refused(Refusal::CodeUsed), Code::AlreadyExists, "CODE_USED"),
            (AppError::Refused(Refusal::NotFound), Code::NotFound, "NOT_FOUND"),
        ] {
            let (found, name, details) = sent(&from_app(error));
            assert_eq!((found, name.as_str()), (code, reason));
            assert_eq!(details.error_info().unwrap().domain, "post.example");
            assert_eq!(details.request_info().unwrap().request_id, "00000001-a");
            assert_eq!(details.localized_message().unwrap().locale, "de");
            assert_eq!(details.retry_info().is_some(), code == Code::Unavailable, "{reason}");
        }
    }

    #[test]
    fn what_the_caller_needs_to_go_on_stands_in_the_metadata() {
        let head = ChainHead { seq: 4, link_hash: postfach_domain::hash::Digest([0xab; 32]) };
        let stale = from_app(AppError::Refused(Refusal::ChainStale { head, generation: 2 }));
        let (code, _, details) = sent(&stale);
        assert_eq!(code, Code::FailedPrecondition);
        let metadata = &details.error_info().unwrap().metadata;
        assert_eq!((metadata["seq"].as_str(), metadata["generation"].as_str()), ("4", "2"));
        assert_eq!(metadata["link_hash"], "ab".repeat(32));
        let expired = from_auth(&AuthError::Token(TokenError::Expired), Timestamp(99));
        assert_eq!(sent(&expired).2.error_info().unwrap().metadata["server_time"], "99");
    }

    #[test]
    fn a_wrong_field_is_named() {
        let (_, _, details) = sent(&from_app(AppError::invalid("genesis", "has no body")));
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!((violation.field.as_str(), violation.description.as_str()), ("genesis", "has no body"));
    }

    #[test]
    fn what_the_transport_says_gets_a_reason_too() {
        for code in
            [Code::OutOfRange, Code::Unimplemented, Code::DeadlineExceeded, Code::Internal, Code::Unknown]
        {
            let (_, reason, _) = sent(&Status::new(code, "from the transport"));
            assert!(reasons::find(&reason).is_some());
        }
        assert_eq!(sent(&Status::out_of_range("too large")).0, Code::ResourceExhausted);
    }

    #[test]
    fn every_limit_has_words_in_both_languages() {
        for limit in limits::TABLE {
            let (_, _, details) = sent(&from_app(AppError::Limit(limit.name)));
            assert!(details.localized_message().is_some(), "{}", limit.name);
        }
    }
}
