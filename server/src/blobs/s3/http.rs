//! HTTP/1.1 to an S3-compatible store, for `object_store`, which brings none of its own without a second HTTP client, its
//! certificate verifier and its own ideas of proxies. Every answer but success becomes a [`Refusal`] here. No retries.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_stream::StreamExt as _;

use super::trouble::Refusal;

/// For a connection, and for a handshake.
const CONNECT: Duration = Duration::from_secs(5);
/// Connections that are kept for later, and how long.
const IDLE: usize = 16;
const IDLE_FOR: Duration = Duration::from_secs(30);
/// So much of an error's text is looked at, in bytes.
const ERROR_LEN: usize = 64 * 1024;
/// Where distributions keep the certificates that the machine trusts.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// The connection failed or broke.
#[derive(Debug, thiserror::Error)]
#[error("the S3 store cannot be reached: {0}")]
pub struct Broken(String);

impl Broken {
    fn of(error: &dyn std::error::Error) -> HttpError {
        let (mut text, mut inner) = (error.to_string(), error.source());
        while let Some(error) = inner {
            text = format!("{text}: {error}");
            inner = error.source();
        }
        HttpError::new(HttpErrorKind::Unknown, Self(text))
    }
}

/// The certificates in the file, else those in `SSL_CERT_FILE`, which the caller has read, else the machine's.
pub fn roots(file: Option<&Path>, cert_file: Option<PathBuf>) -> io::Result<RootCertStore> {
    let system = || SYSTEM.into_iter().map(PathBuf::from).find(|path| path.exists());
    let Some(path) = file.map(Path::to_owned).or(cert_file).or_else(system) else {
        return Err(io::Error::new(io::ErrorKind::NotFound, "this machine has no list of certificates"));
    };
    let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
    let pem = std::fs::read(&path).map_err(|error| named(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| named(&error))?;
        if file.is_some() {
            roots.add(certificate).map_err(|error| named(&error))?;
        } else {
            // Systems carry some that rustls does not take.
            roots.add_parsable_certificates([certificate]);
        }
    }
    if roots.is_empty() { Err(named(&"no certificate in it")) } else { Ok(roots) }
}

/// Connects by TCP, and by TLS 1.3 or 1.2 where the URL says https.
#[derive(Clone)]
pub struct Dial(TlsConnector);

impl Dial {
    /// Trusts these.
    pub fn new(roots: RootCertStore) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    async fn dial(self, uri: Uri) -> io::Result<TokioIo<Wire>> {
        let tls = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or_else(|| io::Error::other("a URL without a host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        let plain = tokio::time::timeout(CONNECT, TcpStream::connect((host.as_str(), port)));
        let plain = plain.await.map_err(|_| late())??;
        plain.set_nodelay(true)?;
        if !tls {
            return Ok(TokioIo::new(Wire::Plain(plain)));
        }
        let name = ServerName::try_from(host).map_err(io::Error::other)?;
        let sealed = tokio::time::timeout(CONNECT, self.0.connect(name, plain)).await;
        Ok(TokioIo::new(Wire::Tls(Box::new(sealed.map_err(|_| late())??))))
    }
}

impl tower::Service<Uri> for Dial {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

/// A connection.
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! pass_on {
    ($self:ident.$call:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Self::Plain(wire) => Pin::new(wire).$call($($argument),*),
            Self::Tls(wire) => Pin::new(wire).$call($($argument),*),
        }
    };
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        pass_on!(self.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        pass_on!(self.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pass_on!(self.poll_write_vectored(cx, bytes))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(wire) => wire.is_write_vectored(),
            Self::Tls(wire) => wire.is_write_vectored(),
        }
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Makes the one client that there is.
#[derive(Debug)]
pub struct Connector(pub HttpClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

#[derive(Debug)]
struct Http(Client<Dial, HttpRequestBody>);

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dial")
    }
}

/// A client with a pool of connections.
pub fn client(dial: Dial) -> HttpClient {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_FOR).pool_max_idle_per_host(IDLE);
    HttpClient::new(Http(builder.build(dial)))
}

#[tonic::async_trait]
impl HttpService for Http {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.request(request).await.map_err(|error| Broken::of(&error))?;
        let (parts, body) = response.into_parts();
        let body = HttpResponseBody::new(BodyExt::map_err(body, |error| Broken::of(&error)));
        if parts.status.is_success() {
            return Ok(HttpResponse::from_parts(parts, body));
        }
        let (mut text, mut chunks) = (Vec::new(), body.bytes_stream());
        while let Some(chunk) = chunks.next().await {
            text.extend_from_slice(&chunk?);
            if text.len() > ERROR_LEN {
                break;
            }
        }
        Err(HttpError::new(HttpErrorKind::Unknown, Refusal::new(parts.status, &text)))
    }
}
