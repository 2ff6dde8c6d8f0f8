//! Between a commit and its publication: readers find rows that the logs' state does not have yet. Pages leave them out;
//! whoever asks for one of them waits. Where there can be other nodes the state is read instead (`nodes`).

use std::future::Future;
use std::sync::Arc;

use postfach_domain::act::ActType;
use postfach_domain::chain::{AGE_RECIPIENT_LEN, LinkBuilder};
use postfach_domain::event::EventType;
use postfach_domain::id::MessageId;
use tokio::task::JoinHandle;

use crate::app::{App, AppError, RegisterAuthority};
use crate::storage::Ask;
use crate::storage::faulty::Silence;
use crate::storage::sql::{authorities, mailboxes, messages};
use crate::testing::{Mailbox, World, certificate, message_ref, store};

/// What a call answers, as far as these tests look: how many events, links or keys.
type Call = JoinHandle<Result<usize, AppError>>;

fn call<F>(world: &World, ask: impl FnOnce(Arc<App>) -> F) -> Call
where
    F: Future<Output = Result<usize, AppError>> + Send + 'static,
{
    tokio::spawn(ask(world.app.clone()))
}

/// Waits until something is committed, which nobody was told of.
async fn committed(mut there: impl AsyncFnMut() -> bool) {
    while !there().await {
        tokio::task::yield_now().await;
    }
}

/// Lets the commit be published once all calls wait for it; what they answer.
async fn published(world: &World, silence: Silence, calls: Vec<Call>) -> Vec<usize> {
    // One listener keeps checkpoints.
    while world.app.logs().listeners() < 1 + calls.len() && !calls.iter().any(JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    drop(silence);
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap().unwrap());
    }
    answers
}

async fn stages(world: &World, id: MessageId) -> Vec<Option<EventType>> {
    let found = messages::by_id(&mut Ask(store(world)), [&id]).await.unwrap();
    found.into_iter().flat_map(|message| message.events).map(|(event_type, _)| event_type).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_is_not_published_yet_is_waited_for_and_left_out_of_pages() {
    let world = World::alone().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    world.deliver(&amt, &anna).await;
    let (sender, owner) = (amt.caller(), anna.caller());
    let (id, submission) = amt.submission(&world, &anna, |_| {});

    let silence = world.store.keep_silent().await;
    let (from, sent) = (sender.clone(), submission.clone());
    let delivering = call(&world, |app| async move {
        app.deliver(&from, sent, false).await.map(|logged| logged.event.iter().count())
    });
    committed(async || !stages(&world, id).await.is_empty()).await;
    let page = world.app.sync(&owner, "", 0).await.unwrap();
    let listed = world.app.list_delivery_events(&sender, "", 0).await.unwrap();
    // Consent and the message before; that message alone.
    assert_eq!((page.items.len(), listed.events.len()), (2, 1));
    let mut calls = Vec::new();
    for party in [sender.clone(), owner.clone()] {
        calls.push(call(&world, |app| async move {
            app.get_receipts(&party, id).await.map(|receipts| receipts.events.len())
        }));
    }
    let party = sender.clone();
    calls.push(call(&world, |app| async move {
        app.get_delivery(&party, id, false).await.map(|delivery| delivery.events.len())
    }));
    let (party, sent) = (sender.clone(), submission.clone());
    calls.push(call(&world, |app| async move {
        app.deliver(&party, sent, true).await.map(|logged| logged.event.iter().count())
    }));
    assert_eq!(published(&world, silence, calls).await, [1; 4]);
    assert_eq!(delivering.await.unwrap().unwrap(), 1);

    let silence = world.store.keep_silent().await;
    let act = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    let party = owner.clone();
    let taking = call(&world, |app| async move { app.hand_over(&party, id, Some(act)).await.map(|_| 1) });
    committed(async || stages(&world, id).await.contains(&Some(EventType::HandedOver))).await;
    let again =
        call(
            &world,
            |app| async move { app.hand_over(&owner, id, None).await.map(|given| given.letter.len()) },
        );
    assert_eq!(published(&world, silence, vec![again]).await, [submission.letter.len()]);
    assert_eq!(taking.await.unwrap().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_not_published_yet_is_waited_for() {
    let world = World::alone().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let (before, _) = world.deliver(&amt, &anna).await;
    let owner = anna.caller();
    let link = LinkBuilder::new(&anna.chain, &anna.device, world.now(), world.random())
        .rotate_mailbox(world.bytes(AGE_RECIPIENT_LEN));
    let silence = world.store.keep_silent().await;
    let append = |world: &World| {
        let (party, link, wraps) = (owner.clone(), link.clone(), anna.wraps());
        call(world, |app| async move {
            app.append_link(&party, link, wraps).await.map(|answer| answer.chain.links.len())
        })
    };
    let appending = append(&world);
    let mailbox = world.app.mailbox(&anna.address()).await.unwrap().unwrap();
    committed(async || mailboxes::chain(&mut Ask(store(&world)), mailbox.no).await.unwrap().len() == 2).await;
    // What does not need the link does not wait, and its statement is about the state that it has.
    assert_eq!(world.app.get_receipts(&owner, before).await.unwrap().events.len(), 1);
    assert!(world.app.sync(&owner, "", 0).await.unwrap().head.is_some());
    let party = owner.clone();
    let chain =
        call(&world, |app| async move { app.get_chain(&party).await.map(|answer| answer.chain.links.len()) });
    let (party, address) = (amt.caller(), anna.address());
    let resolved = call(&world, |app| async move {
        app.resolve_recipient(&party, address).await.map(|resolved| resolved.answer.chain.links.len())
    });
    // Sent again after a lost answer: it finds the link and answers with it.
    let calls = vec![chain, resolved, append(&world)];
    assert_eq!(published(&world, silence, calls).await, [2; 3]);
    assert_eq!(appending.await.unwrap().unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_shows_one_instant_beside_erasures() {
    let world = World::alone().await;
    let (amt, anna) = (world.authority("amt").await, world.citizen().await);
    let mut ids = Vec::new();
    for _ in 0..60 {
        ids.push(world.deliver(&amt, &anna).await.0);
    }
    let app = world.app.clone();
    let erasing = tokio::spawn(async move {
        for id in ids {
            app.erase(id).await.unwrap();
        }
    });
    while !erasing.is_finished() {
        let page = world.app.sync(&anna.caller(), "", 0).await.unwrap();
        // Consent comes first; every other item that is not erased is an acceptance with its header, or an erasure.
        let accepted = page.items.iter().skip(1).take(60);
        for item in accepted.filter(|item| !item.erased) {
            assert!(!item.outer.is_empty(), "an acceptance without its header at {}", item.event.index);
        }
    }
    erasing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_is_not_published_yet_is_waited_for() {
    let world = World::alone().await;
    let (mailbox, key) = (Mailbox::new(&world), world.key());
    let request = RegisterAuthority {
        certificate: certificate("amt", &key, mailbox.address()),
        genesis: Some(mailbox.genesis.clone()),
        wraps: mailbox.wraps(),
    };
    let silence = world.store.keep_silent().await;
    let registering = call(&world, |app| async move { app.register_authority(request).await.map(|_| 1) });
    let id = "amt".parse().unwrap();
    committed(async || !authorities::by_id(&mut Ask(store(&world)), [&id]).await.unwrap().is_empty()).await;
    assert!(world.app.list_authorities(0, "").await.unwrap().0.items.is_empty());
    let keys = call(&world, |app| async move {
        app.get_authority(&"amt".parse().unwrap()).await.map(|(keys, _)| keys.len())
    });
    assert_eq!(published(&world, silence, vec![keys]).await, [1]);
    assert_eq!(registering.await.unwrap().unwrap(), 1);
}
