//! The request file of an authority: what its installation hands to the operator, so that the registrar can certify its
//! key and the service can open its mailbox (INTERFACES, authority bootstrap). Public; whoever carries it needs to be
//! trusted not to change it, which the operator checks with the authority.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postfach_domain::authority::{is_ags, is_iban, is_name};
use postfach_domain::id::AuthorityId;
use postfach_domain::kit::RecoverySecret;
use postfach_domain::sign::SecretKey;
use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::error::Error;
use crate::keys::AuthorityKeys;
use crate::mailbox::{Registration, StoredWrap, create_mailbox};
use crate::service::Service;
use crate::state::StoredChain;

/// Version of the file.
const VERSION: u32 = 1;

/// The file's content, JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityRequest {
    /// 1.
    pub version: u32,
    /// The deployment.
    pub origin: String,
    /// The id asked for.
    pub authority_id: String,
    /// The name that citizens will see.
    pub display_name: String,
    /// Amtlicher Gemeindeschlüssel, eight digits, or empty.
    #[serde(default)]
    pub ags: String,
    /// Accounts to be certified, electronic form.
    #[serde(default)]
    pub ibans: Vec<String>,
    /// The key to be certified, base64 of 32 bytes.
    pub sign_pub: String,
    /// GENESIS of the authority's mailbox: base64 of an encoded `postfach.format.v1.Signed`. Absent where the authority
    /// has a mailbox already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub genesis: Option<String>,
    /// The mailbox's seeds for its members.
    #[serde(default)]
    pub wraps: Vec<StoredWrap>,
}

/// What an authority says about itself.
#[derive(Debug, Clone)]
pub struct AuthorityProfile {
    /// The id asked for.
    pub authority_id: AuthorityId,
    /// The name that citizens will see.
    pub display_name: String,
    /// Amtlicher Gemeindeschlüssel, eight digits.
    pub ags: Option<String>,
    /// Accounts, electronic form.
    pub ibans: Vec<String>,
}

/// A new authority that nobody knows yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewAuthority {
    /// To be sealed at rest.
    pub keys: AuthorityKeys,
    /// To be handed to the operator.
    pub request: AuthorityRequest,
    /// Recovery key of the authority's mailbox, to be printed, and kept nowhere else.
    pub kit: RecoverySecret,
    /// Genesis of the mailbox, to be put into [`crate::state::Trust::own_chain`].
    pub own_chain: StoredChain,
}

/// Makes all keys of an authority's first installation and its request file. Nothing is sent.
pub fn create_authority(
    service: &Service,
    environment: &Environment,
    profile: &AuthorityProfile,
) -> Result<NewAuthority, Error> {
    check(profile)?;
    let new = create_mailbox(service, environment)?;
    let sign = Arc::new(SecretKey::generate(&mut environment.rng()));
    let Registration { genesis, wraps } = new.registration;
    let request = AuthorityRequest {
        version: VERSION,
        origin: service.origin.to_string(),
        authority_id: profile.authority_id.to_string(),
        display_name: profile.display_name.clone(),
        ags: profile.ags.clone().unwrap_or_default(),
        ibans: profile.ibans.clone(),
        sign_pub: STANDARD.encode(sign.public().to_bytes()),
        genesis: Some(STANDARD.encode(&genesis)),
        wraps,
    };
    let keys = AuthorityKeys { authority_id: profile.authority_id.clone(), sign, mailbox: new.keys };
    let own_chain = StoredChain { links: vec![genesis], indexes: Vec::new() };
    Ok(NewAuthority { keys, request, kit: new.kit, own_chain })
}

fn check(profile: &AuthorityProfile) -> Result<(), Error> {
    if !is_name(&profile.display_name) {
        return Err(Error::bad_input("name", "1 to 200 characters, no control characters"));
    }
    if profile.ags.as_deref().is_some_and(|ags| !is_ags(ags)) {
        return Err(Error::bad_input("ags", "eight digits"));
    }
    match profile.ibans.iter().find(|iban| !is_iban(iban)) {
        Some(iban) => Err(Error::bad_input("iban", format!("{iban} is no IBAN in electronic form"))),
        None => Ok(()),
    }
}

impl AuthorityRequest {
    /// The file's text.
    pub fn to_json(&self) -> String {
        // Safe because the struct has only strings, numbers and lists of them.
        let mut text = serde_json::to_string_pretty(self).expect("plain data");
        text.push('\n');
        text
    }

    /// Reads the file.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let request: Self = serde_json::from_str(text).map_err(|e| Error::bad_input("request", e))?;
        if request.version == VERSION {
            Ok(request)
        } else {
            Err(Error::bad_input("request", format!("version {} is not known", request.version)))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{environment, service};

    fn profile() -> AuthorityProfile {
        AuthorityProfile {
            authority_id: "stadt-test".parse().unwrap(),
            display_name: "Stadt Test".to_owned(),
            ags: Some("09162000".to_owned()),
            ibans: vec!["DE02120300000000202051".to_owned()],
        }
    }

    #[test]
    fn the_request_holds_the_public_halves() {
        let new = create_authority(&service(), &environment(), &profile()).unwrap();
        let read = AuthorityRequest::from_json(&new.request.to_json()).unwrap();
        assert_eq!(read, new.request);
        assert_eq!(STANDARD.decode(&read.sign_pub).unwrap(), new.keys.sign.public().to_bytes());
        assert_eq!(STANDARD.decode(read.genesis.unwrap()).unwrap(), new.own_chain.links[0]);
        assert_eq!(read.wraps.len(), 2);
        assert_ne!(new.keys.sign.key_id(), new.keys.mailbox.device.sign.key_id());
        let seed = STANDARD.encode(new.keys.sign.expose_seed().as_slice());
        assert!(!new.request.to_json().contains(&seed));
    }

    #[test]
    fn what_the_registrar_would_refuse_is_refused_here() {
        let bad = |change: fn(&mut AuthorityProfile)| {
            let mut profile = profile();
            change(&mut profile);
            matches!(create_authority(&service(), &environment(), &profile), Err(Error::BadInput { .. }))
        };
        assert!(bad(|p| p.display_name.clear()));
        assert!(bad(|p| p.ags = Some("9".to_owned())));
        assert!(bad(|p| p.ibans[0].push('1')));
        assert!(AuthorityRequest::from_json("{}").is_err());
    }
}
