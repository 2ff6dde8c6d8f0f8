//! Streams of news: nothing is missed, nothing is asked of the database while nothing happens, and they end when their
//! caller's right does.

use std::time::Duration;

use postfach_domain::act::ActType;
use postfach_domain::limits;

use super::administer::revocation;
use super::field;
use crate::app::{
    App, AppError, Caller, DeliveryNews, DeliveryWatch, MailboxNews, MailboxWatch, WatchEnd, Watcher,
};
use crate::storage::faulty::Fault;
use crate::testing::{World, message_ref};

/// How often the streams of these tests show that they live.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How soon news must come.
const SOON: Duration = Duration::from_millis(200);

fn watcher(world: &World, caller: Caller) -> Watcher {
    Watcher { caller, until: world.now().plus_ms(300_000), heartbeat: HEARTBEAT }
}

async fn news(watch: &mut MailboxWatch) {
    let next = tokio::time::timeout(SOON, watch.next()).await.expect("in time");
    assert_eq!(next.unwrap(), MailboxNews::News);
}

async fn heartbeat(watch: &mut MailboxWatch) {
    assert!(matches!(watch.next().await.unwrap(), MailboxNews::Heartbeat(_)));
}

/// Stages in the pages that come within the time, with the last cursor.
async fn page(watch: &mut DeliveryWatch) -> (usize, String) {
    match tokio::time::timeout(SOON, watch.next()).await.expect("in time").unwrap() {
        DeliveryNews::Page(page) => {
            assert_eq!(page.cursors.last(), Some(&page.next_cursor));
            (page.events.len(), page.next_cursor)
        }
        DeliveryNews::Heartbeat(_) => panic!("nothing came"),
    }
}

#[tokio::test]
async fn an_owner_hears_of_her_own_mailbox_at_once() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let cursor = world.app.sync(&anna.caller(), "", 0).await.unwrap().next_cursor;
    let mut watch = world.app.watch(watcher(&world, anna.caller()), &cursor).await.unwrap();
    heartbeat(&mut watch).await;
    world.deliver(&amt, &bert).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), watch.next()).await.is_err(), "not hers");
    world.deliver(&amt, &anna).await;
    news(&mut watch).await;
    // What happened while nobody watched is told at the beginning.
    let mut behind = world.app.watch(watcher(&world, anna.caller()), &cursor).await.unwrap();
    news(&mut behind).await;
    heartbeat(&mut behind).await;
    let nonsense = world.app.watch(watcher(&world, anna.caller()), "nonsense").await;
    assert_eq!(field(nonsense.map(|_| ())), "cursor");
}

#[tokio::test]
async fn a_sender_hears_every_event_once_whatever_the_cursor() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let watch = async |cursor: &str| {
        world.app.watch_delivery_events(watcher(&world, amt.caller()), cursor.to_owned()).await.unwrap()
    };
    let mut first = watch("").await;
    assert!(matches!(first.next().await.unwrap(), DeliveryNews::Heartbeat(_)));
    let (id, submission) = world.deliver(&amt, &anna).await;
    let (count, cursor) = page(&mut first).await;
    assert_eq!(count, 1);
    drop(first);
    let take = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    world.app.hand_over(&anna.caller(), id, Some(take)).await.unwrap();
    world.deliver(&amt, &anna).await;
    let mut again = watch(&cursor).await;
    let (count, end) = page(&mut again).await;
    assert_eq!(count, 2, "both that came meanwhile, and nothing twice");
    let listed = world.app.list_delivery_events(&amt.caller(), &cursor, 0).await.unwrap();
    assert_eq!((listed.events.len(), listed.next_cursor), (2, end));
}

#[tokio::test]
async fn a_commit_that_seemed_to_fail_is_told_too() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let cursor = world.app.sync(&anna.caller(), "", 0).await.unwrap().next_cursor;
    let mut watch = world.app.watch(watcher(&world, anna.caller()), &cursor).await.unwrap();
    heartbeat(&mut watch).await;
    // Every step of a delivery in turn; the last one is the commit.
    let mut steps = 0;
    loop {
        let (_, submission) = amt.submission(&world, &anna, |_| {});
        world.store.fail_after(steps, Fault::FailedButStored);
        world.app.deliver(&amt.caller(), submission, false).await.unwrap();
        news(&mut watch).await;
        if world.store.is_waiting() {
            break;
        }
        steps += 1;
    }
    assert!(steps > 5, "{steps}");
}

#[tokio::test]
async fn what_was_stored_although_everything_failed_is_told_with_the_next_commit() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let mut lost = 0;
    for steps in 0.. {
        let cursor = world.app.sync(&anna.caller(), "", 0).await.unwrap().next_cursor;
        let mut watch = world.app.watch(watcher(&world, anna.caller()), &cursor).await.unwrap();
        heartbeat(&mut watch).await;
        let (_, submission) = amt.submission(&world, &anna, |_| {});
        world.store.fail_any_after(steps, Fault::FailedButStored, true);
        let refused = world.app.deliver(&amt.caller(), submission, false).await.is_err();
        if !world.store.mend() {
            break;
        }
        // Somebody else's delivery is the next commit.
        world.deliver(&amt, &bert).await;
        let page = world.app.sync(&anna.caller(), &cursor, 0).await.unwrap();
        if !page.items.is_empty() {
            news(&mut watch).await;
            lost += u32::from(refused);
        }
    }
    assert!(lost > 0, "no delivery was stored and refused");
}

#[tokio::test]
async fn idle_watchers_cost_no_queries() {
    let world = World::new().await;
    let amt = world.authority("amt").await;
    let (anna, mut watches) = (world.citizen().await, Vec::new());
    for _ in 0..20 {
        let citizen = world.citizen().await;
        for _ in 0..50 {
            let cursor = "i.999999";
            watches.push(world.app.watch(watcher(&world, citizen.caller()), cursor).await.unwrap());
        }
    }
    for watch in &mut watches {
        heartbeat(watch).await;
    }
    let before = world.store.asked();
    for _ in 0..2 {
        for watch in &mut watches {
            heartbeat(watch).await;
        }
    }
    assert_eq!(world.store.asked(), before, "1,000 watchers, two heartbeats each");
    world.deliver(&amt, &anna).await;
    let delivered = world.store.asked();
    for watch in &mut watches {
        heartbeat(watch).await;
    }
    assert_eq!(world.store.asked(), delivered, "a delivery to somebody else wakes nobody");
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams_at_once() {
    let world = World::new().await;
    let (amt, bau) = (world.authority("amt").await, world.authority("bau").await);
    let open = async |caller| {
        let cursor = String::new();
        let mut watch = world.app.watch_delivery_events(watcher(&world, caller), cursor).await.unwrap();
        assert!(matches!(watch.next().await.unwrap(), DeliveryNews::Heartbeat(_)));
        watch
    };
    let (mut ended, mut goes_on) = (open(amt.caller()).await, open(bau.caller()).await);
    let revoke = world.app.revoke_authority(vec![revocation("amt", &amt.key)]);
    let end = tokio::join!(revoke, tokio::time::timeout(SOON, ended.next())).1.expect("in time");
    assert!(matches!(end, Err(WatchEnd::KeyNotActive)), "{end:?}");
    assert!(tokio::time::timeout(Duration::from_millis(50), goes_on.next()).await.is_err());
    let reopened = world.app.watch_delivery_events(watcher(&world, amt.caller()), String::new()).await;
    assert!(matches!(reopened.map(|_| ()), Err(AppError::NotAllowed)));
}

#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_the_server() {
    let world = World::new().await;
    let anna = world.citizen().await;
    let cursor = world.app.sync(&anna.caller(), "", 0).await.unwrap().next_cursor;
    let open = async || App::watch(&world.app, watcher(&world, anna.caller()), &cursor).await;
    let mut watch = open().await.unwrap();
    heartbeat(&mut watch).await;
    world.clock.advance(299_999);
    heartbeat(&mut watch).await;
    world.clock.advance(1);
    assert!(matches!(watch.next().await, Err(WatchEnd::TokenExpired)));

    let mut watch = open().await.unwrap();
    heartbeat(&mut watch).await;
    world.app.end_watches();
    let end = watch.next().await;
    assert!(matches!(end, Err(WatchEnd::App(AppError::Unavailable { .. }))), "{end:?}");
    assert!(matches!(open().await.map(|_| ()), Err(AppError::Unavailable { .. })));
}

#[tokio::test]
async fn streams_of_one_mailbox_are_limited() {
    let world = World::new().await;
    let anna = world.citizen().await;
    let mut watches = Vec::new();
    for _ in 0..limits::WATCH_STREAMS {
        watches.push(world.app.watch(watcher(&world, anna.caller()), "").await.unwrap());
    }
    let more = async || world.app.watch(watcher(&world, anna.caller()), "").await.map(|_| ());
    assert!(matches!(more().await, Err(AppError::Limit("watch_streams"))));
    watches.pop();
    assert!(more().await.is_ok());
}
