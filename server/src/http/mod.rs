//! Plain HTTP beside gRPC: both logs as C2SP tlog-tiles lays them out, for anybody's tools. Nothing else.

mod header_limit;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use postfach_ledger::tile::Resource;

use crate::app::App;
use crate::evidence::LogName;
pub use header_limit::limit_headers;

/// A full tile never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A partial tile never changes either, but nobody asks for it again once it has grown.
const A_WHILE: &str = "public, max-age=3600";
const NOT_AT_ALL: &str = "no-cache";

/// `/log/{keys,evidence}/{checkpoint, tile/…}` for GET and HEAD.
pub fn log_routes(app: Arc<App>) -> Router {
    Router::new().route("/log/{log}/{*path}", get(answer)).with_state(app)
}

async fn answer(State(app): State<Arc<App>>, Path((log, path)): Path<(String, String)>) -> Response {
    let log = match log.as_str() {
        "keys" => LogName::Keys,
        "evidence" => LogName::Evidence,
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let Some(resource) = Resource::parse(&path) else { return StatusCode::NOT_FOUND.into_response() };
    match app.log_resource(log, &resource).await {
        Ok(Some(bytes)) => found(&resource, bytes),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

fn found(resource: &Resource, bytes: Vec<u8>) -> Response {
    let (media_type, cache) = match resource {
        Resource::Checkpoint => ("text/plain; charset=utf-8", NOT_AT_ALL),
        Resource::Tile(tile) => ("application/octet-stream", tile_cache(tile.is_full())),
        Resource::Entries(bundle) => ("application/octet-stream", tile_cache(bundle.width() == 256)),
    };
    let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, cache), (ACCESS_CONTROL_ALLOW_ORIGIN, "*")];
    (headers, bytes).into_response()
}

const fn tile_cache(full: bool) -> &'static str {
    if full { FOR_EVER } else { A_WHILE }
}
