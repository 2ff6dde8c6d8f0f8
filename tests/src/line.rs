//! A line between client and server that breaks as a test tells it: it cuts, stalls, flips a bit, or is slow.

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How a connection breaks.
#[derive(Debug, Clone, Copy)]
pub enum Break {
    /// It ends at once.
    Cut,
    /// Nothing passes any more, and nobody is told.
    Stall,
    /// One bit is flipped on the way.
    Corrupt,
}

/// A line to a server.
pub struct Line {
    address: SocketAddr,
    wire: Arc<Wire>,
}

struct Wire {
    server: SocketAddr,
    /// What comes next, and after how many bytes of one connection.
    breaks: Mutex<VecDeque<(u64, Break)>>,
    passed: AtomicU64,
    /// Bytes a second and direction; 0 is no limit.
    rate: AtomicU64,
}

struct Connection {
    passed: AtomicU64,
    stalled: AtomicBool,
}

impl Line {
    /// A good line to the server at this URL.
    pub fn to(url: &str) -> Self {
        let server = url.trim_start_matches("https://").trim_end_matches('/').parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (breaks, passed, rate) = (Mutex::default(), AtomicU64::new(0), AtomicU64::new(0));
        let wire = Arc::new(Wire { server, breaks, passed, rate });
        let accepting = wire.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.connect(client);
            }
        });
        Self { address, wire }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// What happens next, one after the other: each after so many bytes of one connection.
    pub fn breaks(&self, next: &[(u64, Break)]) {
        self.wire.breaks.lock().unwrap().extend(next);
    }

    /// True once all that should break did.
    pub fn is_through(&self) -> bool {
        self.wire.breaks.lock().unwrap().is_empty()
    }

    /// Lets only so many bytes a second pass in each direction.
    pub fn slow_down(&self, rate: u64) {
        self.wire.rate.store(rate, Ordering::Relaxed);
    }

    /// Bytes that passed in both directions.
    pub fn passed(&self) -> u64 {
        self.wire.passed.load(Ordering::Relaxed)
    }

    /// Waits until so many bytes passed.
    #[track_caller]
    pub fn wait_for(&self, bytes: u64) {
        let start = Instant::now();
        while self.passed() < bytes {
            assert!(start.elapsed() < Duration::from_mins(1), "{} of {bytes} bytes passed", self.passed());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Wire {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        let Ok(server) = TcpStream::connect(self.server) else { return };
        let connection = Arc::new(Connection { passed: AtomicU64::new(0), stalled: AtomicBool::new(false) });
        let directions = [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)];
        for (from, to) in directions {
            let (wire, connection) = (self.clone(), connection.clone());
            thread::spawn(move || {
                wire.pass_on(&connection, &from, &to);
                let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            });
        }
    }

    /// Until either end closes, or the connection breaks.
    fn pass_on(&self, connection: &Connection, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let bytes = n as u64;
            let passed = connection.passed.fetch_add(bytes, Ordering::Relaxed) + bytes;
            match self.next_break(passed) {
                Some(Break::Cut) => return,
                Some(Break::Stall) => connection.stalled.store(true, Ordering::Relaxed),
                Some(Break::Corrupt) => buffer[n / 2] ^= 1,
                None => {}
            }
            if connection.stalled.load(Ordering::Relaxed) {
                continue;
            }
            if to.write_all(&buffer[..n]).is_err() {
                return;
            }
            self.passed.fetch_add(bytes, Ordering::Relaxed);
            if let Some(wait) = (bytes * 1_000_000).checked_div(self.rate.load(Ordering::Relaxed)) {
                thread::sleep(Duration::from_micros(wait));
            }
        }
    }

    fn next_break(&self, passed: u64) -> Option<Break> {
        let mut breaks = self.breaks.lock().unwrap();
        breaks.pop_front_if(|(after, _)| passed >= *after).map(|(_, what)| what)
    }
}
