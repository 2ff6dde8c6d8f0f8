//! 64 callers at three nodes that are killed (SIGKILL) and started again at random while the others go on. Clients change
//! nodes between bursts and keep what they saw of the logs, so that two nodes that did not agree would be noticed.

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use postfach_tests::nodes::Nodes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::crash::acknowledged::Acknowledged;
use crate::crash::burst::{self, Running};
use crate::crash::checks::{self, LONG};
use crate::crash::people::People;
use crate::crash::{rounds, seed};

/// Nodes.
const NODES: usize = 3;
/// Authorities, each with three callers, and citizens with one: 64 callers.
const SENDERS: usize = 16;
const READERS: usize = 16;
/// Letters of a round.
const LETTERS: usize = 48;
/// Kills of a round at least.
const KILLS: usize = 3;
/// A burst that is not through after this time never ends.
const ROUND: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_any_node_acknowledged_outlives_kills_of_any_of_them() {
    let (seed, rounds) = (seed(), rounds(3));
    let mut rng = StdRng::seed_from_u64(seed);
    let mut nodes = Nodes::serving(NODES);
    let mut people = People::register(&nodes.d, SENDERS, READERS).await;
    let folder = nodes.d.root().join("clients");
    fs::create_dir(&folder).unwrap();
    let held = Arc::new(Mutex::new(Acknowledged::default()));
    let (mut sent, mut kills) = (Vec::new(), 0);
    for round in 0..rounds {
        let letters = people.seal(LETTERS, &nodes.url(round % NODES), &folder, &mut rng).await;
        sent.extend(letters.iter().map(|letter| (letter.sender, letter.id)));
        let urls: Vec<String> = (0..NODES).map(|node| nodes.url((node + round) % NODES)).collect();
        let running = Running::start_at(&people, letters, &urls, &held, &folder, &mut rng);
        let begun = Instant::now();
        let mut killed = 0;
        while killed < KILLS || !running.all_sent() {
            assert!(begun.elapsed() < ROUND, "the callers come to no end");
            tokio::time::sleep(Duration::from_millis(rng.gen_range(20..400))).await;
            let node = rng.gen_range(0..NODES);
            nodes.kill(node);
            tokio::time::sleep(Duration::from_millis(rng.gen_range(0..200))).await;
            nodes.restart(node);
            killed += 1;
        }
        kills += killed;
        let left = running.end(&mut people).await;
        let url = nodes.url(rng.gen_range(0..NODES));
        checks::send_again(&mut people, &left, &url, &held).await;
        let url = nodes.url(rng.gen_range(0..NODES));
        checks::receipts_hold(&mut people, &sent[sent.len() - LETTERS..], &url, &held).await;
        let url = nodes.url(rng.gen_range(0..NODES));
        let notes = held.lock().unwrap().notes.values().rev().take(60).cloned().collect();
        checks::checkpoints_are_extended(&people, notes, &url).await;
        nodes.d.audit(&["--quick", "--blobs"]).ok();
    }
    for number in 0..READERS {
        let mailbox = people.mailbox(number, &nodes.url(number % NODES), LONG);
        let reader = &mut people.readers[number];
        burst::sync(&held, &mailbox, reader).await.unwrap();
        reader.trust = mailbox.client().trust();
    }
    for node in 0..NODES {
        let url = nodes.url(node);
        checks::receipts_hold(&mut people, &sent, &url, &held).await;
        checks::mailboxes_are_whole(&people, &sent, &url, &held).await;
        let notes = held.lock().unwrap().notes.values().cloned().collect();
        checks::checkpoints_are_extended(&people, notes, &url).await;
    }
    nodes.d.audit(&["--blobs"]).ok();
    nodes.stop();
    nodes.d.audit(&["--blobs"]).ok();
    let events = held.lock().unwrap().facts().len();
    println!("{rounds} rounds, {kills} kills: {} letters, {events} events", sent.len());
}
