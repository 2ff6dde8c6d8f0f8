//! Opening mailboxes with activation codes.

use postfach_domain::act::{ActType, ConsentScope};
use postfach_domain::decide::Refusal;
use postfach_domain::keylog::link_leaf;
use postfach_domain::terms::TrustLevel;
use postfach_ledger::hash::leaf_hash;

use super::{field, refusal};
use crate::app::AppError;
use crate::evidence::LogName;
use crate::key_book::KeyRole;
use crate::testing::{Mailbox, World, size};

#[tokio::test]
async fn a_code_opens_one_mailbox_and_answers_again() {
    let world = World::new().await;
    let code = world.code().await;
    let mine = Mailbox::new(&world);
    let request = mine.registration(&world, &code, true);
    let first = world.app.register(&mine.caller(), request.clone()).await.unwrap();
    let leaf = leaf_hash(&link_leaf(&mine.address().label(), 0, &mine.chain.head().link_hash));
    let chain = &first.chain;
    world.check_leaf(LogName::Keys, chain.head_index, &leaf, &chain.head_inclusion, &first.checkpoints.keys);
    let consent = world.check_event(first.consent.as_ref().unwrap(), &first.checkpoints);
    // The consent counts from a point at which the new link is already logged.
    assert_eq!(consent.keys_size, chain.head_index + 1);
    let sizes = (size(&world, LogName::Keys), size(&world, LogName::Evidence));
    let again = world.app.register(&mine.caller(), request).await.unwrap();
    assert_eq!(again, first);
    assert_eq!((size(&world, LogName::Keys), size(&world, LogName::Evidence)), sizes);
    let other = Mailbox::new(&world);
    let stolen = other.registration(&world, &code, false);
    assert_eq!(refusal(world.app.register(&other.caller(), stolen).await), Refusal::CodeUsed);
    let key = world.app.caller_key(&mine.party(), &mine.recovery.key_id()).await.unwrap().unwrap();
    assert_eq!(key.role, KeyRole::Recovery);
}

#[tokio::test]
async fn what_a_registration_must_bring() {
    let world = World::new().await;
    let code = world.code().await;
    let mailbox = Mailbox::new(&world);
    let good = mailbox.registration(&world, &code, true);
    let stranger = Mailbox::new(&world);
    let as_other = world.app.register(&stranger.caller(), good.clone()).await;
    assert!(matches!(as_other, Err(AppError::NotAllowed)));

    let mut bad = good.clone();
    bad.proof[0] ^= 1;
    assert_eq!(refusal(world.app.register(&mailbox.caller(), bad).await), Refusal::CodeUnknown);
    let mut bad = good.clone();
    bad.code_id[0] ^= 1;
    assert_eq!(refusal(world.app.register(&mailbox.caller(), bad).await), Refusal::CodeUnknown);
    let mut bad = good.clone();
    bad.wraps.pop();
    assert_eq!(refusal(world.app.register(&mailbox.caller(), bad).await), Refusal::WrapsIncomplete);
    let mut bad = good.clone();
    bad.genesis.body[20] ^= 1;
    assert!(matches!(refusal(world.app.register(&mailbox.caller(), bad).await), Refusal::LinkInvalid { .. }));
    let mut bad = good.clone();
    bad.consent = Some(stranger.act(&world, ActType::Consent, None, |act| {
        act.details = ConsentScope::All.encode();
    }));
    assert_eq!(field(world.app.register(&mailbox.caller(), bad).await), "act.signature");

    world.clock.advance(31 * 24 * 3600 * 1000);
    let late = world.app.register(&mailbox.caller(), good.clone()).await;
    assert_eq!(refusal(late), Refusal::CodeExpired);
    world.clock.set(crate::testing::START);
    world.clock.advance(301_000);
    let late = world.app.register(&mailbox.caller(), good.clone()).await;
    assert!(matches!(refusal(late), Refusal::ActTimeOff { .. }));
    assert_eq!(size(&world, LogName::Keys), 0);
    world.clock.set(crate::testing::START);
    world.app.register(&mailbox.caller(), good).await.unwrap();
}

#[tokio::test]
async fn codes_are_counted_and_of_one_level() {
    let world = World::new().await;
    let codes = world.app.create_codes(3, TrustLevel::High).await.unwrap();
    assert_eq!(codes.codes.len(), 3);
    assert_eq!(field(world.app.create_codes(0, TrustLevel::Low).await), "count");
    assert_eq!(field(world.app.create_codes(1001, TrustLevel::Low).await), "count");
    let mailbox = Mailbox::new(&world);
    let request = mailbox.registration(&world, &codes.codes[2].parse().unwrap(), false);
    let answer = world.app.register(&mailbox.caller(), request).await.unwrap();
    assert_eq!((answer.trust_level, answer.consent), (TrustLevel::High, None));
}
