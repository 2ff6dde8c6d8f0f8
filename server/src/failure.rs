//! How an operator's command ends: exit codes, and failures as pairs of what happened and what to do. How they are
//! printed is decided in `cli`.

use std::path::Path;

use serde_json::{Value, json};

/// The exit codes that `postfachd` uses, of those in docs/exit-codes.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Anything without a code of its own.
    Other,
    /// The command line or a file that it names is malformed.
    Usage,
    /// What was named does not exist.
    NotFound,
    /// Not with this key, or not with these file permissions.
    NotAllowed,
    /// The running server does not answer; safe to repeat.
    ServerAway,
    /// Another key is needed.
    CannotDecrypt,
    /// A signature or the log does not hold.
    Evidence,
    /// It is there already, in use, or expired.
    Conflict,
    /// A signal ended it.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees. The only place where these numbers stand.
    pub const fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAllowed => 5,
            Self::ServerAway => 6,
            Self::CannotDecrypt => 7,
            Self::Evidence => 8,
            Self::Conflict => 9,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub exit: Exit,
    /// A stable word for programs.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// What `--json` prints instead of the error object, where the command's contract has a form of its own.
    pub answer: Option<Value>,
}

/// What a command returns where it can fail.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure from its parts.
    pub fn new(exit: Exit, reason: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { exit, reason: reason.to_owned(), message: message.into(), hint: hint.into(), answer: None }
    }

    /// With a JSON form of its own.
    #[must_use]
    pub fn with_answer(self, answer: Value) -> Self {
        Self { answer: Some(answer), ..self }
    }

    /// A file or folder that could not be read or written.
    pub fn file(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let (exit, hint) = match error.kind() {
            ErrorKind::NotFound => (Exit::NotFound, "Check the path."),
            ErrorKind::PermissionDenied => {
                (Exit::NotAllowed, "Run the command as the user who owns the folder.")
            }
            ErrorKind::AlreadyExists => (Exit::Conflict, "Choose another path, or move what is there away."),
            _ => (Exit::Other, "Check the disk and the path, then try again."),
        };
        Self::new(exit, "FILE", format!("{}: {error}", path.display()), hint)
    }

    /// `{"error":{"code","reason","message","hint"}}`, unless the command has a form of its own.
    pub fn to_json(&self) -> Value {
        if let Some(answer) = &self.answer {
            return answer.clone();
        }
        json!({ "error": {
            "code": self.exit.code(),
            "reason": self.reason,
            "message": self.message,
            "hint": self.hint,
        }})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_documented() {
        let page = include_str!("../../docs/exit-codes.md");
        for exit in [
            Exit::Other,
            Exit::Usage,
            Exit::NotFound,
            Exit::NotAllowed,
            Exit::ServerAway,
            Exit::CannotDecrypt,
            Exit::Evidence,
            Exit::Conflict,
            Exit::Interrupted,
        ] {
            let row = format!("| {} | ", exit.code());
            assert!(page.lines().any(|line| line.starts_with(&row)), "docs/exit-codes.md has no {exit:?}");
        }
    }
}
