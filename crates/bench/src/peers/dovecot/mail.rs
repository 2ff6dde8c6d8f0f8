//! A sealed letter as a mail: the two age files as eight-bit lines. Base64 would cost a third more bytes and favour us; nothing
//! denser comes back unchanged (Dovecot's stores rewrite the line ends of binary bodies).

/// Bytes of a line before it is broken; RFC 5322 allows 998.
const LINE: usize = 990;
/// Stands before a byte that must not appear as itself.
const ESCAPE: u8 = b'=';
/// Added to a byte behind the escape.
const SHIFT: u8 = 64;

/// A mail that waits for delivery.
pub struct Mail {
    /// As it is sent.
    pub bytes: Vec<u8>,
    /// Where its body begins.
    body: usize,
}

impl Mail {
    /// A mail around the letter of this number.
    pub fn compose(number: usize, recipient: &str, files: &[&[u8]]) -> Self {
        let mut bytes = format!(
            "From: Amt <amt@bench.example>\r\nTo: <{recipient}>\r\nSubject: Bescheid\r\n\
             Date: Fri, 2 Jan 2026 10:00:00 +0000\r\nMessage-ID: <{number}@bench.example>\r\nMIME-Version: 1.0\r\n\
             Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        )
        .into_bytes();
        let body = bytes.len();
        write_body(&mut bytes, files);
        Self { bytes, body }
    }

    /// Whether a stored mail is this one, with whatever headers the server put before it.
    pub fn is_in(&self, stored: &[u8]) -> bool {
        stored.ends_with(&self.bytes[self.body..])
    }
}

/// Number of the letter in a stored mail.
pub fn number(stored: &[u8]) -> Option<usize> {
    let field = b"\r\nMessage-ID: <";
    let begin = stored.windows(field.len()).position(|window| window == field)? + field.len();
    let digits = stored[begin..].split(|byte| *byte == b'@').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// NUL, line ends and the escape itself are escaped, as yEnc does it; lines are kept short.
fn write_body(mail: &mut Vec<u8>, files: &[&[u8]]) {
    let length: usize = files.iter().map(|file| file.len()).sum();
    mail.reserve(length + length / 32);
    let mut column = 0;
    for byte in files.iter().copied().flatten() {
        if column >= LINE {
            mail.extend(b"\r\n");
            column = 0;
        }
        if matches!(byte, 0 | b'\r' | b'\n' | &ESCAPE) {
            mail.extend([ESCAPE, byte + SHIFT]);
            column += 2;
        } else {
            mail.push(*byte);
            column += 1;
        }
    }
    mail.extend(b"\r\n");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a reader would do; the run itself compares with what was sent.
    fn read(body: &[u8]) -> Vec<u8> {
        let (mut content, mut bytes) = (Vec::new(), body.iter());
        while let Some(byte) = bytes.next() {
            match byte {
                b'\r' | b'\n' => {}
                &ESCAPE => content.push(bytes.next().unwrap() - SHIFT),
                byte => content.push(*byte),
            }
        }
        content
    }

    #[test]
    fn every_byte_survives_and_lines_stay_legal() {
        let first: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let second = b"\r\n.\r\n=\x00";
        let mail = Mail::compose(41, "citizen", &[&first, second]);
        assert_eq!(read(&mail.bytes[mail.body..]), [&first[..], second].concat());
        for line in mail.bytes.split(|byte| *byte == b'\n') {
            assert!(line.len() <= 998 && !line.contains(&0));
        }
        assert!(
            mail.bytes.windows(2).all(|pair| (pair[0] == b'\r') == (pair[1] == b'\n')),
            "a bare line end"
        );
        assert!(mail.bytes.len() < (first.len() + second.len()) * 102 / 100 + 300, "{}", mail.bytes.len());
    }

    #[test]
    fn a_changed_mail_is_noticed() {
        let mail = Mail::compose(41, "citizen", &[b"sealed"]);
        let stored = [b"Return-Path: <amt@bench.example>\r\n", &mail.bytes[..]].concat();
        assert!(mail.is_in(&stored));
        assert!(!mail.is_in(&stored[..stored.len() - 1]));
        assert!(!Mail::compose(41, "citizen", &[b"Sealed"]).is_in(&stored));
        assert!(!mail.is_in(b""));
    }

    #[test]
    fn the_number_stands_in_the_header() {
        let mail = Mail::compose(41, "citizen", &[b"sealed"]);
        let stored = [b"Return-Path: <amt@bench.example>\r\n", &mail.bytes[..]].concat();
        assert_eq!(number(&stored), Some(41));
        assert_eq!(number(b"\r\nMessage-ID: <x@bench.example>"), None);
        assert_eq!(number(b"\r\nMessage-ID: <"), None);
        assert_eq!(number(b""), None);
    }
}
