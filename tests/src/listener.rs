//! A command that goes on for ever, heard line by line.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running command with its JSON lines.
pub struct Listener {
    child: Child,
    lines: Receiver<(Instant, Value)>,
}

impl Listener {
    /// Starts the command.
    pub fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send((Instant::now(), serde_json::from_str(&line).unwrap())).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line, and when it came.
    #[track_caller]
    pub fn next(&self) -> (Instant, Value) {
        self.lines.recv_timeout(Duration::from_secs(20)).expect("a line")
    }

    /// The next line's field as text.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        let (_, line) = self.next();
        line[name].as_str().unwrap_or_else(|| panic!("{line}")).to_owned()
    }

    /// True where nothing comes for a while.
    pub fn is_silent(&self) -> bool {
        self.lines.recv_timeout(Duration::from_millis(300)).is_err()
    }

    /// Waits for the end by itself; the exit code.
    pub fn ends(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Sends a signal by name, and waits for the end.
    pub fn signal(&mut self, name: &str) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
        self.ends()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
