//! Byte vectors of every format of this crate, kept as files. They may change with a new version of a format only:
//! `LEDGER_WRITE_VECTORS=1 cargo test -p postfach-ledger --test vectors` writes them anew.
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use common::*;
use postfach_domain::hash::Digest;
use postfach_ledger::head::HeadStatement;
use postfach_ledger::leaf::{EvidenceLeaf, KeyLeaf, commitment};
use postfach_ledger::receipt::verify;
use postfach_ledger::tile::{Resource, encode_bundle};
use postfach_ledger::tlog_proof::TlogProof;
use postfach_ledger::tree::TreeEdge;
use postfach_ledger::witness::WitnessPolicy;

/// Compares with the kept file, or writes it when asked to.
fn keep(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    if std::env::var_os("LEDGER_WRITE_VECTORS").is_some() {
        std::fs::write(&path, bytes).unwrap();
    }
    let kept = std::fs::read(&path).unwrap();
    assert!(kept == bytes, "{name} differs:\n{}", String::from_utf8_lossy(bytes));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn keys_of_logs_and_witnesses() {
    let lines = [
        keys_signer().verifier().vkey(),
        evidence_signer().verifier().vkey(),
        witness(1).verifier().vkey(),
        witness(2).verifier().vkey(),
    ];
    keep("vkeys.txt", (lines.join("\n") + "\n").as_bytes());
}

#[test]
fn leaves() {
    let mut lines: Vec<_> = key_leaves().iter().map(|leaf| format!("key {}", hex(&leaf.encode()))).collect();
    let revocation = KeyLeaf::Revocation { key_id: authority_key().key_id(), hash: Digest([8; 32]) };
    lines.push(format!("key {}", hex(&revocation.encode())));
    let evidence = EvidenceLeaf { commitment: commitment(&SALT, b"event") };
    lines.push(format!("evidence {}", hex(&evidence.encode())));
    keep("leaves.txt", (lines.join("\n") + "\n").as_bytes());

    let entries: Vec<_> = key_leaves().iter().map(KeyLeaf::encode).collect();
    keep("entries-000.p-4", &encode_bundle(&entries).unwrap());
}

#[test]
fn tiles_roots_and_paths() {
    let mut tree = TreeEdge::new();
    tree.append((0u32..600).map(|i| postfach_ledger::hash::leaf_hash(&i.to_be_bytes()))).unwrap();
    let mut text = format!("root {}\n", tree.root());
    for (coord, data) in tree.dirty_tiles() {
        assert_eq!(Resource::parse(&coord.path()), Some(Resource::Tile(coord)));
        let digest = Digest::of(data.as_bytes());
        writeln!(text, "{} sha256 {digest}", coord.path()).unwrap();
    }
    for index in [0, 255, 256, 599] {
        for hash in tree.inclusion_proof(index).unwrap() {
            writeln!(text, "proof {index} {hash}").unwrap();
        }
    }
    keep("tree-600.txt", text.as_bytes());
}

#[test]
fn checkpoints_and_proofs() {
    let (signed, _) = keys_checkpoint();
    keep("keys.checkpoint", &signed.note);
    let cosigned = witness(2).cosign(&witness(1).cosign(&signed, 1_795_000_001), 1_795_000_002);
    keep("keys-cosigned.checkpoint", &cosigned.note);
    let trust = trust();
    let verified = trust.keys_log.verify(&cosigned.note, &trust.witnesses).unwrap();
    assert_eq!(verified.cosignatures.len(), 2);

    let proof = key_proof(2);
    keep("link.tlog-proof", &proof.encode());
    let parsed = TlogProof::parse(&proof.encode()).unwrap();
    parsed.verify(&key_leaves()[2].leaf_hash(), &trust.keys_log, &WitnessPolicy::none()).unwrap();
}

#[test]
fn head_statement() {
    let (signed, _) = keys_checkpoint();
    let head = HeadStatement {
        subject: address().label().0,
        seq: chain().head().seq,
        hash: chain().head().link_hash,
        tree_size: signed.checkpoint.size,
        time: NOW,
    };
    let signature = head.sign(&keys_signer());
    HeadStatement::verify(&head.encode(), &signature, &trust().keys_log).unwrap();
    let sig = base64::engine::general_purpose::STANDARD.encode(&signature.sig);
    let text = format!("statement {}\nkey_id {}\nsig {sig}\n", hex(&head.encode()), hex(&signature.key_id));
    keep("head.txt", text.as_bytes());
}

#[test]
fn receipts() {
    for (name, receipt) in [("accepted.receipt", accepted()), ("handed-over.receipt", handed_over())] {
        let bytes = receipt.encode();
        keep(name, &bytes);
        verify(&bytes, &trust()).unwrap();
    }
}
