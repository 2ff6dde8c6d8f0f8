//! What can go wrong with an S3-compatible store, sorted by what to do about it: nothing there, try again, or mend a
//! setting. Only status, code and our own words are kept of an answer: the rest of it may repeat what was signed.

use std::error::Error;
use std::time::Duration;

use http::StatusCode;

use crate::blobs::BlobError;
use crate::failure::{Exit, Failure};

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No such object.
    #[error("no such object")]
    Absent,
    /// Asked to store only what is not there, and it is there.
    #[error("it is there already")]
    Present,
    /// It may pass: the network, or the store under load.
    #[error("{0}")]
    Passing(String),
    /// What came is not what was stored, or only a part of it.
    #[error("the S3 store gave other bytes than were stored")]
    Damaged,
    /// It stays until a setting is mended.
    #[error("{1}")]
    Lasting(Cause, String),
}

/// What has to be mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The bucket does not exist.
    Bucket,
    /// The key is unknown, or may not do this.
    Credentials,
    /// The clocks of both sides differ too much.
    Clock,
    /// Region or endpoint are others.
    Region,
    /// The store lacks something that we rely on.
    Ability,
    /// Anything else that it refused.
    Refused,
}

/// An answer other than success, as far as we look at it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the S3 store answered {status} {code}")]
pub struct Refusal {
    /// HTTP status.
    pub status: StatusCode,
    /// What stands in `<Code>`; empty where there is none.
    pub code: String,
}

impl Refusal {
    /// From status and body.
    pub fn new(status: StatusCode, body: &[u8]) -> Self {
        let body = String::from_utf8_lossy(body);
        let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code.map_or("", |(code, _)| code);
        let plain = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        Self { status, code: if plain { code.to_owned() } else { String::new() } }
    }

    fn trouble(&self) -> Trouble {
        let text = self.to_string();
        let lasting = |cause| Trouble::Lasting(cause, text.clone());
        match (self.status.as_u16(), self.code.as_str()) {
            (404, "NoSuchBucket") => lasting(Cause::Bucket),
            (404, _) => Trouble::Absent,
            (412, _) => Trouble::Present,
            (_, "RequestTimeTooSkewed") => lasting(Cause::Clock),
            (301 | 307, _) | (_, "AuthorizationHeaderMalformed") => lasting(Cause::Region),
            // What did not arrive as it was sent, or not in time. 409: somebody else writes the same name right now.
            (400, "RequestTimeout" | "IncompleteBody" | "BadDigest" | "XAmzContentSHA256Mismatch")
            | (408 | 409 | 429 | 500..=599, _) => Trouble::Passing(text),
            (401 | 403, _) | (_, "InvalidAccessKeyId" | "InvalidToken" | "ExpiredToken") => {
                lasting(Cause::Credentials)
            }
            _ => lasting(Cause::Refused),
        }
    }
}

impl Trouble {
    /// No answer in time.
    pub fn late(limit: Duration) -> Self {
        Self::Passing(format!("the S3 store did not answer within {} s", limit.as_secs_f32()))
    }

    /// What the caller of the blob store hears.
    pub fn blob_error(self) -> BlobError {
        match self {
            Self::Absent => BlobError::NotFound,
            Self::Damaged => BlobError::Damaged,
            other => BlobError::Unavailable(other.to_string()),
        }
    }

    /// What the operator hears.
    pub fn failure(&self, bucket: &str) -> Failure {
        let cause = if let Self::Lasting(cause, _) = self { Some(*cause) } else { None };
        let (exit, reason, hint) = match cause {
            None => (
                Exit::Other,
                "S3_AWAY",
                "Check the endpoint, the network and the certificate, then try again.".to_owned(),
            ),
            Some(Cause::Bucket) => {
                (Exit::NotFound, "S3_BUCKET", format!("Make the bucket {bucket}, or name another one."))
            }
            Some(Cause::Credentials) => (
                Exit::NotAllowed,
                "S3_CREDENTIALS",
                format!(
                    "Check the key, and that it may list, read, write and delete in the bucket {bucket}."
                ),
            ),
            Some(Cause::Clock) => {
                (Exit::Other, "S3_CLOCK", "Set this machine's clock right; S3 allows 15 minutes.".to_owned())
            }
            Some(Cause::Region) => {
                (Exit::Usage, "S3_REGION", "Set region and endpoint to those of the bucket.".to_owned())
            }
            Some(Cause::Ability) => {
                (Exit::Other, "S3_ABILITY", "Use a store that docs/operations.md describes.".to_owned())
            }
            Some(Cause::Refused) => {
                (Exit::Other, "S3_REFUSED", "Look into the store's own log, then try again.".to_owned())
            }
        };
        Failure::new(exit, reason, format!("The blobs cannot be reached: {self}."), hint)
    }
}

impl From<object_store::Error> for Trouble {
    fn from(error: object_store::Error) -> Self {
        let mut inner: Option<&(dyn Error + 'static)> = Some(&error);
        while let Some(error) = inner {
            if let Some(refusal) = error.downcast_ref::<Refusal>() {
                return refusal.trouble();
            }
            if let Some(broken) = error.downcast_ref::<super::http::Broken>() {
                return Self::Passing(broken.to_string());
            }
            inner = error.source();
        }
        // For example half a listing.
        Self::Passing(format!("the S3 store's answer cannot be used: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trouble(status: u16, body: &str) -> Trouble {
        Refusal::new(StatusCode::from_u16(status).unwrap_or_default(), body.as_bytes()).trouble()
    }

    #[test]
    fn answers_are_sorted_by_what_to_do() {
        let lasting =
            |status, code: &str| match trouble(status, &format!("<Error><Code>{code}</Code></Error>")) {
                Trouble::Lasting(cause, _) => Some(cause),
                _ => None,
            };
        assert_eq!(lasting(404, "NoSuchBucket"), Some(Cause::Bucket));
        assert_eq!(lasting(403, "AccessDenied"), Some(Cause::Credentials));
        assert_eq!(lasting(403, "InvalidAccessKeyId"), Some(Cause::Credentials));
        assert_eq!(lasting(403, "SignatureDoesNotMatch"), Some(Cause::Credentials));
        assert_eq!(lasting(400, "ExpiredToken"), Some(Cause::Credentials));
        assert_eq!(lasting(403, "RequestTimeTooSkewed"), Some(Cause::Clock));
        assert_eq!(lasting(301, "PermanentRedirect"), Some(Cause::Region));
        assert_eq!(lasting(400, "AuthorizationHeaderMalformed"), Some(Cause::Region));
        assert_eq!(lasting(501, "NotImplemented"), None);
        assert_eq!(lasting(405, "MethodNotAllowed"), Some(Cause::Refused));
        assert_eq!(trouble(404, "<Code>NoSuchKey</Code>"), Trouble::Absent);
        assert_eq!(trouble(404, ""), Trouble::Absent);
        assert_eq!(trouble(412, ""), Trouble::Present);
        for (status, code) in
            [(503, "SlowDown"), (500, "InternalError"), (400, "BadDigest"), (408, ""), (429, "")]
        {
            let body = format!("<Code>{code}</Code>");
            assert!(matches!(trouble(status, &body), Trouble::Passing(_)), "{status} {code}");
        }
    }

    #[test]
    fn nothing_of_an_answer_is_repeated_but_its_code() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId>\
            <StringToSign>hush</StringToSign></Error>";
        let said = trouble(403, body).failure("post");
        assert!(said.message.contains("403 Forbidden SignatureDoesNotMatch"), "{}", said.message);
        assert!(!format!("{said:?}").contains("hush") && !format!("{said:?}").contains("AKIA"));
        assert!(!trouble(400, "<Code>hush hush</Code>").to_string().contains("hush"));
    }
}
