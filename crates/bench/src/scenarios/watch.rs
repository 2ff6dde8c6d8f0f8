//! Fan-out: many streams of news open at one server. How long a letter takes to be heard of, and what the streams cost while
//! nothing happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use postfach_domain::limits;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use postfach_proto::v1::watch_response::Happening;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tonic::Streaming;
use tonic::transport::Channel;

use super::deliver::deliver;
use super::read::sync;
use super::{Run, Tools};
use crate::process;
use crate::report::{Latency, say};
use crate::server::Server;

/// Streams that are being opened at once.
const OPENING: usize = 64;
/// Between two letters: nobody waits for another letter's listeners.
const PACE: Duration = Duration::from_millis(40);
/// How long the last listener may take.
const HEARD_WITHIN: Duration = Duration::from_secs(10);
/// What SQLite does for a query: it locks, and reads pages that it does not hold.
const QUERIES: [&str; 2] = ["fcntl", "pread64"];
/// How long such calls are counted, and how many queries prove that counting works.
const COUNTED: Duration = Duration::from_secs(20);
const PROOF: usize = 10;

/// What the fan-out gave.
#[derive(Debug, Serialize)]
pub struct FanOut {
    /// Open streams, and the connections under them.
    pub watchers: usize,
    /// See `watchers`.
    pub connections: usize,
    /// Until the last one was open.
    pub opened_seconds: f64,
    /// The server's resident memory at its largest, divided by the streams.
    pub server_kib_per_watcher: u64,
    /// Letters, and how often one was heard of: all listeners of its mailbox.
    pub letters: usize,
    /// See `letters`.
    pub heard: usize,
    /// From the sender's call until a listener hears.
    pub from_call: Latency,
    /// From the sender's receipt, which follows the commit at once; zero where the listener was first.
    pub from_receipt: Latency,
    /// How long nothing happened, and what the server's CPU did in it, as seconds a minute.
    pub idle_seconds: u64,
    /// See `idle_seconds`.
    pub idle_cpu_seconds_a_minute: f64,
    /// Calls that a query would make, in a minute in which nothing happens; `None` where `strace` is missing.
    pub idle_query_calls_a_minute: Option<u64>,
}

/// A listener heard: whose mailbox, and when.
type Heard = (usize, Instant);

impl Run {
    /// Opens so many streams, delivers the plan's letters one by one, and then waits.
    pub async fn watch(&self, server: &Server, watchers: usize, idle: Duration) -> Result<FanOut> {
        let readers = self.world.readers.len();
        ensure!(
            watchers.div_ceil(readers) <= limits::WATCH_STREAMS,
            "{watchers} watchers need more than {readers} recipients: {} streams each at most",
            limits::WATCH_STREAMS
        );
        let (heard, mut hearing) = mpsc::unbounded_channel();
        let begin = Instant::now();
        let (listeners, connections) = self.open_streams(server, watchers, &heard).await?;
        let opened_seconds = begin.elapsed().as_secs_f64();
        say(&format!("{watchers} watchers on {connections} connections, open after {opened_seconds:.1} s"));
        let (from_call, from_receipt) = self.tell(watchers, &mut hearing).await?;

        let (cpu, begin) = (server.cpu_seconds(), Instant::now());
        tokio::time::sleep(idle).await;
        let idle_cpu = (server.cpu_seconds() - cpu) / begin.elapsed().as_secs_f64() * 60.0;
        let queries = self.idle_queries(server).await?;
        ensure!(listeners.len() == watchers, "a stream ended");
        let result = FanOut {
            watchers,
            connections,
            opened_seconds,
            server_kib_per_watcher: server.peak_kib() / watchers.max(1) as u64,
            letters: self.plan.single.len(),
            heard: from_call.len(),
            from_call: Latency::of(from_call).context("nothing was heard")?,
            from_receipt: Latency::of(from_receipt).context("nothing was heard")?,
            idle_seconds: idle.as_secs(),
            idle_cpu_seconds_a_minute: idle_cpu,
            idle_query_calls_a_minute: queries,
        };
        result.print();
        Ok(result)
    }

    fn tools(&self, channel: Channel) -> Tools {
        Tools { world: Arc::clone(&self.world), letters: Arc::clone(&self.letters), channel }
    }

    /// Streams of all readers in turn, as many on a connection as it may carry, each at the end of its mailbox.
    async fn open_streams(
        &self,
        server: &Server,
        watchers: usize,
        heard: &mpsc::UnboundedSender<Heard>,
    ) -> Result<(JoinSet<Result<()>>, usize)> {
        let connections = watchers.div_ceil(limits::STREAMS as usize);
        // `channels` makes one for every 16 callers.
        let channels = super::channels(&self.world.service, server, connections * 16)?;
        let mut cursors = Vec::new();
        for reader in 0..self.world.readers.len() {
            let tools = self.tools(channels[reader % channels.len()].clone());
            cursors.push(sync(&tools, reader, String::new()).await?.1);
        }
        let (places, mut opening) = (Arc::new(Semaphore::new(OPENING)), JoinSet::new());
        for watcher in 0..watchers {
            let reader = watcher % cursors.len();
            let request = v1::WatchRequest { cursor: cursors[reader].clone() };
            let request = self.world.readers[reader].caller.request(request)?;
            let mut client = MailboxServiceClient::new(channels[watcher % channels.len()].clone());
            let places = Arc::clone(&places);
            opening.spawn(async move {
                let _place = places.acquire().await?;
                let mut stream = client.watch(request).await?.into_inner();
                // The first sign of life comes at once.
                stream.message().await?.context("a stream ended at once")?;
                anyhow::Ok((reader, stream))
            });
        }
        let mut listeners = JoinSet::new();
        while let Some(opened) = opening.join_next().await {
            let (reader, stream) = opened??;
            listeners.spawn(listen(reader, stream, heard.clone()));
        }
        Ok((listeners, connections))
    }

    /// Delivers each letter of the plan by itself; how long each listener took from call and from receipt.
    async fn tell(
        &self,
        watchers: usize,
        hearing: &mut mpsc::UnboundedReceiver<Heard>,
    ) -> Result<(Vec<Duration>, Vec<Duration>)> {
        let (mut from_call, mut from_receipt) = (Vec::new(), Vec::new());
        let readers = self.world.readers.len();
        for letter in self.plan.single.clone() {
            let letter = &self.letters[letter];
            let called = Instant::now();
            deliver(&self.world, letter, self.channels[0].clone()).await?;
            let answered = Instant::now();
            let expected = (letter.reader..watchers).step_by(readers).len();
            for _ in 0..expected {
                let next = tokio::time::timeout(HEARD_WITHIN, hearing.recv()).await;
                let (reader, at) =
                    next.context("a listener heard nothing")?.context("no listener is left")?;
                ensure!(reader == letter.reader, "somebody else heard");
                from_call.push(at.saturating_duration_since(called));
                from_receipt.push(at.saturating_duration_since(answered));
            }
            tokio::time::sleep(PACE).await;
        }
        Ok((from_call, from_receipt))
    }

    /// Calls a minute that queries make while nothing happens; queries on purpose show that they would be seen.
    async fn idle_queries(&self, server: &Server) -> Result<Option<u64>> {
        let process = [server.process()];
        let tools = self.tools(self.channels[0].clone());
        let asking = async {
            for reader in 0..PROOF.min(self.world.readers.len()) {
                sync(&tools, reader, String::new()).await?;
            }
            anyhow::Ok(())
        };
        let Some(seen) = process::count_calls(&process, &QUERIES, asking).await? else {
            say("queries were not counted: apt-get install strace");
            return Ok(None);
        };
        ensure!(seen > 0, "queries do not show in {QUERIES:?}");
        let waiting = async {
            tokio::time::sleep(COUNTED).await;
            anyhow::Ok(())
        };
        let counted = process::count_calls(&process, &QUERIES, waiting).await?;
        Ok(counted.map(|count| count * 60 / COUNTED.as_secs()))
    }
}

impl FanOut {
    fn print(&self) {
        let line = |from: &str, latency: &Latency| {
            let Latency { p50_ms, p99_ms, p999_ms } = latency;
            format!("heard after {from:<22} p50 {p50_ms:>7.2}  p99 {p99_ms:>7.2}  p99.9 {p999_ms:>7.2} ms")
        };
        say(&format!("{} letters, heard of {} times", self.letters, self.heard));
        say(&line("the sender's call", &self.from_call));
        say(&line("the sender's receipt", &self.from_receipt));
        let queries =
            self.idle_query_calls_a_minute.map_or_else(|| "?".to_owned(), |count| count.to_string());
        say(&format!(
            "idle: {:.1} CPU seconds and {queries} calls of queries a minute, {} KiB of the server a watcher",
            self.idle_cpu_seconds_a_minute, self.server_kib_per_watcher
        ));
    }
}

/// Passes news on until the stream ends, which it never should.
async fn listen(
    reader: usize,
    mut stream: Streaming<v1::WatchResponse>,
    heard: mpsc::UnboundedSender<Heard>,
) -> Result<()> {
    while let Some(message) = stream.message().await? {
        match message.happening.context("an empty message")? {
            Happening::News(_) => heard.send((reader, Instant::now()))?,
            Happening::Heartbeat(_) => {}
        }
    }
    bail!("a stream ended")
}
