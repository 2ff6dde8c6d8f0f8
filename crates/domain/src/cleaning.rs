//! Text and names from a message, made harmless for a terminal and a file system. Sealed bytes are never changed: a sender's
//! names are sent as they are, and the reader's side cleans what it shows or saves (SPEC 4).

/// Longest file name that is written, in bytes; file systems allow 255, the rest is left for " (2)" and temporary marks.
const MAX_NAME: usize = 240;

/// Characters that can control a terminal or reorder text: C0, C1, DEL, line and paragraph separators, bidirectional
/// marks, embeddings, overrides and isolates, the byte order mark, and interlinear and tag characters.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}'
                | '\u{200e}' | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line for a terminal: every unsafe character, line breaks and tabs included, becomes its escape `\u{…}`.
pub fn line(text: &str) -> String {
    clean(text, |_| false)
}

/// Several lines for a terminal: line feeds and tabs stay, every other unsafe character becomes its escape.
pub fn block(text: &str) -> String {
    clean(&text.replace("\r\n", "\n"), |c| c == '\n' || c == '\t')
}

fn clean(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) && !keep(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Would the reader's side save this name under another one? Senders are warned, and the name is sent as it is.
pub fn is_odd_name(name: &str) -> bool {
    file_name(name) != name
}

/// A name that can be written in any folder of any system: no path parts, no unsafe or reserved characters, no reserved
/// names, no leading dot or dash, no trailing dot or space, at most 240 bytes with its extension kept; never empty.
pub fn file_name(name: &str) -> String {
    let replaced: String = name
        .chars()
        .map(|c| {
            let reserved = matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
            if reserved || is_unsafe(c) { '_' } else { c }
        })
        .collect();
    let name = shorten(replaced.trim_matches(is_blank));
    if name.is_empty() {
        return "attachment".to_owned();
    }
    // Cutting may have made a reserved name, and a mark in front may make the name too long again.
    if name.starts_with('-') || is_reserved(&name) { shorten(&format!("_{name}")) } else { name }
}

/// What no name begins or ends with.
fn is_blank(c: char) -> bool {
    c == '.' || c.is_whitespace()
}

/// The same name with a number, for the second of equal names: `a.pdf` becomes `a (2).pdf`.
pub fn numbered(name: &str, number: usize) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem} ({number}).{extension}"),
        _ => format!("{name} ({number})"),
    }
}

/// Cuts to the limit between characters; an extension of up to 16 bytes is kept.
fn shorten(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let extension = match name.rsplit_once('.') {
        Some((_, extension)) if extension.len() <= 16 => &name[name.len() - extension.len() - 1..],
        _ => "",
    };
    let mut end = MAX_NAME - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", name[..end].trim_end_matches(is_blank))
}

/// Device names of Windows, with or without an extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let numbered = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    numbered.is_some_and(|n| {
        matches!(n, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn odd_names_become_plain_ones() {
        for (odd, plain) in [
            ("../../etc/passwd", "_.._etc_passwd"),
            ("a\\b.txt", "a_b.txt"),
            ("C:\\x", "C__x"),
            ("CON", "_CON"),
            ("con.txt", "_con.txt"),
            ("lpt1.pdf", "_lpt1.pdf"),
            ("...", "attachment"),
            ("", "attachment"),
            (" spaces ", "spaces"),
            (".bashrc", "bashrc"),
            ("-rf", "_-rf"),
            ("a\u{3000}.", "a"),
            (". \u{2003}a", "a"),
            ("line\nbreak.txt", "line_break.txt"),
            ("rtl\u{202e}fdp.exe", "rtl_fdp.exe"),
            ("Bescheid 2025.pdf", "Bescheid 2025.pdf"),
        ] {
            assert_eq!(file_name(odd), plain, "{odd:?}");
        }
        assert!(is_odd_name("CON") && !is_odd_name("Bescheid.pdf"));
    }

    #[test]
    fn the_longest_names_stay_as_they_are_the_second_time() {
        let (long, blanks) = ("x".repeat(300), " ".repeat(300));
        for name in [long.clone(), format!("-{long}.txt"), format!("con.{long}"), format!("CON{blanks}x")] {
            let clean = file_name(&name);
            assert!(clean.len() <= MAX_NAME, "{clean}");
            assert_eq!(file_name(&clean), clean);
        }
        assert_eq!(file_name(&format!("CON{blanks}x")), "_CON");
    }

    #[test]
    fn equal_names_get_numbers() {
        assert_eq!(numbered("a.pdf", 2), "a (2).pdf");
        assert_eq!(numbered("a", 3), "a (3)");
    }

    #[test]
    fn lines_and_blocks() {
        assert_eq!(line("a\nb\u{1b}[31m"), "a\\u{a}b\\u{1b}[31m");
        assert_eq!(block("a\r\nb\tc\rd\u{9b}"), "a\nb\tc\\u{d}d\\u{9b}");
    }

    proptest! {
        #[test]
        fn every_name_is_writable_and_stays_as_it_is_the_second_time(name in any::<String>(), long in 0usize..300) {
            for name in [name.clone(), format!("{name}{}.txt", "ä".repeat(long))] {
                let clean = file_name(&name);
                prop_assert!(!clean.is_empty() && clean.len() <= MAX_NAME);
                prop_assert!(!clean.contains(['/', '\\', '\0']) && !clean.chars().any(is_unsafe));
                prop_assert!(clean != "." && clean != ".." && !clean.starts_with(['.', '-']));
                prop_assert_eq!(file_name(&clean), clean);
            }
        }

        #[test]
        fn nothing_that_controls_a_terminal_is_left(text in any::<String>()) {
            prop_assert!(!line(&text).chars().any(is_unsafe));
            prop_assert!(!block(&text).chars().any(|c| is_unsafe(c) && c != '\n' && c != '\t'));
        }
    }
}
