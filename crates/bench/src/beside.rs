//! The product beside a peer, in one run: the same letters, the same callers, one after the other on the same machine. Every
//! figure is a ratio to the peer's fastest format and to the bare echo. Nothing is measured twice and the better one kept.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde::Serialize;

use crate::limits::echo::Echo;
use crate::peers::dovecot::store::{Mails, Store};
use crate::peers::dovecot::{Dovecot, Format};
use crate::process;
use crate::report::{Figure, say};
use crate::scenarios::{Plan, Run};
use crate::server::Server;
use crate::world::{Letter, World};

/// Callers of each round.
const ROUNDS: [usize; 3] = [1, 16, 64];
/// One caller alone gets this share of the letters.
const ALONE: usize = 10;
/// Readings for each letter of a round, and letters for each whole session.
const READINGS: usize = 3;
const LETTERS_A_SESSION: usize = 4;
/// Deliveries whose system calls are counted, and how many callers make them.
const TRACED: usize = 320;
const TRACED_CALLERS: usize = 16;
/// What makes bytes durable.
const FLUSHES: [&str; 2] = ["fsync", "fdatasync"];

/// One figure beside the others of its kind.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Calls under way at once.
    pub callers: usize,
    /// What was measured, by whom.
    #[serde(flatten)]
    pub figure: Figure,
    /// Rate divided by that of the peer's fastest format at as many callers; the echo has no peer.
    pub to_peer: Option<f64>,
    /// Rate divided by the echo's at as many callers.
    pub to_echo: f64,
}

impl Row {
    fn line(&self) -> String {
        let (p50, p99) = self.figure.latency.map_or((0.0, 0.0), |latency| (latency.p50_ms, latency.p99_ms));
        let cores = self.figure.server_cores.map_or_else(String::new, |cores| format!("{cores:.2}"));
        format!(
            "{:>7}  {:<40} {:>9.0} {p50:>8.2} {p99:>8.2} {:>8} {:>7.1}% {cores:>6}",
            self.callers,
            self.figure.name,
            self.figure.per_second,
            self.to_peer.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.to_echo * 100.0,
        )
    }
}

/// How often each delivery made bytes durable; above zero, or the figures are worth nothing.
#[derive(Debug, Serialize)]
pub struct Flushes {
    /// Whose.
    pub name: String,
    /// `fsync` and `fdatasync` for each letter, 16 callers.
    pub per_letter: f64,
}

/// Everything of a run beside a peer.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The peer's version.
    pub peer: String,
    /// Bytes of a submission and of the mail that carries its two sealed files.
    pub submission_bytes: usize,
    /// See `submission_bytes`.
    pub mail_bytes: usize,
    /// All figures, in the order of the table.
    pub rows: Vec<Row>,
    /// `None` where `strace` is missing.
    pub flushes: Option<Vec<Flushes>>,
}

/// Letters that a run needs for so many in each large round.
pub fn letters(messages: usize) -> usize {
    shares(messages).last().map_or(0, |share| share.end)
}

/// The letters of each round, then those whose system calls are counted.
fn shares(messages: usize) -> Vec<Range<usize>> {
    let counts = ROUNDS.map(|callers| if callers == 1 { messages.div_ceil(ALONE) } else { messages });
    let mut end = 0;
    counts
        .into_iter()
        .chain([TRACED])
        .map(|count| {
            end += count;
            end - count..end
        })
        .collect()
}

/// Both sides with their letters.
pub struct Beside {
    world: Arc<World>,
    letters: Arc<Vec<Letter>>,
    shares: Vec<Range<usize>>,
    stores: Vec<Store>,
    mail_bytes: usize,
}

impl Beside {
    /// Starts the peer's servers below `folder`; `messages` letters for each large round must be sealed already.
    pub async fn open(
        world: Arc<World>,
        letters: Arc<Vec<Letter>>,
        messages: usize,
        folder: &Path,
    ) -> Result<Self> {
        let sealed: Vec<_> = letters
            .iter()
            .map(|l| (l.reader, [&l.submission.cover_envelope[..], &l.submission.letter_envelope[..]]))
            .collect();
        let mails = Arc::new(Mails::compose(world.readers.len(), &sealed)?);
        let mut stores = Vec::new();
        for format in [Format::Sdbox, Format::Mdbox] {
            stores.push(Store::open(folder, format, Arc::clone(&mails)).await?);
        }
        Ok(Self { world, letters, shares: shares(messages), stores, mail_bytes: mails.size() })
    }

    /// Measures everything, prints it as it comes, and counts what was stored.
    pub async fn measure(mut self, server: &Server, echo: &Echo) -> Result<Report> {
        say(&format!("{} B a submission, {} B a mail", self.submission_bytes(), self.mail_bytes));
        say(&format!(
            "{:>7}  {:<40} {:>9} {:>8} {:>8} {:>8} {:>8} {:>6}",
            "callers", "", "/s", "p50 ms", "p99 ms", "x peer", "of echo", "cores"
        ));
        let mut rows = Vec::new();
        for (round, callers) in ROUNDS.into_iter().enumerate() {
            let echo = echo.measure(&self.world.service, callers).await?;
            let share = self.shares[round].clone();
            let run = self.run(share.clone(), server, callers)?;
            let mut tell = Table { callers, echo: &echo, rows: &mut rows };
            tell.echo();
            let ours = run.deliver(server).await?;
            let mut peers = Vec::new();
            for store in &mut self.stores {
                peers.push(store.deliver(share.clone(), callers).await?);
            }
            tell.group(ours, peers);

            // A letter is read again once it was handed over.
            run.first_read(server).await?;
            let readings = share.len() * READINGS;
            let ours = run.read_in_turn(readings, server, false).await?;
            let mut peers = Vec::new();
            for store in &self.stores {
                peers.push(store.fetch(readings, callers).await?);
            }
            tell.group(ours, peers);

            let sessions = share.len().div_ceil(LETTERS_A_SESSION);
            let ours = run.read_in_turn(sessions, server, true).await?;
            let mut peers = Vec::new();
            for store in &self.stores {
                peers.push(store.sessions(sessions, callers).await?);
            }
            tell.group(ours, peers);
        }
        let flushes = self.flushes(server).await?;
        for store in &self.stores {
            say(&format!("{}: {} mails counted, as acknowledged", store.name(), store.count().await?));
        }
        let (submission_bytes, mail_bytes) = (self.submission_bytes(), self.mail_bytes);
        Ok(Report {
            peer: format!("Dovecot {}", Dovecot::version()?),
            submission_bytes,
            mail_bytes,
            rows,
            flushes,
        })
    }

    fn submission_bytes(&self) -> usize {
        self.letters.first().map_or(0, |letter| prost::Message::encoded_len(&letter.submission))
    }

    fn run(&self, share: Range<usize>, server: &Server, callers: usize) -> Result<Run> {
        let plan = Plan { single: share, ..Plan::default() };
        Run::new(Arc::clone(&self.world), Arc::clone(&self.letters), plan, server, callers)
    }

    /// Delivers a few more letters and counts how often bytes were made durable.
    async fn flushes(&mut self, server: &Server) -> Result<Option<Vec<Flushes>>> {
        let share = self.shares.last().context("no letters to count system calls by")?.clone();
        let run = self.run(share.clone(), server, TRACED_CALLERS)?;
        let ours = async { run.deliver(server).await.map(drop) };
        let mut counts = vec![("postfach", process::count_calls(&[server.process()], &FLUSHES, ours).await?)];
        for (name, store) in ["Dovecot sdbox", "Dovecot mdbox"].into_iter().zip(&mut self.stores) {
            let processes = store.processes();
            let deliver = async { store.deliver(share.clone(), TRACED_CALLERS).await.map(drop) };
            counts.push((name, process::count_calls(&processes, &FLUSHES, deliver).await?));
        }
        let mut flushes = Vec::new();
        for (name, count) in counts {
            let Some(count) = count else {
                say("fsync was not counted: apt-get install strace");
                return Ok(None);
            };
            anyhow::ensure!(count > 0, "{name} took {TRACED} letters and made nothing durable");
            #[allow(clippy::cast_precision_loss)] // far below 2^52
            let per_letter = count as f64 / TRACED as f64;
            say(&format!("{name}: {per_letter:.2} fsync or fdatasync a letter, {TRACED_CALLERS} callers"));
            flushes.push(Flushes { name: name.to_owned(), per_letter });
        }
        Ok(Some(flushes))
    }
}

/// Where the rows of one round go.
struct Table<'a> {
    callers: usize,
    echo: &'a Figure,
    rows: &'a mut Vec<Row>,
}

impl Table<'_> {
    fn echo(&mut self) {
        self.push(self.echo.clone(), None);
    }

    /// Our figure and the peer's.
    fn group(&mut self, ours: Figure, peers: Vec<Figure>) {
        let fastest = peers.iter().map(|figure| figure.per_second).fold(0.0, f64::max);
        for figure in std::iter::once(ours).chain(peers) {
            let to_peer = figure.per_second / fastest;
            self.push(figure, Some(to_peer));
        }
    }

    fn push(&mut self, figure: Figure, to_peer: Option<f64>) {
        let to_echo = figure.per_second / self.echo.per_second;
        let row = Row { callers: self.callers, figure, to_peer, to_echo };
        say(&row.line());
        self.rows.push(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Latency;

    #[test]
    fn every_round_has_letters_of_its_own() {
        let shares = shares(8000);
        assert_eq!(shares, [0..800, 800..8800, 8800..16_800, 16_800..17_120]);
        assert_eq!(letters(8000), 17_120);
    }

    #[test]
    fn ratios_are_to_the_fastest_format_and_to_the_echo() {
        let echo = Figure::limit("echo", 40_000.0);
        let latency = Some(Latency { p50_ms: 1.0, p99_ms: 2.0, p999_ms: 3.0 });
        let figure = |rate| Figure { latency, ..Figure::limit("x", rate) };
        let mut rows = Vec::new();
        let mut table = Table { callers: 64, echo: &echo, rows: &mut rows };
        table.group(figure(8000.0), vec![figure(1000.0), figure(2000.0)]);
        let ratios: Vec<_> = rows.iter().map(|row| (row.to_peer, row.to_echo)).collect();
        assert_eq!(ratios, [(Some(4.0), 0.2), (Some(0.5), 0.025), (Some(1.0), 0.05)]);
    }
}
