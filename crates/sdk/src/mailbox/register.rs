//! Opening a mailbox: keys and genesis are made here and stored by the application before the first call, so that a
//! registration can be repeated with the same bytes until it is answered.

use std::collections::BTreeMap;

use postfach_domain::act::{Act, ActType, ConsentScope};
use postfach_domain::chain::{Chain, GenesisParts, make_genesis};
use postfach_domain::code::ActivationCode;
use postfach_domain::event::EventType;
use postfach_domain::format::Signed;
use postfach_domain::id::{ActId, KeyId, Party};
use postfach_domain::kit::RecoverySecret;
use postfach_domain::terms::TrustLevel;
use postfach_envelope::hybrid::HybridIdentity;
use postfach_envelope::wraps::make_wrap;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::base64_bytes;
use crate::client::Client;
use crate::environment::Environment;
use crate::error::Error;
use crate::evidence::VerifiedEvent;
use crate::keys::{DeviceKeys, MailboxKeys};
use crate::service::Service;

/// A new mailbox that nobody knows yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewMailbox {
    /// To be sealed at rest.
    pub keys: MailboxKeys,
    /// What registration sends; to be stored until it was answered. Public.
    pub registration: Registration,
    /// To be printed, and kept nowhere else.
    pub kit: RecoverySecret,
}

/// What registration sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Encoded GENESIS link (`postfach.format.v1.Signed`).
    #[serde(with = "base64_bytes")]
    pub genesis: Vec<u8>,
    /// Seeds for the device and for the recovery key.
    pub wraps: Vec<StoredWrap>,
}

/// The mailbox's seeds, sealed for one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredWrap {
    /// key_id of the member, hexadecimal.
    pub member: String,
    /// One age file.
    #[serde(with = "base64_bytes")]
    pub sealed: Vec<u8>,
}

/// A mailbox that the service knows.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Registered {
    /// The operator's word on who the owner is, given with the code.
    pub trust_level: Option<TrustLevel>,
    /// The CONSENT event, where consent was given.
    pub consent: Option<VerifiedEvent>,
}

/// Makes all keys of a mailbox and its GENESIS link. Nothing is sent.
pub fn create_mailbox(service: &Service, environment: &Environment) -> Result<NewMailbox, Error> {
    let mut rng = environment.rng();
    let device = DeviceKeys::generate(&mut rng);
    let mailbox = HybridIdentity::generate(&mut rng);
    let kit = RecoverySecret::generate(&mut rng);
    let (recovery_sign, recovery_age) = (kit.sign_key(), HybridIdentity::from_seed(*kit.age_seed()));
    let genesis = make_genesis(GenesisParts {
        origin: &service.origin,
        device_key: &device.sign,
        device_recipient: device.age.to_recipient().to_bytes().to_vec(),
        device_name_sealed: Vec::new(),
        mailbox_recipient: mailbox.to_recipient().to_bytes().to_vec(),
        recovery_key: &recovery_sign,
        recovery_recipient: recovery_age.to_recipient().to_bytes().to_vec(),
        time: environment.now(),
        nonce: environment.random_bytes(),
    });
    let chain = own_genesis(service, &genesis)?;
    let generations = BTreeMap::from([(0, mailbox)]);
    let members = [
        (device.sign.key_id(), device.age.to_recipient()),
        (recovery_sign.key_id(), recovery_age.to_recipient()),
    ];
    let wrap = |(member, recipient): &(KeyId, _)| {
        let sealed = make_wrap(&generations, recipient)
            .map_err(|e| Error::local("sealing", std::io::Error::other(e)))?;
        Ok(StoredWrap { member: member.to_string(), sealed })
    };
    let wraps = members.iter().map(wrap).collect::<Result<_, Error>>()?;
    let registration = Registration { genesis: genesis.encode_to_vec(), wraps };
    let keys = MailboxKeys { address: chain.address(), device, generations };
    Ok(NewMailbox { keys, registration, kit })
}

fn own_genesis(service: &Service, genesis: &Signed) -> Result<Chain, Error> {
    Chain::verify(&service.origin, std::slice::from_ref(genesis))
        .map_err(|e| Error::Damaged { what: "genesis", reason: e.to_string() })
}

impl Registration {
    fn genesis(&self) -> Result<Signed, Error> {
        Signed::decode(self.genesis.as_slice())
            .map_err(|e| Error::Damaged { what: "registration", reason: e.to_string() })
    }

    pub(crate) fn wire_wraps(&self) -> Result<Vec<v1::Wrap>, Error> {
        let damaged = |_| Error::Damaged { what: "registration", reason: "a member is malformed".to_owned() };
        let wrap = |wrap: &StoredWrap| {
            let member: KeyId = wrap.member.parse().map_err(damaged)?;
            Ok(v1::Wrap { member: member.to_vec(), sealed: wrap.sealed.clone() })
        };
        self.wraps.iter().map(wrap).collect()
    }
}

/// Registers a mailbox with an activation code; may be repeated with the same code. With `consent`, the owner agrees to
/// electronic delivery by every authority. Afterwards the client remembers the chain, and [`super::Mailbox::open`] works.
pub async fn register(
    client: &Client,
    keys: &MailboxKeys,
    registration: &Registration,
    code: &ActivationCode,
    consent: bool,
) -> Result<Registered, Error> {
    let client = client.calling_as(Party::Mailbox(keys.address), keys.device.sign.clone());
    let genesis = registration.genesis()?;
    let chain = own_genesis(client.service(), &genesis)?;
    let wraps = registration.wire_wraps()?;
    let act_id = ActId(client.environment().random_bytes());
    let sign = |time| {
        let act = Act {
            origin: client.service().origin.clone(),
            act_id,
            act_type: ActType::Consent,
            actor: Party::Mailbox(keys.address),
            signer: keys.device.sign.key_id(),
            actor_head: Some(chain.head()),
            message: None,
            time,
            reason: String::new(),
            details: ConsentScope::All.encode(),
        };
        v1::RegisterRequest {
            genesis: Some(genesis.clone()),
            wraps: wraps.clone(),
            code_id: code.code_id().0.to_vec(),
            proof: code.activation_key().proof(&keys.address).to_vec(),
            consent: consent.then(|| act.sign(&keys.device.sign)),
        }
    };
    let answer = client
        .call_signed(sign, |channel, request| async move {
            MailboxServiceClient::new(channel).register(request).await
        })
        .await?;
    let seen = client.observe(answer.checkpoints.as_ref())?;
    let proven = client.verify_chain(&keys.address, answer.chain.as_ref(), &seen)?;
    let consent = match answer.consent {
        Some(logged) => {
            let verified = client.verify_event(&logged, &seen)?;
            verified.expect(EventType::Consent, None)?;
            verified.check_act(&keys.device.sign.public())?;
            Some(verified)
        }
        None if consent => return Err(Error::answer("no consent event")),
        None => None,
    };
    client.settle().await?;
    client.with_trust(|trust| trust.own_chain = Some(proven.to_stored()));
    Ok(Registered { trust_level: TrustLevel::from_wire(answer.trust_level), consent })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_envelope::hybrid::HybridRecipient;
    use postfach_envelope::wraps::open_wrap;

    use super::*;
    use crate::testing::{environment, service};

    /// The kit typed back gives both recovery keys of the genesis, and opens the mailbox's key.
    #[test]
    fn the_kit_recovers_everything() {
        let new = create_mailbox(&service(), &environment()).unwrap();
        let typed: RecoverySecret = new.kit.expose_text().parse().unwrap();
        let genesis = new.registration.genesis().unwrap();
        let chain = own_genesis(&service(), &genesis).unwrap();
        assert_eq!(chain.recovery().sign_pub, typed.sign_key().public());
        let recovery = HybridIdentity::from_seed(*typed.age_seed());
        assert_eq!(chain.recovery().age_recipient, recovery.to_recipient().to_bytes());
        let member = typed.sign_key().key_id().to_string();
        let wrap = new.registration.wraps.iter().find(|wrap| wrap.member == member).unwrap();
        let recipient = HybridRecipient::from_bytes(&chain.generation().recipient).unwrap();
        let opened = open_wrap(&wrap.sealed, &recovery, &BTreeMap::from([(0, recipient)])).unwrap();
        assert_eq!(opened.keys, new.keys.generations);
        assert_eq!(chain.address(), new.keys.address);
    }
}
