//! What a person reads on standard output: facts, paragraphs and lists in at most 80 columns. Everything that goes in
//! is cleaned, so that no text of a message can control the terminal.

use unicode_width::UnicodeWidthStr as _;

use super::safe;
use super::wrap::{pad, wrap};

const LABEL_COLUMNS: usize = 22;

/// How a page may look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Columns of a line.
    pub width: usize,
    /// Bold and dim may be used.
    pub styled: bool,
    /// One fact a line, no padding, no wrapping.
    pub plain: bool,
}

/// Text that is being laid out.
pub struct Page {
    look: Look,
    text: String,
}

impl Page {
    /// An empty page.
    pub fn new(look: Look) -> Self {
        Self { look, text: String::new() }
    }

    /// What was laid out.
    pub fn into_text(self) -> String {
        self.text
    }

    /// A line for copying: never wrapped.
    pub fn raw_line(&mut self, text: &str) {
        self.push(&safe::line(text));
    }

    /// A short line whose beginning blanks matter.
    pub fn line_as_is(&mut self, text: &str) {
        let text = safe::line(text);
        let text = if self.look.plain { text.trim_start() } else { text.as_str() };
        self.push(text);
    }

    /// An empty line; two never follow each other, and none begins a page.
    pub fn blank(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") && !self.look.plain {
            self.text.push('\n');
        }
    }

    /// The title of a part.
    pub fn heading(&mut self, text: &str) {
        let (on, off) = if self.look.styled { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
        for line in self.wrapped(&safe::line(text), 0) {
            self.push(&format!("{on}{line}{off}"));
        }
    }

    /// A paragraph, wrapped.
    pub fn line(&mut self, text: &str) {
        for line in self.wrapped(&safe::line(text), 0) {
            self.push(&line);
        }
    }

    /// A paragraph below something, two columns in.
    pub fn below(&mut self, text: &str) {
        let indent = if self.look.plain { "" } else { "  " };
        for line in self.wrapped(&safe::line(text), indent.len()) {
            self.push(&format!("{indent}{line}"));
        }
    }

    /// Text of several lines as its writer broke it, each wrapped.
    pub fn text(&mut self, text: &str) {
        for line in safe::lines(text.trim_end()) {
            for part in self.wrapped(&line, 0) {
                self.push(part.trim_end());
            }
        }
    }

    /// `label  value`, the value wrapped beside its label.
    pub fn fact(&mut self, label: &str, value: &str) {
        let (label, value) = (safe::line(label), safe::line(value));
        if self.look.plain {
            return self.push(&format!("{label}: {value}"));
        }
        let label = format!("{label}:");
        let room = self.look.width - LABEL_COLUMNS;
        let longest = value.split(' ').map(unicode_width::UnicodeWidthStr::width).max().unwrap_or(0);
        if label.width() >= LABEL_COLUMNS || longest > room {
            // A long word (an address, a path, a hash) stays whole for copying.
            self.push(&label);
            return self.push_whole(&value);
        }
        self.hang(&label, &value);
    }

    /// A fact where there is something to say.
    pub fn fact_if(&mut self, label: &str, value: &str) {
        if !value.is_empty() {
            self.fact(label, value);
        }
    }

    /// One thing of a list.
    pub fn item(&mut self, text: &str) {
        let text = safe::line(text);
        if self.look.plain {
            return self.push(&text);
        }
        for (n, line) in self.wrapped(&text, 2).into_iter().enumerate() {
            self.push(&format!("{}{line}", if n == 0 { "- " } else { "  " }));
        }
    }

    /// Wrapped two columns in, words never cut.
    fn push_whole(&mut self, value: &str) {
        let mut line = String::new();
        for word in value.split(' ') {
            if !line.is_empty() && line.width() + 1 + word.width() > self.look.width - 2 {
                self.push(&format!("  {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.push(&format!("  {line}"));
    }

    fn hang(&mut self, label: &str, value: &str) {
        for (n, line) in self.wrapped(value, LABEL_COLUMNS).into_iter().enumerate() {
            self.push(format!("{}{line}", pad(if n == 0 { label } else { "" }, LABEL_COLUMNS)).trim_end());
        }
    }

    fn wrapped(&self, text: &str, indent: usize) -> Vec<String> {
        if self.look.plain { vec![text.to_owned()] } else { wrap(text, self.look.width - indent) }
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(plain: bool) -> Page {
        Page::new(Look { width: 40, styled: false, plain })
    }

    #[test]
    fn facts_hang_beside_their_label() {
        let mut page = page(false);
        page.blank();
        page.fact("Sender", "Finanzamt Musterstadt an der Beispiel");
        page.blank();
        page.blank();
        page.item("one two three four five six seven eight nine");
        let expected = "Sender:               Finanzamt\n                      Musterstadt an der\n                      \
                        Beispiel\n\n- one two three four five six seven\n  eight nine\n";
        assert_eq!(page.into_text(), expected);
    }

    #[test]
    fn long_words_stay_whole_for_copying() {
        let mut page = page(false);
        page.fact("Path", "/a/very/long/path/that/does/not/fit/beside/the/label now");
        assert_eq!(
            page.into_text(),
            "Path:\n  /a/very/long/path/that/does/not/fit/beside/the/label\n  now\n"
        );
    }

    #[test]
    fn a_screen_reader_hears_one_fact_a_line() {
        let mut page = page(true);
        page.fact("Sender", "Finanzamt Musterstadt an der Beispiel, Abteilung fuer Beispiele");
        page.blank();
        page.item("thing");
        assert_eq!(
            page.into_text(),
            "Sender: Finanzamt Musterstadt an der Beispiel, Abteilung fuer Beispiele\nthing\n"
        );
    }

    #[test]
    fn nothing_that_acts_gets_through() {
        let nasty = "x\u{1b}[31m\u{202e}y\r\nz";
        let mut page = page(false);
        page.raw_line(nasty);
        page.heading(nasty);
        page.line(nasty);
        page.below(nasty);
        page.text(nasty);
        page.fact(nasty, nasty);
        page.item(nasty);
        assert!(!page.into_text().chars().any(|c| c != '\n' && postfach_domain::cleaning::is_unsafe(c)));
    }
}
