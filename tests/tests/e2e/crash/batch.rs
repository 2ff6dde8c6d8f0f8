//! A list of letters that goes out by batches while the server is killed: the same list again comes to one result.

use std::collections::BTreeMap;
use std::time::Duration;

use postfach_sdk::progress::quiet;
use postfach_sdk::sender::{OutboxEntry, Sender};
use postfach_tests::Deployment;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::people::People;
use super::seed;

/// Letters, more than go into one batch.
const COUNT: usize = 130;

/// Delivers, and gives the place in the log of every letter that was answered.
async fn deliver(sender: &Sender, entries: &[OutboxEntry]) -> (BTreeMap<usize, u64>, bool) {
    let mut places = BTreeMap::new();
    let ended = sender.deliver_batch(entries, |at, result| {
        if let Ok(accepted) = result {
            places.insert(at, accepted.index);
        }
    });
    let whole = ended.await.is_ok();
    (places, whole)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_repeated_after_a_kill_gives_the_first_receipts() {
    let mut d = Deployment::serving();
    let mut people = People::register(&d, 1, 3).await;
    let folder = d.root().join("clients");
    std::fs::create_dir(&folder).unwrap();
    let letters = people.seal(COUNT, &d.url(), &folder, &mut StdRng::seed_from_u64(seed())).await;
    let patient = Duration::from_secs(20);
    let sender = people.sender(0, &d.url(), patient);
    for letter in &letters {
        sender.upload(&letter.entry, &letter.spool, &quiet()).await.unwrap();
    }
    let entries: Vec<OutboxEntry> = letters.into_iter().map(|letter| letter.entry).collect();
    // Some are acknowledged, then the server dies in the middle of all.
    let (first, whole) = deliver(&sender, &entries[..40]).await;
    assert!(whole && first.len() == 40);
    let hasty = people.sender(0, &d.url(), Duration::from_secs(1));
    let list = entries.clone();
    let cut = tokio::spawn(async move { deliver(&hasty, &list).await });
    tokio::time::sleep(Duration::from_millis(15)).await;
    d.kill();
    let (seen, _) = cut.await.unwrap();

    d.serve();
    people.senders[0].trust = sender.client().trust();
    let sender = people.sender(0, &d.url(), patient);
    let (places, whole) = deliver(&sender, &entries).await;
    assert!(whole && places.len() == COUNT, "{} of {COUNT}", places.len());
    for (at, index) in first.iter().chain(&seen) {
        assert_eq!(places[at], *index, "letter {at} has another receipt than before");
    }
    let mut distinct: Vec<u64> = places.values().copied().collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), COUNT);
    let listed = d.operator(&["audit", "list"]).ok().json_lines().len();
    assert_eq!(listed, COUNT, "nothing is there twice");
    d.audit(&[]).ok();
}
