//! An echo of one message's size over the same TLS and gRPC stack: what a call costs before the product does anything.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use postfach_proto::v1::Submission;
use postfach_server::net::accept::{AcceptLimits, Stop, tls};
use postfach_server::net::tls::{Certificate, server_config};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

const PATH: &str = "/postfach.bench.Echo/Echo";

/// Answers every submission with itself.
#[derive(Clone)]
struct Echo;

impl tonic::server::UnaryService<Submission> for Echo {
    type Response = Submission;
    type Future = BoxFuture<Response<Submission>, Status>;

    fn call(&mut self, request: Request<Submission>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}

impl tower::Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<Submission, Submission>::default();
            Ok(tonic::server::Grpc::new(codec).unary(Echo, request).await)
        })
    }
}

impl tonic::server::NamedService for Echo {
    const NAME: &'static str = "postfach.bench.Echo";
}

/// Serves echoes with a certificate's PEM files until the process ends; prints the address as the product does.
pub async fn serve(chain_file: &Path, key_file: &Path) -> Result<()> {
    let config = server_config(Certificate::load(chain_file, key_file)?)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    crate::report::say(&format!("{{\"listening\":\"{}\"}}", listener.local_addr()?));
    let limits = AcceptLimits { handshake: Duration::from_secs(10), connections: 1024 };
    let connections = tls(listener, Arc::clone(&config), limits, Stop::default());
    Server::builder().add_service(Echo).serve_with_incoming(connections).await?;
    Ok(())
}

/// One echo of `size` bytes.
pub async fn call(channel: Channel, size: usize) -> Result<()> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await?;
    let body = Submission { letter_envelope: Bytes::from(vec![0x5a_u8; size]), ..Submission::default() };
    let codec = ProstCodec::<Submission, Submission>::default();
    let path = http::uri::PathAndQuery::from_static(PATH);
    let answer: Response<Submission> = grpc.unary(Request::new(body), path, codec).await?;
    anyhow::ensure!(answer.get_ref().letter_envelope.len() == size, "the echo is shorter than the call");
    Ok(())
}
