//! A server that lies: it has the real one's certificate and name, passes every call on, and changes answers as a test
//! tells it. Clients cannot tell it from the real one by anything but evidence.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use postfach_domain::card::ServiceCard;
use postfach_sdk::Service;
use postfach_server::deployment::folder::Folder;
use postfach_server::net::accept::{self, AcceptLimits, Stop};
use postfach_server::net::tls::{self, Certificate};
use postfach_tests::Deployment;
use prost::Message;
use tokio::net::TcpListener;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Channel;
use tower::ServiceExt as _;

/// What happens to the messages of one method: the request, and all messages of the answer.
type Lie = Box<dyn Fn(&[u8], &mut Vec<Bytes>) + Send + Sync>;

/// What somebody gets instead of the answer.
#[derive(Clone)]
enum Instead {
    /// That the call failed.
    Failure(Status),
    /// Nothing: the line breaks.
    Nothing,
    /// The liar's own messages, and then the end, or silence.
    Own { messages: Vec<Bytes>, ends: bool },
}

/// The lies by method, and how often each method was called.
#[derive(Default)]
struct Script {
    lies: HashMap<String, Lie>,
    /// What comes instead of an answer, and whether the server hears of the call.
    instead: HashMap<String, (Instead, bool)>,
    calls: HashMap<String, Vec<Bytes>>,
}

/// A liar before a deployment's server.
pub struct Liar {
    /// Where clients are sent.
    pub url: String,
    script: Arc<Mutex<Script>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Relay {
    server: Channel,
    script: Arc<Mutex<Script>>,
}

impl Liar {
    /// Stands before the running server, honest until told otherwise.
    pub fn before(deployment: &Deployment) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let card = ServiceCard::verify(&std::fs::read(deployment.card()).unwrap()).unwrap();
        let service = Service::from_card(&card.card).unwrap();
        let script = Arc::<Mutex<Script>>::default();
        let folder = Folder::at(&deployment.data());
        let (chain, key) = (folder.tls_certificate(), folder.tls_key());
        let url = runtime.block_on(async {
            let server =
                postfach_sdk::channel::channel(&service, Some(&deployment.url()), Duration::from_secs(10));
            let relay = Relay { server: server.unwrap(), script: Arc::clone(&script) };
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("https://{}", listener.local_addr().unwrap());
            let config = tls::server_config(Certificate::load(&chain, &key).unwrap()).unwrap();
            let limits = AcceptLimits { handshake: Duration::from_secs(10), connections: 100 };
            let connections = accept::tls(listener, config, limits, Stop::default());
            let routes = axum::Router::new().fallback(pass_on).with_state(relay);
            tokio::spawn(
                tonic::transport::Server::builder()
                    .add_routes(Routes::from(routes))
                    .serve_with_incoming(connections),
            );
            url
        });
        Self { url, script, _runtime: runtime }
    }

    /// From now on changes answers of a method, for example `MailboxService/Sync`.
    pub fn lies<Req: Message + Default, Res: Message + Default>(
        &self,
        method: &str,
        lie: impl Fn(&Req, &mut Res) + Send + Sync + 'static,
    ) {
        self.lies_in_all::<Req, Res>(method, move |request, answers| {
            for answer in answers {
                lie(request, answer);
            }
        });
    }

    /// The same with all messages of a stream at once; they may become fewer or more.
    pub fn lies_in_all<Req: Message + Default, Res: Message + Default>(
        &self,
        method: &str,
        lie: impl Fn(&Req, &mut Vec<Res>) + Send + Sync + 'static,
    ) {
        let lie: Lie = Box::new(move |request, answers| {
            let request = Req::decode(request).unwrap();
            let mut changed: Vec<Res> =
                answers.iter().map(|answer| Res::decode(answer.clone()).unwrap()).collect();
            lie(&request, &mut changed);
            *answers = changed.iter().map(|answer| answer.encode_to_vec().into()).collect();
        });
        self.script.lock().unwrap().lies.insert(path(method), lie);
    }

    /// Only listens to the answers of a method while somebody does something; all that came.
    pub fn hears<Req: Message + Default, Res: Message + Default + Clone + 'static>(
        &self,
        method: &str,
        meanwhile: impl FnOnce(),
    ) -> Vec<Res> {
        let heard = Arc::<Mutex<Vec<Res>>>::default();
        let sink = Arc::clone(&heard);
        self.lies::<Req, Res>(method, move |_, answer| sink.lock().unwrap().push(answer.clone()));
        meanwhile();
        self.repents();
        std::mem::take(&mut *heard.lock().unwrap())
    }

    /// From now on keeps calls of a method to itself, and says that the server is away.
    pub fn swallows(&self, method: &str) {
        self.instead(method, Instead::Failure(Status::unavailable("away")), false);
    }

    /// From now on passes calls of a method on, and says that they failed.
    pub fn fails(&self, method: &str, status: Status) {
        self.instead(method, Instead::Failure(status), true);
    }

    /// From now on passes calls of a method on, and breaks the line when the answer should come.
    pub fn breaks(&self, method: &str) {
        self.instead(method, Instead::Nothing, true);
    }

    /// From now on answers a method with messages of its own, and ends the stream or leaves it open.
    pub fn invents<Res: Message>(&self, method: &str, messages: &[Res], ends: bool) {
        let messages = messages.iter().map(|message| message.encode_to_vec().into()).collect();
        self.instead(method, Instead::Own { messages, ends }, false);
    }

    fn instead(&self, method: &str, what: Instead, passed_on: bool) {
        self.script.lock().unwrap().instead.insert(path(method), (what, passed_on));
    }

    /// Tells the truth again.
    pub fn repents(&self) {
        let mut script = self.script.lock().unwrap();
        script.lies.clear();
        script.instead.clear();
    }

    /// Every request of a method.
    pub fn requests<Req: Message + Default>(&self, method: &str) -> Vec<Req> {
        let script = self.script.lock().unwrap();
        let calls = script.calls.get(&path(method)).cloned().unwrap_or_default();
        calls.into_iter().map(|request| Req::decode(request).unwrap()).collect()
    }
}

fn path(method: &str) -> String {
    format!("/postfach.v1.{method}")
}

/// Passes a call on, and changes what comes back.
async fn pass_on(State(relay): State<Relay>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let sent = body.collect().await.unwrap().to_bytes();
    let first = messages(sent.clone()).into_iter().next().unwrap_or_default();
    let instead = {
        let mut script = relay.script.lock().unwrap();
        script.calls.entry(path.clone()).or_default().push(first.clone());
        script.instead.get(&path).cloned()
    };
    if let Some((what, false)) = &instead {
        return what.to_answer();
    }
    let forwarded = http::Request::from_parts(parts, tonic::body::Body::new(Body::from(sent)));
    let answer = relay.server.clone().oneshot(forwarded).await.unwrap();
    let (head, body) = answer.into_parts();
    let collected = body.collect().await.unwrap();
    if let Some((what, true)) = &instead {
        return what.to_answer();
    }
    let trailers = collected.trailers().cloned();
    let mut data = collected.to_bytes();
    if let Some(lie) = relay.script.lock().unwrap().lies.get(&path) {
        if data.is_empty() {
            return invented(lie, &first).unwrap_or_else(|| Response::from_parts(head, Body::empty()));
        }
        let mut answers = messages(data);
        lie(&first, &mut answers);
        data = frames(&answers);
    }
    Response::from_parts(head, with_trailers(data, trailers))
}

/// An answer where the real server had none: what the lie makes of an empty message, unless that stays empty.
fn invented(lie: &Lie, request: &[u8]) -> Option<Response> {
    let mut answers = vec![Bytes::new()];
    lie(request, &mut answers);
    let is_empty = answers.iter().all(Bytes::is_empty);
    (!is_empty).then(|| Instead::Own { messages: answers, ends: true }.to_answer())
}

impl Instead {
    fn to_answer(&self) -> Response {
        let body = match self {
            Self::Failure(status) => return status.clone().into_http(),
            Self::Nothing => broken(),
            Self::Own { messages, ends: false } => {
                let body = http_body_util::Full::new(frames(messages));
                Body::new(body.with_trailers(std::future::pending()))
            }
            Self::Own { messages, ends: true } => {
                let fine = [("grpc-status".parse().unwrap(), "0".parse().unwrap())];
                with_trailers(frames(messages), Some(HeaderMap::from_iter(fine)))
            }
        };
        let mut response = Response::new(body);
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        response
    }
}

/// A body that ends in the middle of its first message.
fn broken() -> Body {
    let begun = http_body_util::Full::new(Bytes::from_static(&[0, 0]));
    let begun = begun.map_err(|never| -> std::io::Error { match never {} });
    Body::new(begun.with_trailers(async { Some(Err(std::io::Error::other("cut"))) }))
}

fn with_trailers(data: Bytes, trailers: Option<HeaderMap>) -> Body {
    let body = http_body_util::Full::new(data);
    Body::new(body.with_trailers(async move { trailers.map(Ok) }))
}

/// The messages in a gRPC body: a flag, a length and the bytes each.
fn messages(mut body: Bytes) -> Vec<Bytes> {
    let mut found = Vec::new();
    while body.len() >= 5 {
        assert_eq!(body.get_u8(), 0, "not compressed");
        let length = body.get_u32() as usize;
        found.push(body.split_to(length.min(body.len())));
    }
    found
}

fn frames(messages: &[Bytes]) -> Bytes {
    let mut body = BytesMut::new();
    for message in messages {
        body.put_u8(0);
        body.put_u32(u32::try_from(message.len()).unwrap());
        body.put_slice(message);
    }
    body.freeze()
}
