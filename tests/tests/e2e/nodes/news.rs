//! News of another node: how soon they come, that who waits costs nothing, and that revoked keys end everywhere.

use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use postfach_sdk::mailbox::MailboxNews;
use postfach_sdk::news::Heard;
use postfach_sdk::state::SyncState;
use postfach_tests::nodes::Nodes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::crash::burst;
use crate::crash::people::People;

/// How long a client tries.
const PATIENCE: Duration = Duration::from_secs(20);
/// How soon news of another node must come.
const SOON: Duration = Duration::from_millis(200);
/// Deliveries that are timed.
const DELIVERIES: usize = 50;
/// Streams that wait.
const WAITING: usize = 100;

/// Hears of nothing for a while.
async fn is_silent(news: &mut MailboxNews) -> bool {
    tokio::time::timeout(Duration::from_millis(300), news.next()).await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_on_one_node_hears_what_another_acknowledged_within_200_ms() {
    let nodes = Nodes::serving(2);
    let mut people = People::register(&nodes.d, 1, 2).await;
    let folder = nodes.d.root().join("clients");
    fs::create_dir(&folder).unwrap();
    let mut letters = people.seal(DELIVERIES, &nodes.url(0), &folder, &mut StdRng::seed_from_u64(7)).await;
    letters.retain(|letter| letter.attached.is_none());
    let sender = people.sender(0, &nodes.url(0), PATIENCE);
    let (held, mut watches) = (Mutex::default(), Vec::new());
    for number in 0..2 {
        let mailbox = people.mailbox(number, &nodes.url(1), PATIENCE);
        burst::sync(&held, &mailbox, &mut people.readers[number]).await.unwrap();
        watches.push(mailbox.news(&people.readers[number].state).await.unwrap());
    }
    let (mut hers, mut his) = (watches.remove(0), watches.remove(0));
    assert!(is_silent(&mut hers).await && is_silent(&mut his).await);
    let mut waited = Vec::new();
    for letter in &letters {
        sender.deliver(&letter.entry).await.unwrap();
        let acknowledged = Instant::now();
        let heard = async {
            tokio::select! {
                heard = hers.next() => heard,
                heard = his.next() => heard,
            }
        };
        let heard = tokio::time::timeout(Duration::from_secs(5), heard).await.expect("news").unwrap();
        assert!(matches!(heard, Heard::News(())));
        waited.push(acknowledged.elapsed());
    }
    waited.sort();
    let (middle, longest) = (waited[waited.len() / 2], waited[waited.len() - 1]);
    println!("news of another node after {} deliveries: p50 {middle:?}, max {longest:?}", waited.len());
    assert!(middle < SOON, "{waited:?}");
    // Other tests may hold the machine for a moment.
    assert!(waited[waited.len() * 9 / 10] < SOON, "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_on_any_node_asks_the_database_nothing() {
    let nodes = Nodes::serving(2);
    let people = People::register(&nodes.d, 1, 10).await;
    let mut waiting = Vec::new();
    for number in 0..WAITING {
        let mailbox = people.mailbox(number % 10, &nodes.url(number % 2), PATIENCE);
        let state = SyncState { cursor: "i.999999".to_owned(), ..SyncState::default() };
        waiting.push(mailbox.news(&state).await.unwrap());
    }
    // What registering caused has settled.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let database = nodes.d.database().unwrap();
    let asked = || -> i64 {
        let count =
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
        database.sql(count).parse().unwrap()
    };
    let before = asked();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let more = asked() - before;
    println!("{more} statements of two nodes and this test in 4 s while {WAITING} streams waited");
    // Each node reads the clock once a second.
    assert!(more <= 20, "{more} while {WAITING} streams waited");
    drop(waiting);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_on_one_node_ends_streams_and_calls_on_another_at_once() {
    let nodes = Nodes::serving(2);
    let people = People::register(&nodes.d, 2, 1).await;
    let sender = people.sender(0, &nodes.url(1), PATIENCE);
    let other = people.sender(1, &nodes.url(1), PATIENCE);
    let (mut open, mut goes_on) =
        (sender.watch_events("", 0).await.unwrap(), other.watch_events("", 0).await.unwrap());
    sender.events("", 0).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), open.next()).await;
    assert!(early.is_err());
    // Through the first node.
    nodes.d.revoke("amt-0");
    let revoked = Instant::now();
    assert!(sender.events("", 0).await.is_err(), "the next call");
    let ended = tokio::time::timeout(Duration::from_secs(5), open.next()).await.expect("it ends");
    assert!(ended.is_err());
    println!("the stream of a revoked key ended {:?} after the command", revoked.elapsed());
    assert!(revoked.elapsed() < 2 * SOON, "{:?}", revoked.elapsed());
    other.events("", 0).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(300), goes_on.next()).await.is_err());
}
