//! How a command ends: the exit codes, and failures as pairs "what happened / what to do".
//! Not here: how they are printed (`output`) and how the SDK's errors become failures (`explain`).

use std::ops::{Deref, DerefMut};

use serde_json::{Map, Value, json};

/// The exit codes of every command (docs/exit-codes.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Exit {
    #[default]
    Ok,
    Other,
    Usage,
    NotFound,
    Locked,
    NotAllowed,
    ServerAway,
    CannotDecrypt,
    Evidence,
    Conflict,
    Partial,
    Interrupted,
}

impl Exit {
    /// The number that the shell sees. The only place where these numbers stand.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Locked => 4,
            Self::NotAllowed => 5,
            Self::ServerAway => 6,
            Self::CannotDecrypt => 7,
            Self::Evidence => 8,
            Self::Conflict => 9,
            Self::Partial => 10,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command did not do what was asked. Boxed, because results are passed through many hands.
#[derive(Debug)]
pub struct Failure(Box<Facts>);

/// What there is to say about a failure.
#[derive(Debug)]
pub struct Facts {
    /// The kind, which decides the exit code.
    pub exit: Exit,
    /// A stable word for programs, for example `MESSAGE_UNKNOWN`.
    pub reason: String,
    /// What happened, in the chosen language.
    pub message: String,
    /// What to do next, in the chosen language.
    pub hint: String,
    /// Further facts for `--json`; an object or null.
    pub details: Value,
    /// What stands beside `error` for `--json`, for example `"ok": false`.
    pub beside: Map<String, Value>,
}

impl Deref for Failure {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.0
    }
}

/// What a command returns where it can fail.
pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    /// A failure from its pair.
    pub fn new(exit: Exit, reason: &str, pair: (String, String)) -> Self {
        let (message, hint) = pair;
        let reason = reason.to_owned();
        Self(Box::new(Facts { exit, reason, message, hint, details: Value::Null, beside: Map::new() }))
    }

    /// The same failure with facts for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// The same failure with a fact beside `error`.
    #[must_use]
    pub fn beside(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.beside.insert(name.to_owned(), value.into());
        self
    }

    /// `{"error":{"code","reason","message","hint"}}`, with `details` where there are some.
    pub fn to_json(&self) -> Value {
        let mut error = json!({
            "code": self.exit.code(),
            "reason": self.reason,
            "message": self.message,
            "hint": self.hint,
        });
        if !self.details.is_null() {
            error["details"] = self.details.clone();
        }
        let mut all = self.beside.clone();
        all.insert("error".to_owned(), error);
        Value::Object(all)
    }
}

/// A failure whose pair stands in the catalogue under `<id>` and `<id>.hint`. Arguments behind `;` are the hint's alone.
///
/// `fail!(NotFound, "MESSAGE_UNKNOWN", "message-unknown", id = text; folder = name)`
#[macro_export]
macro_rules! fail {
    ($exit:ident, $reason:expr, $id:literal
     $(, $name:ident = $value:expr)* $(; $($more:ident = $also:expr),+)? $(,)?) => {{
        let message = $crate::t!($id $(, $name = $value)*);
        let hint = $crate::hint!($id $(, $name = $value)* $($(, $more = $also)+)?);
        $crate::exit::Failure::new($crate::exit::Exit::$exit, $reason, (message, hint))
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_codes_are_those_of_the_program() {
        use Exit::{
            CannotDecrypt, Conflict, Evidence, Interrupted, Locked, NotAllowed, NotFound, Ok, Other, Partial,
            ServerAway, Usage,
        };
        // One of each: a new case does not compile here before it stands in the list and on the page.
        let next = |exit| match exit {
            Ok => Some(Other),
            Other => Some(Usage),
            Usage => Some(NotFound),
            NotFound => Some(Locked),
            Locked => Some(NotAllowed),
            NotAllowed => Some(ServerAway),
            ServerAway => Some(CannotDecrypt),
            CannotDecrypt => Some(Evidence),
            Evidence => Some(Conflict),
            Conflict => Some(Partial),
            Partial => Some(Interrupted),
            Interrupted => None,
        };
        let codes = std::iter::successors(Some(Ok), |exit| next(*exit)).map(|exit| exit.code().to_string());
        let page = include_str!("../../docs/exit-codes.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
        let documented = rows.filter(|cell| cell.parse::<u8>().is_ok()).map(str::to_owned);
        assert_eq!(documented.collect::<Vec<_>>(), codes.collect::<Vec<_>>(), "docs/exit-codes.md");
    }
}
