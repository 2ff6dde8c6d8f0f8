//! From the SDK's errors to failures that people understand: the only place that maps them to exit codes.

use postfach_envelope::open::OpenError;
use postfach_sdk::Error;
use postfach_sdk::error::EvidenceError;
use serde_json::json;

use crate::exit::{Exit, Failure};
use crate::i18n::{hint_of, text_of};
use crate::{fail, hint, t};

/// A failure of the SDK as ours.
pub fn failure(error: Error) -> Failure {
    let detail = error.to_string();
    let request = error.request_id().map(str::to_owned);
    let failure = match error {
        Error::ServerAway { .. } => fail!(ServerAway, "SERVER_AWAY", "server-away"),
        Error::NotTheService { .. } => fail!(Evidence, "NOT_THE_SERVICE", "not-the-service"),
        Error::NotFound { reason, .. } => known(Exit::NotFound, &reason),
        Error::NotAccepted { reason, .. } | Error::NotAllowed { reason, .. } => {
            known(Exit::NotAllowed, &reason)
        }
        Error::Conflict { reason, .. } | Error::Expired { reason, .. } => known(Exit::Conflict, &reason),
        Error::PaperRequired => known(Exit::NotAllowed, "PAPER_REQUIRED"),
        Error::BadInput { field, reason } => {
            let (field, reason) = (field.as_str(), reason.as_str());
            fail!(Usage, "BAD_INPUT", "bad-input", field = field, reason = reason)
        }
        Error::CannotDecrypt { what, .. } => {
            fail!(CannotDecrypt, "CANNOT_DECRYPT", "cannot-decrypt", what = what)
        }
        Error::Evidence(evidence) => return evidence_failure(&evidence),
        Error::BadMessage { .. } => fail!(Evidence, "BAD_MESSAGE", "bad-message"),
        Error::LetterNotReceived => fail!(Evidence, "LETTER_NOT_RECEIVED", "letter-not-received"),
        Error::Server { reason, .. } => known(Exit::Other, &reason),
        Error::Local { what, source } => {
            let error = source.to_string();
            fail!(Other, "FILE", "file-failed", file = what.as_str(), error = error.as_str())
        }
        Error::Damaged { what, .. } => fail!(Other, "PROFILE_DAMAGED", "profile-damaged", file = what),
        _ => known(Exit::Other, "INTERNAL"),
    };
    match request {
        Some(request) => failure.with_details(json!({ "cause": detail, "request_id": request })),
        None => failure.with_details(json!({ "cause": detail })),
    }
}

/// Evidence that does not hold. The proof itself is kept by [`crate::connect`].
fn evidence_failure(evidence: &EvidenceError) -> Failure {
    let what = evidence.what.to_string();
    fail!(Evidence, "EVIDENCE", "evidence-wrong", what = what.as_str()).with_details(json!({ "cause": what }))
}

/// A letter that a check of the reader refused.
pub fn open_failure(error: &OpenError) -> Failure {
    let cause = error.to_string();
    let failure = if matches!(error, OpenError::CannotDecrypt(..)) {
        fail!(CannotDecrypt, "CANNOT_DECRYPT", "cannot-decrypt-file")
    } else {
        fail!(Evidence, "LETTER_WRONG", "letter-wrong")
    };
    failure.with_details(json!({ "cause": cause }))
}

/// The pair of a stable reason of the service; where the catalogue has none, a general one that names it.
fn known(exit: Exit, reason: &str) -> Failure {
    let id = format!("reason-{}", reason.to_ascii_lowercase().replace('_', "-"));
    let pair = text_of(&id).zip(hint_of(&id));
    let general = || (t!("reason-other", reason = reason), hint!("reason-other"));
    Failure::new(exit, reason, pair.unwrap_or_else(general))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_decide_words_and_kinds_decide_codes() {
        let used = failure(Error::Conflict { reason: "CODE_USED".to_owned(), request_id: None });
        assert_eq!((used.exit.code(), used.reason.as_str()), (9, "CODE_USED"));
        assert!(used.message.contains("code"), "{}", used.message);
        for reason in ["TOO_MANY_UPLOADS", "TOO_MANY_READERS", "TOO_MANY_WATCHES", "ATTACHMENT_BUSY"] {
            let full = failure(Error::Conflict { reason: reason.to_owned(), request_id: None });
            assert_eq!((full.exit.code(), full.reason.as_str()), (9, reason));
            assert!(!full.message.contains(reason), "no words of its own: {}", full.message);
        }
        let odd =
            failure(Error::Conflict { reason: "NEVER_HEARD".to_owned(), request_id: Some("r-7".into()) });
        assert!(odd.message.contains("NEVER_HEARD"), "{}", odd.message);
        assert_eq!(odd.to_json()["error"]["details"]["request_id"], "r-7");
        let away = failure(Error::ServerAway { retry_after: None, detail: String::new() });
        assert_eq!(away.exit.code(), 6);
    }
}
