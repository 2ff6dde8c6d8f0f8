//! Acts that a reader signs.

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::chain::Chain;
use postfach_domain::format::{ConsentDetails, Signed};
use postfach_domain::id::{ActId, Origin, Party};
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use prost::Message as _;
use rand::RngCore as _;
use rand::rngs::OsRng;

fn act(origin: &Origin, chain: &Chain, key: &SecretKey, at: Timestamp, act_type: ActType) -> Act {
    let mut id = [0; 16];
    OsRng.fill_bytes(&mut id);
    Act {
        origin: origin.clone(),
        act_id: ActId(id),
        act_type,
        actor: Party::Mailbox(chain.address()),
        signer: key.key_id(),
        actor_head: Some(chain.head()),
        message: None,
        time: at,
        reason: String::new(),
        details: Vec::new(),
    }
}

/// Consent to everybody.
pub fn consent(origin: &Origin, chain: &Chain, key: &SecretKey, at: Timestamp) -> Signed {
    let details = ConsentDetails { all: true, authority_ids: Vec::new() }.encode_to_vec();
    Act { details, ..act(origin, chain, key, at, ActType::Consent) }.sign(key)
}

/// Takes a letter.
pub fn hand_over(
    origin: &Origin,
    chain: &Chain,
    key: &SecretKey,
    at: Timestamp,
    message: MessageRef,
) -> Signed {
    Act { message: Some(message), ..act(origin, chain, key, at, ActType::HandedOver) }.sign(key)
}

/// Confirms that a letter opened well.
pub fn confirm(
    origin: &Origin,
    chain: &Chain,
    key: &SecretKey,
    at: Timestamp,
    message: MessageRef,
) -> Signed {
    Act { message: Some(message), ..act(origin, chain, key, at, ActType::Confirmed) }.sign(key)
}
