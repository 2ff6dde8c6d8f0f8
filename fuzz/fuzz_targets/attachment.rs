//! A stored attachment as it streams in. It opens as what was sealed, or not at all, and segments are told apart before.
#![no_main]

use std::sync::LazyLock;

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::segments::segment_leaf;
use postfach_envelope::attachment::{Attachment, SegmentHashes, open_attachment};
use postfach_envelope::hybrid::HybridIdentity;
use postfach_fuzz::{bounded, seeds, target};

const ID: AttachmentId = AttachmentId([0x11; 16]);
/// The one-off key, as the letter holds it.
static IDENTITY: LazyLock<HybridIdentity> =
    LazyLock::new(|| seeds::line("envelope", "attachment.identity").parse().expect("an identity"));
const PLAIN: &[u8] = b"Anlage zum Bescheid\n";

/// As the letter names it. Where `file` is not the sealed one, a sender signed for it all the same: so age is reached.
fn signed_for(file: &[u8]) -> Attachment {
    Attachment {
        id: ID,
        name: "Anlage.txt".to_owned(),
        media_type: "text/plain".to_owned(),
        plain_len: PLAIN.len() as u64,
        plain_sha256: Digest::of(PLAIN),
        ct_len: file.len() as u64,
        ct_root: segment_leaf(&ID, 0, file),
        identity: IDENTITY.clone(),
    }
}

fn committed() -> Vec<u8> {
    seeds::vector("envelope", "attachment.age")
}

target!(seeds: vec![committed()], |data| {
    let mut out = Vec::with_capacity(64);
    let attachment = signed_for(&committed());
    let as_sealed = open_attachment(&attachment, None, data, &mut out).is_ok();
    assert_eq!(as_sealed, data == committed(), "another file than the signed one");

    let attachment = signed_for(data);
    let mut out = Vec::with_capacity(64);
    if bounded(1, 8 << 20, || open_attachment(&attachment, None, data, &mut out)).is_ok() {
        assert_eq!(out, PLAIN);
    }
    let leaf = segment_leaf(&ID, 0, data);
    if let Ok(hashes) = SegmentHashes::verify(&attachment, vec![leaf]) {
        assert!(hashes.check(0, data).is_ok() && hashes.check(1, data).is_err());
    }
});
