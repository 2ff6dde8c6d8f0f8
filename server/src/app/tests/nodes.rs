//! Several nodes on one database: what one of them did the others know at once, as far as anybody can notice.

use std::time::Duration;

use postfach_domain::act::ActType;

use super::administer::revocation;
use crate::app::{AppError, Caller, DeliveryNews, MailboxNews, WatchEnd, Watcher};
use crate::evidence::LogName;
use crate::testing::{Node, World, check_whole, message_ref};

/// How often the streams of these tests show that they live.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How soon news of another node must come. `e2e/nodes/news.rs` measures; here the machine may be busy.
const SOON: Duration = Duration::from_secs(2);
/// How soon a node has found its way back to the database.
const BACK: Duration = Duration::from_secs(5);

fn watcher(world: &World, caller: Caller) -> Watcher {
    Watcher { caller, until: world.now().plus_ms(300_000), heartbeat: HEARTBEAT }
}

async fn nodes() -> (World, Node) {
    let world = World::on_postgres().await;
    let other = world.another_node().await;
    (world, other)
}

/// Asks until the answer is yes.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let tries = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(BACK, tries).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_hears_what_another_node_did_and_of_nobody_elses_business() {
    let (world, other) = nodes().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let cursor = async || other.app.sync(&anna.caller(), "", 0).await.unwrap().next_cursor;
    let mut his = other.app.watch(watcher(&world, bert.caller()), &cursor().await).await.unwrap();
    // Before a node listens to others, and when it begins to, it calls everybody.
    world.deliver(&amt, &bert).await;
    while tokio::time::timeout(Duration::from_secs(1), his.next()).await.is_ok() {}
    let cursor = cursor().await;
    let mut hers = other.app.watch(watcher(&world, anna.caller()), &cursor).await.unwrap();
    let mut sent = other.app.watch_delivery_events(watcher(&world, amt.caller()), cursor).await.unwrap();
    assert!(matches!(hers.next().await.unwrap(), MailboxNews::Heartbeat(_)));
    assert!(matches!(sent.next().await.unwrap(), DeliveryNews::Heartbeat(_)));

    let (id, submission) = world.deliver(&amt, &anna).await;
    let heard = tokio::time::timeout(SOON, hers.next()).await.expect("in time");
    assert_eq!(heard.unwrap(), MailboxNews::News);
    let page = async |watch: &mut crate::app::DeliveryWatch| match tokio::time::timeout(SOON, watch.next())
        .await
        .expect("in time")
        .unwrap()
    {
        DeliveryNews::Page(page) => page.events.len(),
        DeliveryNews::Heartbeat(_) => 0,
    };
    assert_eq!(page(&mut sent).await, 1);
    let take = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    world.app.hand_over(&anna.caller(), id, Some(take)).await.unwrap();
    assert_eq!(page(&mut sent).await, 1, "what she did, once");
    if let Ok(heard) = tokio::time::timeout(Duration::from_millis(100), his.next()).await {
        assert!(matches!(heard.unwrap(), MailboxNews::Heartbeat(_)), "not his");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changes_nodes_finds_what_was_acknowledged() {
    let (world, other) = nodes().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    for round in 1..=20 {
        let (_, submission) = amt.submission(&world, &anna, |_| {});
        let (here, there) = if round % 2 == 0 { (&world.app, &other.app) } else { (&other.app, &world.app) };
        let logged = here.deliver(&amt.caller(), submission, false).await.unwrap();
        let told = world.checkpoint(LogName::Evidence, &logged.checkpoints.evidence).size;
        let shown = there.newest_checkpoint(LogName::Evidence).await.unwrap();
        assert!(world.checkpoint(LogName::Evidence, &shown).size >= told);
        let page = there.sync(&anna.caller(), "", 100).await.unwrap();
        assert_eq!(page.items.len(), 1 + round, "consent, and one message a round");
        there.consistency(LogName::Evidence, &[told]).await.unwrap();
    }
    check_whole(&world).await;
    // All of it is known without being asked for, soon.
    let known = other.app.newest_checkpoint(LogName::Evidence).await.unwrap();
    until(async || world.app.logs().snapshot().heads.evidence.checkpoint == known).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_one_node_ended_counts_on_no_other() {
    let (world, other) = nodes().await;
    for round in 0..5 {
        let id = format!("amt{round}");
        let amt = world.authority(&id).await;
        let watch = watcher(&world, amt.caller());
        let mut open = other.app.watch_delivery_events(watch, String::new()).await.unwrap();
        assert!(matches!(open.next().await.unwrap(), DeliveryNews::Heartbeat(_)));
        let Caller { party, key_id } = amt.caller();
        assert!(other.app.caller_key(&party, &key_id).await.unwrap().is_some());
        world.app.revoke_authority(vec![revocation(&id, &amt.key)]).await.unwrap();
        // Asked before any notice can be there.
        assert!(other.app.caller_key(&party, &key_id).await.unwrap().is_none());
        let end = tokio::time::timeout(SOON, open.next()).await.expect("in time");
        assert!(matches!(end, Err(WatchEnd::KeyNotActive)), "{end:?}");
        let again = other.app.watch_delivery_events(watcher(&world, amt.caller()), String::new()).await;
        assert!(matches!(again.map(|_| ()), Err(AppError::NotAllowed)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_while_nothing_was_heard_is_told_afterwards() {
    let (world, other) = nodes().await;
    let (amt, bau) = (world.authority("amt").await, world.authority("bau").await);
    let anna = world.citizen().await;
    let cursor = other.app.sync(&anna.caller(), "", 0).await.unwrap().next_cursor;
    let mut hers = other.app.watch(watcher(&world, anna.caller()), &cursor).await.unwrap();
    let mut theirs = other.app.watch_delivery_events(watcher(&world, bau.caller()), cursor).await.unwrap();
    assert!(matches!(hers.next().await.unwrap(), MailboxNews::Heartbeat(_)));
    assert!(matches!(theirs.next().await.unwrap(), DeliveryNews::Heartbeat(_)));
    // The first pause is long enough to miss what follows.
    let database = world.database.as_ref().unwrap();
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'");
    world.deliver(&amt, &anna).await;
    world.app.revoke_authority(vec![revocation("bau", &bau.key)]).await.unwrap();
    let news = async {
        while hers.next().await.unwrap() != MailboxNews::News {}
        while theirs.next().await.is_ok() {}
    };
    tokio::time::timeout(BACK, news).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_on_a_node_asks_the_database_nothing() {
    let (world, other) = nodes().await;
    let mut watches = Vec::new();
    for _ in 0..20 {
        let citizen = world.citizen().await;
        watches.push(other.app.watch(watcher(&world, citizen.caller()), "i.999999").await.unwrap());
    }
    let beat = async |watches: &mut Vec<crate::app::MailboxWatch>| {
        for watch in watches {
            assert!(matches!(watch.next().await.unwrap(), MailboxNews::Heartbeat(_)));
        }
    };
    beat(&mut watches).await;
    beat(&mut watches).await;
    // Until what registering them told is known.
    let known = world.app.newest_checkpoint(LogName::Keys).await.unwrap();
    until(async || other.app.logs().snapshot().heads.keys.checkpoint == known).await;
    let before = other.store.asked();
    beat(&mut watches).await;
    beat(&mut watches).await;
    assert_eq!(other.store.asked(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_forgets_what_was_shown_is_not_served() {
    let (world, other) = nodes().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    world.deliver(&amt, &anna).await;
    let database = world.database.as_ref().unwrap();
    database.sql("CREATE TABLE older AS SELECT * FROM log_head");
    world.deliver(&amt, &anna).await;
    let sized = other.app.sync(&anna.caller(), "", 0).await.unwrap().items.len();
    assert_eq!(sized, 3);
    // As if a standby had taken over that had not heard of the last commit, and lost the rest of it too.
    database.sql(
        "UPDATE log_head SET size = older.size, root = older.root, checkpoint = older.checkpoint
         FROM older WHERE log_head.log = older.log",
    );
    assert!(matches!(other.app.sync(&anna.caller(), "", 0).await, Err(AppError::Internal)));
    let (_, submission) = amt.submission(&world, &anna, |_| {});
    assert!(other.app.deliver(&amt.caller(), submission, false).await.is_err());
    assert!(!other.app.is_ready());
}
