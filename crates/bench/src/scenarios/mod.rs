//! What is measured, in the order in which the scenarios build on each other. Every receipt is verified after its scenario.

pub mod day;
mod deliver;
mod mixed;
mod read;
mod verify;
mod watch;

use std::future::Future;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use postfach_domain::event::EventType;
use postfach_proto::v1::LoggedEvent;
use postfach_sdk::Service;
use tonic::transport::Channel;

use crate::load;
use crate::report::Figure;
use crate::server::Server;
use crate::world::{Letter, World};
pub use deliver::deliver;

/// Calls of the scenario with one caller.
const ALONE: usize = 2_000;
/// Letters with an attachment, and the attachment's content in bytes.
const ATTACHED: usize = 2_000;
const ATTACHMENT: usize = 100_000;

/// How many letters each scenario needs.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// One call each.
    pub single: Range<usize>,
    /// One call each, one caller.
    pub alone: Range<usize>,
    /// By hundreds.
    pub batch: Range<usize>,
    /// Among readings.
    pub mixed: Range<usize>,
    /// With an attachment; the last ones.
    pub attached: Range<usize>,
}

impl Plan {
    /// For so many letters in each large scenario.
    pub fn of(messages: usize) -> Self {
        let mut end = 0;
        let mut next = |count: usize| {
            let begin = end;
            end += count;
            begin..end
        };
        Self {
            single: next(messages),
            alone: next(ALONE.min(messages)),
            batch: next(messages),
            mixed: next(messages / 4),
            attached: next(ATTACHED.min(messages)),
        }
    }

    /// Seals all of them.
    pub fn preseal(&self, world: &World) -> Result<Vec<Letter>> {
        let mut letters = world.preseal(self.attached.start, 0)?;
        letters.extend(world.preseal(self.attached.len(), ATTACHMENT)?);
        Ok(letters)
    }
}

/// An answer that is verified after the measurement.
struct Answer {
    /// Whose.
    letter: usize,
    event_type: EventType,
    event: LoggedEvent,
    /// The checkpoint that it is proven under.
    note: Arc<Vec<u8>>,
}

/// The scenarios over one world and server.
pub struct Run {
    world: Arc<World>,
    letters: Arc<Vec<Letter>>,
    plan: Plan,
    channels: Vec<Channel>,
    callers: usize,
    /// Where each reader's sync stands.
    cursors: Arc<Vec<Mutex<String>>>,
}

/// One connection for every 16 callers.
pub fn channels(service: &Service, server: &Server, callers: usize) -> Result<Vec<Channel>> {
    (0..callers.div_ceil(16))
        .map(|_| Ok(postfach_sdk::channel::channel(service, Some(&server.url()), Duration::from_secs(10))?))
        .collect()
}

/// What a piece of work may use.
#[derive(Clone)]
struct Tools {
    world: Arc<World>,
    letters: Arc<Vec<Letter>>,
    channel: Channel,
}

impl Run {
    /// Prepares connections.
    pub fn new(
        world: Arc<World>,
        letters: Arc<Vec<Letter>>,
        plan: Plan,
        server: &Server,
        callers: usize,
    ) -> Result<Self> {
        let channels = channels(&world.service, server, callers)?;
        let cursors = Arc::new(world.readers.iter().map(|_| Mutex::default()).collect());
        Ok(Self { world, letters, plan, channels, callers, cursors })
    }

    /// Makes `count` calls that do `things` together, verifies every receipt, and gives the rate of things.
    async fn timed<F>(
        &self,
        name: &str,
        (callers, count, things): (usize, usize, usize),
        server: &Server,
        work: impl Fn(Tools, usize) -> F + Send + Sync + 'static,
    ) -> Result<Figure>
    where
        F: Future<Output = Result<Vec<Answer>>> + Send,
    {
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let (world, letters) = (Arc::clone(&self.world), Arc::clone(&self.letters));
        let (channels, sink) = (self.channels.clone(), Arc::clone(&answers));
        let (cpu, begin) = (server.cpu_seconds(), Instant::now());
        let mut figure = load::run(name, callers, count, move |caller, index| {
            let channel = channels[caller % channels.len()].clone();
            let tools = Tools { world: Arc::clone(&world), letters: Arc::clone(&letters), channel };
            let (work, sink) = (work(tools, index), Arc::clone(&sink));
            async move {
                let answers = work.await?;
                sink.lock().map_err(|_| anyhow::anyhow!("a caller failed"))?.extend(answers);
                Ok(())
            }
        })
        .await?;
        figure.server_cores = Some((server.cpu_seconds() - cpu) / begin.elapsed().as_secs_f64());
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let things_per_call = things as f64 / count as f64;
        figure.per_second *= things_per_call;
        let answers = std::mem::take(&mut *answers.lock().map_err(|_| anyhow::anyhow!("a caller failed"))?);
        for answer in &answers {
            verify::verify(&self.world.service.evidence_log, &self.letters[answer.letter], answer)?;
        }
        figure.verified = answers.len();
        Ok(figure)
    }

    /// Every letter of a scenario was answered with a receipt.
    fn complete(figure: Figure, expected: usize) -> Result<Figure> {
        ensure!(figure.verified == expected, "{}: {} of {expected} receipts", figure.name, figure.verified);
        Ok(figure)
    }
}
