//! `postfachd serve`: takes the folder, opens the use cases, listens, says so on standard output, and ends by signal.

use std::sync::Arc;
use std::time::Duration;

use rand_core::RngCore as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::ServeArgs;
use crate::deployment::config::Config;
use crate::deployment::folder::Folder;
use crate::deployment::open;
use crate::deployment::restored::Restored;
use crate::failure::{Exit, Failure, Outcome};
use crate::net::admin_socket;
use crate::net::tls::{self, Certificate, TlsError};
use crate::output::Output;
use crate::serve::{ServeConfig, serve};
use crate::{backup, clock, telemetry};

/// See the module.
pub async fn run(args: &ServeArgs, output: Output) -> Outcome<()> {
    let folder = Folder::at(&args.data.data);
    folder.require_deployment()?;
    let config = Config::read(&folder)?;
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| config.log.filter.clone());
    telemetry::start(config.log.format, &filter);
    let _lock = folder.lock_now()?;
    backup::sweep(&folder)?;
    if let Some(restored) = Restored::read(&folder)?.filter(Restored::serves) {
        tracing::warn!("{}", restored.words());
    }

    let certificate =
        Certificate::load(&folder.path().join(&config.tls.certificate), &folder.path().join(&config.tls.key))
            .map_err(|error| tls_failure(&error))?;
    let tls = tls::server_config(Arc::clone(&certificate)).map_err(|error| tls_failure(&error))?;
    let app = open::app(&folder, &config).await?;
    let listen = args.listen.unwrap_or(config.listen);
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::new(
            Exit::Other,
            "LISTEN",
            format!("Cannot listen on {listen}: {error}."),
            "Stop what uses the address, or choose another with --listen.",
        )
    })?;
    let listening = listener.local_addr().map_err(|error| Failure::file(folder.path(), &error))?;
    let socket = folder.admin_socket();
    let admin = admin_socket::listen(&socket).map_err(|error| Failure::file(&socket, &error))?;
    reload_on_hangup(certificate)?;
    let shutdown = stop_signal()?;

    output.line(&json!({ "listening": listening.to_string() }).to_string())?;
    tracing::info!(%listening, origin = %config.origin, "serving");
    let serve_config = ServeConfig {
        tls,
        connections: config.server.connections,
        stop_within: Duration::from_secs(config.server.stop_seconds),
        admin: Some(admin),
        run: clock::system_chance().next_u32(),
    };
    let ended = serve(serve_config, app, listener, shutdown).await;
    // A later server would remove it too.
    let _ = std::fs::remove_file(&socket);
    tracing::info!("stopped");
    ended.map_err(|error| {
        Failure::new(
            Exit::Other,
            "SERVE",
            format!("Serving ended: {error}."),
            "See the log, then start it again.",
        )
    })
}

/// Completes at SIGTERM or SIGINT.
fn stop_signal() -> Outcome<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| no_signals(&error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| no_signals(&error))?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// SIGHUP reads the certificate again.
fn reload_on_hangup(certificate: Arc<Certificate>) -> Outcome<()> {
    let mut hangup = signal(SignalKind::hangup()).map_err(|error| no_signals(&error))?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match certificate.reload() {
                Ok(()) => tracing::info!("certificate read again"),
                Err(error) => tracing::error!(%error, "the old certificate stays"),
            }
        }
    });
    Ok(())
}

fn no_signals(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Other, "SIGNALS", format!("Signals cannot be received: {error}."), "Try again.")
}

fn tls_failure(error: &TlsError) -> Failure {
    let hint = "Check the files under [tls] in postfachd.toml.";
    Failure::new(Exit::Usage, "TLS", format!("{error}."), hint)
}
