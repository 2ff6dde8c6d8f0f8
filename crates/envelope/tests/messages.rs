//! Whole messages through the public interface: sealed by one side, opened by the other.
#![allow(clippy::unwrap_used)]

use postfach_domain::hash::Digest;
use postfach_domain::head::{ChainHead, RecipientHead};
use postfach_domain::id::{Address, AttachmentId, KeyId, MessageId, Origin, Party};
use postfach_domain::outer::{LegalRegime, Outer, TrustLevel};
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use postfach_envelope::attachment::{
    AttachmentSealError, SealedAttachment, open_attachment, seal_attachment,
};
use postfach_envelope::draft::{Draft, DraftAttachment, LimitError};
use postfach_envelope::hybrid::HybridIdentity;
use postfach_envelope::open::{OpenError, OpenedCover, OpenedLetter, Received, disclose_letter, open_cover};
use postfach_envelope::seal::{Recipients, SealError, Sealed, seal_message};
use postfach_envelope::sealed::{Action, BodyType, LegalInfo, PaymentRequest};
use postfach_envelope::{Unlock, open_sender_copy};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

const CITIZEN: Address = Address([7; 32]);

struct World {
    origin: Origin,
    signer: SecretKey,
    mailbox: HybridIdentity,
    own: HybridIdentity,
}

fn world() -> World {
    World {
        origin: "post.example".parse().unwrap(),
        signer: SecretKey::from_seed(&[1; 32]),
        mailbox: HybridIdentity::from_seed([2; 32]),
        own: HybridIdentity::from_seed([3; 32]),
    }
}

fn outer() -> Outer {
    let now = Timestamp(1_795_000_000_000);
    let head = ChainHead { seq: 0, link_hash: Digest([6; 32]) };
    Outer {
        origin: "post.example".parse().unwrap(),
        message_id: MessageId::new(now, [9; 10]),
        sender: Party::Authority("finanzamt".parse().unwrap()),
        signer: KeyId([0; 32]),
        sender_head: None,
        recipient: CITIZEN,
        recipient_head: RecipientHead { head, generation: 0 },
        created_at: now,
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::Ozg9,
        min_trust_level: TrustLevel::Basic,
        confirmation_requested: false,
        not_before: None,
        in_reply_to: None,
        attachments: Vec::new(),
    }
}

fn draft() -> Draft {
    Draft {
        subject: "Einkommensteuerbescheid".to_owned(),
        kind_detail: "2025".to_owned(),
        body: "Sehr geehrte Frau Müller".to_owned(),
        body_type: BodyType::TextMarkdown,
        legal: Some(LegalInfo { remedy_instruction: "Einspruch".to_owned(), ..LegalInfo::default() }),
        payments: vec![PaymentRequest { amount_cents: 12_345, ..PaymentRequest::default() }],
        actions: vec![Action { title: "Antworten".to_owned(), ..Action::default() }],
        attachments: Vec::new(),
    }
}

impl World {
    fn seal(&self, draft: &Draft) -> Result<Sealed, SealError> {
        let (mailbox, own) = (self.mailbox.to_recipient(), self.own.to_recipient());
        let recipients = Recipients { mailbox: &mailbox, sender_copy: Some(&own) };
        seal_message(outer(), draft, &self.signer, recipients)
    }

    fn cover(&self, sealed: &Sealed, unlock: Unlock<'_>) -> Result<OpenedCover, OpenError> {
        let signer = self.signer.public();
        let received = Received {
            origin: &self.origin,
            recipient: CITIZEN,
            signer: &signer,
            hashes: sealed.hashes(),
            outer: &sealed.outer,
        };
        open_cover(&received, &sealed.cover_envelope, unlock)
    }

    fn open(&self, sealed: &Sealed) -> Result<(OpenedCover, OpenedLetter), OpenError> {
        let unlock = Unlock::Identity(&self.mailbox);
        let cover = self.cover(sealed, unlock)?;
        let letter = cover.open_letter(&sealed.letter_envelope, unlock)?;
        Ok((cover, letter))
    }
}

fn attach(id: u8, plain: &[u8]) -> Result<(SealedAttachment, Vec<u8>), AttachmentSealError> {
    let mut spool = Vec::new();
    let mut rng = StdRng::seed_from_u64(u64::from(id));
    let sealed = seal_attachment(AttachmentId([id; 16]), plain.len() as u64, plain, &mut spool, &mut rng)?;
    Ok((sealed, spool))
}

#[test]
fn everything_that_was_written_is_read() {
    let world = world();
    let (pdf, file) = attach(1, b"%PDF-").unwrap();
    let (empty, _) = attach(2, b"").unwrap();
    let mut draft = draft();
    for (name, sealed) in [("Bescheid.pdf", pdf), ("../\u{202e}leer", empty)] {
        let media_type = "application/octet-stream".to_owned();
        draft.attachments.push(DraftAttachment { name: name.to_owned(), media_type, sealed });
    }
    let sealed = world.seal(&draft).unwrap();
    let hashes = sealed.hashes();
    hashes.verify(&world.signer.public(), &sealed.submission_signature).unwrap();
    let (cover, letter) = world.open(&sealed).unwrap();
    assert_eq!((cover.subject(), cover.kind_detail()), ("Einkommensteuerbescheid", "2025"));
    assert_eq!(cover.letter_size(), draft.body.len() as u64);
    assert_eq!(cover.outer().kind.as_str(), "notice");
    assert_eq!(cover.outer().signer, world.signer.key_id());
    assert_eq!(letter.body(), draft.body);
    assert_eq!(letter.body_type(), BodyType::TextMarkdown);
    assert_eq!(letter.legal(), draft.legal.as_ref());
    assert_eq!(letter.payments(), draft.payments);
    assert_eq!(letter.actions(), draft.actions);
    let names: Vec<&str> = letter.attachments().iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["Bescheid.pdf", "../\u{202e}leer"]);
    assert_eq!(cover.attachments().len(), 2);
    let mut out = Vec::new();
    open_attachment(&letter.attachments()[0], None, &file[..], &mut out).unwrap();
    assert_eq!(out, b"%PDF-");
}

#[test]
fn envelopes_have_one_post_quantum_recipient_and_tell_little_by_their_size() {
    let world = world();
    let sealed = world.seal(&draft()).unwrap();
    for envelope in [&sealed.cover_envelope, &sealed.letter_envelope, sealed.sender_copy.as_ref().unwrap()] {
        let end = envelope.windows(5).position(|w| w == b"\n--- ").unwrap();
        let header = std::str::from_utf8(&envelope[..end]).unwrap();
        let tags: Vec<&str> = header
            .lines()
            .filter_map(|l| l.strip_prefix("-> "))
            .filter_map(|l| l.split(' ').next())
            .collect();
        assert_eq!(tags.iter().filter(|t| **t == "mlkem768x25519").count(), 1);
        assert!(tags.iter().all(|t| *t == "mlkem768x25519" || t.ends_with("-grease")), "{tags:?}");
    }
    let payload = |envelope: &[u8]| {
        let end = envelope.windows(5).position(|w| w == b"\n--- ").unwrap();
        envelope.len() - end - 5 - 43 - 1 - 16 - 16
    };
    assert_eq!(payload(&sealed.cover_envelope), 1024);
    assert_eq!(payload(&sealed.letter_envelope), 4096);
}

#[test]
fn the_sender_rereads_with_its_copy_and_a_third_party_with_the_exported_key() {
    let world = world();
    let sealed = world.seal(&draft()).unwrap();
    let keys = open_sender_copy(sealed.sender_copy.as_ref().unwrap(), &world.own).unwrap();
    let cover = world.cover(&sealed, Unlock::FileKey(&keys.cover)).unwrap();
    let letter = cover.open_letter(&sealed.letter_envelope, Unlock::FileKey(&keys.letter)).unwrap();
    assert_eq!(letter.body(), draft().body);
    // The two keys are not interchangeable.
    assert!(world.cover(&sealed, Unlock::FileKey(&keys.letter)).is_err());
    let text = letter.envelope_key().expose_as_hex();
    let shown = disclose_letter(&sealed.letter_envelope, &text.parse().unwrap()).unwrap();
    assert_eq!(shown.envelope_hash(), sealed.hashes().letter);
    let shown = shown.verify(&world.origin, &world.signer.public(), &sealed.outer).unwrap();
    assert_eq!(shown.body(), draft().body);
}

#[test]
fn limits_hold_for_senders() {
    let world = world();
    let limit = |bend: &dyn Fn(&mut Draft)| {
        let mut draft = draft();
        bend(&mut draft);
        match world.seal(&draft).unwrap_err() {
            SealError::Limit(limit) => limit,
            other => panic!("{other}"),
        }
    };
    let attachment = |id: u8, name: &str, media_type: &str| DraftAttachment {
        name: name.to_owned(),
        media_type: media_type.to_owned(),
        sealed: attach(id, b"").unwrap().0,
    };
    let long = "n".repeat(256);
    assert_eq!(limit(&|d| d.subject = "ü".repeat(1025)), LimitError::Subject { got: 1025 });
    assert!(matches!(limit(&|d| d.subject = "a".repeat(9_000_000)), LimitError::Subject { .. }));
    assert!(matches!(limit(&|d| d.kind_detail = "a".repeat(65_536)), LimitError::Cover { .. }));
    assert!(matches!(limit(&|d| d.body = "a".repeat(1 << 20)), LimitError::Letter { .. }));
    assert_eq!(limit(&|d| d.attachments.push(attachment(1, &long, ""))), LimitError::Name { got: 256 });
    assert_eq!(limit(&|d| d.attachments.push(attachment(1, "", &long))), LimitError::Name { got: 256 });
    let one = attachment(1, "a", "b");
    assert_eq!(limit(&|d| d.attachments = vec![one.clone(); 101]), LimitError::Attachments { got: 101 });
}

#[test]
fn the_largest_message_fits() {
    let world = world();
    let mut draft = draft();
    draft.subject = "ü".repeat(1024);
    let (one, _) = attach(0, b"").unwrap();
    for id in 0..100 {
        let sealed = SealedAttachment { id: AttachmentId([id; 16]), ..one.clone() };
        let name = "n".repeat(255);
        draft.attachments.push(DraftAttachment { media_type: String::new(), name, sealed });
    }
    draft.body = "a".repeat((1 << 20) - 60_000);
    let sealed = world.seal(&draft).unwrap();
    let (cover, letter) = world.open(&sealed).unwrap();
    assert_eq!((cover.attachments().len(), letter.body().len()), (100, (1 << 20) - 60_000));
    assert!(sealed.outer.len() <= postfach_domain::limits::OUTER_LEN);
    assert!(sealed.cover_envelope.len() <= postfach_domain::limits::COVER_ENVELOPE_LEN);
    assert!(sealed.letter_envelope.len() <= postfach_domain::limits::LETTER_ENVELOPE_LEN);
}

#[test]
fn drafts_that_say_too_little_or_something_twice_are_refused() {
    let world = world();
    let untyped = Draft { body_type: BodyType::Unspecified, ..draft() };
    assert!(matches!(world.seal(&untyped).unwrap_err(), SealError::NoBodyType));
    let (sealed, _) = attach(1, b"").unwrap();
    let one = DraftAttachment { name: String::new(), media_type: String::new(), sealed };
    let twice = Draft { attachments: vec![one.clone(), one], ..draft() };
    assert!(matches!(world.seal(&twice).unwrap_err(), SealError::RepeatedAttachment(_)));
}

#[test]
fn what_is_written_does_not_show_in_logs() {
    let (sealed, _) = attach(1, b"").unwrap();
    let attachment = DraftAttachment { name: "Bescheid.pdf".to_owned(), media_type: String::new(), sealed };
    let draft = Draft { attachments: vec![attachment], ..draft() };
    let shown = format!("{draft:?}{:?}", draft.attachments);
    for word in ["Einkommensteuerbescheid", "2025", "Müller", "Einspruch", "Antworten", "Bescheid.pdf"] {
        assert!(!shown.contains(word), "{word} in {shown}");
    }
}

#[test]
fn sealing_again_gives_other_bytes_and_the_same_content() {
    let world = world();
    let (first, second) = (world.seal(&draft()).unwrap(), world.seal(&draft()).unwrap());
    assert_eq!(first.outer, second.outer);
    assert_ne!(first.letter_envelope, second.letter_envelope);
    assert_eq!(world.open(&second).unwrap().1.body(), draft().body);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_text_round_trips(subject in "\\PC{0,200}", body in "(?s).{0,3000}", plain in any::<bool>()) {
        let world = world();
        let body_type = if plain { BodyType::TextPlain } else { BodyType::TextMarkdown };
        let draft = Draft { subject, body, body_type, ..Draft::default() };
        let (cover, letter) = world.open(&world.seal(&draft).unwrap()).unwrap();
        prop_assert_eq!(cover.subject(), &draft.subject);
        prop_assert_eq!(letter.body(), &draft.body);
        prop_assert_eq!(letter.body_type(), body_type);
    }

    #[test]
    fn any_flipped_bit_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8, which in 0usize..2) {
        let world = world();
        let mut sealed = world.seal(&draft()).unwrap();
        let envelope = if which == 0 { &mut sealed.cover_envelope } else { &mut sealed.letter_envelope };
        let at = at.index(envelope.len());
        envelope[at] ^= 1 << bit;
        // The hashes follow the change, so that only what is inside can notice it.
        prop_assert!(world.open(&sealed).is_err());
    }
}
