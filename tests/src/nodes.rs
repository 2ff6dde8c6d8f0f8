//! Several nodes of one deployment: each a process with a data folder of its own, made by `postfachd node join`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::deployment::{Deployment, Server};
use crate::operator::Vault;
use crate::process::{Run, command};

/// A deployment in PostgreSQL with further nodes. The first one is the deployment's own.
pub struct Nodes {
    /// Where operator, authorities and citizens are made.
    pub d: Deployment,
    /// The operator's key, to which the log keys are sealed on their way.
    pub vault: Vault,
    further: Vec<Further>,
    /// Where the first node listens.
    first: String,
}

struct Further {
    data: PathBuf,
    listening: String,
    server: Option<Server>,
}

impl Nodes {
    /// So many nodes that serve.
    pub fn serving(count: usize) -> Self {
        let mut d = Deployment::on_postgres();
        d.serve();
        let (vault, first) = (Vault::new(&d), d.server().listening.clone());
        let mut nodes = Self { d, vault, further: Vec::new(), first };
        for number in 1..count {
            nodes.add(&format!("node-{number}"));
        }
        nodes
    }

    /// Another node that serves.
    pub fn add(&mut self, name: &str) {
        let bundle = format!("{name}.age");
        self.export(&self.d.data(), &bundle).ok();
        let data = self.d.root().join(name);
        self.join(&bundle, &data).ok();
        share_blobs(&self.d.data(), &data);
        let server = Server::start(&data).unwrap_or_else(|(code, log)| panic!("{name}: {code}\n{log}"));
        self.further.push(Further { data, listening: server.listening.clone(), server: Some(server) });
    }

    /// `node export`
    pub fn export(&self, data: &Path, name: &str) -> Run {
        let mut export = command("postfachd");
        export.args(["node", "export", "--json", "--recipient", &self.vault.recipient]);
        Run::of(export.arg("--data").arg(data).arg("--output").arg(self.vault.path(name)))
    }

    /// `node join`
    pub fn join(&self, name: &str, data: &Path) -> Run {
        let mut join = command("postfachd");
        join.args(["node", "join", "--json", "--listen", "127.0.0.1:0"]).arg("--data").arg(data);
        join.arg("--from").arg(self.vault.path(name)).arg("--identity").arg(&self.vault.identity);
        Run::of(&mut join)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        1 + self.further.len()
    }

    /// Data folder of a node.
    pub fn data(&self, node: usize) -> PathBuf {
        node.checked_sub(1).map_or_else(|| self.d.data(), |at| self.further[at].data.clone())
    }

    /// Where clients connect to a node, whether it runs or not.
    pub fn url(&self, node: usize) -> String {
        let listening = node.checked_sub(1).map_or(&self.first, |at| &self.further[at].listening);
        format!("https://{listening}")
    }

    /// SIGKILL.
    pub fn kill(&mut self, node: usize) {
        match node.checked_sub(1) {
            None => self.d.kill(),
            Some(at) => drop(self.further[at].server.take()),
        }
    }

    /// Starts a killed node where it listened.
    pub fn restart(&mut self, node: usize) {
        let Some(at) = node.checked_sub(1) else {
            let first = self.first.clone();
            return self.d.serve_at(&first);
        };
        let further = &mut self.further[at];
        match Server::start_at(&further.data, &further.listening, &[]) {
            Ok(server) => further.server = Some(server),
            Err((code, log)) => panic!("node {node} ended with {code}:\n{log}"),
        }
    }

    /// SIGTERM to all.
    #[track_caller]
    pub fn stop(&mut self) {
        for further in &mut self.further {
            further.server.take().expect("it runs").stop();
        }
        self.d.stop();
    }
}

/// Attachments of all nodes lie in one folder, as on a shared file system.
fn share_blobs(first: &Path, other: &Path) {
    let own = other.join("blobs");
    fs::remove_dir_all(&own).unwrap();
    std::os::unix::fs::symlink(first.join("blobs"), own).unwrap();
}
