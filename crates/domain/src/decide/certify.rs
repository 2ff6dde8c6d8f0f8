//! May this certificate or revocation of the registrar enter the keys log? (INTERFACES, authority bootstrap.)

use super::Refusal;
use crate::authority::AuthorityCert;
use crate::hash::Digest;
use crate::id::{Address, AuthorityId};

/// An authority that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAuthority {
    /// Its mailbox.
    pub mailbox: Address,
}

/// What is known when a certificate's turn comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertifyState {
    /// The authority with this id.
    pub authority: Option<KnownAuthority>,
    /// `cert_hash` of the certificate that this key has already.
    pub key_certificate: Option<Digest>,
    /// A mailbox with the address of the GENESIS that came along exists already.
    pub mailbox_exists: bool,
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certified {
    /// Open the mailbox, then log the certificate.
    NewAuthority,
    /// Log the certificate.
    FurtherKey,
    /// The same certificate stands.
    Again,
}

/// Decides on a certificate. `genesis` is the address of the GENESIS that came along.
pub fn decide_certify(
    state: &CertifyState,
    certificate: &AuthorityCert,
    cert_hash: Digest,
    genesis: Option<Address>,
) -> Result<Certified, Refusal> {
    if let Some(earlier) = state.key_certificate {
        return if earlier == cert_hash { Ok(Certified::Again) } else { Err(Refusal::KeyAlreadyCertified) };
    }
    match (state.authority, genesis) {
        (Some(_), Some(_)) => Err(Refusal::AuthorityExists),
        (None, None) => Err(Refusal::GenesisMissing),
        (Some(known), None) if known.mailbox != certificate.mailbox => Err(Refusal::MailboxMismatch),
        (None, Some(address)) if address != certificate.mailbox => Err(Refusal::MailboxMismatch),
        (Some(_), None) => Ok(Certified::FurtherKey),
        (None, Some(_)) if state.mailbox_exists => Err(Refusal::MailboxExists),
        (None, Some(_)) => Ok(Certified::NewAuthority),
    }
}

/// What is known of a key that is to be revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokeState {
    /// Whose certificate it has.
    pub authority: AuthorityId,
    /// It has a revocation.
    pub revoked: bool,
}

/// Decides on a revocation: `true` to log it, `false` where one stands already.
pub fn decide_revoke(state: Option<&RevokeState>, authority: &AuthorityId) -> Result<bool, Refusal> {
    match state {
        Some(key) if key.authority == *authority => Ok(!key.revoked),
        _ => Err(Refusal::NotFound),
    }
}
