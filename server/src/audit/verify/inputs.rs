//! What an audit reads besides the database: the service card, and checkpoints kept in files. Their signatures are
//! always checked, they are few.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use postfach_domain::card::ServiceCard;
use postfach_ledger::checkpoint::LogKeys;
use postfach_ledger::vkey::LogVerifier;
use postfach_ledger::witness::{WitnessPolicy, WitnessVerifier};

use super::facts::Context;
use super::problem::{Checked, Failure, bad_at};
use super::tree::{KeptCheckpoint, Tree, Trees};
use crate::deployment::folder::Folder;
use crate::failure::Failure as Ended;

/// What the service card pins.
pub struct Pinned {
    /// For all checks.
    pub context: Context,
    keys: LogKeys,
    evidence: LogKeys,
    witnesses: WitnessPolicy,
}

/// Reads the service card.
pub fn read_card(folder: &Folder, signatures: bool) -> Checked<Pinned> {
    let path = folder.card();
    let wrong = |what: String| bad_at("file", "service-card.toml", what);
    let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
    let card = ServiceCard::verify(&bytes).map_err(|error| wrong(error.to_string()))?.card;
    let log = |vkey: &str, name: &str| {
        let verifier = |text: &str| LogVerifier::from_vkey(text).map_err(|error| wrong(error.to_string()));
        let mut former = Vec::new();
        for old in &card.former_logs {
            let key = verifier(&old.vkey)?;
            if key.name() == name {
                former.push((key, old.final_size));
            }
        }
        LogKeys::new(verifier(vkey)?, former).ok_or_else(|| wrong("two keys of a log look alike".into()))
    };
    let witnesses = card.witness_policy.witnesses.iter().map(|vkey| WitnessVerifier::from_vkey(vkey));
    let witnesses: Vec<_> = witnesses.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    let witnesses = WitnessPolicy::new(witnesses, card.witness_policy.quorum as usize)
        .ok_or_else(|| wrong("a witness stands twice".into()))?;
    Ok(Pinned {
        keys: log(&card.keys_log, &card.origin.keys_log())?,
        evidence: log(&card.evidence_log, &card.origin.evidence_log())?,
        witnesses,
        context: Context { origin: card.origin, registrar: card.registrar, signatures },
    })
}

/// Both trees, empty, with the checkpoints that they have to extend; answers how many there are. `also`
/// and `compared` name checkpoints of either log that somebody else kept. To be called before the database is opened:
/// files never run ahead of it.
pub fn trees(
    folder: &Folder,
    pinned: &Pinned,
    also: &[PathBuf],
    compared: &[PathBuf],
) -> Checked<(Trees, u64)> {
    let (mut keys, mut evidence) = (Vec::new(), Vec::new());
    for (log, name, kept) in
        [(&pinned.keys, "keys", &mut keys), (&pinned.evidence, "evidence", &mut evidence)]
    {
        let path = folder.checkpoints().join(name);
        match fs::read(&path) {
            Ok(note) => kept.push(verified(pinned, log, format!("checkpoints/{name}"), &note)?),
            // None is written before the first start.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&path, &error)),
        }
    }
    let tolerated = compared.iter().map(|path| (path, true));
    for (path, tolerated) in also.iter().map(|path| (path, false)).chain(tolerated) {
        let note = fs::read(path).map_err(|error| Failure::Named(Ended::file(path, &error)))?;
        let name = path.display().to_string();
        // Its first line says which log it is of.
        let of_keys = note.starts_with(format!("{}\n", pinned.keys.name()).as_bytes());
        let (log, kept) = if of_keys { (&pinned.keys, &mut keys) } else { (&pinned.evidence, &mut evidence) };
        kept.push(KeptCheckpoint { tolerated, ..verified(pinned, log, name, &note)? });
    }
    let count = (keys.len() + evidence.len()) as u64;
    let witnesses = || pinned.witnesses.clone();
    let trees = Trees {
        keys: Tree::new("log=0", pinned.keys.clone(), witnesses(), keys)?,
        evidence: Tree::new("log=1", pinned.evidence.clone(), witnesses(), evidence)?,
    };
    Ok((trees, count))
}

fn verified(pinned: &Pinned, log: &LogKeys, file: String, note: &[u8]) -> Checked<KeptCheckpoint> {
    match log.verify(note, &pinned.witnesses) {
        Ok(verified) => Ok(KeptCheckpoint { file, checkpoint: verified.signed.checkpoint, tolerated: false }),
        Err(error) => Err(bad_at("file", file, error)),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreadable(format!("{}: {error}", path.display()))
}
