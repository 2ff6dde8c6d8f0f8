//! A whole server on a free port, spoken to by real clients: TLS, plain HTTP, tokens, limits, stopping.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use postfach_domain::id::{Address, Origin, Party};
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use postfach_proto::v1;
use postfach_proto::v1::directory_service_client::DirectoryServiceClient;
use postfach_proto::v1::info_service_client::InfoServiceClient;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, NamedGroup, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use tower::service_fn;

use super::{ServeConfig, ServeError, serve};
use crate::auth::token;
use crate::clock::{Clock as _, SystemClock, system_chance};
use crate::deployment::config::Config;
use crate::deployment::config::Storage;
use crate::deployment::folder::Folder;
use crate::deployment::open;
use crate::init::{Plan, init};
use crate::net::tls::{Certificate, server_config};

struct Running {
    address: SocketAddr,
    origin: Origin,
    root: CertificateDer<'static>,
    stop: Option<oneshot::Sender<()>>,
    ended: JoinHandle<Result<(), ServeError>>,
    _folder: TempDir,
}

async fn start(stop_within: Duration) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let folder = Folder::at(&dir.path().join("data"));
    let origin: Origin = "post.example".parse().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let plan = Plan {
        storage: Storage::default(),
        origin: origin.clone(),
        listen,
        public_url: "https://127.0.0.1:0".into(),
    };
    let card = init(&folder, &plan, SystemClock.now(), &mut system_chance()).await.unwrap();
    let app = open::app(&folder, &Config::read(&folder).unwrap()).await.unwrap();
    let certificate = Certificate::load(&folder.tls_certificate(), &folder.tls_key()).unwrap();
    let listener = TcpListener::bind(listen).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let config = ServeConfig {
        tls: server_config(certificate).unwrap(),
        connections: 64,
        stop_within,
        admin: None,
        run: 7,
    };
    let shutdown = async move {
        let _ = stopped.await;
    };
    let ended = tokio::spawn(serve(config, app, listener, shutdown));
    let root = CertificateDer::from_pem_slice(card.card.tls_root.unwrap().as_bytes()).unwrap();
    Running { address, origin, root, stop: Some(stop), ended, _folder: dir }
}

impl Running {
    fn client_config(&self, alpn: &[&[u8]], sni: bool) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        config.enable_sni = sni;
        config
    }

    async fn tls(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(self.origin.to_string()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    /// One request in HTTP/1.1 by a client that names neither a server nor a protocol.
    async fn get(&self, path: &str) -> String {
        self.get_with(path, "").await
    }

    /// The same with further header lines.
    async fn get_with(&self, path: &str, lines: &str) -> String {
        let mut stream = self.tls(self.client_config(&[], false)).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n{lines}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The end of the stream may come without a TLS close.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn channel(&self) -> Channel {
        let config = self.client_config(&[b"h2"], true);
        let (address, origin) = (self.address, self.origin.to_string());
        let connector = service_fn(move |_: Uri| {
            let (config, name) = (Arc::new(config.clone()), ServerName::try_from(origin.clone()).unwrap());
            async move {
                let tcp = TcpStream::connect(address).await?;
                TlsConnector::from(config).connect(name, tcp).await.map(TokioIo::new)
            }
        });
        Endpoint::from_static("http://server").connect_with_connector(connector).await.unwrap()
    }

    async fn stop(mut self) -> Result<(), ServeError> {
        self.stop.take().unwrap().send(()).unwrap();
        self.ended.await.unwrap()
    }
}

fn reason(status: &Status) -> String {
    status.get_error_details().error_info().unwrap().reason.clone()
}

#[tokio::test]
async fn tls_is_post_quantum_and_nothing_older_than_1_3() {
    let server = start(Duration::from_secs(5)).await;
    let stream = server.tls(server.client_config(&[b"h2"], true)).await.unwrap();
    let connection = stream.get_ref().1;
    assert_eq!(connection.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(connection.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(connection.alpn_protocol(), Some(b"h2".as_slice()));

    let mut roots = RootCertStore::empty();
    roots.add(server.root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let old = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    assert!(server.tls(old).await.is_err());
    server.stop().await.unwrap();
}

#[tokio::test]
async fn plain_http_needs_neither_server_name_nor_alpn() {
    let server = start(Duration::from_secs(5)).await;
    let checkpoint = server.get("/log/evidence/checkpoint").await;
    assert!(checkpoint.starts_with("HTTP/1.1 200"), "{checkpoint}");
    assert!(
        checkpoint.contains("text/plain") && checkpoint.contains("post.example/evidence\n0\n"),
        "{checkpoint}"
    );
    for missing in [
        "/",
        "/log/evidence/",
        "/log/other/checkpoint",
        "/log/keys/tile/0/000",
        "/log/keys/tile/0/000.p/1",
        "/log/keys/tile/0/0",
        "/log/keys/tile/entries/000",
        "/log/keys/../keys/checkpoint",
        "/postfach.v1.InfoService/GetServerInfo",
    ] {
        let answer = server.get(missing).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{missing}: {answer}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn anybody_gets_info_health_and_reflection_and_nothing_else() {
    let server = start(Duration::from_secs(5)).await;
    let channel = server.channel().await;
    let info = InfoServiceClient::new(channel.clone()).get_server_info(v1::GetServerInfoRequest {}).await;
    let info = info.unwrap().into_inner();
    assert_eq!(info.origin, "post.example");
    assert!(info.limits.iter().any(|limit| limit.name == "letter_bytes" && limit.value == 1 << 20));
    assert!(info.server_time > 0);

    let request = tonic_health::pb::HealthCheckRequest { service: String::new() };
    tonic_health::pb::health_client::HealthClient::new(channel.clone()).check(request).await.unwrap();

    let refused = MailboxServiceClient::new(channel).get_chain(v1::GetChainRequest {}).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "TOKEN_MISSING"));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn tokens_are_refused_with_their_reason() {
    let server = start(Duration::from_secs(5)).await;
    let mut directory = DirectoryServiceClient::new(server.channel().await);
    let key = SecretKey::from_seed(&[8; 32]);
    let issuer = Party::Mailbox(Address([8; 32]));
    let now = SystemClock.now();
    let other: Origin = "other.example".parse().unwrap();
    let token = |origin: &Origin, issued| token::make(&key, &issuer, origin, issued, 60).unwrap();
    let early = Timestamp(now.0 - 1_000_000);
    for (token, expected) in [
        (token(&server.origin, now), "KEY_NOT_ACTIVE"),
        (token(&other, now), "TOKEN_WRONG_AUDIENCE"),
        (token(&server.origin, early), "TOKEN_EXPIRED"),
        (token(&server.origin, now.plus_ms(1_000_000)), "TOKEN_TIME_OFF"),
        ("x.y.z".to_owned(), "TOKEN_MALFORMED"),
    ] {
        let mut request = Request::new(v1::ResolveRecipientRequest { address: vec![1; 32] });
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request.metadata_mut().insert("accept-language", "de-DE".parse().unwrap());
        let status = directory.resolve_recipient(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, expected));
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().domain, "post.example");
        assert_eq!(details.localized_message().unwrap().locale, "de");
        assert!(details.request_info().unwrap().request_id.starts_with("00000007-"));
        let has_time = details.error_info().unwrap().metadata.contains_key("server_time");
        assert_eq!(has_time, matches!(expected, "TOKEN_EXPIRED" | "TOKEN_TIME_OFF"), "{expected}");
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_over_a_limit_is_refused_and_the_connection_lives_on() {
    let server = start(Duration::from_secs(5)).await;
    let channel = server.channel().await;
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<v1::WriteSegmentRequest, v1::GetServerInfoResponse>::default();
    let large = v1::WriteSegmentRequest { data: vec![0; 5 << 20].into(), ..Default::default() };
    let path = "/postfach.v1.InfoService/GetServerInfo".parse().unwrap();
    let refused = grpc.unary(Request::new(large), path, codec).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));

    let mut info = InfoServiceClient::new(channel);
    let mut request = Request::new(v1::GetServerInfoRequest {});
    request.metadata_mut().insert("x-long", "a".repeat(20_000).parse().unwrap());
    assert!(info.get_server_info(request).await.is_err());
    info.get_server_info(v1::GetServerInfoRequest {}).await.unwrap();

    let codec = tonic_prost::ProstCodec::<v1::GetServerInfoRequest, v1::GetServerInfoResponse>::default();
    let path = "/postfach.v1.InfoService/NoSuchMethod".parse().unwrap();
    grpc.ready().await.unwrap();
    let unknown = grpc.unary(Request::new(v1::GetServerInfoRequest {}), path, codec).await.unwrap_err();
    assert_eq!((unknown.code(), reason(&unknown).as_str()), (Code::Unimplemented, "UNIMPLEMENTED"));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn headers_have_one_limit_in_both_protocols() {
    let server = start(Duration::from_secs(5)).await;
    let one = |length: usize| format!("X-Long: {}\r\n", "a".repeat(length));
    for (lines, status) in [
        (one(16_000), "200"),
        (one(20_000), "431"),
        // Each field costs something besides its bytes.
        (one(150).repeat(80), "200"),
        (one(150).repeat(90), "431"),
    ] {
        let answer = server.get_with("/log/keys/checkpoint", &lines).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}: {answer}", lines.len());
    }
    let answer = server.get(&format!("/log/keys/{}", "a".repeat(20_000))).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");

    let mut info = InfoServiceClient::new(server.channel().await);
    for (length, fits) in [(15_000, true), (20_000, false)] {
        let mut request = Request::new(v1::GetServerInfoRequest {});
        request.metadata_mut().insert("x-long", "a".repeat(length).parse().unwrap());
        match info.get_server_info(request).await {
            Ok(_) => assert!(fits),
            Err(status) => assert!(!fits && status.message().contains("431"), "{status}"),
        }
    }
    server.stop().await.unwrap();
}

#[tokio::test]
async fn stops_within_its_deadline_while_a_stream_is_open() {
    let server = start(Duration::from_millis(200)).await;
    let channel = server.channel().await;
    let request = tonic_health::pb::HealthCheckRequest { service: String::new() };
    let watch = tonic_health::pb::health_client::HealthClient::new(channel).watch(request).await.unwrap();
    let mut watch = watch.into_inner();
    watch.message().await.unwrap();
    let address = server.address;
    let stopped = tokio::time::timeout(Duration::from_secs(3), server.stop()).await;
    stopped.expect("in time").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    // Whatever the stream still had is followed by its end or an error, not by silence.
    let drained = async { while let Ok(Some(_)) = watch.message().await {} };
    tokio::time::timeout(Duration::from_secs(3), drained).await.expect("the stream has ended");
}

#[tokio::test]
async fn a_handshake_that_never_comes_delays_nobody() {
    let server = start(Duration::from_millis(200)).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    assert!(server.get("/log/keys/checkpoint").await.starts_with("HTTP/1.1 200"));
    server.stop().await.unwrap();
}

#[tokio::test]
async fn grpc_web_is_understood() {
    let server = start(Duration::from_secs(5)).await;
    let mut stream = server.tls(server.client_config(&[b"http/1.1"], true)).await.unwrap();
    let head = "POST /postfach.v1.InfoService/GetServerInfo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/grpc-web+proto\r\nContent-Length: 5\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[0; 5]).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("post.example"), "{answer}");
    assert!(answer.contains("grpc-status:0") || answer.contains("grpc-status: 0"), "{answer}");
    server.stop().await.unwrap();
}
