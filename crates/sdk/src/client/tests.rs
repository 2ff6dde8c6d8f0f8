//! Calls against a server in this process: TLS, retries, clock, and who counts as away.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postfach_domain::id::Party;
use postfach_domain::sign::SecretKey;
use postfach_proto::v1;
use postfach_proto::v1::info_service_server::{InfoService, InfoServiceServer};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{Client, ConnectOptions, Pace};
use crate::error::Error;
use crate::state::Trust;
use crate::testing::{NOW, environment, service};

type Answer = fn(u32) -> Result<(), Status>;

/// Answers each call as the test says, and keeps the tokens.
#[derive(Clone)]
struct Info {
    calls: Arc<AtomicU32>,
    tokens: Arc<Mutex<Vec<String>>>,
    answer: Answer,
}

#[tonic::async_trait]
impl InfoService for Info {
    async fn get_server_info(
        &self,
        request: Request<v1::GetServerInfoRequest>,
    ) -> Result<Response<v1::GetServerInfoResponse>, Status> {
        let token = request.metadata().get("authorization").map(|t| t.to_str().unwrap().to_owned());
        self.tokens.lock().unwrap().push(token.unwrap_or_default());
        (self.answer)(self.calls.fetch_add(1, Ordering::SeqCst))?;
        Ok(Response::new(v1::GetServerInfoResponse::default()))
    }
}

/// A TLS server with a certificate for `name`; its port and root.
async fn serve(name: &str, answer: Answer) -> (Info, u16, String) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (connections, accepted) = tokio::sync::mpsc::channel(4);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = connections.send(Ok::<_, std::io::Error>(Tls(stream))).await;
            }
        }
    });
    let info = Info { calls: Arc::default(), tokens: Arc::default(), answer };
    let routes = Server::builder().add_service(InfoServiceServer::new(info.clone()));
    tokio::spawn(routes.serve_with_incoming(ReceiverStream::new(accepted)));
    (info, port, made.cert.pem())
}

/// A connection that tells tonic nothing about itself.
struct Tls(tokio_rustls::server::TlsStream<tokio::net::TcpStream>);

impl tonic::transport::server::Connected for Tls {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

mod io {
    use std::io::Result;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    impl AsyncRead for super::Tls {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for super::Tls {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, buf)
        }
        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }
        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }
}

fn client(port: u16, root: String, timeout_ms: u64) -> Client {
    let mut service = service();
    service.tls_root = Some(root);
    let url = Some(format!("https://127.0.0.1:{port}"));
    let options = ConnectOptions { url, timeout: Duration::from_millis(timeout_ms) };
    let client = Client::new(Arc::new(service), environment(), &options, Trust::default()).unwrap();
    let party = Party::Authority("stadt-test".parse().unwrap());
    client.calling_as(party, Arc::new(SecretKey::from_seed(&[1; 32])))
}

async fn ask(client: &Client) -> Result<(), Error> {
    client
        .call(Pace::Normal, v1::GetServerInfoRequest {}, |channel, request| async move {
            v1::info_service_client::InfoServiceClient::new(channel).get_server_info(request).await
        })
        .await
        .map(|_: v1::GetServerInfoResponse| ())
}

#[tokio::test]
async fn the_certificate_is_checked_for_the_origin_whatever_is_dialled() {
    let (_, port, root) = serve("post.example", |_| Ok(())).await;
    ask(&client(port, root.clone(), 5000)).await.unwrap();
    let (_, other, other_root) = serve("other.example", |_| Ok(())).await;
    // The right root with a wrong name, and a right name with a wrong root.
    assert!(matches!(ask(&client(other, other_root, 5000)).await, Err(Error::NotTheService { .. })));
    let (_, third, _) = serve("post.example", |_| Ok(())).await;
    assert!(matches!(ask(&client(third, root, 5000)).await, Err(Error::NotTheService { .. })));
}

#[tokio::test]
async fn nobody_there_is_away_within_the_timeout() {
    let (_, _, root) = serve("post.example", |_| Ok(())).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Somebody who accepts and says nothing; then nobody.
    let started = std::time::Instant::now();
    assert!(matches!(ask(&client(port, root.clone(), 300)).await, Err(Error::ServerAway { .. })));
    drop(listener);
    assert!(matches!(ask(&client(port, root, 300)).await, Err(Error::ServerAway { .. })));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_with_the_same_token() {
    let busy: Answer = |call| if call < 2 { Err(Status::unavailable("busy")) } else { Ok(()) };
    let (info, port, root) = serve("post.example", busy).await;
    ask(&client(port, root, 5000)).await.unwrap();
    assert_eq!(info.calls.load(Ordering::SeqCst), 3);
    let tokens = info.tokens.lock().unwrap();
    assert!(tokens[0].starts_with("Bearer ") && tokens.iter().all(|token| *token == tokens[0]));
}

fn clock_off(_: u32) -> Result<(), Status> {
    let metadata = HashMap::from([("server_time".to_owned(), (NOW.0 + 900_000).to_string())]);
    let details = ErrorDetails::with_error_info("TOKEN_EXPIRED", "post.example", metadata);
    Err(Status::with_error_details(Code::Unauthenticated, "expired", details))
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_once() {
    let first_off: Answer = |call| if call == 0 { clock_off(call) } else { Ok(()) };
    let (info, port, root) = serve("post.example", first_off).await;
    let ours = client(port, root, 5000);
    ask(&ours).await.unwrap();
    assert_eq!(ours.clock_correction(), Some(900_000));
    assert_eq!(ours.now(), NOW.plus_ms(900_000));
    let tokens = info.tokens.lock().unwrap().clone();
    assert_ne!(tokens[0], tokens[1]);
    // A server that is never content is not asked for ever.
    let (info, port, root) = serve("post.example", clock_off).await;
    assert!(matches!(ask(&client(port, root, 5000)).await, Err(Error::NotAccepted { .. })));
    assert_eq!(info.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refusal_is_not_repeated() {
    let (info, port, root) = serve("post.example", |_| Err(Status::failed_precondition("no"))).await;
    assert!(matches!(ask(&client(port, root, 5000)).await, Err(Error::Conflict { .. })));
    assert_eq!(info.calls.load(Ordering::SeqCst), 1);
}
