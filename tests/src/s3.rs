//! A real S3 server (moto) as a process, and a line to it that breaks as a test tells it. Needs nothing but the standard
//! library, because the server crate's own tests take this file in too.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

/// The key that tests use; the server takes any unless it is told otherwise.
pub const KEY: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIAPOSTFACHTEST"), ("AWS_SECRET_ACCESS_KEY", "hush-this-is-the-secret")];

/// A running server.
pub struct S3Server {
    address: SocketAddr,
    buckets: AtomicU64,
    /// Ends the server when this process ends, however that comes.
    child: Child,
}

impl S3Server {
    /// The one that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<S3Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// One of its own, for tests that change what it lets in.
    pub fn start() -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/s3/venv/bin/moto_server");
        assert!(program.is_file(), "{} is missing: run ./test --setup-only", program.display());
        // The shell waits for the end of its input, which is this process's end, and takes the server with it.
        let script = r#""$0" -H 127.0.0.1 -p 0 2>&1 & trap 'kill $!' EXIT; cat >&2"#;
        let mut child = Command::new("sh")
            .args(["-c", script, program.to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let address =
            lines.by_ref().find_map(|line| line.split_once("http://").map(|(_, rest)| rest.to_owned()));
        let address = address.expect("moto says where it listens").trim().parse().unwrap();
        // It logs each request there.
        thread::spawn(move || lines.for_each(drop));
        Self { address, buckets: AtomicU64::new(0), child }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new, empty bucket.
    pub fn bucket(&self) -> String {
        let name = format!("post-{}-{}", std::process::id(), self.buckets.fetch_add(1, Ordering::Relaxed));
        self.call("PUT", &format!("/{name}"), b"");
        name
    }

    /// A call whose signature nobody checks, and its answer's body. At the root the server keeps users and keys.
    pub fn call(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let (service, kind) =
            if path == "/" { ("iam", "x-www-form-urlencoded") } else { ("s3", "octet-stream") };
        let signed = format!("Credential={}/20260101/us-east-1/{service}/aws4_request", KEY[0].1);
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: s3\r\nContent-Type: application/{kind}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 {signed}, SignedHeaders=host, Signature=0\r\n\r\n",
            body.len()
        );
        let (head, body) = exchange(self.address, head.as_bytes(), body).unwrap();
        assert!(
            head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')),
            "{method} {path}: {head}"
        );
        body
    }

    /// Keys of all objects of a bucket, in order.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.call("GET", &format!("/{bucket}?list-type=2"), b"");
        let listed = String::from_utf8(listed).unwrap();
        listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }

    /// The URL of a place in a bucket, straight or by a line.
    pub fn place(bucket: &str, address: SocketAddr) -> String {
        format!("s3://{bucket}/mein/postfach?region=us-east-1&endpoint=http://{address}")
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// It is answered with this status and code, and does not reach the server.
    Answer(u16, &'static str),
    /// The connection is reset before the request is through.
    Reset,
    /// It is done, and the connection ends without an answer.
    LostAnswer,
    /// Nothing happens any more.
    Stall,
    /// It is done, and half of the answer comes.
    HalfAnswer,
    /// It is done, and one bit of the answer is another.
    FlippedAnswer,
    /// One bit of what is sent is another.
    FlippedRequest,
    /// It is done, and answered after so many milliseconds.
    Slow(u64),
}

/// A line to a server.
pub struct S3Line {
    address: SocketAddr,
    wire: Arc<Wire>,
}

struct Wire {
    server: SocketAddr,
    /// What happens to the next requests with these methods.
    plan: Mutex<VecDeque<(&'static str, Fault)>>,
    /// What happens to every request with this method, `""` for all, until it is mended.
    outage: Mutex<Option<(&'static str, Fault)>>,
    requests: AtomicU64,
}

impl S3Line {
    /// A good line.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let wire = Arc::new(Wire {
            server,
            plan: Mutex::default(),
            outage: Mutex::default(),
            requests: AtomicU64::new(0),
        });
        let accepting = wire.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let wire = accepting.clone();
                thread::spawn(move || while wire.pass_on(&client).is_some() {});
            }
        });
        Self { address, wire }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Faults to come, each for the next request with its method.
    pub fn faults(&self, next: &[(&'static str, Fault)]) {
        self.wire.plan.lock().unwrap().extend(next);
    }

    /// True once all that should happen did.
    pub fn is_through(&self) -> bool {
        self.wire.plan.lock().unwrap().is_empty()
    }

    /// From now on this happens to every request with the method, `""` for all.
    pub fn fails(&self, method: &'static str, fault: Fault) {
        *self.wire.outage.lock().unwrap() = Some((method, fault));
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        *self.wire.outage.lock().unwrap() = None;
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.wire.requests.load(Ordering::Relaxed)
    }
}

impl Wire {
    fn fault(&self, method: &str) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        if plan.front().is_some_and(|(of, _)| *of == method) {
            return plan.pop_front().map(|(_, fault)| fault);
        }
        self.outage.lock().unwrap().filter(|(of, _)| of.is_empty() || *of == method).map(|(_, fault)| fault)
    }

    /// One request and its answer; `None` where the connection ends.
    fn pass_on(&self, client: &TcpStream) -> Option<()> {
        let mut reader = BufReader::with_capacity(4096, client);
        let head = read_head(&mut reader)?;
        let method = head.split(' ').next()?.to_owned();
        self.requests.fetch_add(1, Ordering::Relaxed);
        let fault = self.fault(&method);
        if let Some(Fault::Reset) = fault {
            // What was not read makes the system reset the connection.
            return None;
        }
        let mut body = vec![0; length(&head)?];
        reader.read_exact(&mut body).ok()?;
        match fault {
            Some(Fault::Answer(status, code)) => return answer(client, &refusal(status, code), &[]),
            Some(Fault::Stall) => {
                let _ = reader.read(&mut [0]);
                return None;
            }
            Some(Fault::FlippedRequest) => flip(&mut body),
            _ => {}
        }
        let (head, mut body) =
            exchange(self.server, head.replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n").as_bytes(), &body)?;
        let head = with_length(&head, body.len());
        match fault {
            Some(Fault::LostAnswer) => return None,
            Some(Fault::HalfAnswer) => {
                answer(client, &head, &body[..body.len() / 2])?;
                return None;
            }
            Some(Fault::FlippedAnswer) => flip(&mut body),
            Some(Fault::Slow(ms)) => thread::sleep(Duration::from_millis(ms)),
            _ => {}
        }
        answer(client, &head, &body)
    }
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 1;
    }
}

/// As S3 does it, with things in it that nobody should repeat.
fn refusal(status: u16, code: &str) -> String {
    let secret = KEY[1].1;
    let text = format!("<Error><Code>{code}</Code><StringToSign>{secret}</StringToSign></Error>");
    format!(
        "HTTP/1.1 {status} No\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    )
}

fn answer(mut client: &TcpStream, head: &str, body: &[u8]) -> Option<()> {
    client.write_all(&[head.as_bytes(), body].concat()).ok()
}

/// Sends a request to the server and reads the whole answer.
fn exchange(server: SocketAddr, head: &[u8], body: &[u8]) -> Option<(String, Vec<u8>)> {
    let mut server = TcpStream::connect(server).ok()?;
    server.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    server.write_all(&[head, body].concat()).ok()?;
    let mut reader = BufReader::new(&server);
    let head = read_head(&mut reader)?;
    let mut body = Vec::new();
    reader.read_to_end(&mut body).ok()?;
    Some((head, body))
}

fn read_head(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn length(head: &str) -> Option<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    found.map_or(Some(0), |(_, value)| value.trim().parse().ok())
}

/// The head of an answer on a connection that goes on.
fn with_length(head: &str, length: usize) -> String {
    let ours = ["content-length:", "connection:", "transfer-encoding:"];
    let other = |line: &&str| !ours.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
    let mut lines: Vec<_> = head.trim_end().split("\r\n").filter(other).map(str::to_owned).collect();
    if let Some(first) = lines.first_mut() {
        *first = first.replacen("HTTP/1.0", "HTTP/1.1", 1);
    }
    lines.push(format!("Content-Length: {length}\r\n\r\n"));
    lines.join("\r\n")
}
