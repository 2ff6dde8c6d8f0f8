//! Breaks text into lines of at most so many columns, as a terminal counts them.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Lines of at most `width` columns; words longer than a line are cut. Leading blanks of the text are kept
/// once, so that lists and code in a letter stay in shape. An empty text is one empty line.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(8);
    if columns(text) <= width && !text.contains("  ") && !text.ends_with(' ') && !text.starts_with(' ') {
        return vec![text.to_owned()];
    }
    let indent: String = text.chars().take_while(|c| *c == ' ').take(width / 2).collect();
    let mut lines = Vec::new();
    let mut current = indent.clone();
    let mut fresh = true;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest = word;
        if !fresh && columns(&current) + 1 + columns(rest) > width {
            lines.push(std::mem::replace(&mut current, indent.clone()));
            fresh = true;
        }
        if !fresh {
            current.push(' ');
        }
        while columns(&current) + columns(rest) > width {
            let room = width - columns(&current);
            let cut = fitting(rest, room);
            current.push_str(&rest[..cut]);
            lines.push(std::mem::replace(&mut current, indent.clone()));
            rest = &rest[cut..];
        }
        current.push_str(rest);
        fresh = false;
    }
    if !fresh || lines.is_empty() {
        lines.push(if fresh { String::new() } else { current });
    }
    lines
}

/// Columns of a text on a terminal. Most text is ASCII, where each character takes one.
fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Bytes of the longest beginning that fits into `room` columns; at least one character.
fn fitting(text: &str, room: usize) -> usize {
    let mut columns = 0;
    for (at, c) in text.char_indices() {
        columns += c.width().unwrap_or(0);
        if columns > room && at > 0 {
            return at;
        }
    }
    text.len()
}

/// The text filled with blanks to `width` columns; longer text stays as it is.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(columns(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing() {
        let text =
            "Gegen diesen Bescheid können Sie innerhalb eines Monats Einspruch einlegen. 文書文書文書文書";
        for width in 8..90 {
            let lines = wrap(text, width);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
            let squeezed = |s: &str| s.replace(' ', "");
            assert_eq!(squeezed(&lines.concat()), squeezed(text));
        }
        assert_eq!(wrap("", 20), [""]);
        assert_eq!(wrap("   ", 20), [""]);
        assert_eq!(wrap("    code stays indented here", 20), ["    code stays", "    indented here"]);
    }

    #[test]
    fn long_words_are_cut() {
        assert_eq!(wrap("ab 0123456789", 8), ["ab", "01234567", "89"]);
    }
}
