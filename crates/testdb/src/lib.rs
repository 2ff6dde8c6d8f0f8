//! A throw-away PostgreSQL for tests: one cluster for each test program, one database for each test, on a socket in a
//! temporary folder that nobody else may enter. For tests only; nothing that ships uses it.
//!
//! A keeper process holds the cluster. It waits for the end of its standard input, so it stops the cluster and removes
//! the folder however the test program ends: well, by a panic, or killed.

mod cluster;

use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

pub use cluster::{Cluster, INSTALL};

/// The cluster of this program, started by whoever asks first.
///
/// # Panics
/// Where PostgreSQL is not installed or does not start: a missing test database fails the run, it does not skip.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&[]).unwrap_or_else(|problem| panic!("{problem}")))
}

/// A database for one test, dropped with it.
#[derive(Debug)]
pub struct Database {
    name: String,
    cluster: &'static Cluster,
}

impl Database {
    /// A new, empty database in the cluster of this program.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn new() -> Self {
        Self::new_in(cluster())
    }

    /// A new, empty database in another cluster.
    ///
    /// # Panics
    /// Where it cannot be made.
    pub fn new_in(cluster: &'static Cluster) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
        Self { name, cluster }
    }

    /// The same content once more, while nobody is connected to this one.
    ///
    /// # Panics
    /// Where it cannot be made.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new_in(self.cluster);
        let name = &copy.name;
        self.cluster.sql("postgres", &format!("DROP DATABASE {name}"));
        self.cluster.sql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", self.name));
        copy
    }

    /// Its URL.
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements in it and answers what they print, a row a line, columns divided by `|`.
    ///
    /// # Panics
    /// Where one fails.
    pub fn sql(&self, text: &str) -> String {
        self.cluster.sql(&self.name, text)
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // What is left behind goes with the cluster.
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let _ = self.cluster.psql("postgres", &drop).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// The text that a command prints, or what it complains of.
fn output(command: &mut Command) -> Result<String, String> {
    let done = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if done.status.success() {
        Ok(text(&done.stdout))
    } else {
        Err(format!("{command:?} ended with {}: {}", done.status, text(&done.stderr)))
    }
}
