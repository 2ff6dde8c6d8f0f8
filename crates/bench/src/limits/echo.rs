//! An echo of one message's size over the same TLS and gRPC stack: what a call costs before the product does anything.

use std::convert::Infallible;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use postfach_proto::v1::Submission;
use postfach_sdk::Service;
use postfach_server::net::accept::{AcceptLimits, Stop, tls};
use postfach_server::net::tls::{Certificate, server_config};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::report::Figure;
use crate::server::Server as Child;
use crate::{load, scenarios};

const PATH: &str = "/postfach.bench.Echo/Echo";

/// Answers every submission with itself.
#[derive(Clone)]
struct Answers;

impl tonic::server::UnaryService<Submission> for Answers {
    type Response = Submission;
    type Future = BoxFuture<Response<Submission>, Status>;

    fn call(&mut self, request: Request<Submission>) -> Self::Future {
        Box::pin(async move { Ok(Response::new(request.into_inner())) })
    }
}

impl tower::Service<http::Request<Body>> for Answers {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<Submission, Submission>::default();
            Ok(tonic::server::Grpc::new(codec).unary(Answers, request).await)
        })
    }
}

impl tonic::server::NamedService for Answers {
    const NAME: &'static str = "postfach.bench.Echo";
}

/// Serves echoes with a certificate's PEM files until the process ends; prints the address as the product does.
pub async fn serve(chain_file: &Path, key_file: &Path) -> Result<()> {
    let config = server_config(Certificate::load(chain_file, key_file)?)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    crate::report::say(&format!("{{\"listening\":\"{}\"}}", listener.local_addr()?));
    let limits = AcceptLimits { handshake: Duration::from_secs(10), connections: 1024 };
    let connections = tls(listener, Arc::clone(&config), limits, Stop::default());
    Server::builder().add_service(Answers).serve_with_incoming(connections).await?;
    Ok(())
}

/// An echo server in a process of its own, for submissions of one size.
pub struct Echo {
    server: Child,
    size: usize,
}

impl Echo {
    /// Starts it with the certificate of a deployment's folder.
    pub fn start(data: &Path, size: usize) -> Result<Self> {
        let deployment = postfach_server::deployment::folder::Folder::at(data);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--echo").arg(deployment.tls_certificate()).arg(deployment.tls_key());
        Ok(Self { server: Child::start(&mut command)?, size })
    }

    /// Echoes per second, so many calls at once.
    pub async fn measure(&self, service: &Service, callers: usize) -> Result<Figure> {
        let (channels, size) = (scenarios::channels(service, &self.server, callers)?, self.size);
        // One caller alone would take three seconds for all of them.
        let count = if callers == 1 { 5_000 } else { 20_000 };
        load::run("limit: echo of one submission over TLS", callers, count, move |caller, _| {
            call(channels[caller % channels.len()].clone(), size)
        })
        .await
    }
}

/// One echo of `size` bytes.
async fn call(channel: Channel, size: usize) -> Result<()> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await?;
    let body = Submission { letter_envelope: Bytes::from(vec![0x5a_u8; size]), ..Submission::default() };
    let codec = ProstCodec::<Submission, Submission>::default();
    let path = http::uri::PathAndQuery::from_static(PATH);
    let answer: Response<Submission> = grpc.unary(Request::new(body), path, codec).await?;
    anyhow::ensure!(answer.get_ref().letter_envelope.len() == size, "the echo is shorter than the call");
    Ok(())
}
