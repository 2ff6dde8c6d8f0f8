//! Bech32 without a length limit, as the age specification asks for its keys (C2SP age, "Conventions").
//!
//! Not for our own text forms (addresses, kits): those are bech32m and live in `postfach_domain`.

use bech32::primitives::checksum::Checksum;
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use zeroize::{Zeroize, Zeroizing};

/// The BIP-173 checksum on strings of any length. The error-correcting distance shrinks beyond 90 symbols; age
/// uses it for recognising typing errors only.
struct LongBech32;

impl Checksum for LongBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    const CODE_LENGTH: usize = usize::MAX;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// Encodes `data` in lower case.
pub(crate) fn encode_lower(hrp: &'static str, data: &[u8]) -> String {
    // Safe because the prefixes are constants of this crate, valid by a test, and the code length is unlimited.
    bech32::encode_lower::<LongBech32>(Hrp::parse_unchecked(hrp), data).expect("no length limit")
}

/// Encodes `data` in upper case.
pub(crate) fn encode_upper(hrp: &'static str, data: &[u8]) -> String {
    // Safe because the prefixes are constants of this crate, valid by a test, and the code length is unlimited.
    bech32::encode_upper::<LongBech32>(Hrp::parse_unchecked(hrp), data).expect("no length limit")
}

/// Decodes exactly `N` bytes under `hrp`; `None` for anything that is not the one canonical form in one case.
pub(crate) fn decode<const N: usize>(hrp: &'static str, text: &str) -> Option<Zeroizing<[u8; N]>> {
    let checked = CheckedHrpstring::new::<LongBech32>(text).ok()?;
    if checked.hrp() != Hrp::parse(hrp).ok()? || checked.byte_iter().len() != N {
        return None;
    }
    let mut bytes = Zeroizing::new([0u8; N]);
    for (to, from) in bytes.iter_mut().zip(checked.byte_iter()) {
        *to = from;
    }
    // The trailing padding bits must be zero: only the canonical text is the key.
    let mut canonical = encode_lower(hrp, bytes.as_slice());
    let same = canonical.eq_ignore_ascii_case(text);
    canonical.zeroize();
    same.then_some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn checksum_is_consistent() {
        LongBech32::sanity_check();
    }

    #[test]
    fn long_data_round_trips_and_one_changed_symbol_is_noticed() {
        let data = [0x5au8; 1216];
        let text = encode_lower("age1pq", &data);
        assert!(text.len() > 1900, "{}", text.len());
        assert_eq!(*decode::<1216>("age1pq", &text).unwrap(), data);
        let mut wrong = text.into_bytes();
        wrong[1000] = if wrong[1000] == b'q' { b'p' } else { b'q' };
        assert!(decode::<1216>("age1pq", std::str::from_utf8(&wrong).unwrap()).is_none());
    }

    #[test]
    fn nonzero_padding_bits_are_refused() {
        // 32 bytes fill 51.2 symbols: the last data symbol has four padding bits.
        let good = encode_lower("age-secret-key-pq-", &[7u8; 32]);
        assert!(decode::<32>("age-secret-key-pq-", &good).is_some());
        let hrp = Hrp::parse("age-secret-key-pq-").unwrap();
        let mut symbols: Vec<bech32::Fe32> = CheckedHrpstring::new::<LongBech32>(&good)
            .unwrap()
            .fe32_iter::<std::vec::IntoIter<u8>>()
            .collect();
        let last = symbols.len() - 1;
        symbols[last] = bech32::Fe32::try_from(symbols[last].to_u8() | 1).unwrap();
        let bad: String = {
            use bech32::primitives::iter::Fe32IterExt;
            symbols.into_iter().with_checksum::<LongBech32>(&hrp).chars().collect()
        };
        assert!(CheckedHrpstring::new::<LongBech32>(&bad).is_ok(), "the checksum itself holds");
        assert!(decode::<32>("age-secret-key-pq-", &bad).is_none());
    }

    #[test]
    fn mixed_case_and_other_prefix_are_refused() {
        let text = encode_upper("age-secret-key-pq-", &[1u8; 32]);
        assert!(decode::<32>("age-secret-key-pq-", &text).is_some());
        assert!(decode::<32>("age-secret-key-", &text).is_none());
        let mixed = text.replacen('A', "a", 1);
        assert!(decode::<32>("age-secret-key-pq-", &mixed).is_none());
        assert!(decode::<31>("age-secret-key-pq-", &text).is_none());
    }
}
