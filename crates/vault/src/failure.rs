//! How a command ends when it cannot do what was asked: an exit code, and a pair of what happened and what to do.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::json;

/// The exit codes used here, of those in docs/exit-codes.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Reading or writing failed.
    Other,
    /// A key or the command line is malformed.
    Usage,
    /// A named file is not there.
    NotFound,
    /// Not with these file permissions.
    NotAllowed,
    /// Sealed to another key.
    CannotDecrypt,
    /// What was sealed is not whole.
    Damaged,
    /// It is there already.
    Conflict,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 5,
            Self::CannotDecrypt => 7,
            Self::Damaged => 8,
            Self::Conflict => 9,
        }
    }
}

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub exit: Exit,
    /// A stable word for programs.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// What can fail here.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure from its parts.
    pub fn new(
        exit: Exit,
        reason: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { exit, reason, message: message.into(), hint: hint.into() }
    }

    /// A file that could not be read or written.
    pub fn file(path: &Path, error: &io::Error) -> Self {
        let (exit, hint) = match error.kind() {
            io::ErrorKind::NotFound => (Exit::NotFound, "Check the path."),
            io::ErrorKind::PermissionDenied => (Exit::NotAllowed, "Run the command as the file's owner."),
            io::ErrorKind::AlreadyExists => (Exit::Conflict, "Choose another path."),
            _ => (Exit::Other, "Check the disk and the path, then try again."),
        };
        Self::new(exit, "FILE", format!("{}: {error}", path.display()), hint)
    }

    /// Standard input could not be read.
    pub fn input(error: &io::Error) -> Self {
        let hint = "Check where the input comes from, then try again.";
        Self::new(Exit::Other, "STDIN", format!("The input cannot be read: {error}."), hint)
    }

    /// Standard output could not be written.
    pub fn output(error: &io::Error) -> Self {
        let hint = "Check the disk space where the output goes, then try again.";
        Self::new(Exit::Other, "STDOUT", format!("The output cannot be written: {error}."), hint)
    }

    /// On standard error: standard output carries the bytes.
    pub fn print(&self, json: bool) {
        let text = if json {
            json!({ "error": {
                "code": self.exit.code(),
                "reason": self.reason,
                "message": self.message,
                "hint": self.hint,
            }})
            .to_string()
        } else {
            format!("{}\n{}", self.message, self.hint)
        };
        // A closed standard error is not an error of the command.
        let _ = writeln!(io::stderr(), "{text}");
    }
}
