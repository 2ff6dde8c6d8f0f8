//! Preparing, storing and sealing again, without a service.
#![allow(clippy::unwrap_used)]

use std::fs;

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::chain::{Chain, LinkBuilder};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::head::RecipientHead;
use postfach_domain::id::{ActId, MessageId, Party};
use postfach_domain::submission::Hashes;
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_envelope::Unlock;
use postfach_envelope::attachment::{SegmentHashes, open_attachment};
use postfach_envelope::hybrid::HybridIdentity;
use postfach_envelope::open::{OpenedCover, Received, open_cover};
use postfach_envelope::sealed::BodyType;
use postfach_proto::v1;
use prost::Message as _;

use super::{FileToSend, NewMessage, OutboxEntry, Sender};
use crate::directory::Recipient;
use crate::error::Error;
use crate::evidence::VerifiedEvent;
use crate::progress::quiet;
use crate::testing::{NOW, World};

fn message(folder: &std::path::Path) -> NewMessage {
    let path = folder.join("Bescheid.pdf");
    fs::write(&path, b"%PDF-1.7 example").unwrap();
    NewMessage {
        message_id: None,
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::Ozg9,
        min_trust_level: TrustLevel::Basic,
        confirmation_requested: true,
        not_before: None,
        in_reply_to: None,
        subject: "Bescheid".to_owned(),
        kind_detail: "Steuerbescheid".to_owned(),
        body: "Guten Tag.".to_owned(),
        body_type: BodyType::TextPlain,
        legal: None,
        payments: Vec::new(),
        actions: Vec::new(),
        attachments: vec![FileToSend {
            path,
            name: "Bescheid.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
        }],
    }
}

fn recipient(chain: &Chain, key: &HybridIdentity) -> Recipient {
    let head = RecipientHead { head: chain.head(), generation: chain.generation().generation };
    Recipient { address: chain.address(), head, key: key.to_recipient(), accepts: true }
}

fn open(world: &World, entry: &OutboxEntry, key: &HybridIdentity) -> OpenedCover {
    let received = Received {
        origin: &world.service.origin,
        recipient: world.citizen.address,
        signer: &world.authority.sign.public(),
        hashes: entry.hashes(),
        outer: entry.outer_bytes(),
    };
    open_cover(&received, entry.cover_envelope(), Unlock::Identity(key)).unwrap()
}

#[tokio::test]
async fn an_entry_holds_everything_and_nothing_in_the_clear() {
    let world = World::new();
    let sender = Sender::authority(&world.client(), &world.authority);
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::verify(&world.service.origin, &world.chain().links).unwrap();
    let key = &world.citizen.generations[&0];
    let spool = folder.path().join("spool");
    fs::create_dir(&spool).unwrap();
    let prepared =
        sender.prepare(message(folder.path()), &recipient(&chain, key), &spool, &quiet()).await.unwrap();
    let bytes = prepared.to_bytes();
    // Words long enough that ciphertext does not hold them by chance.
    for word in ["Bescheid", "Guten Tag", "application/pdf"] {
        assert!(!bytes.windows(word.len()).any(|w| w == word.as_bytes()), "{word}");
    }
    // Read back as after a crash.
    let entry = OutboxEntry::from_bytes(&bytes, &world.authority.sign.public()).unwrap();
    assert_eq!(entry, prepared);
    let outer = entry.outer().unwrap();
    assert_eq!(
        (outer.created_at, outer.regime, outer.confirmation_requested),
        (NOW, LegalRegime::Ozg9, true)
    );
    let cover = open(&world, &entry, key);
    assert_eq!(cover.subject(), "Bescheid");
    let letter = cover.open_letter(entry.letter_envelope(), Unlock::Identity(key)).unwrap();
    let attachment = &letter.attachments()[0];
    let stored = &entry.attachments()[0];
    let hashes = SegmentHashes::verify(attachment, stored.leaves()).unwrap();
    let mut content = Vec::new();
    let spooled = fs::File::open(spool.join(stored.file())).unwrap();
    open_attachment(attachment, Some(&hashes), spooled, &mut content).unwrap();
    assert_eq!(content, b"%PDF-1.7 example");
}

#[tokio::test]
async fn a_damaged_entry_is_found_before_it_is_sent() {
    let world = World::new();
    let sender = Sender::authority(&world.client(), &world.authority);
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::verify(&world.service.origin, &world.chain().links).unwrap();
    let to = recipient(&chain, &world.citizen.generations[&0]);
    let entry = sender.prepare(message(folder.path()), &to, folder.path(), &quiet()).await.unwrap();
    let text = String::from_utf8(entry.to_bytes()).unwrap();
    let public = world.authority.sign.public();
    let damaged = |text: &str| {
        let result = OutboxEntry::from_bytes(text.as_bytes(), &public);
        matches!(result, Err(Error::Damaged { .. }))
    };
    assert!(!damaged(&text));
    assert!(damaged(&text[..text.len() - 2]));
    for field in ["outer", "cover_envelope", "letter_envelope", "signature", "leaves"] {
        let at = text.find(&format!("\"{field}\":\"")).unwrap() + field.len() + 4 + 8;
        let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
        let mut changed = text.clone();
        changed.replace_range(at..=at, other);
        assert!(damaged(&changed), "{field}");
    }
}

#[tokio::test]
async fn sealed_again_under_a_new_key_it_is_the_same_message() {
    let world = World::new();
    let sender = Sender::authority(&world.client(), &world.authority);
    let folder = tempfile::tempdir().unwrap();
    let mut chain = Chain::verify(&world.service.origin, &world.chain().links).unwrap();
    let old = recipient(&chain, &world.citizen.generations[&0]);
    let entry = sender.prepare(message(folder.path()), &old, folder.path(), &quiet()).await.unwrap();
    let new_key = HybridIdentity::generate(&mut world.environment.rng());
    let device = &world.citizen.device.sign;
    let link: Signed = LinkBuilder::new(&chain, device, NOW, [5; 32])
        .rotate_mailbox(new_key.to_recipient().to_bytes().to_vec());
    assert!(!link.encode_to_vec().is_empty());
    chain.append(&link).unwrap();
    let again = sender.reseal(&entry, &recipient(&chain, &new_key)).await.unwrap();
    let (before, after) = (entry.outer().unwrap(), again.outer().unwrap());
    assert_eq!((before.message_id, before.created_at), (after.message_id, after.created_at));
    assert_eq!(before.attachments, after.attachments);
    assert_eq!((after.recipient_head.generation, after.recipient_head.head.seq), (1, 1));
    assert_eq!(again.attachments(), entry.attachments());
    let cover = open(&world, &again, &new_key);
    let letter = cover.open_letter(again.letter_envelope(), Unlock::Identity(&new_key)).unwrap();
    assert_eq!((cover.subject(), letter.body()), ("Bescheid", "Guten Tag."));
}

#[tokio::test]
async fn who_must_be_written_to_on_paper_is_told_before_anything_is_sealed() {
    let world = World::new();
    let sender = Sender::authority(&world.client(), &world.authority);
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::verify(&world.service.origin, &world.chain().links).unwrap();
    let to = Recipient { accepts: false, ..recipient(&chain, &world.citizen.generations[&0]) };
    let result = sender.prepare(message(folder.path()), &to, folder.path(), &quiet()).await;
    assert!(matches!(result, Err(Error::PaperRequired)));
    let mut long = message(folder.path());
    long.subject = "ä".repeat(1025);
    let to = Recipient { accepts: true, ..to };
    let result = sender.prepare(long, &to, folder.path(), &quiet()).await;
    assert!(matches!(result, Err(Error::BadInput { field, .. }) if field == "subject"));
}

type Forge = fn(&mut Act);

/// A WITHDRAWN event of a message, proven in the log, with its act changed before it was signed.
fn withdrawn(world: &mut World, accepted: &Event, change: impl FnOnce(&mut Act)) -> VerifiedEvent {
    let hashes = accepted.hashes.unwrap();
    let mut act = Act {
        origin: world.service.origin.clone(),
        act_id: ActId([9; 16]),
        act_type: ActType::Withdrawn,
        actor: accepted.sender.clone().unwrap(),
        signer: world.authority.sign.key_id(),
        actor_head: None,
        message: Some(MessageRef {
            message_id: accepted.message_id.unwrap(),
            outer_hash: hashes.outer,
            letter_hash: hashes.letter,
        }),
        time: NOW,
        reason: String::new(),
        details: Vec::new(),
    };
    change(&mut act);
    let named = act.message.unwrap();
    let event = Event {
        event_type: EventType::Withdrawn,
        message_id: Some(named.message_id),
        hashes: Some(Hashes { outer: named.outer_hash, cover: hashes.cover, letter: named.letter_hash }),
        signed: Some(EventSigned::Act(act.sign(&world.authority.sign))),
        pair_seq: 0,
        ..accepted.clone()
    };
    let logged = world.log(&event);
    let page = world.page(vec![v1::SyncItem { event: Some(logged), ..v1::SyncItem::default() }]);
    let client = world.client();
    let seen = client.observe(page.checkpoints.as_ref()).unwrap();
    client.verify_event(page.items[0].event.as_ref().unwrap(), &seen).unwrap()
}

#[tokio::test]
async fn any_withdrawal_of_ours_counts_and_none_of_another_message_or_party() {
    let mut world = World::new();
    let sender = Sender::authority(&world.client(), &world.authority);
    let accepted = world.accepted(&world.seal("Bescheid"), 1);
    let hashes = accepted.hashes.unwrap();
    let message_id = accepted.message_id.unwrap();
    let asked = MessageRef { message_id, outer_hash: hashes.outer, letter_hash: hashes.letter };

    // An act id that this process never drew: an earlier try made it.
    let earlier = withdrawn(&mut world, &accepted, |_| {});
    let act = sender.check_withdrawal(&earlier, asked).await.unwrap();
    assert_eq!(act.act_id, ActId([9; 16]));

    let forgeries: [(&str, Forge); 4] = [
        ("not the event that was asked for", |act| {
            act.message.as_mut().unwrap().message_id = MessageId([7; 16]);
        }),
        ("about other bytes", |act| act.message.as_mut().unwrap().letter_hash = Digest::ZERO),
        ("by somebody else", |act| act.actor = Party::Authority("andere".parse().unwrap())),
        ("by somebody else", |act| act.origin = "other.example".parse().unwrap()),
    ];
    for (why, forge) in forgeries {
        let forged = withdrawn(&mut world, &accepted, forge);
        let refused = sender.check_withdrawal(&forged, asked).await.unwrap_err();
        assert!(matches!(refused, Error::Evidence(_)) && refused.to_string().contains(why), "{refused}");
    }
    let mut unsigned = withdrawn(&mut world, &accepted, |_| {});
    let Some(EventSigned::Act(signed)) = &mut unsigned.event.signed else { panic!() };
    signed.signature.as_mut().unwrap().sig[0] ^= 1;
    assert!(matches!(sender.check_withdrawal(&unsigned, asked).await, Err(Error::Evidence(_))));
}
