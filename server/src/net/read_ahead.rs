//! Reads from a socket in large pieces. TLS asks for 4 KiB at a time, which would be a system call each. A connection that
//! waits holds no memory for it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::io::poll_read_buf;

/// Bytes that are read at once: two TLS records and their frames.
const AHEAD: usize = 36 * 1024;

/// See the module. Writing passes through.
#[derive(Debug)]
pub struct ReadAhead<S> {
    stream: S,
    ahead: BytesMut,
}

impl<S> ReadAhead<S> {
    /// Wraps a stream.
    pub fn new(stream: S) -> Self {
        Self { stream, ahead: BytesMut::new() }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadAhead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.ahead.is_empty() {
            let mut fresh = BytesMut::with_capacity(AHEAD);
            ready!(poll_read_buf(Pin::new(&mut this.stream), cx, &mut fresh))?;
            this.ahead = fresh;
        }
        let now = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead[..now]);
        this.ahead.advance(now);
        if this.ahead.is_empty() {
            this.ahead = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ReadAhead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn what_is_read_in_sips_comes_whole_and_in_order_and_leaves_no_memory() {
        let sent: Vec<u8> = (0..=250).cycle().take(3 * AHEAD + 5).collect();
        let (ours, mut theirs) = duplex(2 * AHEAD);
        let mut reading = ReadAhead::new(ours);
        let bytes = sent.clone();
        tokio::spawn(async move { theirs.write_all(&bytes).await });
        let (mut came, mut sip) = (Vec::new(), [0; 4096]);
        loop {
            match reading.read(&mut sip).await.unwrap() {
                0 => break,
                n => came.extend_from_slice(&sip[..n]),
            }
        }
        assert!(came == sent);
        assert_eq!(reading.ahead.capacity(), 0);
        assert_eq!(reading.read(&mut sip).await.unwrap(), 0, "the end stays the end");
    }
}
