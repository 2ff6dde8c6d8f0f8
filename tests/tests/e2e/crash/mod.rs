//! The server is killed at any moment, again and again, and nothing that it acknowledged is lost (docs/testing.md).

#![allow(clippy::print_stdout)] // the seed and what a run came to

pub mod acknowledged;
mod batch;
mod broken_disk;
pub mod burst;
pub mod checks;
mod database;
pub mod people;
mod power;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postfach_domain::id::MessageId;
use postfach_tests::Deployment;
use rand::rngs::{OsRng, StdRng};
use rand::{Rng as _, RngCore as _, SeedableRng as _};

use acknowledged::Acknowledged;
use burst::Running;
use checks::LONG;
use people::{Letter, People};

/// Letters of one burst.
const LETTERS: usize = 24;
/// A burst lasts no longer than this.
const BURST: Duration = Duration::from_millis(700);
/// Letters of earlier bursts that are looked at again after each crash.
const LOOKED_AT: usize = 8;
/// How often the whole log is recomputed with every signature, besides the end.
const THOROUGH: usize = 10;

/// A deployment that is killed, and all that anybody knows of it.
struct Trial {
    d: Deployment,
    people: People,
    rng: StdRng,
    held: Arc<Mutex<Acknowledged>>,
    /// Senders and ids of all letters that were acknowledged.
    sent: Vec<(usize, MessageId)>,
    /// Letters that wait to be sent again.
    left: Vec<Letter>,
    folder: PathBuf,
    interrupted: usize,
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// What chance decides is decided by this; printed, so that a run can be made again (up to timing).
pub fn seed() -> u64 {
    let seed = setting("POSTFACH_CRASH_SEED").unwrap_or_else(|| OsRng.next_u64());
    println!("POSTFACH_CRASH_SEED={seed}");
    seed
}

pub fn rounds(short: u64) -> usize {
    usize::try_from(setting("POSTFACH_CRASH_ROUNDS").unwrap_or(short)).unwrap()
}

impl Trial {
    async fn new(d: Deployment, seed: u64) -> Self {
        let people = People::register(&d, 3, 5).await;
        let folder = d.root().join("clients");
        fs::create_dir(&folder).unwrap();
        Self {
            d,
            people,
            rng: StdRng::seed_from_u64(seed),
            held: Arc::default(),
            sent: Vec::new(),
            left: Vec::new(),
            folder,
            interrupted: 0,
        }
    }

    /// A burst, and SIGKILL after a random number of answers and a random pause.
    async fn burst_and_kill(&mut self) {
        let url = self.d.url();
        let mut letters = self.people.seal(LETTERS, &url, &self.folder, &mut self.rng).await;
        letters.append(&mut self.left);
        let all: Vec<_> = letters.iter().map(|letter| (letter.sender, letter.id)).collect();
        let running = Running::start(&self.people, letters, &url, &self.held, &self.folder, &mut self.rng);
        let (answers, pause) = (self.rng.gen_range(0..3 * LETTERS), self.rng.gen_range(0..8000));
        let answered = async {
            while running.burst.answered.load(Ordering::SeqCst) < answers {
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
        };
        // Readers may have nothing more to take.
        let _ = tokio::time::timeout(BURST, answered).await;
        tokio::time::sleep(Duration::from_micros(pause)).await;
        self.d.kill();
        let burst = Arc::clone(&running.burst);
        self.left = running.end(&mut self.people).await;
        self.interrupted += burst.interrupted.load(Ordering::SeqCst);
        let left: Vec<MessageId> = self.left.iter().map(|letter| letter.id).collect();
        self.sent.extend(all.into_iter().filter(|(_, id)| !left.contains(id)));
    }

    /// Sends what was not acknowledged.
    async fn send_again(&mut self) {
        let (url, left) = (self.d.url(), std::mem::take(&mut self.left));
        checks::send_again(&mut self.people, &left, &url, &self.held).await;
        self.sent.extend(left.iter().map(|letter| (letter.sender, letter.id)));
    }

    /// Everything that holds after every crash.
    async fn check(&mut self, round: usize) {
        let url = self.d.url();
        if self.rng.r#gen() {
            // The other half of the time they go into the next burst.
            self.send_again().await;
        }
        let newest = self.sent.len().saturating_sub(LETTERS);
        let mut looked_at = self.sent[newest..].to_vec();
        for _ in 0..LOOKED_AT.min(newest) {
            looked_at.push(self.sent[self.rng.gen_range(0..newest)]);
        }
        checks::receipts_hold(&mut self.people, &looked_at, &url, &self.held).await;
        let notes = self.held.lock().unwrap().notes.values().rev().take(60).cloned().collect();
        checks::checkpoints_are_extended(&self.people, notes, &url).await;
        for number in 0..self.people.readers.len() {
            let mailbox = self.people.mailbox(number, &url, LONG);
            let reader = &mut self.people.readers[number];
            burst::sync(&self.held, &mailbox, reader).await.unwrap();
            reader.trust = mailbox.client().trust();
        }
        let words: &[&str] =
            if round % THOROUGH == THOROUGH - 1 { &["--blobs"] } else { &["--quick", "--blobs"] };
        self.d.audit(words).ok();
    }

    /// Everything, after the last crash.
    async fn check_all(&mut self) {
        let url = self.d.url();
        self.send_again().await;
        checks::receipts_hold(&mut self.people, &self.sent, &url, &self.held).await;
        checks::mailboxes_are_whole(&self.people, &self.sent, &url, &self.held).await;
        let notes = self.held.lock().unwrap().notes.values().cloned().collect();
        checks::checkpoints_are_extended(&self.people, notes, &url).await;
        self.d.audit(&["--blobs"]).ok();
        self.d.stop();
        self.d.audit(&["--blobs"]).ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_outlives_a_kill_at_any_moment() {
    let (seed, rounds) = (seed(), rounds(10));
    let mut trial = Trial::new(Deployment::serving(), seed).await;
    for round in 0..rounds {
        trial.burst_and_kill().await;
        while trial.rng.gen_ratio(1, 4) {
            let after = Duration::from_millis(trial.rng.gen_range(0..60));
            trial.d.serve_and_kill(after);
        }
        trial.d.serve();
        trial.check(round).await;
    }
    trial.check_all().await;
    let (sent, events) = (trial.sent.len(), trial.held.lock().unwrap().facts().len());
    println!("{rounds} rounds: {sent} letters, {events} events, {} calls interrupted", trial.interrupted);
    assert_eq!(sent, rounds * LETTERS);
    assert!(trial.interrupted > 0, "no call was ever cut: the server was killed at the wrong moments");
}
