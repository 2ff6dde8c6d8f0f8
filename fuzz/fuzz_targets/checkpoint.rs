//! Checkpoints: signed notes as they came, and any text that a log or a witness would sign. One checkpoint has one spelling.
#![no_main]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::Signer as _;
use postfach_fuzz::{bounded, keys, seeds, target, text};
use postfach_ledger::checkpoint::{Checkpoint, MAX_NOTE, VerifiedCheckpoint};
use postfach_ledger::vkey::LogSigner;

/// Verified by the keys log and its witnesses.
fn verify(note: &[u8]) -> Option<VerifiedCheckpoint> {
    let trust = keys::trust();
    trust.keys_log.verify(note, &trust.witnesses).ok()
}

/// The text as the log signs it, whatever it says.
fn signed_text(log: &LogSigner, text: &str) -> Vec<u8> {
    let sig = log.expose_key().expose_dalek().sign(text.as_bytes()).to_bytes();
    let line = BASE64_STANDARD.encode([&log.verifier().note_key_id().to_be_bytes()[..], &sig].concat());
    format!("{text}\n\u{2014} {} {line}\n", log.verifier().name()).into_bytes()
}

/// What holds for each that holds.
fn check(verified: &VerifiedCheckpoint, note: &[u8]) {
    let log = keys::keys_log();
    let (checkpoint, kept) = (&verified.signed.checkpoint, &verified.signed.note);
    assert_eq!(kept, note);
    assert!(note.len() <= MAX_NOTE && note.starts_with(checkpoint.text().as_bytes()));
    assert_eq!(checkpoint.origin, log.verifier().name());
    // Ed25519 signs the same bytes in the same way, so that the log's own note is the only one.
    let again = Checkpoint::sign(log, checkpoint.size, checkpoint.root);
    assert!(note.starts_with(&again.note), "two spellings of one checkpoint");
    assert_eq!(verified.cosignatures.is_empty(), again.note == *kept);
    let cosigned = keys::witness(1).cosign(&again, 7).note;
    assert_eq!(verify(&cosigned).map(|v| v.cosignatures.len()), Some(1));
}

fn committed() -> Vec<Vec<u8>> {
    ["keys.checkpoint", "keys-cosigned.checkpoint"].map(|name| seeds::vector("ledger", name)).into()
}

/// The notes, and the text alone.
fn start() -> Vec<Vec<u8>> {
    let mut all = committed();
    let note = String::from_utf8(all[0].clone()).expect("text");
    let end = note.find("\n\n").expect("an empty line") + 1;
    all.push(note[..end].as_bytes().to_vec());
    all
}

target!(seeds: start(), |data| {
    if let Some(verified) = bounded(data.len(), 64, || verify(data)) {
        check(&verified, data);
        let text = verified.signed.checkpoint.text();
        let known = committed().iter().any(|note| note.starts_with(text.as_bytes()));
        assert!(known, "a checkpoint that nobody signed");
    }
    let text = text!(data);
    let note = signed_text(keys::keys_log(), text);
    if let Some(verified) = verify(&note) {
        assert_eq!(verified.signed.checkpoint.text(), text, "two spellings of one text");
        check(&verified, &note);
        assert!(verify(&signed_text(keys::evidence_log(), text)).is_none(), "by the key of another log");
    }
});
