//! SHA-256 digests (`H` of the specification).

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::id_error::IdError;
use crate::pae::pae;

/// A SHA-256 digest, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// 32 zero bytes: "no previous one" in links and events.
    pub const ZERO: Self = Self([0; 32]);

    /// `H(data)`.
    pub fn of(data: &[u8]) -> Self {
        Self(Sha256::digest(data).into())
    }

    /// `H(part || part || …)`.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// `H(PAE(ctx, parts…))`.
    pub fn of_pae(ctx: &str, parts: &[&[u8]]) -> Self {
        Self::of(&pae(ctx, parts))
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Owned bytes, for protobuf fields.
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<&[u8]> for Digest {
    type Error = IdError;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| IdError::Length { expected: 32, got: bytes.len() })
    }
}
