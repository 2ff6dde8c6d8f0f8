//! The committer under load and under faults: nothing that was acknowledged is lost, nothing is stored twice, and one
//! operation's trouble is not the others'.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use postfach_domain::act::ActType;
use postfach_ledger::tree::TreeEdge;

use crate::app::{AppError, Caller, Submission};
use crate::evidence::LogName;
use crate::storage::faulty::Fault;
use crate::storage::sql::{logs, mailboxes};
use crate::storage::{Ask, Store};
use crate::testing::{self, World, check_whole, message_ref, size};

/// Delivers all at once; the answers in the same order.
async fn at_once(world: &World, caller: &Caller, submissions: Vec<Submission>) -> Vec<Result<u64, AppError>> {
    let tasks: Vec<_> = submissions
        .into_iter()
        .map(|submission| {
            let (app, caller) = (world.app.clone(), caller.clone());
            tokio::spawn(async move { app.deliver(&caller, submission, false).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        let answer = task.await.unwrap();
        if let Ok(logged) = &answer {
            world.check(logged);
        }
        answers.push(answer.map(|logged| logged.event.unwrap().index));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_is_taken_in_batches_and_every_one_is_answered() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let mut news = world.app.logs().subscribe();
    let mut commits = BTreeSet::new();
    let watch = tokio::spawn(async move {
        while news.changed().await.is_ok() {
            commits.insert(news.borrow_and_update().size(LogName::Evidence));
            if commits.last() == Some(&601) {
                break;
            }
        }
        commits.len()
    });
    let submissions = (0..600).map(|_| amt.submission(&world, &anna, |_| {}).1).collect();
    let answers = at_once(&world, &amt.caller(), submissions).await;
    let indexes: BTreeSet<u64> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(indexes, (1..=600).collect());
    assert_eq!(check_whole(&world).await.len(), 601);
    assert!(watch.await.unwrap() < 300, "batches are larger than one or two");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_operation_spoils_nothing() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let submissions = (0..90)
        .map(|i| {
            amt.submission(&world, &anna, |outer| {
                if i % 3 == 0 {
                    outer.recipient_head.generation = 7;
                }
            })
        })
        .map(|(_, submission)| submission)
        .collect();
    let answers = at_once(&world, &amt.caller(), submissions).await;
    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_err(), i % 3 == 0, "{i}: {answer:?}");
    }
    assert_eq!(check_whole(&world).await.len(), 61);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_submission_many_times_at_once_is_one_message() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (_, submission) = amt.submission(&world, &anna, |_| {});
    let answers = at_once(&world, &amt.caller(), vec![submission; 40]).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == 1));
    assert_eq!(check_whole(&world).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_letter_is_handed_over_once_however_many_devices_ask() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (id, submission) = world.deliver(&amt, &anna).await;
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let act = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
            let (app, caller) = (world.app.clone(), anna.caller());
            tokio::spawn(async move { app.hand_over(&caller, id, Some(act)).await })
        })
        .collect();
    let mut indexes = BTreeSet::new();
    for task in tasks {
        let given = task.await.unwrap().unwrap();
        assert_eq!(given.letter, submission.letter);
        world.check_event(&given.event, &given.checkpoints);
        indexes.insert(given.event.index);
    }
    assert_eq!(indexes.len(), 1);
    assert_eq!(check_whole(&world).await.len(), 3);
}

/// At every step of a batch, once done and once not: what the callers are told is true, and what they repeat is stored
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_stored_twice_whatever_step_fails() {
    for fault in [Fault::Failed, Fault::FailedButStored] {
        for steps in 0.. {
            let world = World::new().await;
            let (amt, anna) = (world.authority("amt").await, world.citizen().await);
            let submissions: Vec<_> = (0..5).map(|_| amt.submission(&world, &anna, |_| {}).1).collect();
            world.store.fail_after(steps, fault);
            let first = at_once(&world, &amt.caller(), submissions.clone()).await;
            let fault_happened = !world.store.is_waiting();
            let second = at_once(&world, &amt.caller(), submissions).await;
            for (first, second) in first.iter().zip(&second) {
                // The batch is tried again operation by operation, so that one fault is not seen outside at all.
                assert_eq!(first.as_ref().unwrap(), second.as_ref().unwrap(), "{fault:?} at {steps}");
            }
            assert_eq!(check_whole(&world).await.len(), 6, "{fault:?} at {steps}");
            assert!(world.app.is_ready());
            let world = world.restart().await;
            assert_eq!(size(&world, LogName::Evidence), 6);
            if !fault_happened {
                assert!(steps > 10, "the fault must meet every statement");
                break;
            }
        }
    }
}

/// The same for operations that change keys: a link, a registration, a certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_logged_once_whatever_step_fails() {
    for fault in [Fault::Failed, Fault::FailedButStored] {
        for steps in 0.. {
            let world = World::new().await;
            let code = world.code().await;
            let anna = testing::Mailbox::new(&world);
            let request = anna.registration(&world, &code, true);
            world.store.fail_after(steps, fault);
            let first = world.app.register(&anna.caller(), request.clone()).await.unwrap();
            let fault_happened = !world.store.is_waiting();
            let again = world.app.register(&anna.caller(), request).await.unwrap();
            assert_eq!(first, again);
            world.store.fail_after(steps, fault);
            let amt = world.authority("amt").await;
            let certificate = testing::certificate("amt", &amt.key, amt.mailbox.address());
            let hash = postfach_domain::authority::cert_hash(&certificate);
            let keys = world.app.get_authority(&"amt".parse().unwrap()).await.unwrap().0;
            assert_eq!(keys.len(), 1);
            assert_eq!(postfach_domain::authority::cert_hash(&keys[0].certificate.statement), hash);
            let mut query = Ask(testing::store(&world));
            let heads = logs::read_heads(&mut query).await.unwrap().unwrap();
            assert_eq!((heads.keys.size, heads.evidence.size), (3, 1));
            let leaves = logs::key_leaves(&mut query, 0, 9).await.unwrap();
            let mut tree = TreeEdge::new();
            tree.append(leaves.iter().map(|leaf| postfach_ledger::hash::leaf_hash(leaf))).unwrap();
            assert_eq!(tree.root(), heads.keys.root);
            assert_eq!(mailboxes::count(&mut query).await.unwrap(), 2);
            if !fault_happened {
                break;
            }
        }
    }
}

/// Fails at the next step, and when that has happened at the next one again. An operation alone is a batch of one that is
/// tried twice; begin is its first step.
fn fail_twice(world: &World) -> tokio::task::JoinHandle<()> {
    world.store.fail_after(0, Fault::Failed);
    let store = world.store.clone();
    tokio::spawn(async move {
        while store.is_waiting() {
            tokio::task::yield_now().await;
        }
        store.fail_after(0, Fault::Failed);
    })
}

/// Two faults: the batch and the repetition of one operation. That caller is told to try again, and can.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operation_that_fails_twice_is_safe_to_repeat() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (_, submission) = amt.submission(&world, &anna, |_| {});
    let mut refused = 0;
    for _ in 0..50 {
        let second = fail_twice(&world);
        match world.app.deliver(&amt.caller(), submission.clone(), false).await {
            Ok(logged) => drop(world.check(&logged)),
            Err(AppError::Unavailable { .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        second.await.unwrap();
        if world.store.is_waiting() {
            // The second fault came too late for that call: use it up.
            assert!(world.store.begin().await.is_err());
        }
    }
    let last = world.app.deliver(&amt.caller(), submission, false).await.unwrap();
    world.check(&last);
    assert_eq!(check_whole(&world).await.len(), 2, "{refused} were told to try again");
    // A repetition writes nothing; that writing works again is found out beside the calls.
    for _ in 0..500 {
        if world.app.is_ready() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("not ready again");
}

#[tokio::test]
async fn time_never_runs_backwards_and_a_wrong_clock_stops_writes() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    world.clock.advance(10_000);
    world.deliver(&amt, &anna).await;
    world.clock.set(testing::START.plus_ms(6000));
    let (id, submission) = amt.submission(&world, &anna, |_| {});
    let answer = world.app.deliver(&amt.caller(), submission, false).await.unwrap();
    assert_eq!(world.check(&answer).occurred_at, testing::START.plus_ms(10_000));
    assert!(world.app.is_ready());
    world.clock.set(testing::START.plus_ms(4999));
    let (_, submission) = amt.submission(&world, &anna, |_| {});
    let refused = world.app.deliver(&amt.caller(), submission.clone(), false).await;
    assert!(matches!(refused, Err(AppError::ClockBehind { now }) if now == testing::START.plus_ms(4999)));
    assert!(!world.app.is_ready());
    assert!(world.app.get_delivery(&amt.caller(), id, false).await.is_ok());
    world.clock.set(testing::START.plus_ms(5000));
    world.app.deliver(&amt.caller(), submission, false).await.unwrap();
    assert!(world.app.is_ready());
    check_whole(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_waits_and_takes_nothing_more() {
    let world = World::new().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let (app, caller) = (world.app.clone(), amt.caller());
            let submission = amt.submission(&world, &anna, |_| {}).1;
            tokio::spawn(async move { app.deliver(&caller, submission, false).await })
        })
        .collect();
    tokio::task::yield_now().await;
    world.app.close().await;
    let mut stored = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => stored += 1,
            Err(AppError::Unavailable { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(!world.app.is_ready());
    let (app, store) = testing::open(world.folder.path(), &world.clock).await.unwrap();
    let world = World { app: Arc::clone(&app), store, ..world };
    // Whoever was answered is stored; a call that lost its answer may be.
    let events = check_whole(&world).await.len();
    assert!(events > stored && events <= 101);
    app.close().await;
}
