//! The committed byte vectors in `tests/vectors` (see the README there): what is written today must be readable for
//! ever, and what is deterministic must not change.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use postfach_domain::format::{Signature, Signed};
use postfach_domain::hash::Digest;
use postfach_domain::head::{ChainHead, RecipientHead};
use postfach_domain::id::{Address, AttachmentId, KeyId, MessageId, Origin, Party};
use postfach_domain::kit::RecoverySecret;
use postfach_domain::outer::{LegalRegime, Outer, TrustLevel};
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_domain::time::Timestamp;
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::attachment::{SealedAttachment, open_attachment, seal_attachment};
use crate::draft::{Draft, DraftAttachment};
use crate::hybrid::{HybridIdentity, HybridRecipient};
use crate::open::{Received, disclose_letter, open_cover};
use crate::seal::{Recipients, seal_message, sign_plaintexts};
use crate::sealed::{Action, BodyType, Instalment, LegalInfo, PaymentRequest};
use crate::wraps::{make_wrap, open_wrap};
use crate::{EnvelopeKey, Unlock, open_sender_copy};

const PLAIN: &[u8] = b"Anlage zum Bescheid\n";
const ORIGIN: &str = "post.example";
const RECIPIENT: Address = Address([0xaa; 32]);

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name)
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(read(name)).unwrap().trim().to_owned()
}

fn signer() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn mailbox() -> HybridIdentity {
    HybridIdentity::from_seed([2; 32])
}

fn sender_mailbox() -> HybridIdentity {
    HybridIdentity::from_seed([3; 32])
}

fn device() -> HybridIdentity {
    HybridIdentity::from_seed([4; 32])
}

fn recovery() -> HybridIdentity {
    HybridIdentity::from_seed(*RecoverySecret::from_bytes([5; 32]).age_seed())
}

fn generations() -> BTreeMap<u32, HybridIdentity> {
    BTreeMap::from([(0, mailbox()), (1, HybridIdentity::from_seed([6; 32]))])
}

fn outer() -> Outer {
    Outer {
        origin: ORIGIN.parse().unwrap(),
        message_id: MessageId::new(Timestamp(1_795_000_000_000), [0; 10]),
        sender: Party::Mailbox(Address([0xbb; 32])),
        signer: KeyId([0; 32]),
        sender_head: Some(ChainHead { seq: 3, link_hash: Digest([0xcc; 32]) }),
        recipient: RECIPIENT,
        recipient_head: RecipientHead {
            head: ChainHead { seq: 4, link_hash: Digest([0xdd; 32]) },
            generation: 0,
        },
        created_at: Timestamp(1_795_000_000_000),
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::Ozg9,
        min_trust_level: TrustLevel::Low,
        confirmation_requested: true,
        not_before: Some(Timestamp(1_795_000_100_000)),
        in_reply_to: Some(MessageId::new(Timestamp(1_794_000_000_000), [1; 10])),
        attachments: Vec::new(),
    }
}

/// The attachment as committed: its file is random, so its root and length come from the files.
fn sealed_attachment() -> SealedAttachment {
    let file = read("attachment.age");
    let id = AttachmentId([0x11; 16]);
    let leaf = postfach_domain::segments::segment_leaf(&id, 0, &file);
    SealedAttachment {
        id,
        plain_len: PLAIN.len() as u64,
        plain_sha256: Digest::of(PLAIN),
        ct_len: file.len() as u64,
        leaves: vec![leaf],
        ct_root: leaf,
        identity: text("attachment.identity").parse().unwrap(),
    }
}

fn draft() -> Draft {
    let payment = PaymentRequest {
        creditor: "Finanzkasse".to_owned(),
        iban: "DE02120300000000202051".to_owned(),
        bic: "BYLADEM1001".to_owned(),
        amount_cents: 12_345,
        currency: "EUR".to_owned(),
        reference: "RF18539007547034".to_owned(),
        due_date: "2026-12-28".to_owned(),
        instalments: vec![Instalment { amount_cents: 100, due_date: "2026-12-01".to_owned() }],
        payment_link: "https://pay.example/1".to_owned(),
    };
    Draft {
        subject: "Bescheid über Grundsteuer".to_owned(),
        kind_detail: "Grundsteuerbescheid 2026".to_owned(),
        body: "Sehr geehrte Frau Müller,\n\n*der Bescheid* liegt bei.\n".to_owned(),
        body_type: BodyType::TextMarkdown,
        legal: Some(LegalInfo {
            reference: "4711/26".to_owned(),
            remedy_instruction: "Einspruch binnen eines Monats".to_owned(),
            stated_deadline: "2026-12-28".to_owned(),
            stated_period: "1m".to_owned(),
        }),
        payments: vec![payment],
        actions: vec![Action {
            r#type: "reply".to_owned(),
            title: "Antworten".to_owned(),
            url: "https://amt.example/4711".to_owned(),
            due_date: "2026-12-28".to_owned(),
        }],
        attachments: vec![DraftAttachment {
            name: "Anlage.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            sealed: sealed_attachment(),
        }],
    }
}

#[test]
fn deterministic_bytes_do_not_change() {
    let plain = sign_plaintexts(outer(), &draft(), &signer()).unwrap();
    assert_eq!(plain.outer, read("outer.bin"));
    assert_eq!(*plain.cover, read("cover.signed"));
    assert_eq!(*plain.letter, read("letter.signed"));
    let hashes = Hashes::of(&read("outer.bin"), &read("cover.age"), &read("letter.age"));
    assert_eq!(hashes.sign(&signer()).encode_to_vec(), read("submission.signature"));
    assert_eq!(*mailbox().expose_as_age_secret_key(), text("mailbox.identity"));
    assert_eq!(mailbox().to_recipient().to_string(), text("mailbox.recipient"));
    assert_eq!(*sender_mailbox().expose_as_age_secret_key(), text("sender-mailbox.identity"));
    assert_eq!(*device().expose_as_age_secret_key(), text("device.identity"));
    assert_eq!(*recovery().expose_as_age_secret_key(), text("recovery.identity"));
}

#[test]
fn committed_envelopes_open() {
    let origin: Origin = ORIGIN.parse().unwrap();
    let (outer, cover_file, letter_file) = (read("outer.bin"), read("cover.age"), read("letter.age"));
    let hashes = Hashes::of(&outer, &cover_file, &letter_file);
    let signature = Signature::decode(&read("submission.signature")[..]).unwrap();
    hashes.verify(&signer().public(), &signature).unwrap();
    let signer = signer().public();
    let received = Received { origin: &origin, recipient: RECIPIENT, signer: &signer, hashes, outer: &outer };
    let keys = open_sender_copy(&read("sender-copy.age"), &sender_mailbox()).unwrap();
    let me: HybridIdentity = text("mailbox.identity").parse().unwrap();
    for (for_cover, for_letter) in [
        (Unlock::Identity(&me), Unlock::Identity(&me)),
        (Unlock::FileKey(&keys.cover), Unlock::FileKey(&keys.letter)),
    ] {
        let cover = open_cover(&received, &cover_file, for_cover).unwrap();
        assert_eq!(cover.subject(), draft().subject);
        let letter = cover.open_letter(&letter_file, for_letter).unwrap();
        assert_eq!(letter.body(), draft().body);
        assert_eq!(letter.payments(), draft().payments);
        let mut out = Vec::new();
        open_attachment(&letter.attachments()[0], None, &read("attachment.age")[..], &mut out).unwrap();
        assert_eq!(out, PLAIN);
    }
    let key: EnvelopeKey = text("letter.filekey").parse().unwrap();
    let shown = disclose_letter(&letter_file, &key).unwrap().verify(&origin, &signer, &outer).unwrap();
    assert_eq!(shown.legal(), draft().legal.as_ref());
}

#[test]
fn committed_plaintexts_are_framed_signed_bodies() {
    for (name, total) in [("cover", 1024), ("letter", 4096)] {
        let key = read(&format!("{name}.age"));
        let me = mailbox();
        let (plain, _) = crate::age_file::open(&key, Unlock::Identity(&me), total).unwrap();
        let signed = read(&format!("{name}.signed"));
        assert_eq!(plain.len(), total);
        assert_eq!(plain[..5], *b"MPFE\x01");
        assert_eq!(plain[5..9], u32::try_from(signed.len()).unwrap().to_be_bytes());
        assert_eq!(plain[9..9 + signed.len()], signed);
        assert!(Signed::decode(&signed[..]).unwrap().signature.is_some());
    }
}

#[test]
fn committed_wraps_open() {
    let chain: BTreeMap<u32, HybridRecipient> =
        generations().iter().map(|(generation, key)| (*generation, key.to_recipient())).collect();
    for (wrap, member) in [("wrap-device.age", "device.identity"), ("wrap-recovery.age", "recovery.identity")]
    {
        let opened = open_wrap(&read(wrap), &text(member).parse().unwrap(), &chain).unwrap();
        assert_eq!(opened.keys, generations());
        assert!(opened.refused.is_empty() && opened.missing.is_empty());
    }
}

#[test]
fn a_file_sealed_by_another_implementation_opens() {
    let keys = open_sender_copy(&read("foreign-sender-copy.age"), &sender_mailbox()).unwrap();
    let all = [*keys.cover.expose_key_bytes(), *keys.letter.expose_key_bytes()].concat();
    assert_eq!(all, (0..32).collect::<Vec<u8>>());
}

/// Writes all vectors anew where `POSTFACH_WRITE_VECTORS=1` asks for it, and only for a new version of the formats.
#[test]
fn every_vector_is_committed() {
    let new = std::env::var_os("POSTFACH_WRITE_VECTORS").is_some();
    let write = |name: &str, bytes: &[u8]| {
        if new {
            std::fs::write(path(name), bytes).unwrap();
        }
        // Sealing is random, so here only that the file is there; the tests above judge its bytes.
        assert!(path(name).is_file(), "{name}");
    };
    let line = |name: &str, text: &str| write(name, format!("{text}\n").as_bytes());
    let mut rng = StdRng::seed_from_u64(1);
    let mut file = Vec::new();
    let sealed = seal_attachment(AttachmentId([0x11; 16]), PLAIN.len() as u64, PLAIN, &mut file, &mut rng);
    write("attachment.age", &file);
    line("attachment.identity", &sealed.unwrap().identity.expose_as_age_secret_key());
    let keys = [
        ("mailbox", mailbox()),
        ("sender-mailbox", sender_mailbox()),
        ("device", device()),
        ("recovery", recovery()),
    ];
    for (name, key) in keys {
        line(&format!("{name}.identity"), &key.expose_as_age_secret_key());
    }
    line("mailbox.recipient", &mailbox().to_recipient().to_string());
    let plain = sign_plaintexts(outer(), &draft(), &signer()).unwrap();
    write("outer.bin", &plain.outer);
    write("cover.signed", &plain.cover);
    write("letter.signed", &plain.letter);
    let (to, own) = (mailbox().to_recipient(), sender_mailbox().to_recipient());
    let recipients = Recipients { mailbox: &to, sender_copy: Some(&own) };
    let sealed = seal_message(outer(), &draft(), &signer(), recipients).unwrap();
    write("cover.age", &sealed.cover_envelope);
    write("letter.age", &sealed.letter_envelope);
    write("submission.signature", &sealed.submission_signature.encode_to_vec());
    write("sender-copy.age", &sealed.sender_copy.unwrap());
    line("letter.filekey", &sealed.keys.letter.expose_as_hex());
    write("wrap-device.age", &make_wrap(&generations(), &device().to_recipient()).unwrap());
    write("wrap-recovery.age", &make_wrap(&generations(), &recovery().to_recipient()).unwrap());
}
