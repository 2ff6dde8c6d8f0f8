//! Many submissions in one call: each for itself, and together in their commits.

use postfach_domain::decide::Refusal;
use postfach_domain::event::EventType;
use postfach_domain::limits;

use super::{field, refusal};
use crate::app::{AppError, BatchResult, Submission};
use crate::evidence::LogName;
use crate::testing::{self, World, size};

#[tokio::test]
async fn each_is_judged_for_itself_and_repeating_changes_nothing() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let (_, good) = amt.submission(&world, &anna, |_| {});
    let (_, stale) = amt.submission(&world, &anna, |outer| outer.recipient_head.generation = 9);
    let (_, other) = amt.submission(&world, &bert, |_| {});
    let forged = Submission { letter: world.bytes(99).into(), ..good.clone() };
    let unsigned = Submission { signature: None, ..good.clone() };
    let outer = postfach_domain::outer::Outer::parse(&other.outer).unwrap();
    let reused = testing::submission(&world, &outer, &amt.key);
    let before = size(&world, LogName::Evidence);
    let batch = vec![good.clone(), stale, other.clone(), forged, good.clone(), unsigned, reused];

    let first = world.app.deliver_batch(&amt.caller(), batch.clone(), false).await.unwrap();
    let indexes = judged(&world, first);
    assert_eq!(size(&world, LogName::Evidence), before + 2, "nothing else was logged");

    // The same batch again, as after a lost answer: the first receipts.
    let again = world.app.deliver_batch(&amt.caller(), batch, false).await.unwrap();
    assert_eq!(judged(&world, again), indexes);
    assert_eq!(size(&world, LogName::Evidence), before + 2);
    // And alone.
    let alone = world.app.deliver(&amt.caller(), other, false).await.unwrap();
    assert_eq!(alone.event.unwrap().index, indexes.1);
}

/// Places of the two that are good, after everything about the seven results was checked.
fn judged(world: &World, results: Vec<BatchResult>) -> (u64, u64) {
    let [good, stale, other, forged, twice, unsigned, reused] =
        <[BatchResult; 7]>::try_from(results).unwrap();
    let place = |result: BatchResult| {
        let logged = result.unwrap();
        assert_eq!(world.check(&logged).event_type, EventType::Accepted);
        logged.event.unwrap().index
    };
    let good = place(good);
    assert_eq!(place(twice), good, "the same id twice is one message");
    assert!(matches!(refusal(stale), Refusal::ChainStale { .. }));
    assert_eq!((field(forged), field(unsigned)), ("submission.signature", "submission.signature"));
    assert_eq!(refusal(reused), Refusal::MessageIdReused);
    (good, place(other))
}

#[tokio::test]
async fn validating_a_batch_writes_nothing() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let before = size(&world, LogName::Evidence);
    let (id, good) = amt.submission(&world, &anna, |_| {});
    let (_, stale) = amt.submission(&world, &anna, |outer| outer.recipient_head.generation = 9);
    let results = world.app.deliver_batch(&amt.caller(), vec![good, stale], true).await.unwrap();
    let [good, stale] = <[BatchResult; 2]>::try_from(results).unwrap();
    assert_eq!(good.unwrap().event, None);
    assert!(matches!(refusal(stale), Refusal::ChainStale { .. }));
    assert_eq!(size(&world, LogName::Evidence), before);
    assert!(matches!(world.app.get_delivery(&amt.caller(), id, false).await, Err(AppError::NotFound)));
}

#[tokio::test]
async fn a_batch_has_limits() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let call = async |batch| world.app.deliver_batch(&amt.caller(), batch, false).await;
    assert_eq!(field(call(Vec::new()).await), "submissions");
    let (_, small) = amt.submission(&world, &anna, |_| {});
    let many = vec![small.clone(); limits::BATCH_MAX + 1];
    assert!(matches!(call(many).await, Err(AppError::Limit("batch_items"))));
    assert_eq!(call(vec![small.clone(); limits::BATCH_MAX]).await.unwrap().len(), limits::BATCH_MAX);
    let long = Submission { letter: world.bytes(1 << 20).into(), ..small };
    assert!(matches!(call(vec![long; 4]).await, Err(AppError::Limit("batch_bytes"))));
}
