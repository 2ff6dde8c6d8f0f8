//! Everything else of the logs that comes from outside: proofs, leaves, bundles of leaves, tiles, head statements. Each has one
//! spelling, so that what is read is written back byte for byte.
#![no_main]

use std::sync::LazyLock;

use postfach_domain::format::Signature;
use postfach_domain::sign::SignatureError;
use postfach_fuzz::{bounded, keys, seeds, target};
use postfach_ledger::head::{HeadError, HeadStatement};
use postfach_ledger::leaf::KeyLeaf;
use postfach_ledger::tile::{TileData, decode_bundle, encode_bundle};
use postfach_ledger::tlog_proof::TlogProof;

fn proof(data: &[u8]) {
    let Ok(proof) = bounded(data.len(), 8, || TlogProof::parse(data)) else { return };
    assert_eq!(proof.encode(), data);
    // The third leaf of the vectors is what the committed proof is about; it is proven at no other place.
    let (trust, leaf) = (keys::trust(), LEAVES[2].leaf_hash());
    if proof.verify(&leaf, &trust.keys_log, &trust.witnesses).is_ok() {
        assert_eq!(proof.index, 2);
    }
}

fn head(data: &[u8]) {
    let trust = keys::trust();
    let by_key = |key: &postfach_domain::sign::SecretKey| Signature {
        alg: 1,
        key_id: key.key_id().to_vec(),
        sig: vec![0; 64],
    };
    let log = keys::keys_log();
    match HeadStatement::verify(data, &by_key(log.expose_key()), &trust.keys_log) {
        Ok(_) => panic!("a statement with a signature of zeros"),
        Err(HeadError::Signature(SignatureError::Invalid)) => {}
        Err(_) => return,
    }
    let stranger = HeadStatement::verify(data, &by_key(keys::key(3)), &trust.keys_log);
    assert_eq!(stranger, Err(HeadError::Key));
}

/// Read once.
static LEAVES: LazyLock<Vec<KeyLeaf>> = LazyLock::new(leaves);

/// Leaves of the keys log, of the committed vectors.
fn leaves() -> Vec<KeyLeaf> {
    let text = seeds::line("ledger", "leaves.txt");
    let hex = text.lines().filter_map(|line| line.strip_prefix("key "));
    hex.filter_map(|digits| KeyLeaf::decode(&hex::decode(digits).ok()?)).collect()
}

fn start() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = leaves().iter().map(|leaf| leaf.encode().to_vec()).collect();
    all.push(seeds::vector("ledger", "link.tlog-proof"));
    all.push(seeds::vector("ledger", "entries-000.p-4"));
    all.push(vec![7; 64]);
    let head = seeds::line("ledger", "head.txt");
    let statement = head.lines().find_map(|line| line.strip_prefix("statement ")).expect("a statement");
    all.push(hex::decode(statement).expect("hexadecimal"));
    all
}

target!(seeds: start(), |data| {
    proof(data);
    head(data);
    if let Some(leaf) = KeyLeaf::decode(data) {
        assert_eq!(leaf.encode(), data);
    }
    if let Some(entries) = bounded(data.len(), 32, || decode_bundle(data)) {
        assert_eq!(encode_bundle(&entries).as_deref(), Some(data));
    }
    if let Some(tile) = TileData::from_bytes(data.to_vec()) {
        assert_eq!(tile.hashes().count(), usize::from(tile.width()));
        let hashes: Vec<_> = tile.hashes().collect();
        assert_eq!(TileData::from_hashes(&hashes).map(TileData::into_bytes).as_deref(), Some(data));
    }
});
