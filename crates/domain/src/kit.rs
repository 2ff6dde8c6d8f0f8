//! The recovery key on paper (SPEC 2): its text with check symbols, and the two keys that follow from it. Where it is
//! printed, and the QR code, are the client's.

use std::fmt;
use std::str::FromStr;

use bech32::{Bech32m, Hrp};
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::code::derive;
use crate::hash::Digest;
use crate::sign::SecretKey;

const KIT_HRP: Hrp = Hrp::parse_unchecked("mpfr");
const VERSION: u8 = 1;
const GROUP_LEN: usize = 4;
const TEXT_LEN: usize = 64;
const GROUPS: usize = TEXT_LEN / GROUP_LEN;
const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Why typed text is not a recovery kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KitError {
    /// A group whose check symbol does not fit, or that has not five symbols; counted from 1.
    #[error("group {group} of {GROUPS} is mistyped")]
    Group {
        /// The first wrong group, from 1.
        group: usize,
    },
    /// Groups are missing or too many.
    #[error("a recovery kit has {GROUPS} groups of five symbols, {got} symbols were typed")]
    Length {
        /// Symbols that were typed.
        got: usize,
    },
    /// Every group fits and the whole does not.
    #[error("the checksum of the recovery kit does not fit")]
    Checksum,
    /// A kit of a later version of this program.
    #[error("this recovery kit is of another version")]
    Version,
}

/// R: 32 random bytes from which both recovery keys follow. Cannot be printed by accident, compared or serialised.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct RecoverySecret([u8; 32]);

impl RecoverySecret {
    /// A new secret.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// From its 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The signing key: seed `HKDF(R, "mpf1/recovery/sign")`.
    pub fn sign_key(&self) -> SecretKey {
        SecretKey::from_seed(&derive(&self.0, b"mpf1/recovery/sign"))
    }

    /// The seed of the age identity: `HKDF(R, "mpf1/recovery/enc")`.
    pub fn age_seed(&self) -> Zeroizing<[u8; 32]> {
        derive(&self.0, b"mpf1/recovery/enc")
    }

    /// The 64 symbols `mpfr1…` without check symbols, for the QR code.
    pub fn expose_bare(&self) -> Zeroizing<String> {
        let mut payload = Zeroizing::new([0; 33]);
        payload[0] = VERSION;
        payload[1..].copy_from_slice(&self.0);
        // 64 symbols are below bech32m's length limit, so that encoding cannot fail.
        Zeroizing::new(bech32::encode_lower::<Bech32m>(KIT_HRP, payload.as_ref()).unwrap_or_default())
    }

    /// The 16 groups to print: four symbols and their check symbol each.
    pub fn expose_groups(&self) -> Vec<Zeroizing<String>> {
        let bare = self.expose_bare();
        let groups = bare.as_bytes().chunks(GROUP_LEN).enumerate();
        groups
            .map(|(i, group)| {
                let mut text = Zeroizing::new(String::with_capacity(GROUP_LEN + 1));
                text.extend(group.iter().copied().map(char::from));
                text.push(check_symbol(i, group));
                text
            })
            .collect()
    }

    /// The groups with single spaces between them.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let groups = self.expose_groups();
        let mut text = Zeroizing::new(String::with_capacity(GROUPS * (GROUP_LEN + 2)));
        for (i, group) in groups.iter().enumerate() {
            if i > 0 {
                text.push(' ');
            }
            text.push_str(group);
        }
        text
    }
}

impl FromStr for RecoverySecret {
    type Err = KitError;

    /// Reads the printed groups (spaces, dashes and line breaks anywhere, either case) or the bare `mpfr1…` of the QR code.
    fn from_str(text: &str) -> Result<Self, KitError> {
        let lower = Zeroizing::new(text.to_ascii_lowercase());
        let parts: Vec<&str> =
            lower.split(|c: char| c.is_whitespace() || c == '-').filter(|p| !p.is_empty()).collect();
        let symbols = Zeroizing::new(parts.concat());
        if symbols.len() == TEXT_LEN && symbols.is_ascii() {
            return decode(&symbols);
        }
        let with_checks = GROUPS * (GROUP_LEN + 1);
        if symbols.len() != with_checks || !symbols.is_ascii() {
            let odd = parts.iter().position(|part| part.len() != GROUP_LEN + 1);
            return match odd {
                Some(i) if parts.len() == GROUPS => Err(KitError::Group { group: i + 1 }),
                _ => Err(KitError::Length { got: symbols.chars().count() }),
            };
        }
        let mut bare = Zeroizing::new(String::with_capacity(TEXT_LEN));
        for (i, group) in symbols.as_bytes().chunks(GROUP_LEN + 1).enumerate() {
            let (body, check) = group.split_at(GROUP_LEN);
            if check_symbol(i, body) != char::from(check[0]) {
                return Err(KitError::Group { group: i + 1 });
            }
            bare.extend(body.iter().copied().map(char::from));
        }
        decode(&bare)
    }
}

fn decode(bare: &str) -> Result<RecoverySecret, KitError> {
    let checked =
        bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(bare).map_err(|_| KitError::Checksum)?;
    checked.validate_segwit_padding().map_err(|_| KitError::Checksum)?;
    let payload: Zeroizing<Vec<u8>> = Zeroizing::new(checked.byte_iter().collect());
    match payload.split_first() {
        Some((&VERSION, secret)) if checked.hrp() == KIT_HRP => {
            secret.try_into().map(RecoverySecret).map_err(|_| KitError::Checksum)
        }
        Some(_) if checked.hrp() == KIT_HRP => Err(KitError::Version),
        _ => Err(KitError::Checksum),
    }
}

/// Top five bits of `H("mpf1/kit-group" || 00 || u8 i || group)`; groups count from 0 and begin at the prefix.
fn check_symbol(index: usize, group: &[u8]) -> char {
    // Safe because there are 16 groups.
    let index = u8::try_from(index).expect("16 groups");
    let digest = Digest::of_parts(&[b"mpf1/kit-group\0", &[index], group]);
    char::from(CHARSET[usize::from(digest.0[0] >> 3)])
}

impl fmt::Debug for RecoverySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoverySecret(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_round_trips(bytes: [u8; 32]) {
            let secret = RecoverySecret::from_bytes(bytes);
            let text = secret.expose_text();
            prop_assert_eq!(secret.expose_groups().len(), GROUPS);
            prop_assert_eq!(text.parse::<RecoverySecret>().unwrap().0, bytes);
            prop_assert_eq!(text.to_uppercase().replace(' ', "\n- ").parse::<RecoverySecret>().unwrap().0, bytes);
            prop_assert_eq!(secret.expose_bare().parse::<RecoverySecret>().unwrap().0, bytes);
        }

        #[test]
        fn a_typo_is_an_error_and_usually_names_its_group(bytes: [u8; 32], at in 0usize..80, other in 0usize..32) {
            let secret = RecoverySecret::from_bytes(bytes);
            let mut text = secret.expose_text().replace(' ', "").into_bytes();
            prop_assume!(text[at] != CHARSET[other]);
            text[at] = CHARSET[other];
            match String::from_utf8(text).unwrap().parse::<RecoverySecret>().unwrap_err() {
                KitError::Group { group } => prop_assert_eq!(group, at / 5 + 1),
                other => prop_assert_eq!(other, KitError::Checksum),
            }
        }
    }

    #[test]
    fn a_short_group_is_named() {
        let text = RecoverySecret::from_bytes([5; 32]).expose_text().to_string();
        let mut groups: Vec<&str> = text.split(' ').collect();
        groups[6] = "abc";
        assert_eq!(groups.join(" ").parse::<RecoverySecret>().err(), Some(KitError::Group { group: 7 }));
        assert_eq!("mpfr".parse::<RecoverySecret>().err(), Some(KitError::Length { got: 4 }));
    }

    #[test]
    fn a_kit_has_one_text() {
        use bech32::primitives::iter::{ByteIterExt as _, Fe32IterExt as _};
        let payload = [[VERSION].as_slice(), &[5; 32]].concat();
        let mut symbols: Vec<bech32::Fe32> = payload.iter().copied().bytes_to_fes().collect();
        let text = |symbols: &[bech32::Fe32]| -> String {
            symbols.iter().copied().with_checksum::<Bech32m>(&KIT_HRP).chars().collect()
        };
        assert_eq!(text(&symbols), *RecoverySecret::from_bytes([5; 32]).expose_bare());
        // 264 bits fill 52.8 symbols: the last one has a bit to spare.
        symbols[52] = bech32::Fe32::try_from(symbols[52].to_u8() ^ 1).unwrap();
        assert_eq!(text(&symbols).parse::<RecoverySecret>().err(), Some(KitError::Checksum));
    }

    #[test]
    fn a_sign_that_only_looks_like_a_letter_is_none() {
        // KELVIN SIGN becomes an ASCII k in lower case.
        let text = RecoverySecret::from_bytes([0x0b; 32]).expose_text();
        assert!(text.contains('k'));
        assert!(text.replacen('k', "K", 1).parse::<RecoverySecret>().is_ok());
        assert!(text.replacen('k', "\u{212a}", 1).parse::<RecoverySecret>().is_err());
    }

    #[test]
    fn both_keys_differ() {
        let secret = RecoverySecret::from_bytes([5; 32]);
        assert_ne!(*secret.sign_key().expose_seed(), *secret.age_seed());
    }
}
