//! Links, wraps, resolving, and what a revoked key can do no more.

use postfach_domain::act::ActType;
use postfach_domain::chain::{AGE_RECIPIENT_LEN, Chain, Device, LinkBuilder, reverse_sign};
use postfach_domain::decide::Refusal;
use postfach_domain::format::Signed;
use postfach_domain::sign::SecretKey;
use postfach_ledger::head::HeadStatement;

use super::refusal;
use crate::app::{AppError, Caller, ChainAnswer, Wrap};
use crate::evidence::LogName;
use crate::testing::{Mailbox, ORIGIN, World, log_keys, message_ref};

pub(super) fn add_device(world: &World, mailbox: &Mailbox, key: &SecretKey) -> Signed {
    let device = Device::new(key.public(), world.bytes(AGE_RECIPIENT_LEN), Vec::new());
    let (origin, genesis) = (ORIGIN.parse().unwrap(), mailbox.chain.genesis_hash());
    let reverse = reverse_sign(key, &origin, genesis.as_bytes(), &mailbox.device.key_id(), &device.encode());
    LinkBuilder::new(&mailbox.chain, &mailbox.device, world.now(), world.random())
        .add_device(&device, &reverse)
}

pub(super) fn wraps(chain: &Chain) -> Vec<Wrap> {
    chain.wrap_members().map(|m| Wrap { member: m.key_id, sealed: vec![2; 400] }).collect()
}

async fn append(world: &World, mailbox: &mut Mailbox, link: Signed) -> Result<ChainAnswer, AppError> {
    let mut chain = mailbox.chain.clone();
    let needed = chain.append(&link).unwrap().needs_wraps();
    let wraps = if needed { wraps(&chain) } else { Vec::new() };
    let answer = world.app.append_link(&mailbox.caller(), link, wraps).await?;
    mailbox.chain = chain;
    Ok(answer)
}

fn check(world: &World, mailbox: &Mailbox, answer: &ChainAnswer) {
    let chain = Chain::verify_for(&ORIGIN.parse().unwrap(), &mailbox.address(), &answer.chain.links).unwrap();
    assert_eq!(chain, mailbox.chain);
    let head =
        HeadStatement::verify(&answer.head.statement, &answer.head.signature, &log_keys(LogName::Keys))
            .unwrap();
    let leaf = postfach_ledger::leaf::KeyLeaf::Link {
        label: mailbox.address().label(),
        seq: chain.head().seq,
        link_hash: chain.head().link_hash,
    };
    let checkpoint = world.checkpoint(LogName::Keys, &answer.checkpoints.keys);
    head.verify_leaf(&leaf, answer.chain.head_index, &answer.chain.head_inclusion, &checkpoint).unwrap();
}

#[tokio::test]
async fn devices_come_and_go() {
    let world = World::new().await;
    let (amt, mut anna) = (world.authority("amt").await, world.citizen().await);
    let phone = world.key();
    let as_phone = Caller { key_id: phone.key_id(), ..anna.caller() };
    assert_eq!(world.app.caller_key(&as_phone.party, &as_phone.key_id).await.unwrap(), None);
    let link = add_device(&world, &anna, &phone);
    let answer = append(&world, &mut anna, link.clone()).await.unwrap();
    check(&world, &anna, &answer);
    // The same link again gives the same answer, also with its wraps.
    let again = world.app.append_link(&anna.caller(), link, wraps(&anna.chain)).await.unwrap();
    check(&world, &anna, &again);
    let stored = world.app.get_wraps(&as_phone, phone.key_id()).await.unwrap();
    assert_eq!(stored.iter().map(|w| w.link_seq).collect::<Vec<_>>(), [1]);
    assert_eq!(world.app.get_wraps(&as_phone, anna.device.key_id()).await.unwrap().len(), 2);
    assert!(world.app.sync(&as_phone, "", 0).await.is_ok());

    let (id, submission) = world.deliver(&amt, &anna).await;
    let builder = LinkBuilder::new(&anna.chain, &anna.device, world.now(), world.random());
    let revoke = builder.revoke_device(&phone.key_id(), world.bytes(AGE_RECIPIENT_LEN));
    append(&world, &mut anna, revoke).await.unwrap();
    // At once, also where the key was looked up a moment ago.
    assert_eq!(world.app.caller_key(&as_phone.party, &as_phone.key_id).await.unwrap(), None);
    assert!(matches!(world.app.sync(&as_phone, "", 0).await, Err(AppError::NotAllowed)));
    let by_phone = |act: &mut postfach_domain::act::Act| act.signer = phone.key_id();
    let unsigned = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), by_phone);
    let signed = postfach_domain::act::Act::parse(&unsigned.body).unwrap().sign(&phone);
    let taken = world.app.hand_over(&anna.caller(), id, Some(signed)).await;
    assert_eq!(refusal(taken), Refusal::KeyNotActive);
    // What was sealed for the old generation is refused and may come again under the same id.
    let mut old = amt.submission(&world, &anna, |o| o.recipient_head.generation = 0).1;
    let stale = world.app.deliver(&amt.caller(), old.clone(), false).await;
    assert!(matches!(refusal(stale), Refusal::ChainStale { generation: 1, .. }));
    let mut outer = postfach_domain::outer::Outer::parse(&old.outer).unwrap();
    outer.recipient_head = anna.recipient_head();
    old = crate::testing::submission(&world, &outer, &amt.key);
    world.check(&world.app.deliver(&amt.caller(), old, false).await.unwrap());
    // An older link of the same generation is fine: the chain grew by a device only.
    let tablet = world.key();
    let older = amt.submission(&world, &anna, |_| {}).1;
    let link = add_device(&world, &anna, &tablet);
    append(&world, &mut anna, link).await.unwrap();
    world.check(&world.app.deliver(&amt.caller(), older, false).await.unwrap());
}

#[tokio::test]
async fn one_place_has_one_link() {
    let world = World::new().await;
    let mut anna = world.citizen().await;
    let first = add_device(&world, &anna, &world.key());
    let second = add_device(&world, &anna, &world.key());
    let before = anna.chain.clone();
    append(&world, &mut anna, first).await.unwrap();
    let mut chain = before;
    chain.append(&second).unwrap();
    let late = world.app.append_link(&anna.caller(), second, wraps(&chain)).await;
    assert_eq!(refusal(late), Refusal::LinkConflict { head: anna.chain.head() });

    let link = add_device(&world, &anna, &world.key());
    let missing = world.app.append_link(&anna.caller(), link.clone(), Vec::new()).await;
    assert_eq!(refusal(missing), Refusal::WrapsIncomplete);
    world.clock.advance(301_000);
    let late = append(&world, &mut anna, link).await;
    assert!(matches!(refusal(late), Refusal::ActTimeOff { .. }));
    assert_eq!(world.app.get_chain(&anna.caller()).await.unwrap().chain.links.len(), 2);
}

#[tokio::test]
async fn a_closed_mailbox_may_still_be_read() {
    let world = World::new().await;
    let (amt, mut anna) = (world.authority("amt").await, world.citizen().await);
    let (id, submission) = world.deliver(&amt, &anna).await;
    let close = LinkBuilder::new(&anna.chain, &anna.recovery, world.now(), world.random()).close(None);
    let paper = Caller { key_id: anna.recovery.key_id(), ..anna.caller() };
    let mut chain = anna.chain.clone();
    chain.append(&close).unwrap();
    world.app.append_link(&paper, close, Vec::new()).await.unwrap();
    anna.chain = chain;
    let resolved = world.app.resolve_recipient(&amt.caller(), anna.address()).await.unwrap();
    assert!(!resolved.accepts);
    let take = anna.act(&world, ActType::HandedOver, Some(message_ref(&submission)), |_| {});
    assert!(world.app.hand_over(&anna.caller(), id, Some(take)).await.is_ok());
    let consent = anna.act(&world, ActType::ConsentRevoked, None, |act| {
        act.details = postfach_domain::act::ConsentScope::All.encode();
    });
    assert_eq!(refusal(world.app.submit_act(&anna.caller(), consent).await), Refusal::MailboxClosed);
}

#[tokio::test]
async fn citizens_are_not_shown_to_citizens() {
    let world = World::new().await;
    let (amt, anna, bert) = (world.authority("amt").await, world.citizen().await, world.citizen().await);
    let other = world.app.resolve_recipient(&anna.caller(), bert.address()).await;
    assert!(matches!(other, Err(AppError::NotFound)));
    let nobody = world.app.resolve_recipient(&amt.caller(), Mailbox::new(&world).address()).await;
    assert!(matches!(nobody, Err(AppError::NotFound)));
    for (caller, mailbox) in [(anna.caller(), &amt.mailbox), (amt.caller(), &anna), (anna.caller(), &anna)] {
        let found = world.app.resolve_recipient(&caller, mailbox.address()).await.unwrap();
        check(&world, mailbox, &found.answer);
        assert_eq!(found.accepts, caller.party != mailbox.party());
    }
}
