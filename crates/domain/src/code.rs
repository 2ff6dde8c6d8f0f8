//! Activation codes (SPEC 6): their text, what the client sends of one and what the server compares. Storing and
//! redeeming are decisions (`decide::register`).

use std::fmt;
use std::str::FromStr;

use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use rand_core::CryptoRngCore;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::hash::Digest;
use crate::id::Address;
use crate::id_error::IdError;

/// Bytes of a code.
pub const CODE_LEN: usize = 15;
const SYMBOLS: usize = 25;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a typed code is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Not 25 symbols, apart from spaces and dashes.
    #[error("an activation code has 25 symbols, this one has {got}")]
    Length {
        /// Symbols that were typed.
        got: usize,
    },
    /// A symbol that no code has, counted from 1.
    #[error("symbol {position} cannot stand in an activation code")]
    Symbol {
        /// Its position, from 1, without spaces and dashes.
        position: usize,
    },
    /// The check symbol does not fit: mistyped.
    #[error("the activation code is mistyped: its last symbol does not fit")]
    Check,
}

/// An activation code. Cannot be printed by accident, compared or serialised.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct ActivationCode([u8; CODE_LEN]);

/// What the client sends instead of the code: `HKDF(code, "mpf1/activation-id")`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeId(pub [u8; 32]);

impl CodeId {
    /// What the server stores of it and looks it up by: `H(code_id)`.
    pub fn stored(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl TryFrom<&[u8]> for CodeId {
    type Error = IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let got = bytes.len();
        bytes.try_into().map(Self).map_err(|_| IdError::Length { expected: 32, got })
    }
}

/// `HKDF(code, "mpf1/activation-key")`: makes and checks proofs. The server stores it for codes it made itself.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ActivationKey([u8; 32]);

impl ActivationCode {
    /// A new code.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = [0; CODE_LEN];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// From its 15 bytes.
    pub fn from_bytes(bytes: [u8; CODE_LEN]) -> Self {
        Self(bytes)
    }

    /// The text to print and hand over: 25 symbols in five groups.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(SYMBOLS + 4));
        for i in 0..SYMBOLS {
            if i > 0 && i % 5 == 0 {
                text.push('-');
            }
            let value = if i + 1 == SYMBOLS { self.check_symbol() } else { self.symbol(i) };
            text.push(char::from(CROCKFORD[usize::from(value)]));
        }
        text
    }

    /// `HKDF(code, "mpf1/activation-id")`.
    pub fn code_id(&self) -> CodeId {
        CodeId(*derive(&self.0, b"mpf1/activation-id"))
    }

    /// `HKDF(code, "mpf1/activation-key")`.
    pub fn activation_key(&self) -> ActivationKey {
        ActivationKey(*derive(&self.0, b"mpf1/activation-key"))
    }

    fn symbol(&self, index: usize) -> u8 {
        (0..5).fold(0, |value, bit| {
            let at = index * 5 + bit;
            value << 1 | (self.0[at / 8] >> (7 - at % 8) & 1)
        })
    }

    fn check_symbol(&self) -> u8 {
        Digest::of_parts(&[b"mpf1/code\0", &self.0]).0[0] >> 3
    }
}

impl FromStr for ActivationCode {
    type Err = CodeError;

    /// Accepts lower case, spaces and dashes anywhere, O for 0, and I or L for 1.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let typed = || text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '–' | '—'));
        let got = typed().count();
        if got != SYMBOLS {
            return Err(CodeError::Length { got });
        }
        let mut code = Self([0; CODE_LEN]);
        let mut check = 0;
        for (i, c) in typed().enumerate() {
            let value = symbol_value(c).ok_or(CodeError::Symbol { position: i + 1 })?;
            if i + 1 == SYMBOLS {
                check = value;
                continue;
            }
            for bit in 0..5 {
                let at = i * 5 + bit;
                code.0[at / 8] |= (value >> (4 - bit) & 1) << (7 - at % 8);
            }
        }
        if check == code.check_symbol() { Ok(code) } else { Err(CodeError::Check) }
    }
}

fn symbol_value(c: char) -> Option<u8> {
    let c = match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    CROCKFORD.iter().position(|s| char::from(*s) == c).and_then(|i| u8::try_from(i).ok())
}

impl ActivationKey {
    /// As the server stored it.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For the server's storage. Nothing else may take it.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `HMAC-SHA256(activation key, address)`: the holder of the code wants this address.
    pub fn proof(&self, address: &Address) -> [u8; 32] {
        self.mac(address).finalize().into_bytes().into()
    }

    /// Compares a proof in constant time.
    pub fn verify_proof(&self, address: &Address, proof: &[u8]) -> bool {
        self.proof(address).ct_eq(proof).into()
    }

    fn mac(&self, address: &Address) -> Hmac<Sha256> {
        // Safe because HMAC takes keys of every length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        mac.update(address.as_bytes());
        mac
    }
}

/// HKDF-SHA256 without salt, 32 bytes out.
pub(crate) fn derive(secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    // Safe because 32 bytes are far below HKDF's limit of 255 blocks.
    Hkdf::<Sha256>::new(None, secret).expand(info, out.as_mut()).expect("short");
    out
}

impl fmt::Debug for ActivationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivationCode(…)")
    }
}

impl fmt::Debug for ActivationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivationKey(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_round_trips_however_it_is_typed(bytes: [u8; CODE_LEN]) {
            let code = ActivationCode::from_bytes(bytes);
            let text = code.expose_text().to_string();
            prop_assert_eq!(text.len(), 29);
            for typed in [text.clone(), text.to_lowercase(), text.replace('-', " "), text.replace('0', "o").replace('1', "l")] {
                prop_assert_eq!(typed.parse::<ActivationCode>().unwrap().0, bytes);
            }
        }

        #[test]
        fn most_single_typos_are_noticed(bytes: [u8; CODE_LEN], at in 0usize..29, other in 0usize..32) {
            let code = ActivationCode::from_bytes(bytes);
            let mut text = code.expose_text().to_string().into_bytes();
            prop_assume!(text[at] != b'-' && text[at] != CROCKFORD[other]);
            text[at] = CROCKFORD[other];
            // A check of 5 bits lets one typo in 32 through, but never as the same code.
            if let Ok(parsed) = String::from_utf8(text).unwrap().parse::<ActivationCode>() {
                prop_assert_ne!(parsed.0, bytes);
            }
        }
    }

    #[test]
    fn errors_name_what_is_wrong() {
        assert_eq!("ABC".parse::<ActivationCode>().err(), Some(CodeError::Length { got: 3 }));
        let bad = "00000-00U00-00000-00000-00000";
        assert_eq!(bad.parse::<ActivationCode>().err(), Some(CodeError::Symbol { position: 8 }));
    }

    #[test]
    fn proof_is_bound_to_the_address() {
        let key = ActivationCode::from_bytes([3; CODE_LEN]).activation_key();
        let proof = key.proof(&Address([1; 32]));
        assert!(key.verify_proof(&Address([1; 32]), &proof));
        assert!(!key.verify_proof(&Address([2; 32]), &proof));
        assert!(!key.verify_proof(&Address([1; 32]), &proof[..31]));
    }
}
