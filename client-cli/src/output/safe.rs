//! Text that cannot control a terminal: nothing that a message carries reaches one uncleaned.
//! Not here: file names for saving, which `postfach_domain::cleaning` makes.

use std::io;

use postfach_domain::cleaning::{self, is_unsafe};
use serde::Serialize;

/// One line: line breaks and tabs become spaces, what could control a terminal becomes its visible escape.
pub fn line(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    cleaning::line(&text.replace(['\n', '\t'], " "))
}

/// Several lines: line breaks stay, whichever of the usual ones they are; the rest as in [`line`].
pub fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    text.split('\n').map(line).collect()
}

/// JSON in which every unsafe character is a `\u` escape, so that it may be printed anywhere. One line, no break.
pub fn json(value: &impl Serialize) -> serde_json::Result<String> {
    let mut out = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Escaping))?;
    String::from_utf8(out).map_err(|error| serde_json::Error::io(io::Error::other(error)))
}

/// Printable ASCII, as most text is: nothing to clean, and quick to see.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

struct Escaping;

impl serde_json::ser::Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if is_plain(fragment) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| is_unsafe(*c)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NASTY: &str = "a\u{1b}[2J\u{202e}b\u{9b}c\u{7f}\u{2066}d\u{feff}\u{e0041}ä€😀";

    #[test]
    fn what_is_unsafe_is_escaped_and_the_rest_stays() {
        let clean = line(NASTY);
        assert!(!clean.chars().any(is_unsafe), "{clean:?}");
        assert!(clean.ends_with("ä€😀"));
        assert_eq!(lines("a\r\nb\rc\n\td\u{2028}e"), ["a", "b", "c", " d", "e"]);
    }

    #[test]
    fn json_escapes_and_reads_back_the_same() {
        let text = json(&serde_json::json!({ "subject": NASTY, "k\u{202e}": [1, null] })).unwrap();
        assert!(!text.chars().any(is_unsafe), "{text:?}");
        let back: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(back["subject"], NASTY);
        assert_eq!(back["k\u{202e}"][0], 1);
    }
}
