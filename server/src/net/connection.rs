//! One accepted connection: what is known about it, and the switch that ends it. It does not speak HTTP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::NamedGroup;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

/// What every request on a connection can know about it, in the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// The other end; absent on the operator's unix socket.
    pub peer: Option<SocketAddr>,
    /// The key exchange that TLS negotiated; absent on the operator's unix socket.
    pub group: Option<NamedGroup>,
}

impl ConnectionInfo {
    /// True where the key exchange is hybrid post-quantum.
    pub fn is_post_quantum(&self) -> bool {
        self.group == Some(NamedGroup::X25519MLKEM768)
    }
}

/// Bytes with which a caller shows that it means to speak: the preface of HTTP/2, and of HTTP/1.1 about the first line.
const BEGINNING: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// A connection that has not begun to speak.
struct Silent {
    /// Ends it.
    until: Pin<Box<Sleep>>,
    /// Bytes that are still missing.
    missing: usize,
}

/// A byte stream that reports [`ConnectionInfo`], holds its place among the open connections, and fails at
/// once when the server's last deadline has passed.
pub struct Connection<S> {
    stream: S,
    info: ConnectionInfo,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    silent: Option<Silent>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<S> Connection<S> {
    /// Wraps a stream. `end` breaks it; `place` is given back when it closes.
    pub fn new(
        stream: S,
        info: ConnectionInfo,
        end: &CancellationToken,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { stream, info, ended: Box::pin(end.clone().cancelled_owned()), silent: None, _place: place }
    }

    /// Fails from then on unless it has begun to speak. What reads a connection waits for its first bytes without a
    /// limit, before it knows the protocol.
    #[must_use]
    pub fn speaking_until(mut self, until: Instant) -> Self {
        self.silent = Some(Silent { until: Box::pin(sleep_until(until)), missing: BEGINNING });
        self
    }

    fn check_open(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.ended.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S> Connected for Connection<S> {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_open(cx)?;
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(silent) = &mut self.silent {
            silent.missing = silent.missing.saturating_sub(buf.filled().len() - before);
            if silent.missing == 0 {
                self.silent = None;
            } else if silent.until.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check_open(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_open(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_open(cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_open(cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;

    fn connection(within: Duration) -> (Connection<DuplexStream>, DuplexStream) {
        let (ours, theirs) = duplex(100);
        let info = ConnectionInfo { peer: None, group: None };
        let connection = Connection::new(ours, info, &CancellationToken::new(), None);
        (connection.speaking_until(Instant::now() + within), theirs)
    }

    #[tokio::test]
    async fn whoever_does_not_begin_to_speak_is_cut_off_and_nobody_else() {
        let mut bytes = [0; BEGINNING];
        let (mut silent, mut theirs) = connection(Duration::from_millis(20));
        theirs.write_all(&bytes[1..]).await.unwrap();
        let error = silent.read_exact(&mut bytes).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);

        let (mut speaking, mut theirs) = connection(Duration::from_millis(20));
        theirs.write_all(&bytes).await.unwrap();
        speaking.read_exact(&mut bytes).await.unwrap();
        let later = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            theirs.write_all(b"more").await.unwrap();
        };
        let ((), read) = tokio::join!(later, speaking.read(&mut bytes));
        assert_eq!(read.unwrap(), 4);
    }
}
