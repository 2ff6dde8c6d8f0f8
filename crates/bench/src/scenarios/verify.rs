//! Whether a receipt holds.

use anyhow::{Context as _, Result, ensure};
use postfach_domain::event::Event;
use postfach_domain::submission::Hashes;
use postfach_ledger::checkpoint::LogKeys;
use postfach_ledger::hash::Hash;
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::proof::verify_inclusion;
use postfach_ledger::witness::WitnessPolicy;

use super::Answer;
use crate::world::Letter;

/// The three hashes of a letter.
pub fn hashes(letter: &Letter) -> Hashes {
    let submission = &letter.submission;
    Hashes::of(&submission.outer, &submission.cover_envelope, &submission.letter_envelope)
}

/// The event is this letter's, and is included under a signed checkpoint.
pub fn verify(log: &LogKeys, letter: &Letter, answer: &Answer) -> Result<()> {
    let logged = &answer.event;
    let event = Event::parse(&logged.event)?;
    ensure!(
        event.event_type == answer.event_type && event.message_id == Some(letter.message_id),
        "another event"
    );
    ensure!(event.hashes == Some(hashes(letter)), "another letter's event");
    let checkpoint = log.verify(&answer.note, &WitnessPolicy::default())?.signed.checkpoint;
    let salt: [u8; 32] = logged.salt.as_slice().try_into().context("the salt has not 32 bytes")?;
    let leaf = EvidenceLeaf { commitment: postfach_ledger::leaf::commitment(&salt, &logged.event) };
    let path: Vec<Hash> = logged
        .inclusion
        .iter()
        .map(|hash| Hash::from_slice(hash).context("a hash has not 32 bytes"))
        .collect::<Result<_>>()?;
    verify_inclusion(logged.index, checkpoint.size, &leaf.leaf_hash(), &path, &checkpoint.root)?;
    Ok(())
}
