//! A client that keeps no rule: bytes over TLS, frames of HTTP/2 one by one, and calls whose headers, frames and ends a
//! test chooses. What comes back is told in a few words, so that a table can hold it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use postfach_domain::card::ServiceCard;
use postfach_tests::Deployment;
use prost::Message;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic_types::StatusExt as _;

/// How long an answer may take before it counts as none.
const PATIENCE: Duration = Duration::from_secs(8);
/// What a client says first in HTTP/2.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reaches one server.
#[derive(Clone)]
pub struct Wire {
    address: SocketAddr,
    config: ClientConfig,
    name: ServerName<'static>,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// In the words of the table: `404`, `Unauthenticated TOKEN_MISSING`, `Ok`, `RST_STREAM PROTOCOL_ERROR`.
    pub text: String,
    /// All that the error says, without what differs from call to call.
    pub said: String,
    /// The body, or the first message of it.
    pub body: Bytes,
}

impl Answer {
    pub fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The message of an answer that must be good.
    #[track_caller]
    pub fn message<M: Message + Default>(&self) -> M {
        assert_eq!(self.text, "Ok", "{self:?}");
        M::decode(self.body.slice(5..)).unwrap()
    }
}

impl Wire {
    /// To a running deployment.
    pub fn to(d: &Deployment) -> Self {
        let card = ServiceCard::verify(&fs::read(d.card()).unwrap()).unwrap().card;
        let config = postfach_sdk::channel::tls_config(card.tls_root.as_deref()).unwrap();
        let name = ServerName::try_from(card.origin.to_string()).unwrap();
        Self { address: d.server().listening.parse().unwrap(), config, name }
    }

    /// A connection without TLS.
    pub async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection with TLS.
    pub async fn tls(&self) -> TlsStream<TcpStream> {
        let connector = TlsConnector::from(Arc::new(self.config.clone()));
        connector.connect(self.name.clone(), self.tcp().await).await.unwrap()
    }

    /// An HTTP/2 connection that has said its preface and settings.
    pub async fn frames(&self) -> Frames {
        let mut frames = Frames::over(self.tls().await);
        frames.send(PREFACE).await;
        frames.send(&frame(4, 0, 0, &[])).await;
        frames
    }

    /// A connection of a client that keeps the rules of HTTP/2.
    pub async fn h2(&self) -> SendRequest<Bytes> {
        self.h2_with(&h2::client::Builder::new()).await
    }

    /// The same with settings.
    pub async fn h2_with(&self, settings: &h2::client::Builder) -> SendRequest<Bytes> {
        let (sender, connection) = settings.handshake(self.tls().await).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// One call on a connection of its own.
    pub async fn call(&self, call: Call) -> Answer {
        call.on(self.h2().await).await
    }

    /// Text in HTTP/1.1, and the status line's number.
    pub async fn http1(&self, request: &str) -> Answer {
        let mut stream = self.tls().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_all(&mut stream).await;
        let text = String::from_utf8_lossy(&answer);
        let status = text.split(' ').nth(1).filter(|_| text.starts_with("HTTP/1.1 "));
        let grpc = text.lines().find_map(|line| line.strip_prefix("grpc-status: "));
        let text = [
            status.unwrap_or("closed"),
            &grpc.map(|code| format!(" grpc-status {code}")).unwrap_or_default(),
        ];
        Answer { text: text.concat(), body: answer.clone().into(), ..Answer::default() }
    }
}

/// All bytes until the other side ends, however it does.
pub async fn read_all(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    let mut all = Vec::new();
    let reading = async { while matches!(stream.read_buf(&mut all).await, Ok(1..)) {} };
    timeout(PATIENCE, reading).await.expect("an answer or an end in time");
    all
}

/// One frame (RFC 9113, section 4.1).
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// Fields as literals that nobody remembers (RFC 7541, section 6.2.2).
pub fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            let mut length = text.len();
            if length < 127 {
                block.push(u8::try_from(length).unwrap());
            } else {
                block.push(127);
                length -= 127;
                while length >= 128 {
                    block.push(u8::try_from(length % 128).unwrap() | 128);
                    length /= 128;
                }
                block.push(u8::try_from(length).unwrap());
            }
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// Fields of a call to anybody's method.
pub const INFO: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "https"),
    (":authority", postfach_tests::deployment::ORIGIN),
    (":path", "/postfach.v1.InfoService/GetServerInfo"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
];

/// A connection on which frames are sent one by one.
pub struct Frames {
    reading: ReadHalf<TlsStream<TcpStream>>,
    writing: WriteHalf<TlsStream<TcpStream>>,
}

impl Frames {
    fn over(stream: TlsStream<TcpStream>) -> Self {
        let (reading, writing) = tokio::io::split(stream);
        Self { reading, writing }
    }

    /// Sends bytes. The server may have hung up already.
    pub async fn send(&mut self, bytes: &[u8]) {
        let _ = self.writing.write_all(bytes).await;
        let _ = self.writing.flush().await;
    }

    /// Sends the same bytes again and again while it reads; how the server ends that.
    pub async fn flood(
        mut self,
        times: usize,
        mut bytes: impl FnMut(usize) -> Vec<u8> + Send + 'static,
    ) -> Answer {
        let mut writing = self.writing;
        let flood = tokio::spawn(async move {
            for number in 0..times {
                if writing.write_all(&bytes(number)).await.is_err() {
                    break;
                }
            }
            let _ = writing.flush().await;
            writing
        });
        let ended = loop {
            let ended = self::ending(&mut self.reading, |_| false).await;
            // Streams may be reset one by one before the connection is.
            if !ended.text.starts_with("RST_STREAM") {
                break ended;
            }
        };
        flood.abort();
        ended
    }

    /// How the server ends it: the first GOAWAY with an error, RST_STREAM, or the end.
    pub async fn ending(&mut self) -> Answer {
        ending(&mut self.reading, |_| false).await
    }

    /// Reads until a frame of this type came.
    pub async fn until(&mut self, kind: u8) -> Answer {
        ending(&mut self.reading, |found| found == kind).await
    }

    /// Asks for a sign of life and reads until it is there.
    pub async fn lives(&mut self) -> Answer {
        self.send(&frame(6, 0, 0, b"are you?")).await;
        let mut head = [0; 9];
        loop {
            let Ok(Ok(payload)) = timeout(PATIENCE, one(&mut self.reading, &mut head)).await else {
                return Answer::of("closed");
            };
            match head[3] {
                6 if payload == b"are you?" => return Answer::of("goes on"),
                7 => return Answer::of(format!("GOAWAY {}", error(&payload[4..]))),
                _ => {}
            }
        }
    }
}

async fn one(reading: &mut ReadHalf<TlsStream<TcpStream>>, head: &mut [u8; 9]) -> io::Result<Vec<u8>> {
    reading.read_exact(head).await?;
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    reading.read_exact(&mut payload).await?;
    Ok(payload)
}

async fn ending(reading: &mut ReadHalf<TlsStream<TcpStream>>, enough: impl Fn(u8) -> bool) -> Answer {
    let mut head = [0; 9];
    loop {
        let read = timeout(PATIENCE, one(reading, &mut head)).await;
        let Ok(read) = read else { return Answer::of("silence") };
        let Ok(payload) = read else { return Answer::of("closed") };
        match head[3] {
            3 => return Answer::of(format!("RST_STREAM {}", error(&payload))),
            7 if error(&payload[4..]) != "NO_ERROR" => {
                return Answer::of(format!("GOAWAY {}", error(&payload[4..])));
            }
            kind if enough(kind) => return Answer::of(format!("frame {kind}")),
            _ => {}
        }
    }
}

fn error(code: &[u8]) -> String {
    let code = u32::from_be_bytes(code[..4].try_into().unwrap());
    format!("{:?}", h2::Reason::from(code))
}

/// A call on an HTTP/2 connection that keeps its rules.
#[derive(Clone)]
pub struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    parts: Vec<Bytes>,
    /// Between two parts of the body.
    pause: Duration,
    /// False where the body never ends.
    ends: bool,
}

impl Call {
    /// A unary call, for example `MailboxService/GetChain`.
    pub fn to(method: &str, message: &impl Message) -> Self {
        Self::with_body(method, grpc(&message.encode_to_vec()))
    }

    /// The same with any body.
    pub fn with_body(method: &str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/grpc".parse().unwrap());
        headers.insert("te", "trailers".parse().unwrap());
        Self {
            method: Method::POST,
            path: format!("/postfach.v1.{method}"),
            headers,
            parts: vec![body.into()],
            pause: Duration::ZERO,
            ends: true,
        }
    }

    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// One more header, where one of the name may be there already.
    pub fn also(mut self, name: &'static str, value: &str) -> Self {
        self.headers.append(name, value.parse().unwrap());
        self
    }

    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Sends the body in pieces of so many bytes.
    pub fn slowly(mut self, size: usize, pause: Duration) -> Self {
        let body: Bytes = self.parts.concat().into();
        self.parts = body.chunks(size).map(Bytes::copy_from_slice).collect();
        self.pause = pause;
        self
    }

    /// Never says that the body is complete.
    pub fn without_end(mut self) -> Self {
        self.ends = false;
        self
    }

    /// Sends it and tells what came back.
    pub async fn on(self, sender: SendRequest<Bytes>) -> Answer {
        match timeout(PATIENCE, self.exchange(sender)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Answer::of(ended(&error)),
            Err(_) => Answer::of("silence"),
        }
    }

    async fn exchange(self, sender: SendRequest<Bytes>) -> Result<Answer, h2::Error> {
        let mut sender = sender.ready().await?;
        let uri = format!("https://{}{}", postfach_tests::deployment::ORIGIN, self.path);
        let mut request =
            Request::builder().method(self.method).uri(uri).version(Version::HTTP_2).body(()).unwrap();
        *request.headers_mut() = self.headers;
        let (answering, mut body) = sender.send_request(request, false)?;
        let (parts, pause, ends) = (self.parts, self.pause, self.ends);
        // The answer may come before the whole body is out; the stream lives as long as this task.
        let sending = tokio::spawn(async move {
            for part in parts {
                tokio::time::sleep(pause).await;
                if send(&mut body, part).await.is_err() {
                    return;
                }
            }
            if ends {
                let _ = body.send_data(Bytes::new(), true);
            } else {
                tokio::time::sleep(PATIENCE).await;
            }
        });
        let answer = answering.await;
        let answer = match answer {
            Ok(answer) => read(answer).await,
            Err(error) => Err(error),
        };
        sending.abort();
        answer
    }
}

/// As much at once as the window lets through.
async fn send(body: &mut h2::SendStream<Bytes>, mut data: Bytes) -> Result<(), h2::Error> {
    while !data.is_empty() {
        body.reserve_capacity(data.len());
        let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
        let room = room.unwrap_or(Ok(0))?;
        if room == 0 {
            return Ok(());
        }
        body.send_data(data.split_to(room.min(data.len())), false)?;
    }
    Ok(())
}

async fn read(answer: http::Response<h2::RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut body) = answer.into_parts();
    let mut data = BytesMut::new();
    while let Some(chunk) = body.data().await {
        // What was answered completely counts, also where the rest of the request was not wanted.
        let Ok(chunk) = chunk else { break };
        let _ = body.flow_control().release_capacity(chunk.len());
        data.put(chunk);
    }
    let trailers = body.trailers().await.ok().flatten().unwrap_or_default();
    let status = [&trailers, &head.headers].into_iter().find_map(tonic::Status::from_header_map);
    let (text, said) = match status {
        Some(status) if status.code() == tonic::Code::Ok => ("Ok".to_owned(), String::new()),
        Some(status) => told(&status),
        None => (head.status.as_u16().to_string(), String::new()),
    };
    assert!(head.status == StatusCode::OK || data.len() < 1000, "an error of HTTP has no page");
    Ok(Answer { text, said, body: data.freeze() })
}

/// Code and reason; and everything else that is not about this one call.
fn told(status: &tonic::Status) -> (String, String) {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no reason: {status:?}"));
    assert!(details.request_info().is_some() && details.localized_message().is_some(), "{status:?}");
    let mut metadata: Vec<_> = info.metadata.iter().filter(|(name, _)| *name != "server_time").collect();
    metadata.sort();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    let text = format!("{:?} {}", status.code(), info.reason);
    (text, format!("{} {metadata:?} {violations:?}", status.message()))
}

fn ended(error: &h2::Error) -> String {
    let how = if error.is_go_away() { "GOAWAY" } else { "RST_STREAM" };
    error.reason().map_or_else(|| "closed".to_owned(), |reason| format!("{how} {reason:?}"))
}

/// A message in its frame: not compressed, with its length.
pub fn grpc(message: &[u8]) -> Vec<u8> {
    framed(0, u32::try_from(message.len()).unwrap(), message)
}

/// A frame that may lie.
pub fn framed(flag: u8, length: u32, message: &[u8]) -> Vec<u8> {
    let mut body = vec![flag];
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(message);
    body
}
