//! A conversation of lines and counted bytes over a unix socket, as LMTP and IMAP both hold it. What the lines mean is not
//! known here.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::UnixStream;

/// Longest line that a server may answer, in bytes.
const LINE_MAX: u64 = 8192;
/// Largest counted run of bytes that a server may announce.
const BYTES_MAX: usize = 1 << 24;
/// Buffers hold a whole mail, so that each costs one system call a direction.
const BUFFER: usize = 1 << 16;

/// One connection.
pub struct Wire {
    stream: BufStream<UnixStream>,
}

impl Wire {
    /// Connects to a socket.
    pub async fn connect(socket: &Path) -> Result<Self> {
        let stream = UnixStream::connect(socket).await.with_context(|| format!("{}", socket.display()))?;
        Ok(Self { stream: BufStream::with_capacity(BUFFER, BUFFER, stream) })
    }

    /// Sends all parts together.
    pub async fn send(&mut self, parts: &[&[u8]]) -> Result<()> {
        for part in parts {
            self.stream.write_all(part).await?;
        }
        Ok(self.stream.flush().await?)
    }

    /// The next line, without its end.
    pub async fn line(&mut self) -> Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.stream).take(LINE_MAX).read_until(b'\n', &mut line).await?;
        ensure!(line.ends_with(b"\r\n"), "a line broke off or is too long: {}", line.escape_ascii());
        line.truncate(line.len() - 2);
        Ok(line)
    }

    /// The next so many bytes.
    pub async fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        ensure!(count <= BYTES_MAX, "{count} bytes are announced");
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes).await?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pair() -> (Wire, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Wire { stream: BufStream::new(ours) }, theirs)
    }

    #[tokio::test]
    async fn lines_and_bytes_come_in_turn() {
        let (mut wire, mut server) = pair();
        server.write_all(b"one\r\n\r\n\x00\r\n\xffrest\r\n").await.unwrap();
        assert_eq!(wire.line().await.unwrap(), b"one");
        assert_eq!(wire.line().await.unwrap(), b"");
        assert_eq!(wire.bytes(4).await.unwrap(), b"\x00\r\n\xff");
        assert_eq!(wire.line().await.unwrap(), b"rest");
    }

    #[tokio::test]
    async fn a_line_that_breaks_off_or_never_ends_is_an_error() {
        let (mut wire, mut server) = pair();
        server.write_all(b"half").await.unwrap();
        drop(server);
        assert!(wire.line().await.is_err());

        let (mut wire, mut server) = pair();
        let sent = tokio::spawn(async move { server.write_all(&vec![b'x'; 20_000]).await.map(|()| server) });
        assert!(wire.line().await.is_err());
        drop(wire);
        let _ = sent.await;
    }

    #[tokio::test]
    async fn an_absurd_count_is_an_error() {
        let (mut wire, _server) = pair();
        assert!(wire.bytes(usize::MAX).await.is_err());
    }
}
