//! From a listening socket to a stream of ready connections: TLS handshakes run beside each other, each with its
//! limit, so that a slow one delays nobody. What is spoken on the connections is not decided here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::connection::{Connection, ConnectionInfo};

/// A TLS connection from the network.
pub type TlsConnection = Connection<TlsStream<TcpStream>>;
/// A connection on the operator's socket.
pub type LocalConnection = Connection<UnixStream>;

/// How many connections at once, and how long each may take to become one.
#[derive(Clone, Copy, Debug)]
pub struct AcceptLimits {
    /// Time for a TLS handshake, and again until the caller begins to speak.
    pub handshake: Duration,
    /// Open connections, handshakes included; more wait in the kernel's queue.
    pub connections: usize,
}

/// Switches shared by everything that listens.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// No new connections; calls in progress go on.
    pub begin: CancellationToken,
    /// The hard end: every connection breaks.
    pub end: CancellationToken,
}

/// Accepts TLS connections until `stop.begin`, then closes the socket.
pub fn tls(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    limits: AcceptLimits,
    stop: Stop,
) -> ReceiverStream<io::Result<TlsConnection>> {
    let (ready, connections) = mpsc::channel(64);
    let acceptor = TlsAcceptor::from(config);
    let places = Arc::new(Semaphore::new(limits.connections));
    tokio::spawn(async move {
        let work = async {
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                let Some((tcp, peer)) = accept_one(|| listener.accept()).await else { continue };
                let handshake = Handshake {
                    acceptor: acceptor.clone(),
                    tcp,
                    peer,
                    place,
                    limit: limits.handshake,
                    end: stop.end.clone(),
                };
                tokio::spawn(handshake.run(ready.clone()));
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.begin.cancelled() => {}
            () = ready.closed() => {}
        }
    });
    ReceiverStream::new(connections)
}

/// Accepts connections on the operator's socket until `stop.begin`.
pub fn local(listener: UnixListener, stop: Stop) -> ReceiverStream<io::Result<LocalConnection>> {
    let (ready, connections) = mpsc::channel(8);
    tokio::spawn(async move {
        let work = async {
            loop {
                let Some((stream, _)) = accept_one(|| listener.accept()).await else { continue };
                let info = ConnectionInfo { peer: None, group: None };
                let connection = Connection::new(stream, info, &stop.end, None);
                if ready.send(Ok(connection)).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop.begin.cancelled() => {}
        }
    });
    ReceiverStream::new(connections)
}

/// One accept; an error (out of file descriptors, mostly) is logged and answered with a short pause, so that the
/// loop does not spin.
async fn accept_one<T, F>(accept: impl FnOnce() -> F) -> Option<T>
where
    F: Future<Output = io::Result<T>>,
{
    match accept().await {
        Ok(accepted) => Some(accepted),
        Err(error) => {
            warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

struct Handshake {
    acceptor: TlsAcceptor,
    tcp: TcpStream,
    peer: SocketAddr,
    place: OwnedSemaphorePermit,
    limit: Duration,
    end: CancellationToken,
}

impl Handshake {
    async fn run(self, ready: mpsc::Sender<io::Result<TlsConnection>>) {
        // Fails only on a connection that is already gone.
        let _ = self.tcp.set_nodelay(true);
        match timeout(self.limit, self.acceptor.accept(self.tcp)).await {
            Ok(Ok(stream)) => {
                let group = stream
                    .get_ref()
                    .1
                    .negotiated_key_exchange_group()
                    .map(rustls::crypto::SupportedKxGroup::name);
                let info = ConnectionInfo { peer: Some(self.peer), group };
                let connection = Connection::new(stream, info, &self.end, Some(self.place))
                    .speaking_until(Instant::now() + self.limit);
                // Fails only when the server has stopped.
                let _ = ready.send(Ok(connection)).await;
            }
            Ok(Err(error)) => debug!(kind = ?error.kind(), "TLS handshake failed"),
            Err(_) => debug!(limit_s = self.limit.as_secs(), "TLS handshake took too long"),
        }
    }
}
