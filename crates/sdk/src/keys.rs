//! The private keys of a citizen's or an authority's installation, and the bytes in which an application seals them at
//! rest. Sealing and files are the application's.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use postfach_domain::id::{Address, AuthorityId};
use postfach_domain::sign::SecretKey;
use postfach_envelope::hybrid::HybridIdentity;
use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::error::Error;

/// First byte of exported keys.
const VERSION: u8 = 1;

/// The keys of one device.
#[derive(Clone)]
pub struct DeviceKeys {
    /// Signs links, acts and tokens.
    pub sign: Arc<SecretKey>,
    /// Opens wraps.
    pub age: HybridIdentity,
}

impl DeviceKeys {
    /// New keys.
    pub fn generate(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        Self { sign: Arc::new(SecretKey::generate(rng)), age: HybridIdentity::generate(rng) }
    }
}

/// One device's keys of one mailbox.
#[derive(Clone)]
pub struct MailboxKeys {
    /// The mailbox.
    pub address: Address,
    /// This device.
    pub device: DeviceKeys,
    /// The mailbox's secret key of each generation that this device holds.
    pub generations: BTreeMap<u32, HybridIdentity>,
}

/// A citizen's keys are those of the mailbox.
pub type CitizenKeys = MailboxKeys;

/// The keys of one clerk or machine of an authority.
#[derive(Clone)]
pub struct AuthorityKeys {
    /// Whose.
    pub authority_id: AuthorityId,
    /// The certified key: signs messages, withdrawals and tokens.
    pub sign: Arc<SecretKey>,
    /// The authority's own mailbox.
    pub mailbox: MailboxKeys,
}

impl MailboxKeys {
    /// All secrets in the clear: only for sealing them at rest.
    pub fn expose_for_sealing(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(101 + 36 * self.generations.len()));
        out.push(VERSION);
        out.extend_from_slice(self.address.as_bytes());
        out.extend_from_slice(self.device.sign.expose_seed().as_slice());
        out.extend_from_slice(self.device.age.expose_seed_bytes());
        for (generation, key) in &self.generations {
            out.extend_from_slice(&generation.to_be_bytes());
            out.extend_from_slice(key.expose_seed_bytes());
        }
        out
    }

    /// Reads what [`MailboxKeys::expose_for_sealing`] wrote.
    pub fn from_exposed(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).ok_or_else(damaged)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let address = Address(*take(&mut rest)?);
        let sign = Arc::new(SecretKey::from_seed(take(&mut rest)?));
        let age = HybridIdentity::from_seed(*take(&mut rest)?);
        let mut generations = BTreeMap::new();
        while !rest.is_empty() {
            let generation = u32::from_be_bytes(*take(&mut rest)?);
            generations.insert(generation, HybridIdentity::from_seed(*take(&mut rest)?));
        }
        Some(Self { address, device: DeviceKeys { sign, age }, generations })
    }
}

impl AuthorityKeys {
    /// All secrets in the clear: only for sealing them at rest.
    pub fn expose_for_sealing(&self) -> Zeroizing<Vec<u8>> {
        let id = self.authority_id.as_str().as_bytes();
        let mailbox = self.mailbox.expose_for_sealing();
        let mut out = Zeroizing::new(Vec::with_capacity(34 + id.len() + mailbox.len()));
        out.push(VERSION);
        // Safe because an authority id has at most 63 bytes.
        out.push(u8::try_from(id.len()).expect("at most 63"));
        out.extend_from_slice(id);
        out.extend_from_slice(self.sign.expose_seed().as_slice());
        out.extend_from_slice(&mailbox);
        out
    }

    /// Reads what [`AuthorityKeys::expose_for_sealing`] wrote.
    pub fn from_exposed(bytes: &[u8]) -> Result<Self, Error> {
        Self::read(bytes).ok_or_else(damaged)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (len, rest) = bytes.strip_prefix(&[VERSION])?.split_first()?;
        let (id, mut rest) = rest.split_at_checked(usize::from(*len))?;
        let authority_id = std::str::from_utf8(id).ok()?.parse().ok()?;
        let sign = Arc::new(SecretKey::from_seed(take(&mut rest)?));
        Some(Self { authority_id, sign, mailbox: MailboxKeys::read(rest)? })
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(head)
}

fn damaged() -> Error {
    Error::Damaged { what: "keys", reason: "not the bytes that were written".to_owned() }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKeys({})", self.sign.key_id())
    }
}

impl fmt::Debug for MailboxKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailboxKeys({}, {:?})", self.address, self.device)
    }
}

impl fmt::Debug for AuthorityKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorityKeys({}, {})", self.authority_id, self.sign.key_id())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::SeedableRng as _;

    use super::*;

    fn keys() -> AuthorityKeys {
        let mut rng = rand::rngs::StdRng::seed_from_u64(1);
        let generations =
            BTreeMap::from([0, 1, 5].map(|generation| (generation, HybridIdentity::generate(&mut rng))));
        let device = DeviceKeys::generate(&mut rng);
        let mailbox = MailboxKeys { address: Address([3; 32]), device, generations };
        let sign = Arc::new(SecretKey::generate(&mut rng));
        AuthorityKeys { authority_id: "stadt-test".parse().unwrap(), sign, mailbox }
    }

    #[test]
    fn exported_keys_come_back() {
        let keys = keys();
        let back = AuthorityKeys::from_exposed(&keys.expose_for_sealing()).unwrap();
        assert_eq!(back.expose_for_sealing(), keys.expose_for_sealing());
        assert_eq!(back.mailbox.generations.len(), 3);
        assert_eq!(back.sign.key_id(), keys.sign.key_id());
    }

    #[test]
    fn cut_bytes_are_refused_and_nothing_secret_is_printed() {
        let keys = keys();
        let bytes = keys.expose_for_sealing();
        assert!(AuthorityKeys::from_exposed(&bytes[..bytes.len() - 1]).is_err());
        assert!(MailboxKeys::from_exposed(&[]).is_err());
        let seed = hex::encode(keys.sign.expose_seed().as_slice());
        assert!(!format!("{keys:?}").contains(&seed));
    }
}
