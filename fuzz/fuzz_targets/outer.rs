//! Outer headers, the only part of a message that the server reads.
#![no_main]

use postfach_domain::id::Party;
use postfach_domain::limits;
use postfach_domain::outer::{Outer, OuterError, outer_hash};
use postfach_fuzz::{bounded, seeds, target};

fn start() -> Vec<Vec<u8>> {
    let mut all = seeds::bytes(&seeds::json("submission"), &["outer"]);
    all.push(seeds::vector("envelope", "outer.bin"));
    all
}

target!(seeds: start(), |data| {
    let parsed = bounded(data.len(), 64, || Outer::parse(data));
    assert_eq!(data.len() > limits::OUTER_LEN, parsed == Err(OuterError::TooLarge));
    let Ok(outer) = parsed else { return };
    assert!(outer.attachments.len() <= limits::ATTACHMENTS);
    assert!(outer.attachments.iter().all(|a| (1..=limits::ATTACHMENT_CT_LEN).contains(&a.ct_len)));
    assert_eq!(outer.sender_head.is_some(), matches!(outer.sender, Party::Mailbox(_)));
    assert!(outer.message_id.is_version_7());
    let written = outer.encode();
    assert_eq!(Outer::parse(&written).as_ref(), Ok(&outer));
    assert_eq!(outer_hash(&written) == outer_hash(data), written == data);
});
