//! From a gRPC status to our error: the only place that reads status codes and rich details.

use std::time::Duration;

use postfach_domain::time::Timestamp;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::error::Error;

/// Longest wait that is taken from a server, for whoever counts with it.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What a failed call says, before it becomes an [`Error`].
pub(crate) struct Failure {
    code: Code,
    message: String,
    pub(crate) reason: String,
    request_id: Option<String>,
    retry_after: Option<Duration>,
    /// The server's clock, where the error is about time.
    pub(crate) server_time: Option<Timestamp>,
    fields: Vec<(String, String)>,
}

impl Failure {
    pub(crate) fn of(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let reason = info.map_or_else(|| format!("{:?}", status.code()), |i| i.reason.clone());
        let time = info.and_then(|i| i.metadata.get("server_time"));
        let fields = details.bad_request().map_or_else(Vec::new, |bad| {
            bad.field_violations.iter().map(|v| (v.field.clone(), v.description.clone())).collect()
        });
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            reason,
            request_id: details.request_info().map(|r| r.request_id.clone()).filter(|id| !id.is_empty()),
            retry_after: details.retry_info().and_then(|r| r.retry_delay).map(|wait| wait.min(LONGEST_WAIT)),
            server_time: time.and_then(|ms| ms.parse().ok()).map(Timestamp),
            fields,
        }
    }

    /// True where the same bytes may simply be sent again.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::DeadlineExceeded | Code::Aborted | Code::Cancelled)
            || (self.code == Code::ResourceExhausted && self.retry_after.is_some())
            // A connection that broke while the answer was on its way.
            || (self.code == Code::Unknown && self.reason == "Unknown")
            || (self.code == Code::Internal && self.reason == "Internal" && self.request_id.is_none())
    }

    pub(crate) fn is_unauthenticated(&self) -> bool {
        self.code == Code::Unauthenticated
    }

    /// How long to wait before the next try, where the server said.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    pub(crate) fn into_error(self) -> Error {
        if self.is_transient() {
            return Error::ServerAway { retry_after: self.retry_after, detail: self.message };
        }
        let Self { code, reason, request_id, .. } = self;
        if reason.ends_with("EXPIRED") && code != Code::Unauthenticated {
            return Error::Expired { reason, request_id };
        }
        match code {
            // Our own: a message larger than what we read. The service calls it RESOURCE_EXHAUSTED where ours was.
            Code::OutOfRange => Error::answer("it is too large"),
            Code::NotFound => Error::NotFound { reason, request_id },
            Code::Unauthenticated => Error::NotAccepted { reason, request_id },
            Code::PermissionDenied => Error::NotAllowed { reason, request_id },
            Code::AlreadyExists | Code::FailedPrecondition => Error::Conflict { reason, request_id },
            // Too many uploads or streams of this caller at once: nothing is wrong with what was sent, and it will pass.
            Code::ResourceExhausted if reason.starts_with("TOO_MANY_") => {
                Error::Conflict { reason, request_id }
            }
            Code::InvalidArgument | Code::ResourceExhausted => {
                let (field, why) = self.fields.into_iter().next().unwrap_or((reason, self.message));
                Error::BadInput { field, reason: why }
            }
            _ => Error::Server { reason, request_id },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use tonic_types::ErrorDetails;

    use super::*;

    fn rich(code: Code, reason: &str) -> Status {
        let metadata = HashMap::from([("server_time".to_owned(), "1795000000000".to_owned())]);
        let mut details = ErrorDetails::with_error_info(reason, "post.example", metadata);
        details.set_request_info("r-1", "");
        Status::with_error_details(code, "no", details)
    }

    #[test]
    fn codes_and_reasons_become_cases() {
        let error = |code, reason| Failure::of(&rich(code, reason)).into_error();
        assert!(matches!(error(Code::NotFound, "NOT_FOUND"), Error::NotFound { .. }));
        assert!(matches!(error(Code::FailedPrecondition, "CODE_EXPIRED"), Error::Expired { .. }));
        assert!(matches!(error(Code::AlreadyExists, "MESSAGE_ID_REUSED"), Error::Conflict { .. }));
        for reason in ["TOO_MANY_UPLOADS", "TOO_MANY_READERS", "TOO_MANY_WATCHES"] {
            assert_eq!(error(Code::ResourceExhausted, reason).reason(), Some(reason));
        }
        assert!(matches!(error(Code::ResourceExhausted, "MESSAGE_TOO_LARGE"), Error::BadInput { .. }));
        assert!(matches!(error(Code::Unavailable, "BUSY"), Error::ServerAway { .. }));
        assert_eq!(error(Code::PermissionDenied, "X").request_id(), Some("r-1"));
    }

    #[test]
    fn an_answer_that_is_too_large_to_be_read_is_the_services_fault() {
        let local = Status::out_of_range("Error, decoded message length too large");
        assert!(matches!(Failure::of(&local).into_error(), Error::Evidence(_)));
    }

    #[test]
    fn the_servers_clock_is_read() {
        let failure = Failure::of(&rich(Code::Unauthenticated, "TOKEN_EXPIRED"));
        assert_eq!(failure.server_time, Some(Timestamp(1_795_000_000_000)));
        assert!(matches!(failure.into_error(), Error::NotAccepted { .. }));
    }

    #[test]
    fn a_wait_that_nobody_can_count_with_is_cut() {
        for wait in [Duration::from_hours(25), Duration::from_secs(i64::MAX.unsigned_abs())] {
            let status =
                Status::with_error_details(Code::Unavailable, "x", ErrorDetails::with_retry_info(Some(wait)));
            assert_eq!(Failure::of(&status).retry_after(), Some(LONGEST_WAIT));
        }
    }

    #[test]
    fn a_field_violation_names_its_field() {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("submission.outer.kind", "too long");
        let status = Status::with_error_details(Code::InvalidArgument, "bad", details);
        let error = Failure::of(&status).into_error();
        assert!(matches!(error, Error::BadInput { field, .. } if field == "submission.outer.kind"));
    }
}
