//! One limit for the headers of a request, whatever the protocol: HTTP/2 is stopped by its own engine, which cannot be
//! told so for HTTP/1.1.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use postfach_domain::limits;

/// What a field costs besides name and value (RFC 9113, section 6.5.2).
const FIELD: usize = 32;
/// The path is a field there.
const PATH: usize = ":path".len() + FIELD;

/// Answers 431 where headers and path are longer than the limits table says, else goes on.
pub async fn limit_headers(request: Request, next: Next) -> Response {
    if size(&request) > limits::HEADER_LIST_LEN as usize {
        return StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response();
    }
    next.run(request).await
}

/// Bytes as HTTP/2 counts them; never more than its engine has counted before.
fn size(request: &Request) -> usize {
    let path = request.uri().path_and_query().map_or(0, |path| path.as_str().len() + PATH);
    let fields = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + FIELD);
    path + fields.sum::<usize>()
}
