//! Just enough IMAP (RFC 9051 where it agrees with RFC 3501) to count a mailbox and fetch its mails. One command at a time.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::wire::Wire;

/// An open session.
pub struct Session {
    wire: Wire,
    /// Number of the last command.
    commands: u64,
}

/// An untagged answer: its text, and the literal in it, where there is one.
#[derive(Debug, Default, PartialEq)]
struct Untagged {
    text: Vec<u8>,
    literal: Option<Vec<u8>>,
}

impl Session {
    /// Connects and logs in; the server takes any password.
    pub async fn open(socket: &Path, user: &str) -> Result<Self> {
        let mut session = Self { wire: Wire::connect(socket).await?, commands: 0 };
        let greeting = session.wire.line().await?;
        ensure!(greeting.starts_with(b"* OK"), "the server greets with {}", greeting.escape_ascii());
        session.command(&format!("LOGIN {user} x")).await?;
        Ok(session)
    }

    /// How many mails the inbox holds, by STATUS.
    pub async fn count(&mut self) -> Result<usize> {
        let answers = self.command("STATUS INBOX (MESSAGES)").await?;
        answers.iter().find_map(|a| status_messages(&a.text)).context("STATUS answers without a count")
    }

    /// Opens the inbox for reading; how many mails it holds.
    pub async fn examine(&mut self) -> Result<usize> {
        let answers = self.command("EXAMINE INBOX").await?;
        answers.iter().find_map(|a| exists(&a.text)).context("EXAMINE answers without EXISTS")
    }

    /// One whole mail by its number from 1, as the server sends it.
    pub async fn fetch(&mut self, number: usize) -> Result<Vec<u8>> {
        let answers = self.command(&format!("FETCH {number} (BODY.PEEK[])")).await?;
        answers.into_iter().find_map(|a| a.literal).with_context(|| format!("no mail {number} came"))
    }

    /// Says goodbye and waits for the answer.
    pub async fn close(mut self) -> Result<()> {
        self.command("LOGOUT").await.map(drop)
    }

    /// Sends a command; its untagged answers, when the tagged one is OK.
    async fn command(&mut self, words: &str) -> Result<Vec<Untagged>> {
        self.commands += 1;
        let tag = format!("a{}", self.commands);
        self.wire.send(&[format!("{tag} {words}\r\n").as_bytes()]).await?;
        let mut answers = Vec::new();
        loop {
            let answer = self.answer().await?;
            match tagged(&answer.text, &tag) {
                Some(true) => return Ok(answers),
                Some(false) => anyhow::bail!("{words}: {}", answer.text.escape_ascii()),
                None => answers.push(answer),
            }
        }
    }

    /// One answer; a line that ends with `{n}` goes on behind `n` bytes.
    async fn answer(&mut self) -> Result<Untagged> {
        let mut answer = Untagged::default();
        loop {
            let line = self.wire.line().await?;
            answer.text.extend_from_slice(&line);
            let Some(length) = literal_length(&line) else { return Ok(answer) };
            ensure!(answer.literal.is_none(), "an answer has two literals");
            answer.literal = Some(self.wire.bytes(length).await?);
        }
    }
}

/// Length of the literal that follows a line.
fn literal_length(line: &[u8]) -> Option<usize> {
    let digits = line.strip_suffix(b"}")?.rsplit(|byte| *byte == b'{').next()?;
    if digits.is_empty() || digits.len() == line.len() - 1 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a line is the end of the command with this tag, and whether that went well.
fn tagged(line: &[u8], tag: &str) -> Option<bool> {
    let rest = line.strip_prefix(tag.as_bytes())?.strip_prefix(b" ")?;
    Some(rest.starts_with(b"OK"))
}

/// `* 23 EXISTS`
fn exists(line: &[u8]) -> Option<usize> {
    std::str::from_utf8(line).ok()?.strip_prefix("* ")?.strip_suffix(" EXISTS")?.parse().ok()
}

/// `* STATUS INBOX (MESSAGES 23)`
fn status_messages(line: &[u8]) -> Option<usize> {
    let items = std::str::from_utf8(line).ok()?.strip_prefix("* STATUS ")?;
    let (_, count) = items.split_once("(MESSAGES ")?;
    count.strip_suffix(')')?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::UnixListener;

    use super::*;

    #[test]
    fn a_literal_is_announced_at_the_end_of_a_line() {
        assert_eq!(literal_length(b"* 1 FETCH (BODY[] {8984}"), Some(8984));
        assert_eq!(literal_length(b"{0}"), Some(0));
        for line in
            [&b"* 1 FETCH (BODY[] {}"[..], b"8}", b"{8", b"{+8}", b"{8x}", b"", b"{99999999999999999999}"]
        {
            assert_eq!(literal_length(line), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn only_the_own_tag_ends_a_command() {
        assert_eq!(tagged(b"a1 OK done", "a1"), Some(true));
        assert_eq!(tagged(b"a1 NO such mailbox", "a1"), Some(false));
        assert_eq!(tagged(b"a1 BAD", "a1"), Some(false));
        assert_eq!(tagged(b"a11 OK done", "a1"), None);
        assert_eq!(tagged(b"* OK still here", "a1"), None);
    }

    #[test]
    fn counts_are_read_and_nothing_else() {
        assert_eq!(exists(b"* 23 EXISTS"), Some(23));
        assert_eq!(exists(b"* 23 RECENT"), None);
        assert_eq!(exists(b"* -1 EXISTS"), None);
        assert_eq!(status_messages(b"* STATUS INBOX (MESSAGES 23)"), Some(23));
        assert_eq!(status_messages(b"* STATUS \"IN BOX\" (MESSAGES 0)"), Some(0));
        assert_eq!(status_messages(b"* STATUS INBOX (UNSEEN 23)"), None);
        assert_eq!(status_messages(b"\xff STATUS"), None);
    }

    /// A session against a server that says these words, whatever it is asked.
    async fn session_with(answers: &'static [u8]) -> (tempfile::TempDir, Session) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("imap");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"* OK ready\r\na1 OK logged in\r\n").await.unwrap();
            stream.write_all(answers).await.unwrap();
            std::future::pending::<()>().await;
        });
        let session = Session::open(&socket, "citizen").await.unwrap();
        (folder, session)
    }

    #[tokio::test]
    async fn a_mail_comes_as_the_server_sent_it() {
        let answers = b"* 7 EXISTS\r\n* 7 FETCH (BODY[] {9}\r\na2 OK\r\n\xff{)\r\na2 OK fetched\r\n";
        let (_folder, mut session) = session_with(answers).await;
        assert_eq!(session.fetch(7).await.unwrap(), b"a2 OK\r\n\xff{");
    }

    #[tokio::test]
    async fn a_refusal_or_a_missing_mail_is_an_error() {
        let (_folder, mut session) = session_with(b"a2 NO such mail\r\n").await;
        assert!(session.fetch(7).await.is_err());
        let (_folder, mut session) = session_with(b"a2 OK nothing\r\n").await;
        assert!(session.fetch(7).await.is_err());
        let (_folder, mut session) =
            session_with(b"* 7 FETCH (BODY[] {99999999999}\r\na2 OK fetched\r\n").await;
        assert!(session.fetch(7).await.is_err());
    }
}
