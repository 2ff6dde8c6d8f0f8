//! Every check of the reader goes red on its own tampering, and on nothing earlier. Bodies are signed properly unless
//! the signature itself is the point: a sender who lies has a good key.
#![allow(clippy::unwrap_used)]

use postfach_domain::format::{self, OuterAttachment, RecipientHead, Signature, Signed};
use postfach_domain::id::{MessageId, Party};
use postfach_domain::outer::OuterError;
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;

use super::*;
use crate::age_file::{self, AgeOpenError};
use crate::draft::LimitError;
use crate::frame::{COVER_FLOOR, LETTER_FLOOR, frame};
use crate::hybrid::HybridIdentity;
use crate::sealed::{BodyType, CoverAttachment as AnnouncedAttachment, LetterAttachment};

const ME: Address = Address([7; 32]);

fn origin() -> Origin {
    "post.example".parse().unwrap()
}

fn signer() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

fn mailbox() -> HybridIdentity {
    HybridIdentity::from_seed([2; 32])
}

/// A message that can be bent anywhere before it is signed, framed and sealed.
struct Forge {
    outer: format::Outer,
    cover: Cover,
    letter: Letter,
    /// What the sender signs as origin and address.
    signed_names: (String, Vec<u8>),
    /// Changes to the signed form of the cover, and to the framed plaintexts.
    bend_cover_signed: fn(&mut Signed),
    bend_letter_signed: fn(&mut Signed),
    bend_cover_frame: fn(&mut Vec<u8>),
    bend_letter_frame: fn(&mut Vec<u8>),
    /// Sets the hashes that bodies name to the right ones; off where the hash itself is bent.
    link: bool,
}

struct Made {
    outer: Vec<u8>,
    cover: Vec<u8>,
    letter: Vec<u8>,
    hashes: Hashes,
}

impl Forge {
    fn good() -> Self {
        let (id, root, sha) = (vec![3; 16], vec![4; 32], vec![5; 32]);
        let outer = format::Outer {
            origin: "post.example".to_owned(),
            message_id: MessageId::new(Timestamp(1_795_000_000_000), [9; 10]).to_vec(),
            sender: Some((&Party::Authority("amt".parse().unwrap())).into()),
            created_at: 1_795_000_000_000,
            kind: "notice".to_owned(),
            regime: format::LegalRegime::None.into(),
            min_trust_level: format::TrustLevel::Basic.into(),
            signer: signer().key_id().to_vec(),
            recipient: ME.to_vec(),
            recipient_head: Some(RecipientHead { seq: 0, link_hash: vec![6; 32], generation: 0 }),
            attachments: vec![OuterAttachment { id: id.clone(), ct_len: 70_000, ct_root: root.clone() }],
            ..format::Outer::default()
        };
        let cover = Cover {
            recipient: ME.to_vec(),
            subject: "Bescheid".to_owned(),
            letter_size: 5,
            attachments: vec![AnnouncedAttachment { id: id.clone(), name: "a.pdf".to_owned(), size: 11 }],
            ..Cover::default()
        };
        let attachment = LetterAttachment {
            id,
            name: "a.pdf".to_owned(),
            media_type: "application/pdf".to_owned(),
            plain_len: 11,
            plain_sha256: sha,
            ct_root: root,
            age_secret: vec![8; 32],
        };
        let letter = Letter {
            recipient: ME.to_vec(),
            body: "Hallo".to_owned(),
            body_type: BodyType::TextPlain.into(),
            attachments: vec![attachment],
            ..Letter::default()
        };
        Self {
            outer,
            cover,
            letter,
            signed_names: ("post.example".to_owned(), ME.to_vec()),
            bend_cover_signed: |_| (),
            bend_letter_signed: |_| (),
            bend_cover_frame: |_| (),
            bend_letter_frame: |_| (),
            link: true,
        }
    }

    fn bent(bend: impl FnOnce(&mut Self)) -> Self {
        let mut forge = Self::good();
        bend(&mut forge);
        forge
    }

    fn sign(&self, ctx: &str, outer_hash: Digest, body: Vec<u8>) -> Signed {
        let parts: [&[u8]; 4] =
            [self.signed_names.0.as_bytes(), &self.signed_names.1, outer_hash.as_bytes(), &body];
        let signature = Some(signer().sign(ctx, &parts));
        Signed { body, signature }
    }

    fn make(mut self) -> Made {
        let outer = self.outer.encode_to_vec();
        let outer_hash = Digest::of(&outer);
        if self.link {
            self.cover.outer_hash = outer_hash.to_vec();
            self.letter.outer_hash = outer_hash.to_vec();
        }
        let cover_body = self.cover.encode_to_vec();
        if self.link {
            self.letter.cover_hash = Digest::of(&cover_body).to_vec();
        }
        let mut cover_signed = self.sign("mpf1/cover", outer_hash, cover_body);
        (self.bend_cover_signed)(&mut cover_signed);
        let mut letter_signed = self.sign("mpf1/letter", outer_hash, self.letter.encode_to_vec());
        (self.bend_letter_signed)(&mut letter_signed);
        let mut cover_plain = frame(&cover_signed.encode_to_vec(), COVER_FLOOR).to_vec();
        (self.bend_cover_frame)(&mut cover_plain);
        let mut letter_plain = frame(&letter_signed.encode_to_vec(), LETTER_FLOOR).to_vec();
        (self.bend_letter_frame)(&mut letter_plain);
        let to = mailbox().to_recipient();
        let (cover, _) = age_file::seal(&cover_plain, &to).unwrap();
        let (letter, _) = age_file::seal(&letter_plain, &to).unwrap();
        let hashes = Hashes { outer: outer_hash, cover: Digest::of(&cover), letter: Digest::of(&letter) };
        Made { outer, cover, letter, hashes }
    }

    fn fails(self) -> OpenError {
        let made = self.make();
        made.open().unwrap_err()
    }
}

impl Made {
    fn open(&self) -> Result<(OpenedCover, OpenedLetter), OpenError> {
        let (origin, signer, mailbox) = (origin(), signer().public(), mailbox());
        let received = Received {
            origin: &origin,
            recipient: ME,
            signer: &signer,
            hashes: self.hashes,
            outer: &self.outer,
        };
        let cover = open_cover(&received, &self.cover, Unlock::Identity(&mailbox))?;
        let letter = cover.open_letter(&self.letter, Unlock::Identity(&mailbox))?;
        Ok((cover, letter))
    }
}

#[test]
fn a_good_message_opens() {
    let (cover, letter) = Forge::good().make().open().unwrap();
    assert_eq!(cover.subject(), "Bescheid");
    assert_eq!(letter.body(), "Hallo");
    assert_eq!(letter.attachments()[0].ct_len, 70_000);
    assert_eq!(letter.attachments()[0].identity, HybridIdentity::from_seed([8; 32]));
    assert!(!format!("{cover:?}{letter:?}").contains("Hallo"));
}

#[test]
fn bytes_that_are_not_the_accepted_ones() {
    let mut made = Forge::good().make();
    made.outer.push(0);
    assert_eq!(made.open().unwrap_err(), OpenError::WrongHash(Part::Outer));
    let mut made = Forge::good().make();
    made.cover.push(0);
    assert_eq!(made.open().unwrap_err(), OpenError::WrongHash(Part::Cover));
    let mut made = Forge::good().make();
    made.letter.push(0);
    let error = made.open().unwrap_err();
    assert_eq!(error, OpenError::WrongHash(Part::Letter));
    assert_eq!(error.fault(), Fault::Server);
    assert_eq!(OpenError::CoverMismatch.fault(), Fault::Sender);
}

#[test]
fn outer_headers_for_somebody_else() {
    let mut made = Forge::good().make();
    made.outer = b"\xff".to_vec();
    made.hashes.outer = Digest::of(&made.outer);
    assert_eq!(made.open().unwrap_err(), OpenError::MalformedOuter(OuterError::Malformed));
    let other = Forge::bent(|f| f.outer.origin = "other.example".to_owned());
    assert_eq!(other.fails(), OpenError::OtherOrigin);
    assert_eq!(Forge::bent(|f| f.outer.recipient = vec![8; 32]).fails(), OpenError::OtherRecipient);
    assert_eq!(Forge::bent(|f| f.outer.signer = vec![8; 32]).fails(), OpenError::OtherSigner);
    // The service saw all of this and accepted it, or gave me what was accepted for somebody else.
    for error in [
        OpenError::MalformedOuter(OuterError::Malformed),
        OpenError::OtherOrigin,
        OpenError::OtherRecipient,
        OpenError::OtherSigner,
    ] {
        assert_eq!(error.fault(), Fault::Server, "{error}");
    }
}

#[test]
fn envelopes_that_do_not_open() {
    let mut made = Forge::good().make();
    let other = HybridIdentity::from_seed([99; 32]).to_recipient();
    (made.letter, _) = age_file::seal(&frame(b"x", LETTER_FLOOR), &other).unwrap();
    made.hashes.letter = Digest::of(&made.letter);
    assert_eq!(made.open().unwrap_err(), OpenError::CannotDecrypt(Part::Letter, AgeOpenError::OtherKey));
    made.cover.truncate(made.cover.len() - 1);
    made.hashes.cover = Digest::of(&made.cover);
    assert_eq!(made.open().unwrap_err(), OpenError::CannotDecrypt(Part::Cover, AgeOpenError::Damaged));
}

#[test]
fn frames_that_are_not_as_specified() {
    assert_eq!(
        Forge::bent(|f| f.bend_cover_frame = |p| p[3] = b'X').fails(),
        OpenError::BadMagic(Part::Cover)
    );
    assert_eq!(Forge::bent(|f| f.bend_cover_frame = |p| p[6] = 1).fails(), OpenError::BadLength(Part::Cover));
    assert_eq!(
        Forge::bent(|f| f.bend_cover_frame = |p| p[1023] = 1).fails(),
        OpenError::NonzeroPadding(Part::Cover)
    );
    assert_eq!(
        Forge::bent(|f| f.bend_letter_frame = |p| p[4] = 2).fails(),
        OpenError::BadMagic(Part::Letter)
    );
    assert_eq!(
        Forge::bent(|f| f.bend_letter_frame = |p| p.truncate(1024)).fails(),
        OpenError::BadLength(Part::Letter)
    );
    assert_eq!(
        Forge::bent(|f| f.bend_letter_frame = |p| p[4095] = 1).fails(),
        OpenError::NonzeroPadding(Part::Letter)
    );
}

#[test]
fn bodies_that_are_no_signed_cover_or_letter() {
    let malformed = OpenError::Malformed;
    assert_eq!(Forge::bent(|f| f.bend_cover_signed = |s| s.signature = None).fails(), malformed(Part::Cover));
    // The frame holds something else than a Signed.
    let not_signed = |p: &mut Vec<u8>| {
        let floor = p.len() as u64;
        *p = frame(b"\xff\xff", floor).to_vec();
    };
    assert_eq!(Forge::bent(|f| f.bend_letter_frame = not_signed).fails(), malformed(Part::Letter));
    assert_eq!(Forge::bent(|f| f.letter.body_type = 0).fails(), malformed(Part::Letter));
    assert_eq!(Forge::bent(|f| f.letter.body_type = 99).fails(), malformed(Part::Letter));
    assert_eq!(Forge::bent(|f| f.cover.attachments[0].id = vec![3; 15]).fails(), malformed(Part::Cover));
    let short = Forge::bent(|f| f.letter.attachments[0].age_secret = vec![8; 31]);
    assert_eq!(short.fails(), malformed(Part::Letter));
    let short = Forge::bent(|f| f.letter.attachments[0].plain_sha256 = vec![8; 31]);
    assert_eq!(short.fails(), malformed(Part::Letter));
}

/// Replaces a body by one that does not parse, and signs it again.
fn garbage(signed: &mut Signed, ctx: &str, outer: &format::Outer) {
    let outer_hash = Digest::of(&outer.encode_to_vec());
    let forge = Forge::good();
    *signed = forge.sign(ctx, outer_hash, b"\x0a\xff".to_vec());
}

#[test]
fn well_signed_garbage_is_malformed() {
    let cover = Forge::bent(|f| f.bend_cover_signed = |s| garbage(s, "mpf1/cover", &Forge::good().outer));
    assert_eq!(cover.fails(), OpenError::Malformed(Part::Cover));
    let letter = Forge::bent(|f| f.bend_letter_signed = |s| garbage(s, "mpf1/letter", &Forge::good().outer));
    assert_eq!(letter.fails(), OpenError::Malformed(Part::Letter));
}

#[test]
fn signatures_of_another_kind_key_or_content() {
    fn signature(signed: &mut Signed) -> &mut Signature {
        signed.signature.as_mut().unwrap()
    }
    assert_eq!(
        Forge::bent(|f| f.bend_cover_signed = |s| signature(s).alg = 2).fails(),
        OpenError::UnknownAlgorithm(Part::Cover)
    );
    assert_eq!(
        Forge::bent(|f| f.bend_letter_signed = |s| signature(s).key_id[0] ^= 1).fails(),
        OpenError::SignerMismatch(Part::Letter)
    );
    assert_eq!(
        Forge::bent(|f| f.bend_letter_signed = |s| signature(s).sig[9] ^= 1).fails(),
        OpenError::WrongSignature(Part::Letter)
    );
    assert_eq!(
        Forge::bent(|f| f.bend_cover_signed = |s| s.body.push(0)).fails(),
        OpenError::WrongSignature(Part::Cover)
    );
    let letter_as_cover = Forge::bent(|f| {
        f.bend_cover_signed = |s| {
            let hash = Digest::of(&Forge::good().outer.encode_to_vec());
            *s = Forge::good().sign("mpf1/letter", hash, s.body.clone());
        };
    });
    assert_eq!(letter_as_cover.fails(), OpenError::WrongSignature(Part::Cover));
}

#[test]
fn a_message_signed_for_another_reader_or_service_is_caught_by_the_signature() {
    // Another recipient resealed what it got: outer and names are mine, the signature is not.
    let resealed = Forge::bent(|f| f.signed_names.1 = vec![8; 32]);
    assert_eq!(resealed.fails(), OpenError::WrongSignature(Part::Cover));
    let elsewhere = Forge::bent(|f| f.signed_names.0 = "other.example".to_owned());
    assert_eq!(elsewhere.fails(), OpenError::WrongSignature(Part::Cover));
}

#[test]
fn parts_of_two_messages_do_not_mix() {
    // The cover and letter of one message under the outer header of another.
    let first = Forge::good().make();
    let second = Forge::bent(|f| f.outer.created_at = 1_795_000_000_001).make();
    let mixed = Made {
        outer: second.outer.clone(),
        cover: first.cover.clone(),
        letter: first.letter.clone(),
        hashes: Hashes { outer: second.hashes.outer, ..first.hashes },
    };
    assert_eq!(mixed.open().unwrap_err(), OpenError::WrongSignature(Part::Cover));
    // Two letters of one outer header: each names its own cover.
    let other = Forge::bent(|f| f.cover.subject = "Mahnung".to_owned()).make();
    let mixed = Made {
        letter: other.letter.clone(),
        hashes: Hashes { letter: other.hashes.letter, ..first.hashes },
        ..first
    };
    assert_eq!(mixed.open().unwrap_err(), OpenError::CoverMismatch);
}

#[test]
fn bodies_that_name_something_else_than_they_are_signed_for() {
    let hash = Digest::of(&Forge::good().outer.encode_to_vec()).to_vec();
    let unlinked = |bend: fn(&mut Forge)| {
        let hash = hash.clone();
        Forge::bent(move |f| {
            f.link = false;
            f.cover.outer_hash.clone_from(&hash);
            f.letter.outer_hash = hash;
            f.letter.cover_hash = Digest::of(&f.cover.encode_to_vec()).to_vec();
            bend(f);
        })
    };
    assert!(unlinked(|_| ()).make().open().is_ok());
    assert_eq!(unlinked(|f| f.cover.outer_hash = vec![0; 32]).fails(), OpenError::OuterMismatch(Part::Cover));
    assert_eq!(
        unlinked(|f| f.letter.outer_hash = vec![0; 32]).fails(),
        OpenError::OuterMismatch(Part::Letter)
    );
    assert_eq!(unlinked(|f| f.letter.cover_hash = vec![0; 32]).fails(), OpenError::CoverMismatch);
    assert_eq!(
        Forge::bent(|f| f.cover.recipient = vec![8; 32]).fails(),
        OpenError::RecipientMismatch(Part::Cover)
    );
    assert_eq!(
        Forge::bent(|f| f.letter.recipient = vec![8; 32]).fails(),
        OpenError::RecipientMismatch(Part::Letter)
    );
}

#[test]
fn attachments_that_differ() {
    let mismatch = OpenError::AttachmentMismatch;
    assert_eq!(Forge::bent(|f| f.letter.attachments[0].ct_root = vec![1; 32]).fails(), mismatch);
    assert_eq!(Forge::bent(|f| f.letter.attachments[0].id = vec![1; 16]).fails(), mismatch);
    assert_eq!(Forge::bent(|f| f.letter.attachments.clear()).fails(), mismatch);
    assert_eq!(Forge::bent(|f| f.outer.attachments.clear()).fails(), mismatch);
    let twice = Forge::bent(|f| {
        f.outer.attachments.push(f.outer.attachments[0].clone());
        f.letter.attachments.push(f.letter.attachments[0].clone());
    });
    assert_eq!(twice.fails(), OpenError::MalformedOuter(OuterError::AttachmentId));
    let announced = OpenError::AnnouncementMismatch;
    assert_eq!(Forge::bent(|f| f.cover.attachments[0].size = 12).fails(), announced);
    assert_eq!(Forge::bent(|f| f.cover.attachments[0].name = "b.pdf".to_owned()).fails(), announced);
    assert_eq!(Forge::bent(|f| f.cover.attachments.clear()).fails(), announced);
    assert_eq!(Forge::bent(|f| f.cover.letter_size = 6).fails(), announced);
}

#[test]
fn limits_hold_for_readers_too() {
    let cover = |e| OpenError::Limit(Part::Cover, e);
    let letter = |e| OpenError::Limit(Part::Letter, e);
    assert!(Forge::bent(|f| f.cover.subject = "ä".repeat(1024)).make().open().is_ok());
    let long = Forge::bent(|f| f.cover.subject = "ä".repeat(1025));
    assert_eq!(long.fails(), cover(LimitError::Subject { got: 1025 }));
    let long = Forge::bent(|f| f.cover.attachments[0].name = "n".repeat(256));
    assert_eq!(long.fails(), cover(LimitError::Name { got: 256 }));
    let long = Forge::bent(|f| f.letter.attachments[0].name = "n".repeat(256));
    assert_eq!(long.fails(), letter(LimitError::Name { got: 256 }));
    let many = Forge::bent(|f| f.cover.attachments = vec![f.cover.attachments[0].clone(); 101]);
    assert_eq!(many.fails(), cover(LimitError::Attachments { got: 101 }));
    let many = Forge::bent(|f| f.letter.attachments = vec![f.letter.attachments[0].clone(); 101]);
    assert_eq!(many.fails(), letter(LimitError::Attachments { got: 101 }));
    let big = Forge::bent(|f| f.cover.kind_detail = "x".repeat(64 * 1024));
    assert_eq!(big.fails(), OpenError::BadLength(Part::Cover));
    let big = Forge::bent(|f| f.letter.body = "x".repeat(1024 * 1024));
    assert_eq!(big.fails(), OpenError::BadLength(Part::Letter));
}

#[test]
fn a_disclosed_letter_is_checked_against_what_a_receipt_proves() {
    let made = Forge::good().make();
    let (_, letter) = made.open().unwrap();
    let key = letter.envelope_key().clone();
    let disclosed = || disclose_letter(&made.letter, &key).unwrap();
    assert_eq!(disclosed().envelope_hash(), made.hashes.letter);
    assert_eq!(disclosed().outer_hash(), made.hashes.outer);
    assert_eq!(disclosed().recipient(), ME);
    assert_eq!(disclosed().signer(), signer().key_id());
    let key_pub = signer().public();
    let shown = disclosed().verify(&origin(), &key_pub, &made.outer).unwrap();
    assert_eq!(shown.body(), "Hallo");
    let other = "other.example".parse().unwrap();
    assert_eq!(disclosed().verify(&other, &key_pub, &made.outer).unwrap_err(), OpenError::OtherOrigin);
    let other = SecretKey::from_seed(&[5; 32]).public();
    assert_eq!(disclosed().verify(&origin(), &other, &made.outer).unwrap_err(), OpenError::OtherSigner);
    assert_eq!(
        disclosed().verify(&origin(), &key_pub, b"").unwrap_err(),
        OpenError::OuterMismatch(Part::Letter)
    );
    let wrong = crate::EnvelopeKey::from_bytes([0; 16]);
    assert_eq!(
        disclose_letter(&made.letter, &wrong).unwrap_err(),
        OpenError::CannotDecrypt(Part::Letter, AgeOpenError::OtherKey)
    );
    let forged = Forge::bent(|f| f.bend_letter_signed = |s| s.signature.as_mut().unwrap().sig[0] ^= 1).make();
    let (plain_key, outer) = (forge_key(&forged.letter), forged.outer.clone());
    let disclosed = disclose_letter(&forged.letter, &plain_key).unwrap();
    assert_eq!(
        disclosed.verify(&origin(), &key_pub, &outer).unwrap_err(),
        OpenError::WrongSignature(Part::Letter)
    );
}

fn forge_key(envelope: &[u8]) -> crate::EnvelopeKey {
    let mailbox = mailbox();
    age_file::open(envelope, Unlock::Identity(&mailbox), 8192).unwrap().1
}

#[test]
fn debug_output_keeps_the_words_and_the_keys() {
    let forge = Forge::good();
    let printed = format!("{:?} {:?}", forge.cover, forge.letter);
    for secret in ["Bescheid", "Hallo", "a.pdf", "8, 8, 8"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}
