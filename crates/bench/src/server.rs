//! The server under load: a real `postfachd` in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::process;

/// A child process that announced where it listens.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub listening: String,
}

impl Server {
    /// Starts a command and waits for its line `{"listening":"…"}`.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let announced: serde_json::Value =
            serde_json::from_str(&line).with_context(|| format!("{command:?} did not start"))?;
        let listening = announced["listening"].as_str().context("no address announced")?.to_owned();
        Ok(Self { child, listening })
    }

    /// `https://` and the address.
    pub fn url(&self) -> String {
        format!("https://{}", self.listening)
    }

    /// Largest resident memory so far, in KiB.
    pub fn peak_kib(&self) -> u64 {
        process::peak_kib(self.child.id())
    }

    /// CPU seconds used so far.
    pub fn cpu_seconds(&self) -> f64 {
        process::cpu_seconds(self.child.id())
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success(), "cannot signal the server");
        let status = self.child.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program beside our own, or the one of that name on the PATH.
pub fn program(name: &str) -> PathBuf {
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(name));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| PathBuf::from(name))
}

/// Runs `postfachd` to its end and gives its standard output.
pub fn postfachd(words: &[&str]) -> Result<String> {
    let output = Command::new(program("postfachd")).args(words).stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "postfachd {}: {text}{}",
        words.first().copied().unwrap_or_default(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}

/// Bytes of all files in a folder.
pub fn folder_bytes(folder: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        sum += if meta.is_dir() { folder_bytes(&entry.path())? } else { meta.len() };
    }
    Ok(sum)
}
