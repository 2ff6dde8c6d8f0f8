//! The TLS 1.3 connection to the service: dials the card's URL or another one, and checks the certificate for the origin
//! in either case (SPEC 1). Calls and tokens are `client`'s.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};

use crate::error::Error;
use crate::service::Service;

/// How often an idle connection is probed, so that a dead one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long a probe may stay unanswered.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// Flow control windows: several segments of 4 MiB are on their way at once.
const STREAM_WINDOW: u32 = 8 * 1024 * 1024;
/// For all streams of a connection.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// Makes a channel that connects at the first call and again whenever needed.
pub fn channel(service: &Service, url: Option<&str>, connect_timeout: Duration) -> Result<Channel, Error> {
    let target = Target::parse(url.unwrap_or(&service.url))?;
    let server_name = ServerName::try_from(service.origin.as_str().to_owned())
        .map_err(|e| Error::bad_input("origin", e))?;
    let connector = TlsConnector::from(Arc::new(tls_config(service.tls_root.as_deref())?));
    // The authority of the requests is the origin, whatever address is dialled.
    let origin =
        Uri::builder().scheme("https").authority(service.origin.as_str()).path_and_query("/").build();
    let endpoint = Endpoint::from(origin.map_err(|e| Error::bad_input("origin", e))?)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .connect_timeout(connect_timeout);
    let dial = tower::service_fn(move |_: Uri| {
        let (target, connector, name) = (target.clone(), connector.clone(), server_name.clone());
        async move { connect(&target, &connector, name).await.map(TokioIo::new) }
    });
    Ok(endpoint.connect_with_connector_lazy(dial))
}

/// The TLS side of a client: TLS 1.3 only, X25519MLKEM768 first, HTTP/2.
pub fn tls_config(root_pem: Option<&str>) -> Result<ClientConfig, Error> {
    let roots = roots(root_pem)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| Error::bad_input("tls", e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn roots(pem: Option<&str>) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    let Some(pem) = pem else {
        let reason = "the service card carries no TLS root, and this client trusts no other";
        return Err(Error::bad_input("service-card.tls_root", reason));
    };
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| Error::bad_input("service-card.tls_root", e))?;
        store.add(certificate).map_err(|e| Error::bad_input("service-card.tls_root", e))?;
    }
    if store.is_empty() {
        return Err(Error::bad_input("service-card.tls_root", "no certificate in it"));
    }
    Ok(store)
}

/// Host and port to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    host: String,
    port: u16,
}

impl Target {
    fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::bad_input("server-url", format!("{url}: {reason}"));
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(wrong("must begin with https://"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(wrong("must not have a path"));
        }
        let host = uri.host().ok_or_else(|| wrong("has no host"))?;
        // An IPv6 address stands in brackets in a URL, and without them in an address.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: uri.port_u16().unwrap_or(443) })
    }
}

async fn connect(
    target: &Target,
    connector: &TlsConnector,
    name: ServerName<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect((target.host.as_str(), target.port)).await?;
    stream.set_nodelay(true)?;
    connector.connect(name, stream).await.map_err(|error| {
        let is_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).is_some();
        if is_tls { std::io::Error::other(TlsFailure(error.to_string())) } else { error }
    })
}

/// The peer answered, but its handshake or certificate is wrong.
#[derive(Debug)]
pub(crate) struct TlsFailure(String);

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for TlsFailure {}

/// The handshake's failure, where that is why a call did not get through.
pub(crate) fn tls_failure(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<TlsFailure>() {
            return Some(found.0.clone());
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(found) = inner.and_then(|inner| inner.downcast_ref::<TlsFailure>()) {
            return Some(found.0.clone());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn targets_are_https_without_a_path() {
        let target = |url| Target::parse(url).map(|t| (t.host, t.port));
        assert_eq!(target("https://127.0.0.1:4433").unwrap(), ("127.0.0.1".to_owned(), 4433));
        assert_eq!(target("https://post.example").unwrap(), ("post.example".to_owned(), 443));
        assert_eq!(target("https://[::1]:1/").unwrap(), ("::1".to_owned(), 1));
        for bad in ["http://post.example", "post.example", "https://post.example/x", ""] {
            assert!(matches!(target(bad), Err(Error::BadInput { .. })), "{bad}");
        }
    }

    #[test]
    fn a_missing_or_broken_root_is_an_input_error() {
        assert!(matches!(tls_config(None), Err(Error::BadInput { .. })));
        assert!(matches!(tls_config(Some("no pem")), Err(Error::BadInput { .. })));
    }

    #[test]
    fn a_handshake_failure_is_found_inside_other_errors() {
        let inner = std::io::Error::other(TlsFailure("bad certificate".to_owned()));
        let status = tonic::Status::from_error(Box::new(inner));
        assert_eq!(tls_failure(&status).as_deref(), Some("bad certificate"));
        assert_eq!(tls_failure(&std::io::Error::other("x")), None);
    }
}
