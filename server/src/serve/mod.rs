//! Serving: sockets and use cases come in, nothing is read from the environment. Ends by a signal of the caller's,
//! and within its deadline whatever clients do.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use postfach_domain::limits;
use rustls::ServerConfig;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tonic::service::Routes;

use crate::app::App;
use crate::grpc::call::CallLayer;
use crate::grpc::{health, services};
use crate::http;
use crate::net::accept::{self, AcceptLimits, Stop};

/// After the deadline, connections are broken; this long their tasks get to notice.
const LAST_GRACE: Duration = Duration::from_secs(1);
const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(30);
const KEEP_ALIVE_WITHIN: Duration = Duration::from_secs(20);
/// Flow control: a stream of 4 MiB segments does not wait for every round trip, and memory stays small.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// What serving needs besides the use cases and the socket.
pub struct ServeConfig {
    /// Certificate and protocol, see [`crate::net::tls::server_config`].
    pub tls: Arc<ServerConfig>,
    /// Open connections at most.
    pub connections: usize,
    /// How long calls in progress may go on after the signal to stop.
    pub stop_within: Duration,
    /// The operator's socket, if there is one.
    pub admin: Option<UnixListener>,
    /// A random number that tells the request ids of this run from those of others.
    pub run: u32,
}

/// Why serving could not begin or ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The services cannot be put together.
    #[error(transparent)]
    Services(#[from] services::ReflectionError),
    /// The transport gave up.
    #[error("transport: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Serves until `shutdown` completes, then lets calls in progress finish, at most for `config.stop_within`, and closes
/// the app.
pub async fn serve(
    config: ServeConfig,
    app: Arc<App>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let stop = Stop::default();
    let calls = CallLayer::new(app.origin().as_str(), config.run);
    let (reporter, health_service) = tonic_health::server::health_reporter();
    let public =
        services::public(&app, health_service, calls.clone())?.merge(http::log_routes(Arc::clone(&app)));
    let limits = AcceptLimits {
        handshake: Duration::from_secs(limits::HANDSHAKE_SECONDS),
        connections: config.connections,
    };
    let mut tasks = JoinSet::new();
    let connections = accept::tls(listener, config.tls, limits, stop.clone());
    let ended = stop.begin.clone().cancelled_owned();
    tasks.spawn(server(public).serve_with_incoming_shutdown(connections, ended));
    if let Some(admin) = config.admin {
        let connections = accept::local(admin, stop.clone());
        let ended = stop.begin.clone().cancelled_owned();
        let routes = services::local(&app, calls);
        tasks.spawn(server(routes).serve_with_incoming_shutdown(connections, ended));
    }
    let reporting = tokio::spawn(health::report(Arc::clone(&app), reporter, stop.begin.clone()));

    // A task that ends before the signal has failed.
    let failed = tokio::select! {
        () = shutdown => None,
        ended = tasks.join_next() => ended,
    };
    stop.begin.cancel();
    app.end_watches();
    if tokio::time::timeout(config.stop_within, join_all(&mut tasks)).await.is_err() {
        tracing::warn!(seconds = config.stop_within.as_secs(), "calls still open at the deadline are ended");
        stop.end.cancel();
        let _ = tokio::time::timeout(LAST_GRACE, join_all(&mut tasks)).await;
    }
    stop.end.cancel();
    // Ended by the same signal; an error would be a panic of its own, which is logged already.
    let _ = reporting.await;
    app.close().await;
    match failed {
        Some(Ok(outcome)) => Ok(outcome?),
        _ => Ok(()),
    }
}

async fn join_all<T: 'static>(tasks: &mut JoinSet<T>) {
    while tasks.join_next().await.is_some() {}
}

fn server(routes: Router) -> tonic::transport::server::Router {
    tonic::transport::Server::builder()
        .accept_http1(true)
        .max_concurrent_streams(limits::STREAMS)
        .http2_max_header_list_size(limits::HEADER_LIST_LEN)
        // Without this tonic switches the engine's own limit off.
        .http2_max_local_error_reset_streams(Some(limits::WRONG_STREAMS))
        .http2_keepalive_interval(Some(KEEP_ALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_WITHIN))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .add_routes(Routes::from(routes.layer(from_fn(http::limit_headers))))
}
