//! Just enough LMTP (RFC 2033) to deliver mail after mail in one session: pipelined (RFC 2920), each mail in one counted
//! chunk (RFC 3030), so that a delivery costs one round trip.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use super::wire::Wire;

/// An open session.
pub struct Session {
    wire: Wire,
}

impl Session {
    /// Connects and greets; the server must offer what `deliver` uses.
    pub async fn open(socket: &Path) -> Result<Self> {
        let mut wire = Wire::connect(socket).await?;
        reply(&mut wire, 220).await?;
        wire.send(&[b"LHLO bench.example\r\n"]).await?;
        let offers = reply(&mut wire, 250).await?;
        for needed in ["PIPELINING", "CHUNKING", "8BITMIME"] {
            ensure!(offers.iter().any(|offer| offer == needed), "the server does not offer {needed}");
        }
        Ok(Self { wire })
    }

    /// Delivers one mail to one mailbox; returns when the server has taken it for good.
    pub async fn deliver(&mut self, recipient: &str, mail: &[u8]) -> Result<()> {
        let commands = format!(
            "MAIL FROM:<amt@bench.example> BODY=8BITMIME\r\nRCPT TO:<{recipient}>\r\nBDAT {} LAST\r\n",
            mail.len()
        );
        self.wire.send(&[commands.as_bytes(), mail]).await?;
        // MAIL, RCPT, and the mail itself for its one recipient.
        for _ in 0..3 {
            reply(&mut self.wire, 250).await?;
        }
        Ok(())
    }
}

/// Reads one reply to its last line; gives the texts, fails with any other code.
async fn reply(wire: &mut Wire, expected: u16) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    loop {
        let line = wire.line().await?;
        let part = ReplyLine::parse(&line)?;
        ensure!(part.code == expected, "the server answered {} {}", part.code, part.text);
        texts.push(part.text.to_owned());
        if part.is_last {
            return Ok(texts);
        }
    }
}

/// One line of a reply: `250-text` where more follow, `250 text` at the end.
#[derive(Debug, PartialEq)]
struct ReplyLine<'a> {
    code: u16,
    is_last: bool,
    text: &'a str,
}

impl<'a> ReplyLine<'a> {
    fn parse(line: &'a [u8]) -> Result<Self> {
        let line = std::str::from_utf8(line).context("a reply is not text")?;
        let (code, rest) = line.split_at_checked(3).context("a reply is shorter than its code")?;
        ensure!(code.bytes().all(|byte| byte.is_ascii_digit()), "a reply begins without a code: {line}");
        let (is_last, text) = match rest.as_bytes().first() {
            None => (true, ""),
            Some(b' ') => (true, &rest[1..]),
            Some(b'-') => (false, &rest[1..]),
            Some(_) => bail!("a reply's code is not followed by a blank: {line}"),
        };
        Ok(Self { code: code.parse()?, is_last, text })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_reply_has_a_code_and_says_whether_more_follows() {
        let parsed = |line: &'static str| ReplyLine::parse(line.as_bytes()).unwrap();
        assert_eq!(parsed("250-8BITMIME"), ReplyLine { code: 250, is_last: false, text: "8BITMIME" });
        assert_eq!(
            parsed("250 2.0.0 <u@b> Saved"),
            ReplyLine { code: 250, is_last: true, text: "2.0.0 <u@b> Saved" }
        );
        assert_eq!(parsed("250"), ReplyLine { code: 250, is_last: true, text: "" });
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for line in
            [&b""[..], b"25", b"+25 x", b"2 0 x", b"2500 x", b"250_x", b"\xff\xfe\xfd", "25ä".as_bytes()]
        {
            assert!(ReplyLine::parse(line).is_err(), "{}", line.escape_ascii());
        }
    }
}
