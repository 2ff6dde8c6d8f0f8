//! A small deployment in which everything happened at least once.

use std::path::Path;

use postfach_domain::act::{ActType, ConsentScope};
use postfach_domain::segments::SEGMENT_LEN;
use postfach_domain::terms::TrustLevel;

use super::world::{Owner, World};

pub async fn everything() -> World {
    let mut world = World::new(1).await;
    world.app.create_codes(2, TrustLevel::Low).await.unwrap();
    let amt = world.authority("amt").await;
    let finanzamt = world.authority("finanzamt").await;
    let mut anna = world.citizen(TrustLevel::Substantial, true).await;
    let ben = world.citizen(TrustLevel::Basic, false).await;
    let mut carl = world.citizen(TrustLevel::Basic, true).await;

    // Refused, since nobody consented; consent to two and a half of it taken back.
    let refused = world.deliver(&amt, &ben, Vec::new()).await;
    let refused_too = world.deliver(&finanzamt, &ben, Vec::new()).await;
    let ids = ["amt", "finanzamt"].map(|id| id.parse().unwrap());
    world.consent(&ben, &ConsentScope::Authorities(ids.to_vec()), ActType::Consent).await;
    let one = ConsentScope::Authorities(vec!["finanzamt".parse().unwrap()]);
    world.consent(&ben, &one, ActType::ConsentRevoked).await;

    let attached = (attachments(&mut world, &amt).await, attachments(&mut world, &amt).await);
    let first = world.deliver(&amt, &anna, attached.0.clone()).await;
    let second = world.deliver(&amt, &anna, attached.0).await;
    change_chain(&mut world, &mut anna).await;
    let third = world.deliver(&finanzamt, &anna, Vec::new()).await;
    let fourth = world.deliver(&amt, &anna, attached.1).await;
    let to_ben = world.deliver(&amt, &ben, Vec::new()).await;
    let answer = world.deliver(&anna, &amt, Vec::new()).await;
    unused_uploads(&mut world, &amt).await;

    world.act_on(&anna, first, ActType::HandedOver, "").await;
    world.act_on(&anna, first, ActType::Confirmed, "").await;
    world.act_on(&amt, answer, ActType::HandedOver, "").await;
    world.act_on(&anna, second, ActType::HandedOver, "").await;
    world.act_on(&anna, second, ActType::RejectedByRecipient, "CONTENT_INVALID").await;
    world.act_on(&anna, second, ActType::Disputed, "NOT_RECEIVED").await;
    world.act_on(&anna, second, ActType::Deleted, "").await;
    world.withdraw(&finanzamt, third).await;
    world.act_on(&anna, fourth, ActType::HandedOver, "").await;
    world.settings(&anna).await;
    world.settings(&anna).await;
    world.settings(&ben).await;

    world.app.erase(fourth.id).await.unwrap();
    world.app.erase(refused.id).await.unwrap();
    let key = world.further_key("amt", &amt).await;
    world.revoke("amt", &key).await;
    world.link(&mut carl, true, |builder| builder.close(None)).await;
    world.app.suspend_mailbox(ben.chain.address(), true).await.unwrap();
    let last = world.deliver(&amt, &anna, Vec::new()).await;
    assert!(refused_too.id != last.id && to_ben.id != last.id);
    world
}

async fn attachments(world: &mut World, sender: &Owner) -> Vec<postfach_domain::outer::OuterAttachment> {
    let large = world.bytes(SEGMENT_LEN + 1000);
    let small = world.bytes(70_000);
    vec![world.upload(sender, &large, 0).await, world.upload(sender, &small, 0).await]
}

async fn unused_uploads(world: &mut World, sender: &Owner) {
    let small = world.bytes(65_000);
    world.upload(sender, &small, 0).await;
    let large = world.bytes(SEGMENT_LEN + 1);
    world.upload(sender, &large, 1).await;
}

async fn change_chain(world: &mut World, anna: &mut Owner) {
    let (key, device, reverse) = world.device(anna);
    world.link(anna, false, |builder| builder.add_device(&device, &reverse)).await;
    let old = anna.device.key_id();
    anna.device = key;
    let recipient = world.new_recipient();
    world.link(anna, false, |builder| builder.revoke_device(&old, recipient)).await;
    let recipient = world.new_recipient();
    world.link(anna, false, |builder| builder.rotate_mailbox(recipient)).await;
    let (recovery, a, b) = (world.new_key(), world.new_recipient(), world.new_recipient());
    world.link(anna, true, |builder| builder.rotate_recovery(&recovery, a, b, None)).await;
    anna.recovery = recovery;
    world.link(anna, false, |builder| builder.propose(postfach_domain::chain::Proposed::Close)).await;
}

/// A blob that waits for deletion: a state between two calls.
pub async fn add_garbage(database: &Path, blobs: &Path) {
    use sqlx::{ConnectOptions as _, Connection as _};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut connection = options.connect().await.unwrap();
    let blob = crate::blobs::BlobKey([0xab; 16]);
    let insert = sqlx::query("INSERT INTO garbage (blob) VALUES ($1)").bind(blob.0.to_vec());
    insert.execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let leaf = postfach_domain::hash::Digest::of(b"old");
    let file = blobs.join(crate::blobs::SegmentName { blob, index: 0, leaf }.path());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, b"old").unwrap();
}
