//! Standard output is data, standard error is talk. With `--json` an error is data too.

use std::io::Write as _;

use serde_json::Value;

use crate::failure::{Exit, Failure, Outcome};

/// How a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// With or without `--json`.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// True with `--json`.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// One answer: the JSON value on one line, or the text for a person.
    pub fn answer(self, json: &Value, text: &str) -> Outcome<()> {
        if self.json { self.line(&json.to_string()) } else { self.line(text) }
    }

    /// One line of data.
    pub fn line(self, text: &str) -> Outcome<()> {
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(|error| gone(&error))
    }

    /// Bytes of data as they are.
    pub fn raw(self, bytes: &[u8]) -> Outcome<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| gone(&error))
    }

    /// Talk.
    pub fn note(self, text: &str) {
        // A closed standard error is not an error of the command.
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// A failure: one JSON line on standard output with `--json`, else the pair on standard error.
    pub fn failure(self, failure: &Failure) {
        if self.json {
            let _ = self.line(&failure.to_json().to_string());
        } else {
            self.note(&format!("{}\n{}", failure.message, failure.hint));
        }
    }
}

fn gone(error: &std::io::Error) -> Failure {
    Failure::new(
        Exit::Other,
        "STDOUT",
        format!("Standard output cannot be written: {error}."),
        "Check where the output goes.",
    )
}
