//! Wraps (SPEC 2): the mailbox's secret keys, sealed for one of its devices or for its recovery key.
//!
//! One wrap is one age file holding `(u32 generation, seed 32)*`. Who gets one, and when, is the caller's business.

use std::collections::BTreeMap;

use postfach_domain::limits;
use zeroize::Zeroizing;

use crate::age_file::{self, AgeOpenError, AgeSealError};
use crate::file_key::Unlock;
use crate::hybrid::{HybridIdentity, HybridRecipient, SEED_LEN};

const ENTRY_LEN: usize = 4 + SEED_LEN;
/// A chain has at most this many links, so at most as many generations.
const MAX_PLAIN: usize = limits::CHAIN_LINKS * ENTRY_LEN;

/// Why a wrap gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrapError {
    /// It does not open with this key.
    #[error("the wrapped keys do not open: {0}")]
    CannotDecrypt(#[from] AgeOpenError),
    /// Not whole entries, or generations not strictly growing.
    #[error("the wrapped keys are malformed")]
    Malformed,
}

/// What one wrap gave.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct OpenedWrap {
    /// Generations whose public key is the chain's.
    pub keys: BTreeMap<u32, HybridIdentity>,
    /// Generations that the wrap holds with a key that is not the chain's: dropped, to be reported.
    pub refused: Vec<u32>,
    /// Generations of the chain that this wrap does not hold: reported, not fatal.
    pub missing: Vec<u32>,
}

/// Seals every generation that the maker holds for one member.
pub fn make_wrap(
    keys: &BTreeMap<u32, HybridIdentity>,
    member: &HybridRecipient,
) -> Result<Vec<u8>, AgeSealError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(keys.len() * ENTRY_LEN));
    for (generation, key) in keys {
        plain.extend_from_slice(&generation.to_be_bytes());
        plain.extend_from_slice(key.expose_seed_bytes());
    }
    age_file::seal(&plain, member).map(|(file, _)| file)
}

/// Opens a wrap and keeps only keys that are the chain's. `chain` holds the mailbox recipient of every generation in
/// the verified chain.
pub fn open_wrap(
    wrap: &[u8],
    member: &HybridIdentity,
    chain: &BTreeMap<u32, HybridRecipient>,
) -> Result<OpenedWrap, WrapError> {
    let (plain, _) = age_file::open(wrap, Unlock::Identity(member), MAX_PLAIN)?;
    let mut opened = OpenedWrap::default();
    let mut last = None;
    let entries = plain.chunks_exact(ENTRY_LEN);
    if !entries.remainder().is_empty() {
        return Err(WrapError::Malformed);
    }
    for entry in entries {
        let (generation, key) = parse_entry(entry).ok_or(WrapError::Malformed)?;
        if last.is_some_and(|last| last >= generation) {
            return Err(WrapError::Malformed);
        }
        last = Some(generation);
        if chain.get(&generation) == Some(&key.to_recipient()) {
            opened.keys.insert(generation, key);
        } else {
            opened.refused.push(generation);
        }
    }
    opened.missing = chain.keys().filter(|g| !opened.keys.contains_key(g)).copied().collect();
    Ok(opened)
}

fn parse_entry(entry: &[u8]) -> Option<(u32, HybridIdentity)> {
    let (generation, seed) = entry.split_first_chunk::<4>()?;
    let seed = Zeroizing::new(<[u8; SEED_LEN]>::try_from(seed).ok()?);
    Some((u32::from_be_bytes(*generation), HybridIdentity::from_seed(*seed)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(byte: u8) -> HybridIdentity {
        HybridIdentity::from_seed([byte; SEED_LEN])
    }

    fn chain(keys: &[u8]) -> BTreeMap<u32, HybridRecipient> {
        keys.iter().enumerate().map(|(g, b)| (u32::try_from(g).unwrap(), key(*b).to_recipient())).collect()
    }

    #[test]
    fn only_the_chains_keys_come_out_and_gaps_are_reported() {
        let device = key(100);
        let held = BTreeMap::from([(0, key(10)), (1, key(66)), (3, key(13)), (9, key(19))]);
        let wrap = make_wrap(&held, &device.to_recipient()).unwrap();
        let opened = open_wrap(&wrap, &device, &chain(&[10, 11, 12, 13])).unwrap();
        assert_eq!(opened.keys, BTreeMap::from([(0, key(10)), (3, key(13))]));
        assert_eq!(opened.refused, [1, 9]);
        assert_eq!(opened.missing, [1, 2]);
    }

    #[test]
    fn another_member_opens_nothing() {
        let wrap = make_wrap(&BTreeMap::from([(0, key(10))]), &key(100).to_recipient()).unwrap();
        assert_eq!(
            open_wrap(&wrap, &key(101), &chain(&[10])).unwrap_err(),
            WrapError::CannotDecrypt(AgeOpenError::OtherKey)
        );
    }

    #[test]
    fn cut_or_unordered_entries_are_malformed() {
        let device = key(100);
        let entry = |generation: u32| [&generation.to_be_bytes()[..], &[10; SEED_LEN]].concat();
        for plain in [entry(0)[1..].to_vec(), [entry(1), entry(1)].concat(), [entry(1), entry(0)].concat()] {
            let (wrap, _) = age_file::seal(&plain, &device.to_recipient()).unwrap();
            assert_eq!(open_wrap(&wrap, &device, &chain(&[10])).unwrap_err(), WrapError::Malformed);
        }
        let (empty, _) = age_file::seal(&[], &device.to_recipient()).unwrap();
        assert_eq!(open_wrap(&empty, &device, &chain(&[10])).unwrap().missing, [0]);
    }
}
