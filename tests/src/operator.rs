//! The operator's backups: a key, and the commands around one sealed file.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::deployment::Deployment;
use crate::process::{Run, binary, command};

/// An operator's key and where the backups of a test lie.
pub struct Vault {
    /// The identity file.
    pub identity: PathBuf,
    /// Its recipient.
    pub recipient: String,
    /// Where backups lie.
    pub folder: PathBuf,
}

impl Vault {
    /// Makes a post-quantum key.
    pub fn new(deployment: &Deployment) -> Self {
        Self::with(deployment, "operator.key", &[])
    }

    /// Makes a key with further words for `postfach-vault keygen`.
    pub fn with(deployment: &Deployment, name: &str, words: &[&str]) -> Self {
        let identity = deployment.root().join(name);
        let made =
            Run::of(command("postfach-vault").arg("keygen").arg("--output").arg(&identity).args(words));
        let recipient = made.ok().stdout.trim_end().to_owned();
        Self { identity, recipient, folder: deployment.root().to_owned() }
    }

    /// A file or folder of the test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `backup create`, ready to run.
    pub fn create(&self, data: &Path, name: &str) -> Command {
        let mut create = command("postfachd");
        create.args(["backup", "create", "--json", "--recipient", &self.recipient]);
        create.arg("--data").arg(data).arg("--output").arg(self.path(name));
        create
    }

    /// `backup verify`, ready to run.
    pub fn verify(&self, name: &str) -> Command {
        let mut verify = command("postfachd");
        verify
            .args(["backup", "verify", "--json"])
            .arg(self.path(name))
            .arg("--identity")
            .arg(&self.identity);
        verify
    }

    /// `backup restore`, ready to run.
    pub fn restore(&self, name: &str, data: &Path) -> Command {
        let mut restore = command("postfachd");
        restore.args(["backup", "restore", "--json"]).arg(self.path(name));
        restore.arg("--identity").arg(&self.identity).arg("--data").arg(data);
        restore
    }

    /// `backup accept` with a reason.
    pub fn accept(&self, data: &Path) -> Run {
        let mut accept = command("postfachd");
        accept.args(["backup", "accept", "--json", "--reason", "the machine burnt down"]);
        Run::of(accept.arg("--data").arg(data))
    }

    /// The plaintext of a backup.
    pub fn opened(&self, name: &str) -> Vec<u8> {
        let mut open = command("postfach-vault");
        open.arg("open").arg("--identity").arg(&self.identity).stdin(File::open(self.path(name)).unwrap());
        let output = open.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }

    /// Seals any plaintext to the operator's key.
    pub fn seal(&self, name: &str, plaintext: &[u8]) {
        let mut seal = command("postfach-vault");
        seal.args(["seal", "--recipient", &self.recipient]).stdin(Stdio::piped());
        let mut child = seal.stdout(File::create(self.path(name)).unwrap()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(plaintext).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// A program in place of `postfach-vault` that passes on `bytes` of its output and then waits for as long as the file
    /// that is answered besides exists; at its end it makes `<that file>.done`.
    pub fn stalling(&self, name: &str, bytes: u64) -> (PathBuf, PathBuf) {
        let wait = self.path(&format!("{name}.wait"));
        fs::write(&wait, b"").unwrap();
        let text = format!(
            "{} \"$@\" | (head -c {bytes}; while [ -e {wait} ]; do sleep 0.02; done; cat)\n: >{wait}.done\n",
            binary("postfach-vault").display(),
            wait = wait.display()
        );
        (self.script(name, &text), wait)
    }

    /// A shell script in place of `postfach-vault`.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        let program = self.path(name);
        fs::write(&program, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        program
    }
}
