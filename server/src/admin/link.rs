//! A channel to AdminService: the running server's socket, else the use cases in this process behind a pipe, with the
//! folder's lock held. Errors of calls become failures here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use postfach_proto::v1::admin_service_client::AdminServiceClient;
use postfach_proto::v1::directory_service_client::DirectoryServiceClient;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tower::service_fn;

use crate::app::App;
use crate::deployment::config::Config;
use crate::deployment::folder::{Folder, FolderLock};
use crate::deployment::open;
use crate::failure::{Exit, Failure, Outcome};
use crate::grpc::call::CallLayer;
use crate::grpc::services;
use crate::net::admin_socket;
use crate::net::connection::{Connection, ConnectionInfo};

/// How long a command waits for a server that is just starting or stopping, or for another command.
const PATIENCE: Duration = Duration::from_secs(10);
const PIPE: usize = 64 * 1024;

/// See the module.
pub struct Link {
    channel: Channel,
    local: Option<Local>,
}

/// The use cases in this process.
struct Local {
    app: Arc<App>,
    _lock: FolderLock,
}

impl Link {
    /// Connects, or opens the folder.
    pub async fn open(folder: &Folder) -> Outcome<Self> {
        folder.require_deployment()?;
        let started = Instant::now();
        loop {
            if let Some(channel) = running_server(folder).await {
                return Ok(Self { channel, local: None });
            }
            if let Some(lock) = folder.try_lock()? {
                return Self::in_process(folder, lock).await;
            }
            if started.elapsed() > PATIENCE {
                return Err(in_use(folder));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn in_process(folder: &Folder, lock: FolderLock) -> Outcome<Self> {
        let config = Config::read(folder)?;
        let app = open::app(folder, &config).await?;
        let (near, far) = tokio::io::duplex(PIPE);
        let info = ConnectionInfo { peer: None, group: None };
        let far = Connection::new(far, info, &CancellationToken::new(), None);
        let routes =
            tonic::service::Routes::from(services::local(&app, CallLayer::new(config.origin.as_str(), 0)));
        let incoming = tokio_stream::once(Ok::<_, std::io::Error>(far));
        tokio::spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming));
        let mut near = Some(near);
        let connector = service_fn(move |_: Uri| {
            let near = near.take().map(TokioIo::new);
            async move { near.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected)) }
        });
        let channel = endpoint().connect_with_connector(connector).await.map_err(|_| away())?;
        Ok(Self { channel, local: Some(Local { app, _lock: lock }) })
    }

    /// The operator's calls.
    pub fn admin(&self) -> AdminServiceClient<Channel> {
        AdminServiceClient::new(self.channel.clone())
    }

    /// Certificates of authorities.
    pub fn directory(&self) -> DirectoryServiceClient<Channel> {
        DirectoryServiceClient::new(self.channel.clone())
    }

    /// Ends it; what this process opened is closed in order.
    pub async fn close(self) {
        drop(self.channel);
        if let Some(local) = self.local {
            local.app.close().await;
        }
    }
}

/// Runs `work` over a link and closes it, whatever comes out.
pub async fn with<T>(folder: &Folder, work: impl AsyncFnOnce(&Link) -> Outcome<T>) -> Outcome<T> {
    let link = Link::open(folder).await?;
    let outcome = work(&link).await;
    link.close().await;
    outcome
}

async fn running_server(folder: &Folder) -> Option<Channel> {
    let path = folder.admin_socket();
    let connector = service_fn(move |_: Uri| {
        let path = path.clone();
        async move { admin_socket::connect(&path).await.map(TokioIo::new) }
    });
    endpoint().connect_with_connector(connector).await.ok()
}

/// The address is a name only: connectors above decide where it goes.
fn endpoint() -> Endpoint {
    Endpoint::from_static("http://postfachd.invalid")
}

/// A call that failed, for the operator.
pub fn failure(status: &Status) -> Failure {
    let details = status.get_error_details();
    let reason =
        details.error_info().map_or_else(|| format!("{:?}", status.code()), |info| info.reason.clone());
    let exit = match status.code() {
        Code::NotFound => Exit::NotFound,
        Code::PermissionDenied | Code::Unauthenticated => Exit::NotAllowed,
        Code::AlreadyExists | Code::FailedPrecondition => Exit::Conflict,
        Code::InvalidArgument | Code::OutOfRange => Exit::Usage,
        Code::Unavailable | Code::DeadlineExceeded => Exit::ServerAway,
        _ if details.error_info().is_none() => Exit::ServerAway,
        _ => Exit::Other,
    };
    // Texts of the table are pairs: what happened. What to do.
    match status.message().split_once(". ") {
        Some((happened, to_do)) => Failure::new(exit, &reason, format!("{happened}."), to_do),
        None => Failure::new(exit, &reason, status.message(), "Correct what is named and try again."),
    }
}

fn in_use(folder: &Folder) -> Failure {
    Failure::new(
        Exit::Conflict,
        "FOLDER_IN_USE",
        format!("Another postfachd holds {} and takes no commands.", folder.path().display()),
        "Wait until it has started or ended, then try again.",
    )
}

fn away() -> Failure {
    Failure::new(Exit::ServerAway, "SERVER_AWAY", "The server does not answer.", "Try again.")
}
