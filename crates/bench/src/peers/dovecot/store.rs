//! What is measured at a Dovecot server: mail by LMTP in open sessions, mail by IMAP in open sessions and in whole ones. Every
//! mail that was taken is counted afterwards, every mail that was given out is compared with what was sent.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use tokio::sync::Mutex;

use super::mail::{Mail, number};
use super::{Dovecot, Format, imap, lmtp};
use crate::report::Figure;
use crate::{load, process};

/// Sessions that prepare and check; not timed.
const HELPERS: usize = 16;

/// Mails that wait for delivery, and to whom.
pub struct Mails {
    /// All mailboxes.
    users: Vec<String>,
    /// Each with the mailbox that it goes to; the last ones open one mailbox each.
    mails: Vec<(usize, Mail)>,
    /// How many are for measuring.
    measured: usize,
}

impl Mails {
    /// One mail for each letter (mailbox, sealed files), and one of the same size to open each mailbox.
    pub fn compose(mailboxes: usize, letters: &[(usize, [&[u8]; 2])]) -> Result<Self> {
        let users: Vec<String> = (0..mailboxes).map(|mailbox| format!("citizen{mailbox}")).collect();
        let opening =
            (0..mailboxes).zip(letters.iter().cycle()).map(|(mailbox, (_, files))| (mailbox, *files));
        let mut mails = Vec::with_capacity(letters.len() + mailboxes);
        for (index, (mailbox, files)) in letters.iter().copied().chain(opening).enumerate() {
            let user = users.get(mailbox).context("a letter to a mailbox that is not there")?;
            mails.push((mailbox, Mail::compose(index, user, &files)));
        }
        Ok(Self { users, mails, measured: letters.len() })
    }

    /// Bytes of a mail, its headers included.
    pub fn size(&self) -> usize {
        self.mails.first().map_or(0, |(_, mail)| mail.bytes.len())
    }
}

/// A server of one format with its mails.
pub struct Store {
    server: Dovecot,
    format: Format,
    mails: Arc<Mails>,
    /// Mails that were acknowledged.
    taken: usize,
}

impl Store {
    /// Starts a server below `folder` and opens every mailbox by a first mail, so that none is made while time is taken.
    pub async fn open(folder: &Path, format: Format, mails: Arc<Mails>) -> Result<Self> {
        let server = Dovecot::start(&folder.join(format.name()), format)?;
        let mut store = Self { server, format, mails, taken: 0 };
        let first = store.mails.measured..store.mails.mails.len();
        store.deliver(first, HELPERS).await?;
        Ok(store)
    }

    /// As the table names it.
    pub fn name(&self) -> String {
        format!("Dovecot {}", self.format.name())
    }

    /// Its processes.
    pub fn processes(&self) -> Vec<u32> {
        process::family(self.server.process())
    }

    /// Delivers these mails, each caller in an LMTP session that stays open.
    pub async fn deliver(&mut self, range: Range<usize>, callers: usize) -> Result<Figure> {
        let mut sessions = Vec::new();
        for _ in 0..callers {
            sessions.push(Mutex::new(lmtp::Session::open(&self.server.lmtp()).await?));
        }
        let (sessions, mails, first, count) =
            (Arc::new(sessions), Arc::clone(&self.mails), range.start, range.len());
        let figure = self.timed("LMTP", callers, count, move |caller, index| {
            let (sessions, mails) = (Arc::clone(&sessions), Arc::clone(&mails));
            async move {
                let (mailbox, mail) = &mails.mails[first + index];
                sessions[caller].lock().await.deliver(&mails.users[*mailbox], &mail.bytes).await
            }
        });
        let figure = figure.await?;
        self.taken += count;
        Ok(figure)
    }

    /// Fetches `count` mails, each caller in a session that stays open on a mailbox of its own.
    pub async fn fetch(&self, count: usize, callers: usize) -> Result<Figure> {
        let mut sessions = Vec::new();
        for user in self.mails.users.iter().cycle().take(callers) {
            let mut session = imap::Session::open(&self.server.imap(), user).await?;
            let mails = session.examine().await?;
            ensure!(mails > 0, "the mailbox of {user} is empty");
            sessions.push((Mutex::new(session), mails));
        }
        let (sessions, mails) = (Arc::new(sessions), Arc::clone(&self.mails));
        self.timed("IMAP fetch, session open", callers, count, move |caller, index| {
            let (sessions, mails) = (Arc::clone(&sessions), Arc::clone(&mails));
            async move {
                let (session, held) = &sessions[caller];
                let stored = session.lock().await.fetch(1 + index % held).await?;
                is_what_was_sent(&mails, &stored)
            }
        })
        .await
    }

    /// Logs in, opens the inbox, fetches one mail and logs out, `count` times.
    pub async fn sessions(&self, count: usize, callers: usize) -> Result<Figure> {
        let (socket, mails) = (self.server.imap(), Arc::clone(&self.mails));
        self.timed("IMAP, whole session", callers, count, move |_, index| {
            let (socket, mails) = (socket.clone(), Arc::clone(&mails));
            async move {
                let user = &mails.users[index % mails.users.len()];
                let mut session = imap::Session::open(&socket, user).await?;
                let held = session.examine().await?;
                let stored = session.fetch(held).await?;
                session.close().await?;
                is_what_was_sent(&mails, &stored)
            }
        })
        .await
    }

    /// Asks every mailbox for its count: all that was acknowledged is there, and nothing else.
    pub async fn count(&self) -> Result<usize> {
        let found = Arc::new(AtomicUsize::new(0));
        let (socket, mails, sum) = (self.server.imap(), Arc::clone(&self.mails), Arc::clone(&found));
        load::run("count", HELPERS, mails.users.len(), move |_, user| {
            let (socket, mails, sum) = (socket.clone(), Arc::clone(&mails), Arc::clone(&sum));
            async move {
                let mut session = imap::Session::open(&socket, &mails.users[user]).await?;
                sum.fetch_add(session.count().await?, Ordering::Relaxed);
                session.close().await
            }
        })
        .await?;
        let (found, name) = (found.load(Ordering::Relaxed), self.name());
        ensure!(found == self.taken, "{name} acknowledged {} mails and holds {found}", self.taken);
        let complaints = self.server.complaints();
        ensure!(complaints.is_empty(), "{name} complains: {complaints}");
        Ok(found)
    }

    async fn timed<F>(
        &self,
        act: &str,
        callers: usize,
        count: usize,
        work: impl Fn(usize, usize) -> F + Send + Sync + 'static,
    ) -> Result<Figure>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let process = self.server.process();
        let (cpu, begin) = (process::family_cpu_seconds(process), Instant::now());
        let mut figure = load::run(&format!("{}: {act}", self.name()), callers, count, work).await?;
        let used = process::family_cpu_seconds(process) - cpu;
        figure.server_cores = Some(used / begin.elapsed().as_secs_f64());
        figure.verified = count;
        Ok(figure)
    }
}

fn is_what_was_sent(mails: &Mails, stored: &[u8]) -> Result<()> {
    let sent =
        number(stored).and_then(|number| mails.mails.get(number)).context("a mail that nobody sent")?;
    ensure!(sent.1.is_in(stored), "a mail came changed");
    Ok(())
}
