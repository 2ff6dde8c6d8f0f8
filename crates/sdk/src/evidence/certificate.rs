//! Certificates of authorities: signed by the registrar, standing in the log of keys, and revoked or not at an event.

use postfach_domain::authority::{AuthorityCert, AuthorityRevocation, cert_hash, revocation_hash};
use postfach_domain::format::Signed;
use postfach_domain::time::Timestamp;
use postfach_ledger::checkpoint::SignedCheckpoint;
use postfach_ledger::hash::Hash;
use postfach_ledger::leaf::KeyLeaf;
use postfach_ledger::tlog_proof::TlogProof;
use postfach_proto::v1;

use super::follow::{Seen, check_inclusion};
use crate::client::Client;
use crate::error::{Error, EvidenceFault};

/// One certified key of an authority, with its place in the log of keys.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CertifiedKey {
    /// What the registrar certified.
    pub certificate: AuthorityCert,
    /// As it was signed.
    pub signed: Signed,
    /// Index of the certificate in the log of keys.
    pub index: u64,
    /// Index of its revocation, where there is one.
    pub revoked_index: Option<u64>,
    inclusion: Vec<Hash>,
    checkpoint: SignedCheckpoint,
}

impl CertifiedKey {
    /// True where the key counts at an event (SPEC 5): certified below `keys_size`, not revoked below it, and within
    /// its dates. That no revocation was kept back is the service's word.
    pub fn counts_at(&self, keys_size: u64, occurred_at: Timestamp) -> bool {
        self.index < keys_size
            && self.revoked_index.is_none_or(|revoked| revoked >= keys_size)
            && self.certificate.valid_at(occurred_at)
    }

    /// True where it is not revoked and within its dates.
    pub fn counts_now(&self, now: Timestamp) -> bool {
        self.revoked_index.is_none() && self.certificate.valid_at(now)
    }

    /// The proof that a receipt carries.
    pub(crate) fn key_proof(&self) -> TlogProof {
        TlogProof::new(self.index, self.inclusion.clone(), &self.checkpoint)
    }
}

#[allow(clippy::needless_pass_by_value)] // takes texts and errors alike, also from map_err
fn fault(reason: impl ToString) -> Error {
    Error::evidence(EvidenceFault::Certificate(reason.to_string()))
}

impl Client {
    /// Verifies a certificate and, where it comes with one, its revocation.
    pub(crate) fn verify_authority_key(
        &self,
        key: &v1::AuthorityKey,
        seen: &Seen,
    ) -> Result<CertifiedKey, Error> {
        let service = self.service();
        let logged = key.certificate.as_ref().ok_or_else(|| fault("it is missing"))?;
        let signed = logged.statement.clone().ok_or_else(|| fault("it is missing"))?;
        let certificate = AuthorityCert::verify(&signed, &service.registrar).map_err(fault)?;
        if certificate.origin != service.origin {
            return Err(fault("it is for another service"));
        }
        let key_id = certificate.key_id();
        let checkpoint = seen.keys()?;
        let leaf = KeyLeaf::Certificate { key_id, hash: cert_hash(&signed) }.leaf_hash();
        let inclusion = check_inclusion("certificate", &leaf, logged.index, &logged.inclusion, checkpoint)?;
        let revoked_index = match &key.revocation {
            None => None,
            Some(logged) => {
                let signed = logged.statement.as_ref().ok_or_else(|| fault("the revocation is missing"))?;
                let revocation = AuthorityRevocation::verify(signed, &service.registrar).map_err(fault)?;
                if revocation.key_id != key_id
                    || revocation.origin != service.origin
                    || revocation.authority_id != certificate.authority_id
                {
                    return Err(fault("the revocation is of another key"));
                }
                let leaf = KeyLeaf::Revocation { key_id, hash: revocation_hash(signed) }.leaf_hash();
                check_inclusion("revocation", &leaf, logged.index, &logged.inclusion, checkpoint)?;
                Some(logged.index)
            }
        };
        let (index, checkpoint) = (logged.index, checkpoint.clone());
        Ok(CertifiedKey { certificate, signed, index, revoked_index, inclusion, checkpoint })
    }
}
