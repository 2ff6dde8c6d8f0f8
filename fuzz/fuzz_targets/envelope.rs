//! Envelopes of cover and letter. The first byte says how deep the rest goes: the age file as it came, for the mailbox or by the
//! file's key; what stands inside it; the body inside that, whole or as a change of the committed one, in a right frame and
//! rightly signed. What opens is what the sender signed.
#![no_main]

use std::sync::LazyLock;

use postfach_domain::format::Signed;
use postfach_domain::id::Address;
use postfach_domain::outer::outer_hash;
use postfach_domain::padding::padded_len;
use postfach_domain::pae::context;
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_envelope::hybrid::HybridIdentity;
use postfach_envelope::open::{OpenedCover, Received, disclose_letter, open_cover};
use postfach_envelope::sealed::{Cover, Letter};
use postfach_envelope::{EnvelopeKey, Unlock, open_sender_copy};
use postfach_fuzz::{age_file, bounded, keys, seeds, target};
use prost::Message as _;

const RECIPIENT: Address = Address([0xaa; 32]);

/// Opens the vectors' letter.
fn file_key() -> EnvelopeKey {
    seeds::line("envelope", "letter.filekey").parse().expect("a file key")
}

fn signer() -> &'static SecretKey {
    keys::key(1)
}

fn outer() -> Vec<u8> {
    seeds::vector("envelope", "outer.bin")
}

/// The vectors' mailbox.
static MAILBOX: LazyLock<HybridIdentity> = LazyLock::new(|| HybridIdentity::from_seed([2; 32]));
/// What the sender signed, as committed.
static COVER: LazyLock<Cover> =
    LazyLock::new(|| Cover::decode(&body("cover.signed")[..]).expect("the committed cover"));
static LETTER: LazyLock<Letter> =
    LazyLock::new(|| Letter::decode(&body("letter.signed")[..]).expect("the committed letter"));
/// The committed cover, opened, with another letter's hash each time it is needed.
fn with_letter(letter: &[u8]) -> OpenedCover {
    let key = open_sender_copy(&vector("sender-copy.age"), &HybridIdentity::from_seed([3; 32]))
        .expect("two keys")
        .cover;
    open(&vector("cover.age"), letter, Unlock::FileKey(&key)).expect("the committed cover")
}

fn framed(content: &[u8], floor: u64) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut plain = [&b"MPFE\x01"[..], &length, content].concat();
    plain.resize(padded_len(plain.len() as u64, floor).try_into().unwrap_or_default(), 0);
    plain
}

/// The body with the sender's signature, for this recipient and outer header.
fn signed(ctx: &str, body: &[u8]) -> Vec<u8> {
    let outer_hash = outer_hash(&outer());
    let parts = [b"post.example".as_slice(), RECIPIENT.as_bytes(), outer_hash.as_bytes(), body];
    Signed { body: body.to_vec(), signature: Some(signer().sign(ctx, &parts)) }.encode_to_vec()
}

/// Opens a cover as the reader of a message with this cover and this letter.
fn open(cover: &[u8], letter: &[u8], unlock: Unlock<'_>) -> Option<OpenedCover> {
    let (origin, outer, signer) = (keys::origin(), outer(), signer().public());
    let hashes = Hashes::of(&outer, cover, letter);
    let received = Received { origin: &origin, recipient: RECIPIENT, signer: &signer, hashes, outer: &outer };
    open_cover(&received, cover, unlock).ok()
}

fn vector(name: &'static str) -> Vec<u8> {
    seeds::vector("envelope", name)
}

/// The body inside the committed cover or letter.
fn body(name: &'static str) -> Vec<u8> {
    Signed::decode(&vector(name)[..]).expect("a signed body").body
}

/// An age file: opens only as what the sender signed. Memory is that of the file, its plaintext and its body.
fn file(data: &[u8], key: Unlock<'_>) {
    if let Some(cover) = bounded(data.len(), 8, || open(data, &[], key)) {
        assert_eq!(cover.subject(), COVER.subject);
    }
    let cover = with_letter(data);
    if let Ok(letter) = bounded(data.len(), 8, || cover.open_letter(data, key)) {
        assert_eq!(letter.body(), LETTER.body);
    }
    let Unlock::FileKey(key) = key else { return };
    let shown = disclose_letter(data, key);
    if let Ok(letter) = shown.and_then(|shown| shown.verify(&keys::origin(), &signer().public(), &outer())) {
        assert_eq!(letter.body(), LETTER.body);
    }
}

/// A cover that the sender signed, whatever it says: what opens is this body, and belongs to this message.
fn signed_cover(data: &[u8]) -> Option<()> {
    let (file, key) = age_file::seal(&framed(&signed(context::COVER, data), 1024));
    let opened = bounded(file.len(), 64, || open(&file, &[], Unlock::FileKey(&key)))?;
    let cover = Cover::decode(data).expect("it opened");
    assert_eq!(opened.subject(), cover.subject);
    assert_eq!(opened.attachments().len(), cover.attachments.len());
    assert_eq!(cover.recipient, RECIPIENT.as_bytes());
    assert_eq!(cover.outer_hash, outer_hash(&outer()).as_bytes());
    Some(())
}

/// The same of a letter, which also has to be the one that the cover announced.
fn signed_letter(data: &[u8]) -> Option<()> {
    let (file, key) = age_file::seal(&framed(&signed(context::LETTER, data), 4096));
    let cover = with_letter(&file);
    let opened = bounded(file.len(), 64, || cover.open_letter(&file, Unlock::FileKey(&key))).ok()?;
    let letter = Letter::decode(data).expect("it opened");
    assert_eq!(opened.body(), letter.body);
    assert_eq!(cover.letter_size(), letter.body.len() as u64, "another letter than announced");
    assert_eq!(letter.recipient, RECIPIENT.as_bytes());
    let inside: Vec<_> = opened.attachments().iter().map(|a| (a.id, &a.name, a.plain_len)).collect();
    let announced: Vec<_> = cover.attachments().iter().map(|a| (a.id, &a.name, a.size)).collect();
    assert_eq!(inside, announced, "other attachments than announced");
    Some(())
}

/// What the sender signs, with one byte of the committed one changed: place and value.
fn one_byte(of: &'static str, change: &[u8]) -> Option<Vec<u8>> {
    let (mut body, (at, value)) = (body(of), change.split_first_chunk::<2>()?);
    let at = usize::from(u16::from_be_bytes(*at)) % body.len();
    body[at] = *value.first()?;
    Some(body)
}

fn start() -> Vec<Vec<u8>> {
    assert!(signed_cover(&body("cover.signed")).is_some(), "the committed cover does not open");
    assert!(signed_letter(&body("letter.signed")).is_some(), "the committed letter does not open");
    let part = |depth: u8, rest: Vec<u8>| [vec![depth], rest].concat();
    let mut all: Vec<Vec<u8>> =
        vec![part(0, vector("cover.age")), part(0, vector("letter.age")), part(1, vector("letter.age"))];
    for (name, floor, depth) in [("cover.signed", 1024, 3), ("letter.signed", 4096, 4)] {
        all.push(part(2, framed(&vector(name), floor)));
        all.push(part(depth, body(name)));
        all.push(part(depth + 2, vec![0, 0, 0]));
    }
    all
}

target!(seeds: start(), |data| {
    match data.split_first() {
        Some((0, rest)) => file(rest, Unlock::Identity(&MAILBOX)),
        Some((1, rest)) => file(rest, Unlock::FileKey(&file_key())),
        Some((2, plain)) => {
            let (sealed, key) = age_file::seal(plain);
            file(&sealed, Unlock::FileKey(&key));
        }
        Some((3, body)) => _ = signed_cover(body),
        Some((4, body)) => _ = signed_letter(body),
        Some((5, change)) => _ = one_byte("cover.signed", change).and_then(|body| signed_cover(&body)),
        Some((6, change)) => _ = one_byte("letter.signed", change).and_then(|body| signed_letter(&body)),
        _ => {}
    }
});
