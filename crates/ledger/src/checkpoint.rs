//! Checkpoints (C2SP tlog-checkpoint) as signed notes: writing, and reading so strictly that one checkpoint has one
//! spelling. Whether a checkpoint extends another one is decided in `follow` and `proof`.

use crate::hash::Hash;
use crate::tile::MAX_SIZE;
use crate::vkey::{LogSigner, LogVerifier, signature_line};
use crate::witness::{Cosignature, WitnessPolicy};

/// Longest note that is read, in bytes: far more than a log and its witnesses need.
pub const MAX_NOTE: usize = 64 * 1024;

/// The state of a log at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name: `<origin>/keys` or `<origin>/evidence`.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
}

impl Checkpoint {
    /// The three lines that are signed, each with its newline.
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads the three lines; `None` on extension lines or any other spelling.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let size = size.parse().ok().filter(|size| *size <= MAX_SIZE)?;
        let checkpoint = Self { origin: origin.to_owned(), size, root: Hash::from_base64(root)? };
        (checkpoint.text() == text).then_some(checkpoint)
    }

    /// Signs the checkpoint of the signer's log.
    pub fn sign(signer: &LogSigner, size: u64, root: Hash) -> SignedCheckpoint {
        let verifier = signer.verifier();
        let checkpoint = Self { origin: verifier.name().to_owned(), size, root };
        let text = checkpoint.text();
        let sig = signer.sign_text(text.as_bytes());
        let note = format!("{text}\n{}", signature_line(verifier.name(), verifier.note_key_id(), &sig));
        SignedCheckpoint { checkpoint, note: note.into_bytes() }
    }
}

/// A checkpoint with the note that carries it, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What the note says.
    pub checkpoint: Checkpoint,
    /// The signed note: text, empty line, signature lines.
    pub note: Vec<u8>,
}

/// A checkpoint whose every signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    /// The checkpoint and its note.
    pub signed: SignedCheckpoint,
    /// The witnesses that cosigned, in card order.
    pub cosignatures: Vec<Cosignature>,
}

/// Why a note is not a checkpoint of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not a checkpoint in its one spelling: text, sizes, base64, extension lines, length.
    #[error("malformed checkpoint")]
    Malformed,
    /// The first line names another log.
    #[error("checkpoint of another log")]
    Origin,
    /// The first signature is not by a key of this log that may sign this size.
    #[error("checkpoint is not signed by a key of this log")]
    Key,
    /// The log's signature does not fit.
    #[error("signature of the checkpoint does not fit")]
    Signature,
    /// A further line is not by a known witness, in card order, once, and fitting.
    #[error("cosignature is unknown, out of order or does not fit")]
    Cosignature,
}

/// The keys of one log: the current one, and former ones that may vouch for sizes up to their last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    current: LogVerifier,
    former: Vec<(LogVerifier, u64)>,
}

impl LogKeys {
    /// `former` holds retired keys, each with the final tree size it signed. `None` if names differ or two keys
    /// share a key id.
    pub fn new(current: LogVerifier, former: Vec<(LogVerifier, u64)>) -> Option<Self> {
        let keys = Self { current, former };
        let all: Vec<_> = keys.all().map(|(key, _)| key).collect();
        let distinct = all.iter().enumerate().all(|(at, key)| {
            let same_id = |other: &&LogVerifier| other.note_key_id() == key.note_key_id();
            key.name() == keys.current.name() && !all[..at].iter().any(same_id)
        });
        distinct.then_some(keys)
    }

    /// The log's name.
    pub fn name(&self) -> &str {
        self.current.name()
    }

    /// The key that signs now.
    pub fn current(&self) -> &LogVerifier {
        &self.current
    }

    /// All keys with the largest size each may sign.
    pub fn all(&self) -> impl Iterator<Item = (&LogVerifier, u64)> {
        let former = self.former.iter().map(|(key, last)| (key, *last));
        std::iter::once((&self.current, MAX_SIZE)).chain(former)
    }

    /// Reads a note strictly: this log's checkpoint, signed first by a key of the log, then by witnesses of the policy
    /// in card order, nothing else. Whether enough witnesses cosigned is for the caller to ask.
    pub fn verify(
        &self,
        note: &[u8],
        witnesses: &WitnessPolicy,
    ) -> Result<VerifiedCheckpoint, CheckpointError> {
        let (text, signatures) = split_note(note).ok_or(CheckpointError::Malformed)?;
        let checkpoint = Checkpoint::parse(text).ok_or(CheckpointError::Malformed)?;
        if checkpoint.origin != self.name() {
            return Err(CheckpointError::Origin);
        }
        let (own, others) = signatures.split_first().ok_or(CheckpointError::Malformed)?;
        self.verify_own(&checkpoint, text, own)?;
        let cosignatures = verify_cosignatures(text, others, witnesses)?;
        Ok(VerifiedCheckpoint { signed: SignedCheckpoint { checkpoint, note: note.to_vec() }, cosignatures })
    }

    fn verify_own(
        &self,
        checkpoint: &Checkpoint,
        text: &str,
        signature: &signed_note::Signature,
    ) -> Result<(), CheckpointError> {
        let (key, _) = self
            .all()
            .find(|(key, last)| {
                key.name() == signature.name()
                    && key.note_key_id() == signature.id()
                    && checkpoint.size <= *last
            })
            .ok_or(CheckpointError::Key)?;
        let fits = key.verify_text(text.as_bytes(), signature.signature());
        if fits { Ok(()) } else { Err(CheckpointError::Signature) }
    }
}

fn verify_cosignatures(
    text: &str,
    signatures: &[signed_note::Signature],
    policy: &WitnessPolicy,
) -> Result<Vec<Cosignature>, CheckpointError> {
    // Taking witnesses from one iterator keeps card order and lets each sign once.
    let mut witnesses = policy.witnesses().iter();
    signatures
        .iter()
        .map(|signature| {
            let witness = witnesses
                .find(|w| w.name() == signature.name() && w.note_key_id() == signature.id())
                .ok_or(CheckpointError::Cosignature)?;
            let time =
                witness.verify_text(text, signature.signature()).ok_or(CheckpointError::Cosignature)?;
            Ok(Cosignature { witness: witness.name().to_owned(), time })
        })
        .collect()
}

/// Splits a note into its text (with the final newline) and its signatures; `None` unless it is canonical.
fn split_note(note: &[u8]) -> Option<(&str, Vec<signed_note::Signature>)> {
    if note.len() > MAX_NOTE {
        return None;
    }
    let note = std::str::from_utf8(note).ok()?;
    let text_end = note.rfind("\n\n")? + 1;
    let (text, lines) = (&note[..text_end], &note[text_end + 1..]);
    let mut signatures = Vec::new();
    for line in lines.split_inclusive('\n') {
        let signature = signed_note::Signature::from_bytes(line.strip_suffix('\n')?.as_bytes()).ok()?;
        if signature.to_bytes() != line.as_bytes() {
            return None;
        }
        signatures.push(signature);
    }
    Some((text, signatures))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::sign::SecretKey;

    use super::*;
    use crate::hash::leaf_hash;

    const NAME: &str = "post.example/evidence";

    fn signer(seed: u8) -> LogSigner {
        LogSigner::new(NAME, SecretKey::from_seed(&[seed; 32])).unwrap()
    }

    fn keys() -> LogKeys {
        LogKeys::new(signer(1).verifier().clone(), vec![(signer(2).verifier().clone(), 100)]).unwrap()
    }

    fn note(size: u64) -> SignedCheckpoint {
        Checkpoint::sign(&signer(1), size, leaf_hash(b"root"))
    }

    /// A note with this text, rightly signed.
    fn signed_text(text: &str) -> Vec<u8> {
        let key = signer(1);
        let sig = key.sign_text(text.as_bytes());
        format!("{text}\n{}", signature_line(NAME, key.verifier().note_key_id(), &sig)).into_bytes()
    }

    fn verify(note: &[u8]) -> Result<VerifiedCheckpoint, CheckpointError> {
        keys().verify(note, &WitnessPolicy::none())
    }

    #[test]
    fn what_is_signed_verifies() {
        for size in [0, 1, MAX_SIZE] {
            let signed = note(size);
            let verified = verify(&signed.note).unwrap();
            assert_eq!(verified, VerifiedCheckpoint { signed, cosignatures: vec![] });
        }
        assert_eq!(verify(&signed_text(&note(7).checkpoint.text())).unwrap().signed, note(7));
    }

    #[test]
    fn the_other_implementations_read_it() {
        let signed = note(42);
        let parsed = signed_note::Note::from_bytes(&signed.note).unwrap();
        let key = signed_note::StandardVerifier::new(&signer(1).verifier().vkey()).unwrap();
        let (good, unknown) = parsed.verify(&signed_note::VerifierList::new(vec![Box::new(key)])).unwrap();
        assert_eq!((good.len(), unknown.len()), (1, 0));
        let theirs = tlog_tiles::Checkpoint::from_bytes(parsed.text()).unwrap();
        assert_eq!((theirs.origin(), theirs.size(), theirs.extension()), (NAME, 42, ""));
        assert_eq!(theirs.hash().0, signed.checkpoint.root.to_bytes());
    }

    #[test]
    fn the_text_has_one_spelling() {
        let root = leaf_hash(b"root").to_base64();
        assert!(verify(&signed_text(&format!("{NAME}\n7\n{root}\n"))).is_ok());
        let unpadded = root.trim_end_matches('=');
        for text in [
            format!("{NAME}\n07\n{root}\n"),
            format!("{NAME}\n+7\n{root}\n"),
            format!("{NAME}\n 7\n{root}\n"),
            format!("{NAME}\n9223372036854775808\n{root}\n"),
            format!("{NAME}\n\n{root}\n"),
            format!("{NAME}\n7\n{unpadded}\n"),
            format!("{NAME}\n7\n{root}\nextension\n"),
            format!("{NAME}\n7\n{root}\n\n"),
            format!("{NAME}\n7\n{root}\r\n"),
            format!("\n{NAME}\n7\n{root}\n"),
            format!("{NAME}\n7\n"),
        ] {
            assert_eq!(verify(&signed_text(&text)), Err(CheckpointError::Malformed), "{text:?}");
        }
        let other = signed_text(&format!("post.example/keys\n7\n{root}\n"));
        assert_eq!(verify(&other), Err(CheckpointError::Origin));
    }

    #[test]
    fn former_keys_end_with_their_size() {
        let old = |size| Checkpoint::sign(&signer(2), size, leaf_hash(b"root")).note;
        assert!(verify(&old(100)).is_ok());
        assert_eq!(verify(&old(101)), Err(CheckpointError::Key));
        let stranger = Checkpoint::sign(&signer(3), 5, leaf_hash(b"root"));
        assert_eq!(verify(&stranger.note), Err(CheckpointError::Key));
        let twice = LogKeys::new(signer(1).verifier().clone(), vec![(signer(1).verifier().clone(), 1)]);
        assert!(twice.is_none());
    }
}
