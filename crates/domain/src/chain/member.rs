//! Members of a chain: devices, the recovery key, and the mailbox key of a generation.

use std::fmt;

use prost::Message as _;

use crate::chain::LinkError;
use crate::format;
use crate::id::{KeyId, Origin};
use crate::limits;
use crate::pae::context;
use crate::sign::{PublicKey, SecretKey};

/// Bytes of a raw mlkem768x25519 recipient: 1,184 of ML-KEM-768 and 32 of X25519.
pub const AGE_RECIPIENT_LEN: usize = 1216;

/// One device. Equality is that of the encoded bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// The key that signs.
    pub sign_pub: PublicKey,
    /// key_id of `sign_pub`.
    pub key_id: KeyId,
    /// Raw recipient, 1,216 bytes: the device's wraps are sealed to it.
    pub age_recipient: Vec<u8>,
    /// The name, sealed for the owner.
    pub name_sealed: Vec<u8>,
}

/// The recovery key.
#[derive(Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The key that signs.
    pub sign_pub: PublicKey,
    /// key_id of `sign_pub`.
    pub key_id: KeyId,
    /// Raw recipient, 1,216 bytes.
    pub age_recipient: Vec<u8>,
}

/// The mailbox key of one generation.
#[derive(Clone, PartialEq, Eq)]
pub struct Generation {
    /// Counts from 0.
    pub generation: u32,
    /// Raw recipient, 1,216 bytes: senders seal to it.
    pub recipient: Vec<u8>,
    /// The link from which it counts.
    pub from_seq: u32,
}

// Recipients are long and say nothing to people: members show themselves by their key.
impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({})", self.key_id)
    }
}

impl fmt::Debug for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recovery({})", self.key_id)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Generation({} from link {})", self.generation, self.from_seq)
    }
}

impl Device {
    /// From its parts.
    pub fn new(sign_pub: PublicKey, age_recipient: Vec<u8>, name_sealed: Vec<u8>) -> Self {
        Self { sign_pub, key_id: sign_pub.key_id(), age_recipient, name_sealed }
    }

    /// Reads the member bytes of a link.
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkError> {
        let wire = format::Device::decode(bytes).map_err(|_| LinkError::Malformed)?;
        if wire.name_sealed.len() > limits::DEVICE_NAME_LEN {
            return Err(LinkError::Field("name_sealed"));
        }
        check_recipient(&wire.age_recipient)?;
        Ok(Self::new(read_key(&wire.sign_pub)?, wire.age_recipient, wire.name_sealed))
    }

    /// The member bytes, which are also reverse-signed.
    pub fn encode(&self) -> Vec<u8> {
        let sign_pub = self.sign_pub.to_bytes().to_vec();
        let (age_recipient, name_sealed) = (self.age_recipient.clone(), self.name_sealed.clone());
        format::Device { sign_pub, age_recipient, name_sealed }.encode_to_vec()
    }
}

impl Recovery {
    /// From its parts.
    pub fn new(sign_pub: PublicKey, age_recipient: Vec<u8>) -> Self {
        Self { sign_pub, key_id: sign_pub.key_id(), age_recipient }
    }

    /// Reads the member bytes of a link.
    pub fn parse(bytes: &[u8]) -> Result<Self, LinkError> {
        let wire = format::Recovery::decode(bytes).map_err(|_| LinkError::Malformed)?;
        check_recipient(&wire.age_recipient)?;
        Ok(Self::new(read_key(&wire.sign_pub)?, wire.age_recipient))
    }

    /// The member bytes, which are also reverse-signed.
    pub fn encode(&self) -> Vec<u8> {
        let sign_pub = self.sign_pub.to_bytes().to_vec();
        format::Recovery { sign_pub, age_recipient: self.age_recipient.clone() }.encode_to_vec()
    }
}

/// Checks the length of a raw recipient. Whether it is a good key, who seals to it finds out.
pub(super) fn check_recipient(bytes: &[u8]) -> Result<(), LinkError> {
    if bytes.len() == AGE_RECIPIENT_LEN { Ok(()) } else { Err(LinkError::Field("age_recipient")) }
}

fn read_key(bytes: &[u8]) -> Result<PublicKey, LinkError> {
    PublicKey::from_bytes(bytes).map_err(|_| LinkError::WeakKey)
}

/// `SIG(new key, "mpf1/link-reverse", origin, genesis_hash (empty in seq 0), signer key_id, member bytes)` (SPEC 2).
pub fn reverse_sign(
    new_key: &SecretKey,
    origin: &Origin,
    genesis_hash: &[u8],
    signer: &KeyId,
    member: &[u8],
) -> [u8; 64] {
    let parts = [origin.as_str().as_bytes(), genesis_hash, signer.as_bytes().as_slice(), member];
    new_key.sign_raw(context::LINK_REVERSE, &parts)
}

/// Verifies a reverse signature.
pub fn verify_reverse(
    new_key: &PublicKey,
    origin: &Origin,
    genesis_hash: &[u8],
    signer: &KeyId,
    member: &[u8],
    sig: &[u8],
) -> Result<(), LinkError> {
    let parts = [origin.as_str().as_bytes(), genesis_hash, signer.as_bytes().as_slice(), member];
    new_key.verify_raw(context::LINK_REVERSE, &parts, sig).map_err(LinkError::ReverseSignature)
}
