//! The program that seals and opens, `postfach-vault`, as a child process with pipes. It is another program so that this
//! one cannot open anything, not even by mistake.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::failure::{Exit, Failure, Outcome};

/// Names another program than the one beside this one.
const VARIABLE: &str = "POSTFACH_VAULT";
const NAME: &str = "postfach-vault";

/// The running child. Ended when dropped.
#[derive(Debug)]
pub struct Vault {
    child: Option<Child>,
}

impl Vault {
    /// Seals what is written to the pipe into `output`.
    pub fn seal(recipients: &[String], output: File) -> Outcome<(Self, ChildStdin)> {
        let mut command = program()?;
        command.arg("seal");
        for recipient in recipients {
            command.arg("--recipient").arg(recipient);
        }
        let mut vault = Self::start(command.stdin(Stdio::piped()).stdout(output))?;
        let pipe = vault.child.as_mut().and_then(|child| child.stdin.take());
        Ok((vault, pipe.ok_or_else(|| not_started(&"no pipe"))?))
    }

    /// Opens `input` into the pipe.
    pub fn open(identity: &Path, input: File) -> Outcome<(Self, ChildStdout)> {
        let mut command = program()?;
        command.arg("open").arg("--identity").arg(identity);
        let mut vault = Self::start(command.stdin(input).stdout(Stdio::piped()))?;
        let pipe = vault.child.as_mut().and_then(|child| child.stdout.take());
        Ok((vault, pipe.ok_or_else(|| not_started(&"no pipe"))?))
    }

    fn start(command: &mut Command) -> Outcome<Self> {
        let child = command.arg("--json").stderr(Stdio::piped()).spawn();
        Ok(Self { child: Some(child.map_err(|error| not_started(&error))?) })
    }

    /// Waits for its end, and passes its failure on. The caller has closed the pipe.
    pub fn finish(mut self) -> Outcome<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            // What cannot be read is not said.
            let _ = stderr.read_to_string(&mut said);
        }
        let status = child.wait().map_err(|error| not_started(&error))?;
        if status.success() { Ok(()) } else { Err(failure(&said, status)) }
    }

    /// The failure of work at the other end of the pipe: the child's own, where that is why the pipe broke.
    pub fn explain(self, failure: Failure) -> Failure {
        match self.finish() {
            // It only noticed that nobody reads on.
            Err(own) if own.reason != "STDOUT" || failure.reason == PIPE => own,
            _ => failure,
        }
    }
}

/// The reason of a failure at our end of a pipe.
pub const PIPE: &str = "PIPE";

/// Our end of a pipe broke.
pub fn pipe_failed(error: &io::Error) -> Failure {
    let message = format!("The program that seals and opens does not go on: {error}.");
    Failure::new(Exit::Other, PIPE, message, "Try again.")
}

impl Drop for Vault {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn program() -> Outcome<Command> {
    let path = match std::env::var_os(VARIABLE) {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe().map_err(|error| not_started(&error))?.with_file_name(NAME),
    };
    if path.is_file() {
        return Ok(Command::new(path));
    }
    Err(Failure::new(
        Exit::NotFound,
        "VAULT_MISSING",
        format!("{} is not there; it seals and opens backups.", path.display()),
        format!("Install {NAME} beside postfachd, or name it by {VARIABLE}."),
    ))
}

/// What the child said, in its own words and with its own code.
fn failure(said: &str, status: std::process::ExitStatus) -> Failure {
    let error = said.lines().rev().find_map(|line| {
        let value: Value = serde_json::from_str(line).ok()?;
        value.get("error").cloned()
    });
    let word = |name: &str| error.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let exit = match status.code() {
        Some(2) => Exit::Usage,
        Some(3) => Exit::NotFound,
        Some(5) => Exit::NotAllowed,
        Some(7) => Exit::CannotDecrypt,
        Some(8) => Exit::Evidence,
        Some(9) => Exit::Conflict,
        _ => Exit::Other,
    };
    match (word("reason"), word("message"), word("hint")) {
        (Some(reason), Some(message), Some(hint)) => Failure::new(exit, &reason, message, hint),
        _ => not_started(&status),
    }
}

fn not_started(why: &dyn std::fmt::Display) -> Failure {
    let message = format!("The program that seals and opens ended early: {why}.");
    Failure::new(Exit::Other, "VAULT", message, "Check disk space and limits of this user, then try again.")
}
