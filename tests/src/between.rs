//! Between `postfachd` and its database: a line that is cut, passes nothing on, or loses the answer to a COMMIT.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use postfach_testdb::Database;

/// The message that ends a transaction (Query, its length, the text).
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What the line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Passes everything on.
    Good,
    /// Nobody answers: connections end, new ones too.
    Cut,
    /// Takes everything and passes nothing on.
    Silent,
    /// Every so many COMMITs, one is passed on and the line cut before its answer.
    LosesAnswers(u64),
    /// The same, but the COMMIT does not arrive either.
    LosesCommits(u64),
}

/// See the module.
#[derive(Clone)]
pub struct Between {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    socket: PathBuf,
    line: Mutex<Line>,
    open: Mutex<Vec<(TcpStream, UnixStream)>>,
    commits: AtomicU64,
    lost: AtomicU64,
}

impl Between {
    /// A good line to the cluster of this program.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            socket: postfach_testdb::cluster().socket(),
            line: Mutex::new(Line::Good),
            open: Mutex::default(),
            commits: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        });
        let accepting = state.clone();
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                accepting.connect(near);
            }
        });
        Self { address, state }
    }

    /// A database by way of this line.
    pub fn url(&self, database: &Database) -> String {
        format!("postgres://postgres:geheim@{}/{}", self.address, database.name())
    }

    /// From now on.
    pub fn is(&self, line: Line) {
        *lock(&self.state.line) = line;
        if line == Line::Cut {
            self.state.cut();
        }
    }

    /// Commits whose answer, or which themselves, were lost.
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::SeqCst)
    }

    /// Cuts all that is open; new connections are good.
    pub fn cut_once(&self) {
        self.state.cut();
    }
}

impl Default for Between {
    fn default() -> Self {
        Self::new()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl State {
    fn connect(self: &Arc<Self>, near: TcpStream) {
        if *lock(&self.line) == Line::Cut {
            return;
        }
        // As with any other server that is down.
        let Ok(far) = UnixStream::connect(&self.socket) else { return };
        near.set_nodelay(true).unwrap();
        lock(&self.open).push((near.try_clone().unwrap(), far.try_clone().unwrap()));
        let (up, down) = (self.clone(), self.clone());
        let (near_up, far_up) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || up.pass(near_up, far_up, true));
        thread::spawn(move || down.pass(far, near, false));
    }

    fn pass(&self, mut from: impl Half, mut to: impl Half, up: bool) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            let line = *lock(&self.line);
            match line {
                Line::Silent => {
                    while *lock(&self.line) == Line::Silent {
                        thread::sleep(Duration::from_millis(20));
                    }
                    break;
                }
                Line::LosesAnswers(every) | Line::LosesCommits(every)
                    if up && bytes[..count].ends_with(COMMIT) && self.is_due(every) =>
                {
                    self.lost.fetch_add(1, Ordering::SeqCst);
                    if line == Line::LosesAnswers(every) {
                        // Nothing comes back any more, but the database does what it was told.
                        from.end();
                        let _ = to.write_all(&bytes[..count]);
                        thread::sleep(Duration::from_millis(50));
                    }
                    break;
                }
                _ => {}
            }
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        from.end();
        to.end();
    }

    fn is_due(&self, every: u64) -> bool {
        (self.commits.fetch_add(1, Ordering::SeqCst) + 1).is_multiple_of(every)
    }

    fn cut(&self) {
        for (near, far) in lock(&self.open).drain(..) {
            near.end();
            far.end();
        }
    }
}

/// One end of a connection.
trait Half: std::io::Read + std::io::Write {
    fn end(&self);
}

impl Half for TcpStream {
    fn end(&self) {
        // It may have ended before.
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Half for UnixStream {
    fn end(&self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}
