//! Logs a certificate of the registrar and, for a new authority, opens its mailbox (INTERFACES, authority bootstrap).

use postfach_domain::authority::{AuthorityCert, cert_hash};
use postfach_domain::decide::{Certified, CertifyState, KnownAuthority, Refusal, decide_certify};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::keylog::cert_leaf;
use postfach_domain::terms::TrustLevel;
use prost::Message as _;

use super::register::{CheckedGenesis, Opening};
use super::{App, AppError, AuthorityRegistered, RegisterAuthority};
use crate::commit::{Applied, Needs, Operation, Outcome, WorkingSet};
use crate::storage::Ask;
use crate::storage::sql::authorities::{self, Authority, AuthorityKeyRow};
use crate::storage::sql::mailboxes::Mailbox;

impl App {
    /// Logs a certificate and, for a new authority, opens its mailbox.
    pub async fn register_authority(
        &self,
        request: RegisterAuthority,
    ) -> Result<AuthorityRegistered, AppError> {
        let invalid = |error| AppError::invalid("certificate", error);
        let certificate = AuthorityCert::verify(&request.certificate, &self.registrar).map_err(invalid)?;
        if certificate.origin != self.origin {
            return Err(AppError::invalid("certificate.origin", "another deployment"));
        }
        let opening = match &request.genesis {
            Some(genesis) => {
                let genesis = CheckedGenesis::new(self, genesis)?;
                genesis.check_wraps(&request.wraps)?;
                Some(Opening { genesis, wraps: request.wraps })
            }
            None if request.wraps.is_empty() => None,
            None => return Err(AppError::invalid("wraps", "without a GENESIS")),
        };
        let (authority_id, key_id) = (certificate.authority_id.clone(), certificate.key_id());
        let operation = Certify {
            hash: cert_hash(&request.certificate),
            certificate,
            signed: request.certificate,
            opening,
        };
        let certificate_index = if let Outcome::Logged { keys, .. } = self.submit(operation).await? {
            keys.last().map(|(index, _)| *index)
        } else {
            let found = authorities::keys(&mut Ask(&*self.store), [&key_id]).await?;
            found.first().map(|key| key.certificate_index)
        };
        let certificate_index = certificate_index.ok_or(AppError::Internal)?;
        Ok(AuthorityRegistered { authority_id, certificate_index })
    }
}

/// A certificate on its way.
#[derive(Debug)]
struct Certify {
    certificate: AuthorityCert,
    signed: Signed,
    hash: Digest,
    opening: Option<Opening>,
}

impl Operation for Certify {
    fn extends_keys(&self) -> bool {
        true
    }

    fn weight(&self) -> usize {
        self.signed.encoded_len() + 16 * 1024
    }

    fn needs(&self, needs: &mut Needs) {
        needs.authorities.insert(self.certificate.authority_id.clone());
        needs.authority_keys.insert(self.certificate.key_id());
        needs.mailboxes.insert(self.certificate.mailbox);
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let key_id = self.certificate.key_id();
        let authority = set.authorities.get(&self.certificate.authority_id).cloned();
        let state = CertifyState {
            authority: authority.as_ref().map(|authority| KnownAuthority { mailbox: authority.mailbox }),
            key_certificate: set.authority_keys.get(&key_id).map(|key| key.certificate_hash),
            mailbox_exists: set.mailboxes.get(&self.certificate.mailbox).is_some(),
        };
        let genesis = self.opening.as_ref().map(|opening| opening.genesis.address);
        match decide_certify(&state, &self.certificate, self.hash, genesis)? {
            Certified::Again => Ok(Applied::Known(None)),
            Certified::FurtherKey => {
                let authority = authority.ok_or(Refusal::NotFound)?;
                let index = self.log(set, &authority);
                Ok(Applied::Logged { keys: vec![index], events: Vec::new() })
            }
            Certified::NewAuthority => self.found(set),
        }
    }
}

impl Certify {
    /// A new authority: its mailbox first, then the certificate, whose position becomes its number.
    fn found(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let opening = self.opening.as_ref().ok_or(Refusal::GenesisMissing)?;
        opening.check_time(set.now())?;
        let no = set.next_key() + 1;
        let mailbox: Mailbox = opening.open(set, TrustLevel::High, Some(no));
        let id = self.certificate.authority_id.clone();
        let authority = Authority { no, id: id.clone(), mailbox_no: mailbox.no, mailbox: mailbox.address };
        set.authorities.put(id, authority.clone());
        set.changes.authorities.push(authority.clone());
        let index = self.log(set, &authority);
        Ok(Applied::Logged { keys: vec![mailbox.no, index], events: Vec::new() })
    }

    fn log(&self, set: &mut WorkingSet, authority: &Authority) -> u64 {
        let certificate = &self.certificate;
        let key_id = certificate.key_id();
        let index = set.log_key(cert_leaf(&key_id, &self.hash));
        let row = AuthorityKeyRow {
            key_id,
            authority_no: authority.no,
            authority_id: authority.id.clone(),
            public: certificate.sign_pub.to_bytes(),
            ags: certificate.ags.clone().unwrap_or_default(),
            not_before: certificate.not_before,
            not_after: certificate.not_after,
            certificate_hash: self.hash,
            certificate_index: index,
            revocation_index: None,
        };
        set.authority_keys.put(key_id, row.clone());
        set.changes.authority_keys.push((row, self.signed.clone()));
        index
    }
}
