//! Receipts. Only the committed ones hold, byte for byte: nobody else has the keys. So that more than the proofs is seen, the
//! same input is also logged for real, whatever it says: then it still needs somebody's signature.
#![no_main]

use postfach_domain::event::{Event, EventSigned, commitment};
use postfach_domain::format;
use postfach_fuzz::{bounded, keys, seeds, target};
use postfach_ledger::checkpoint::Checkpoint;
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::receipt::{MAGIC, MAX_RECEIPT, Receipt, VerifiedReceipt, verify};
use postfach_ledger::tlog_proof::TlogProof;
use postfach_ledger::tree::TreeEdge;
use prost::Message as _;

/// What the service would give for this event, had it happened.
fn logged(data: &[u8]) -> Option<Vec<u8>> {
    let mut message = format::Receipt::decode(data.strip_prefix(MAGIC)?).ok()?;
    let salt: [u8; 32] = message.salt.as_slice().try_into().ok()?;
    let mut tree = TreeEdge::new();
    tree.append([EvidenceLeaf { commitment: commitment(&salt, &message.event) }.leaf_hash()]).ok()?;
    let checkpoint = Checkpoint::sign(keys::evidence_log(), tree.size(), tree.root());
    message.evidence_proof = TlogProof::new(0, tree.inclusion_proof(0).ok()?, &checkpoint).encode();
    Some([&MAGIC[..], &message.encode_to_vec()].concat())
}

/// The receipt says what its event says, and a party signed it.
fn check(receipt: &VerifiedReceipt) {
    let event = &receipt.event;
    if let Some(outer) = &receipt.outer {
        assert_eq!(Some(outer.message_id), event.message_id);
        assert_eq!((Some(&outer.sender), Some(outer.recipient)), (event.sender.as_ref(), event.recipient));
    }
    assert_eq!(event.signed.is_some(), receipt.key_claim.is_some(), "signed, and nobody's key");
    assert_eq!(receipt.act.is_some(), matches!(event.signed, Some(EventSigned::Act(_))));
    assert!(!receipt.witnessed && receipt.witnessed_by().is_none(), "no witness saw it");
    let signed = committed().iter().any(|known| *known == event.signed);
    assert!(event.signed.is_none() || signed, "signed by nobody");
}

/// What was signed in the committed receipts.
fn committed() -> Vec<Option<EventSigned>> {
    let events = files().into_iter().map(|file| Receipt::parse(&file).expect("a receipt").event);
    events.map(|event| Event::parse(&event).expect("an event").signed).collect()
}

fn files() -> Vec<Vec<u8>> {
    ["accepted.receipt", "handed-over.receipt"].map(|name| seeds::vector("ledger", name)).into()
}

/// The receipts, and something short to put behind one.
fn start() -> Vec<Vec<u8>> {
    [files(), vec![vec![0x32, 0]]].concat()
}

target!(seeds: start(), |data| {
    for file in files() {
        let longer = [&file[..], data].concat();
        assert!(data.is_empty() || Receipt::parse(&longer).is_err(), "bytes behind a receipt");
    }
    if let Ok(receipt) = bounded(data.len(), 128, || Receipt::parse(data)) {
        assert_eq!(receipt.encode(), data);
        assert!(data.len() <= MAX_RECEIPT);
    }
    let trust = keys::trust();
    if verify(data, trust).is_ok() {
        assert!(files().iter().any(|file| file == data), "a receipt of something that never happened");
    }
    if let Some(data) = logged(data)
        && let Ok(receipt) = verify(&data, trust)
    {
        check(&receipt);
        // A field more, and a byte less.
        assert!(verify(&[&data[..], &[0x3a, 0]].concat(), trust).is_err());
        assert!(verify(&data[..data.len() - 1], trust).is_err());
    }
});
