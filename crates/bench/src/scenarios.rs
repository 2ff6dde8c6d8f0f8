//! What is measured: delivering, reading for the first time, and reading again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postfach_domain::act::MessageRef;
use postfach_domain::event::{Event, EventType};
use postfach_domain::submission::Hashes;
use postfach_ledger::checkpoint::LogKeys;
use postfach_ledger::hash::Hash;
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::proof::verify_inclusion;
use postfach_ledger::witness::WitnessPolicy;
use postfach_proto::v1::delivery_service_client::DeliveryServiceClient;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use postfach_proto::v1::{Checkpoints, DeliverRequest, HandOverRequest, LoggedEvent};
use postfach_sdk::Service;
use tonic::transport::Channel;

use crate::acts;
use crate::load;
use crate::report::Figure;
use crate::server::Server;
use crate::world::{Letter, World};
use postfach_server::clock::{Clock as _, SystemClock};

/// One thing that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Durable delivery with its receipt.
    Deliver,
    /// Hand-over with its evidence; the letter comes along.
    FirstRead,
    /// The same letter for a token alone.
    ReadAgain,
}

/// In the order in which they build on each other.
pub const ALL: [Scenario; 3] = [Scenario::Deliver, Scenario::FirstRead, Scenario::ReadAgain];

/// An answer that is verified after the measurement.
type Answer = (usize, EventType, LoggedEvent, Arc<Vec<u8>>);

/// The scenarios over one world and server.
pub struct Run {
    world: Arc<World>,
    letters: Arc<Vec<Letter>>,
    channels: Vec<Channel>,
    callers: usize,
}

/// One connection for every 16 callers.
pub fn channels(service: &Service, server: &Server, callers: usize) -> Result<Vec<Channel>> {
    (0..callers.div_ceil(16))
        .map(|_| Ok(postfach_sdk::channel::channel(service, Some(&server.url()), Duration::from_secs(10))?))
        .collect()
}

impl Run {
    /// Prepares connections.
    pub fn new(
        world: Arc<World>,
        letters: Arc<Vec<Letter>>,
        server: &Server,
        callers: usize,
    ) -> Result<Self> {
        let channels = channels(&world.service, server, callers)?;
        Ok(Self { world, letters, channels, callers })
    }

    /// Runs one scenario over all letters and verifies every answer.
    pub async fn measure(&self, scenario: Scenario, server: &Server) -> Result<Figure> {
        let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let (world, letters) = (Arc::clone(&self.world), Arc::clone(&self.letters));
        let (channels, sink) = (self.channels.clone(), Arc::clone(&answers));
        let name = match scenario {
            Scenario::Deliver => "deliver: durable, with receipt",
            Scenario::FirstRead => "first read: hand-over, with receipt",
            Scenario::ReadAgain => "read again",
        };
        let cpu = server.cpu_seconds();
        let begin = std::time::Instant::now();
        let mut figure = load::run(name, self.callers, self.letters.len(), move |caller, index| {
            let (world, letters, sink) = (Arc::clone(&world), Arc::clone(&letters), Arc::clone(&sink));
            let channel = channels[caller % channels.len()].clone();
            async move {
                let (event_type, event, checkpoints) = match scenario {
                    Scenario::Deliver => deliver(&world, &letters[index], channel).await?,
                    Scenario::FirstRead => hand_over(&world, &letters[index], channel, true).await?,
                    Scenario::ReadAgain => hand_over(&world, &letters[index], channel, false).await?,
                };
                let note = Arc::new(checkpoints.evidence);
                sink.lock()
                    .map_err(|_| anyhow::anyhow!("a caller failed"))?
                    .push((index, event_type, event, note));
                Ok(())
            }
        })
        .await?;
        figure.server_cores = Some((server.cpu_seconds() - cpu) / begin.elapsed().as_secs_f64());
        let answers = std::mem::take(&mut *answers.lock().map_err(|_| anyhow::anyhow!("a caller failed"))?);
        ensure!(answers.len() == self.letters.len(), "some letters were not answered");
        for (index, event_type, event, note) in &answers {
            verify(&self.world.service.evidence_log, &self.letters[*index], *event_type, event, note)?;
        }
        Ok(figure)
    }
}

/// Delivers one letter; its logged event.
pub async fn deliver(
    world: &World,
    letter: &Letter,
    channel: Channel,
) -> Result<(EventType, LoggedEvent, Checkpoints)> {
    let body = DeliverRequest { submission: Some(letter.submission.clone()), validate_only: false };
    let request = world.senders[letter.sender].caller.request(body)?;
    let answer = DeliveryServiceClient::new(channel).deliver(request).await?.into_inner();
    Ok((
        EventType::Accepted,
        answer.event.context("no event")?,
        answer.checkpoints.context("no checkpoints")?,
    ))
}

async fn hand_over(
    world: &World,
    letter: &Letter,
    channel: Channel,
    first: bool,
) -> Result<(EventType, LoggedEvent, Checkpoints)> {
    let reader = &world.readers[letter.reader];
    let hashes = hashes(letter);
    let message =
        MessageRef { message_id: letter.message_id, outer_hash: hashes.outer, letter_hash: hashes.letter };
    let act = first.then(|| {
        acts::hand_over(&world.service.origin, &reader.chain, &reader.key, SystemClock.now(), message)
    });
    let request = reader.caller.request(HandOverRequest { message_id: letter.message_id.to_vec(), act })?;
    let answer = MailboxServiceClient::new(channel).hand_over(request).await?.into_inner();
    ensure!(answer.letter_envelope == letter.submission.letter_envelope, "another letter came");
    Ok((
        EventType::HandedOver,
        answer.event.context("no event")?,
        answer.checkpoints.context("no checkpoints")?,
    ))
}

fn hashes(letter: &Letter) -> Hashes {
    let submission = &letter.submission;
    Hashes::of(&submission.outer, &submission.cover_envelope, &submission.letter_envelope)
}

/// The receipt holds: the event is this letter's, and is included under a signed checkpoint.
fn verify(
    log: &LogKeys,
    letter: &Letter,
    event_type: EventType,
    logged: &LoggedEvent,
    note: &[u8],
) -> Result<()> {
    let event = Event::parse(&logged.event)?;
    ensure!(event.event_type == event_type && event.message_id == Some(letter.message_id), "another event");
    ensure!(event.hashes == Some(hashes(letter)), "another letter's event");
    let checkpoint = log.verify(note, &WitnessPolicy::default())?.signed.checkpoint;
    let salt: [u8; 32] = logged.salt.as_slice().try_into().context("the salt has not 32 bytes")?;
    let leaf = EvidenceLeaf { commitment: postfach_ledger::leaf::commitment(&salt, &logged.event) };
    let path: Vec<Hash> = logged
        .inclusion
        .iter()
        .map(|hash| Hash::from_slice(hash).context("a hash has not 32 bytes"))
        .collect::<Result<_>>()?;
    verify_inclusion(logged.index, checkpoint.size, &leaf.leaf_hash(), &path, &checkpoint.root)?;
    Ok(())
}
