//! A day in a minute: all kinds of calls in the shares of a working day, arriving when they arrive. Each is timed from the moment
//! at which it was due, so that a slow answer delays nobody's arrival and hides nobody's waiting.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postfach_domain::act::MessageRef;
use postfach_domain::event::EventType;
use postfach_proto::v1;
use postfach_proto::v1::delivery_service_client::DeliveryServiceClient;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use postfach_server::clock::{Clock as _, SystemClock};
use serde::Serialize;

use super::deliver::{batch, deliver};
use super::read::{hand_over, sync};
use super::verify::hashes;
use super::{Run, Tools};
use crate::report::{Latency, say};
use crate::server::Server;
use crate::{acts, load};

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A citizen's device looks for news, and mostly finds none.
    Sync,
    /// An authority sends one letter.
    Deliver,
    /// An authority sends up to twenty.
    Batch,
    /// A citizen opens a letter for the first time.
    FirstRead,
    /// And again.
    ReadAgain,
    /// A citizen confirms that it opened well.
    Confirm,
    /// An authority asks what became of a letter.
    Status,
}

/// Of a hundred calls. Twice as many letters come as are read on the day; most of them by batch.
const SHARES: [(Kind, usize); 7] = [
    (Kind::Sync, 41),
    (Kind::Deliver, 16),
    (Kind::Batch, 1),
    (Kind::FirstRead, 16),
    (Kind::ReadAgain, 8),
    (Kind::Confirm, 8),
    (Kind::Status, 10),
];
/// Letters of a batch; an authority's last one has fewer.
const BATCH: usize = 20;

/// One kind's latencies at one rate.
#[derive(Debug, Serialize)]
pub struct OfKind {
    /// Which.
    pub kind: Kind,
    /// How many calls.
    pub calls: usize,
    /// From when each was due.
    pub latency: Latency,
}

/// One rate.
#[derive(Debug, Serialize)]
pub struct Day {
    /// Calls a second that were due.
    pub due_per_second: usize,
    /// Calls a second from the first arrival to the last answer.
    pub answered_per_second: f64,
    /// Of all.
    pub latency: Latency,
    /// One by one.
    pub kinds: Vec<OfKind>,
    /// CPU seconds of the server per wall second.
    pub server_cores: f64,
}

/// The kind of a call by its number: every hundred in a row have the shares, well mixed.
fn kind(call: usize) -> Kind {
    // 37 and 100 have no common divisor, so every place of the hundred is taken once.
    let mut place = call * 37 % 100;
    for (kind, share) in SHARES {
        if place < share {
            return kind;
        }
        place -= share;
    }
    Kind::Sync
}

/// How many calls of this kind come before this one, which is of that kind.
fn turn(call: usize) -> usize {
    let kind_of = kind(call);
    let share = SHARES.iter().find(|(kind, _)| *kind == kind_of).map_or(0, |(_, share)| *share);
    let begin = call - call % 100;
    begin / 100 * share + (begin..call).filter(|earlier| kind(*earlier) == kind_of).count()
}

/// Letters of one rate by what becomes of them.
struct Stock {
    /// Sent one by one, then by batch.
    single: Range<usize>,
    batch: Range<usize>,
    /// Delivered before: read for the first time.
    unread: Range<usize>,
    /// Delivered and read before: read again, confirmed, asked for.
    read: Range<usize>,
}

impl Stock {
    fn of(begin: usize, calls: usize) -> Self {
        let hundreds = calls.div_ceil(100);
        let mut end = begin;
        let mut next = |kind: Kind, letters: usize| {
            let share = SHARES.iter().find(|(of, _)| *of == kind).map_or(0, |(_, share)| *share);
            end += hundreds * share * letters;
            end - hundreds * share * letters..end
        };
        Self {
            single: next(Kind::Deliver, 1),
            batch: next(Kind::Batch, BATCH),
            unread: next(Kind::FirstRead, 1),
            read: next(Kind::Confirm, 1),
        }
    }

    fn end(&self) -> usize {
        self.read.end
    }
}

/// Letters that these rates need, each for so long.
pub fn letters(rates: &[usize], length: Duration) -> usize {
    stocks(rates, length).last().map_or(0, Stock::end)
}

fn stocks(rates: &[usize], length: Duration) -> Vec<Stock> {
    let mut begin = 0;
    rates
        .iter()
        .map(|rate| {
            let stock = Stock::of(begin, calls(*rate, length));
            begin = stock.end();
            stock
        })
        .collect()
}

/// Whole hundreds, so that the shares are exact.
fn calls(rate: usize, length: Duration) -> usize {
    (rate * usize::try_from(length.as_secs()).unwrap_or(1)).div_ceil(100) * 100
}

impl Run {
    /// One day at each rate. Fails when a call fails: a rate that the server refuses is no day.
    pub async fn days(&self, server: &Server, rates: &[usize], length: Duration) -> Result<Vec<Day>> {
        let mut days = Vec::new();
        for (stock, rate) in stocks(rates, length).into_iter().zip(rates) {
            days.push(self.day(server, stock, *rate, calls(*rate, length)).await?);
        }
        Ok(days)
    }

    async fn day(&self, server: &Server, stock: Stock, rate: usize, calls: usize) -> Result<Day> {
        self.stock_up(&stock).await?;
        let batches = self.by_sender(stock.batch.clone(), BATCH);
        let (stock, cursors, channels) =
            (Arc::new((stock, batches)), Arc::clone(&self.cursors), self.channels.clone());
        let (world, letters) = (Arc::clone(&self.world), Arc::clone(&self.letters));
        let (cpu, begin) = (server.cpu_seconds(), Instant::now());
        let arrivals = load::arrivals(rate, calls, move |call| {
            let channel = channels[call % channels.len()].clone();
            let tools = Tools { world: Arc::clone(&world), letters: Arc::clone(&letters), channel };
            let (stock, cursors) = (Arc::clone(&stock), Arc::clone(&cursors));
            async move {
                act(&tools, (&stock.0, &stock.1), &cursors, call)
                    .await
                    .with_context(|| format!("{:?}", kind(call)))
            }
        })
        .await?;
        let took = begin.elapsed().as_secs_f64();
        let samples = |of: Option<Kind>| -> Vec<Duration> {
            let wanted = arrivals.iter().filter(|(call, _)| of.is_none_or(|of| kind(*call) == of));
            wanted.map(|(_, took)| *took).collect()
        };
        let kinds = SHARES.iter().filter_map(|(kind, _)| {
            let samples = samples(Some(*kind));
            Some(OfKind { kind: *kind, calls: samples.len(), latency: Latency::of(samples)? })
        });
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let day = Day {
            due_per_second: rate,
            answered_per_second: arrivals.len() as f64 / took,
            latency: Latency::of(samples(None)).context("no call was made")?,
            kinds: kinds.collect(),
            server_cores: (server.cpu_seconds() - cpu) / took,
        };
        day.print();
        Ok(day)
    }

    /// Delivers what is to be read, and reads what is to be read again.
    async fn stock_up(&self, stock: &Stock) -> Result<()> {
        let (world, letters) = (Arc::clone(&self.world), Arc::clone(&self.letters));
        let channels = self.channels.clone();
        let (first, read) = (stock.unread.start, stock.read.start);
        load::run("stock", 64, stock.read.end - first, move |caller, index| {
            let channel = channels[caller % channels.len()].clone();
            let tools = Tools { world: Arc::clone(&world), letters: Arc::clone(&letters), channel };
            async move {
                let letter = first + index;
                deliver(&tools.world, &tools.letters[letter], tools.channel.clone()).await?;
                if letter >= read {
                    hand_over(&tools, letter, true).await?;
                }
                Ok(())
            }
        })
        .await?;
        Ok(())
    }
}

async fn act(
    tools: &Tools,
    (stock, batches): (&Stock, &[Vec<usize>]),
    cursors: &[Mutex<String>],
    call: usize,
) -> Result<()> {
    let turn = turn(call);
    match kind(call) {
        Kind::Sync => {
            let reader = turn % cursors.len();
            let failed = |_| anyhow::anyhow!("a caller failed");
            let cursor = cursors[reader].lock().map_err(failed)?.clone();
            let (_, cursor) = sync(tools, reader, cursor).await?;
            *cursors[reader].lock().map_err(|_| anyhow::anyhow!("a caller failed"))? = cursor;
        }
        Kind::Deliver => {
            let letter = &tools.letters[stock.single.start + turn];
            deliver(&tools.world, letter, tools.channel.clone()).await?;
        }
        Kind::Batch => drop(batch(tools, batches.get(turn).context("too few batches")?).await?),
        Kind::FirstRead => drop(hand_over(tools, stock.unread.start + turn, true).await?),
        Kind::ReadAgain => drop(hand_over(tools, stock.read.start + turn % stock.read.len(), false).await?),
        Kind::Confirm => confirm(tools, stock.read.start + turn).await?,
        Kind::Status => status(tools, stock.read.start + turn % stock.read.len()).await?,
    }
    Ok(())
}

async fn confirm(tools: &Tools, index: usize) -> Result<()> {
    let letter = &tools.letters[index];
    let (reader, hashes) = (&tools.world.readers[letter.reader], hashes(letter));
    let message =
        MessageRef { message_id: letter.message_id, outer_hash: hashes.outer, letter_hash: hashes.letter };
    let origin = &tools.world.service.origin;
    let act = acts::confirm(origin, &reader.chain, &reader.key, SystemClock.now(), message);
    let request = reader.caller.request(v1::SubmitActRequest { act: Some(act) })?;
    let answer = MailboxServiceClient::new(tools.channel.clone()).submit_act(request).await?.into_inner();
    let logged = postfach_domain::event::Event::parse(&answer.event.context("no event")?.event)?;
    ensure!(logged.event_type == EventType::Confirmed, "another event");
    Ok(())
}

async fn status(tools: &Tools, index: usize) -> Result<()> {
    let letter = &tools.letters[index];
    let body = v1::GetDeliveryRequest { message_id: letter.message_id.to_vec(), include_content: false };
    let request = tools.world.senders[letter.sender].caller.request(body)?;
    let answer = DeliveryServiceClient::new(tools.channel.clone()).get_delivery(request).await?.into_inner();
    ensure!(answer.events.len() >= 2, "a letter that was read has two events");
    Ok(())
}

impl Day {
    fn print(&self) {
        let line = |name: &str, calls: usize, latency: &Latency| {
            let Latency { p50_ms, p99_ms, p999_ms } = latency;
            format!("  {name:<12} {calls:>8}  p50 {p50_ms:>7.2}  p99 {p99_ms:>7.2}  p99.9 {p999_ms:>7.2} ms")
        };
        say(&format!(
            "{} calls a second are due, {:.0} answered, {:.2} cores",
            self.due_per_second, self.answered_per_second, self.server_cores
        ));
        for of in &self.kinds {
            say(&line(&format!("{:?}", of.kind), of.calls, &of.latency));
        }
        say(&line("all", self.kinds.iter().map(|of| of.calls).sum(), &self.latency));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_calls_have_the_shares_and_are_mixed() {
        assert_eq!(SHARES.iter().map(|(_, share)| share).sum::<usize>(), 100);
        for (wanted, share) in SHARES {
            assert_eq!((300..400).filter(|call| kind(*call) == wanted).count(), share, "{wanted:?}");
        }
        let longest = (0..200).map(kind).collect::<Vec<_>>();
        assert!(longest.chunk_by(PartialEq::eq).all(|run| run.len() <= 3), "{longest:?}");
    }

    #[test]
    fn turns_of_a_kind_count_up_from_zero() {
        for (wanted, _) in SHARES {
            let turns: Vec<_> = (0..300).filter(|call| kind(*call) == wanted).map(turn).collect();
            assert!(turns.iter().copied().eq(0..turns.len()), "{wanted:?}: {turns:?}");
        }
    }

    #[test]
    fn every_letter_serves_one_purpose_at_one_rate() {
        let length = Duration::from_secs(10);
        let stocks = stocks(&[50, 120], length);
        assert_eq!(stocks[0].single, 0..80);
        assert_eq!(stocks[0].batch, 80..180);
        assert_eq!(stocks[0].unread, 180..260);
        assert_eq!(stocks[0].read, 260..300);
        assert_eq!(stocks[1].single.start, 300);
        assert_eq!(letters(&[50, 120], length), stocks[1].read.end);
    }
}
