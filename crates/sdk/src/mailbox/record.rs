//! What is kept of a received message: the bytes as transported, and who signed them. An application stores it and gives
//! it back to read, confirm or verify again.

use postfach_domain::act::MessageRef;
use postfach_domain::authority::AuthorityCert;
use postfach_domain::id::{Address, MessageId, Origin, Party};
use postfach_domain::outer::Outer;
use postfach_domain::sign::PublicKey;
use postfach_domain::submission::Hashes;
use postfach_envelope::open::Received;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::{base64_bytes, hashes_form};

/// A received message as transported, after its checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRecord {
    /// The outer header's bytes.
    #[serde(with = "base64_bytes")]
    pub outer: Vec<u8>,
    /// The cover's envelope; empty until it is available.
    #[serde(with = "base64_bytes")]
    pub cover_envelope: Vec<u8>,
    /// Length of the letter's envelope in bytes.
    pub letter_length: u64,
    /// Place of the ACCEPTED event in the evidence log.
    pub accepted_index: u64,
    /// From when cover and letter are there, milliseconds since the Unix epoch.
    pub available_at: u64,
    /// The three hashes of the ACCEPTED event.
    #[serde(with = "hashes_form")]
    hashes: Hashes,
    /// The sender's public key, checked when the message came; empty where that check failed.
    #[serde(with = "base64_bytes")]
    signer: Vec<u8>,
    /// Who sent it.
    pub sender: SenderInfo,
}

/// Who sent a message, from the registrar's certificate alone; a citizen has only the address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SenderInfo {
    /// Authority id or address, as in tokens.
    pub issuer: String,
    /// The certified name; `None` for citizens and where no certificate fits.
    pub display_name: Option<String>,
    /// The authority's seat.
    pub ags: Option<String>,
    /// Accounts that the registrar certified.
    pub ibans: Vec<String>,
}

impl SenderInfo {
    pub(super) fn of(party: &Party, certificate: Option<&AuthorityCert>) -> Self {
        Self {
            issuer: party.issuer(),
            display_name: certificate.map(|c| c.display_name.clone()),
            ags: certificate.and_then(|c| c.ags.clone()),
            ibans: certificate.map(|c| c.ibans.clone()).unwrap_or_default(),
        }
    }

    /// The authority's id, where an authority sent it.
    pub fn authority_id(&self) -> Option<&str> {
        match Party::from_issuer(&self.issuer) {
            Ok(Party::Authority(_)) => Some(&self.issuer),
            _ => None,
        }
    }
}

impl MessageRecord {
    pub(super) fn new(
        outer: Vec<u8>,
        cover_envelope: Vec<u8>,
        letter_length: u64,
        accepted: (u64, u64),
        hashes: Hashes,
        signer: Option<&PublicKey>,
        sender: SenderInfo,
    ) -> Self {
        Self {
            outer,
            cover_envelope,
            letter_length,
            accepted_index: accepted.0,
            available_at: accepted.1,
            hashes,
            signer: signer.map(|key| key.to_bytes().to_vec()).unwrap_or_default(),
            sender,
        }
    }

    /// The outer header.
    pub fn outer(&self) -> Result<Outer, Error> {
        Outer::parse(&self.outer).map_err(|e| damaged(&e.to_string()))
    }

    /// The message's id.
    pub fn message_id(&self) -> Result<MessageId, Error> {
        self.outer().map(|outer| outer.message_id)
    }

    /// The hashes that the sender signed.
    pub fn hashes(&self) -> Hashes {
        self.hashes
    }

    /// The sender's key. An error where the message did not pass that check.
    pub fn signer(&self) -> Result<PublicKey, Error> {
        PublicKey::from_bytes(&self.signer)
            .map_err(|_| Error::BadMessage { reason: "its signature was not accepted".to_owned() })
    }

    /// What an act about this message names.
    pub(super) fn message_ref(&self) -> Result<MessageRef, Error> {
        let (outer_hash, letter_hash) = (self.hashes.outer, self.hashes.letter);
        Ok(MessageRef { message_id: self.message_id()?, outer_hash, letter_hash })
    }

    /// What the envelopes are opened against.
    pub(super) fn received<'a>(
        &'a self,
        origin: &'a Origin,
        me: Address,
        signer: &'a PublicKey,
    ) -> Received<'a> {
        Received { origin, recipient: me, signer, hashes: self.hashes, outer: &self.outer }
    }
}

fn damaged(reason: &str) -> Error {
    Error::Damaged { what: "message", reason: reason.to_owned() }
}
