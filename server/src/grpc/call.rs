//! What every gRPC call has in common: a request id, a deadline, the language of its errors, one log line. It reads
//! headers only, never a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use postfach_domain::limits;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::reasons::Language;
use super::status::{self, Common, RequestId};

/// Longest deadline that a caller can ask for.
const MAX_DEADLINE: Duration = Duration::from_mins(10);

/// So much before its deadline a call is ended here: the transport has a clock of its own for the same deadline, and would
/// say that the call was cancelled, without a reason.
const HEAD_START: Duration = Duration::from_millis(5);

/// What the layer works with.
#[derive(Clone)]
pub struct CallLayer {
    domain: Arc<str>,
    /// Tells the calls of two runs of the server apart.
    run: u32,
    count: Arc<AtomicU64>,
}

impl CallLayer {
    /// `domain` is the deployment's origin, `run` a random number of this run.
    pub fn new(domain: &str, run: u32) -> Self {
        Self { domain: domain.into(), run, count: Arc::default() }
    }

    fn common(&self, headers: &HeaderMap) -> Common {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Common {
            request_id: RequestId { run: self.run, number },
            language: Language::from_accept(accepted),
            domain: Arc::clone(&self.domain),
        }
    }
}

/// What is spoken here, besides parameters behind a semicolon (gRPC over HTTP/2 and gRPC-Web, "Content-Type").
const SPOKEN: &[&str] = &[
    "application/grpc",
    "application/grpc+proto",
    "application/grpc-web",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/grpc-web-text+proto",
];

/// Answers 404 to what is not gRPC, before gRPC-Web would call it a bad request; 405 to any verb but POST, with which
/// caches and links would repeat calls; 415 to a gRPC that is not spoken here.
pub async fn only_grpc(request: Request, next: Next) -> Response {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let refused = match content_type.filter(|value| value.starts_with("application/grpc")) {
        None => StatusCode::NOT_FOUND,
        Some(_) if request.method() != Method::POST => StatusCode::METHOD_NOT_ALLOWED,
        Some(value) if SPOKEN.contains(&value.split(';').next().unwrap_or_default().trim_end()) => {
            return next.run(request).await;
        }
        Some(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
    };
    refused.into_response()
}

/// See the module.
pub async fn common(State(layer): State<CallLayer>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let uri = request.uri().clone();
    let common = layer.common(request.headers());
    let deadline = deadline(request.headers()).saturating_sub(HEAD_START);
    request.extensions_mut().insert(common.clone());

    // A deadline that has passed already is not a race that a quick call may win.
    let answer = match deadline {
        Duration::ZERO => None,
        _ => tokio::time::timeout(deadline, next.run(request)).await.ok(),
    };
    let response = answer.unwrap_or_else(|| status::deadline_exceeded().into_http());
    let failed = Status::from_header_map(response.headers()).filter(|status| status.code() != Code::Ok);
    let (method, request) = (uri.path(), common.request_id);
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Some(failed) = failed else {
        tracing::debug!(method, duration_ms, %request, "call answered");
        return response;
    };
    let complete = status::complete(&failed, &common);
    let code = complete.code();
    if code == Code::Internal {
        tracing::error!(method, ?code, duration_ms, %request, "call failed");
    } else {
        tracing::info!(method, ?code, duration_ms, %request, "call refused");
    }
    complete.into_http::<Body>()
}

/// The caller's `grpc-timeout`, else the default.
fn deadline(headers: &HeaderMap) -> Duration {
    headers
        .get("grpc-timeout")
        .and_then(|value| parse_timeout(value.to_str().ok()?))
        .map_or(Duration::from_secs(limits::DEADLINE_SECONDS), |wanted| wanted.min(MAX_DEADLINE))
}

/// At most eight digits and a unit (gRPC over HTTP/2, "Timeout").
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_hours(value),
        "M" => Duration::from_mins(value),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse_timeout("1S"), Some(Duration::from_secs(1)));
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_hours(99_999_999)));
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        for bad in ["", "S", "1", "1s", "-1S", "+1S", "123456789S", "1.5S", "é"] {
            assert_eq!(parse_timeout(bad), None, "{bad}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(deadline(&headers), Duration::from_secs(30));
        headers.insert("grpc-timeout", "99999999H".parse().unwrap());
        assert_eq!(deadline(&headers), MAX_DEADLINE);
    }
}
