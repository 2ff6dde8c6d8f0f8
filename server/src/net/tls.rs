//! TLS 1.3 with X25519MLKEM768 preferred, and a certificate that can be exchanged while serving. No sockets.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Why there is no usable certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not readable.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM with what it should hold.
    #[error("{path} holds no PEM {what}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// "certificate" or "private key".
        what: &'static str,
    },
    /// Certificate and key do not fit each other, or rustls cannot use them.
    #[error("certificate and key cannot be used")]
    Unusable(#[from] rustls::Error),
}

/// The certificate in use. The same for every client, with or without a server name.
pub struct Certificate {
    chain_file: PathBuf,
    key_file: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads a PEM chain (leaf first) and its PEM key.
    pub fn load(chain_file: &Path, key_file: &Path) -> Result<Arc<Self>, TlsError> {
        let current = RwLock::new(Arc::new(read(chain_file, key_file)?));
        Ok(Arc::new(Self { chain_file: chain_file.into(), key_file: key_file.into(), current }))
    }

    /// Reads both files again; on an error the old certificate stays. Connections that are open keep theirs.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = Arc::new(read(&self.chain_file, &self.key_file)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.chain_file.display())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// TLS 1.3 only, the provider's groups (X25519MLKEM768 first), ALPN h2 and http/1.1 where the client asks.
pub fn server_config(certificate: Arc<Certificate>) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read(chain_file: &Path, key_file: &Path) -> Result<CertifiedKey, TlsError> {
    let chain_pem = read_file(chain_file)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError::Pem { path: chain_file.into(), what: "certificate" })?;
    if chain.is_empty() {
        return Err(TlsError::Pem { path: chain_file.into(), what: "certificate" });
    }
    let key_pem = zeroize::Zeroizing::new(read_file(key_file)?);
    let key = PrivateKeyDer::from_pem_slice(&key_pem)
        .map_err(|_| TlsError::Pem { path: key_file.into(), what: "private key" })?;
    Ok(CertifiedKey::from_der(chain, key, &rustls::crypto::aws_lc_rs::default_provider())?)
}

fn read_file(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|source| TlsError::Read { path: path.into(), source })
}
