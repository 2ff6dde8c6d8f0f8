//! Who acted in a receipt: the key that signed, what shows whose it is, and its place in the keys log.

use postfach_domain::act::Act;
use postfach_domain::authority::{AuthorityCert, cert_hash};
use postfach_domain::chain::{Chain, link_hash};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::format::{Signature, Signed};
use postfach_domain::hash::Digest;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{Address, KeyId, Origin, Party};
use postfach_domain::outer::Outer;
use postfach_domain::sign::PublicKey;

use super::error::ReceiptError;
use super::trust::Trust;
use super::{Actor, Receipt};
use crate::checkpoint::VerifiedCheckpoint;
use crate::leaf::KeyLeaf;
use crate::scan::KeyClaim;
use crate::tlog_proof::TlogProof;

/// How far an act's own time may be from `occurred_at`, in milliseconds, beyond the act's window: `occurred_at` may
/// run ahead of the server's clock by this much.
const CLOCK_LEAD_MS: u64 = 5_000;

/// What was found out about the acting party.
#[derive(Default)]
pub(super) struct Acting {
    pub(super) act: Option<Act>,
    pub(super) certificate: Option<AuthorityCert>,
    pub(super) keys_checkpoint: Option<VerifiedCheckpoint>,
    pub(super) key_claim: Option<KeyClaim>,
}

/// Who says to have signed, with which key.
struct Claimed<'a> {
    party: &'a Party,
    signer: KeyId,
    head: Option<ChainHead>,
}

/// A key, and the leaf and proof that show that it was in the keys log.
struct Key<'a> {
    public: PublicKey,
    leaf: KeyLeaf,
    /// link_hash of each link where a mailbox acted.
    chain: Vec<Digest>,
    proof: &'a TlogProof,
    certificate: Option<AuthorityCert>,
}

pub(super) fn verify(
    receipt: &Receipt,
    event: &Event,
    outer: Option<&Outer>,
    trust: &Trust,
) -> Result<Acting, ReceiptError> {
    match (maker(event.event_type), &event.signed) {
        (Maker::Service, None) if receipt.actor == Actor::Service => Ok(Acting::default()),
        (Maker::Submission, Some(EventSigned::Submission(signature))) => {
            verify_submission(receipt, event, outer, signature, trust)
        }
        (Maker::SenderAct | Maker::RecipientAct, Some(EventSigned::Act(act))) => {
            verify_act(receipt, event, act, trust)
        }
        _ => Err(ReceiptError::Actor),
    }
}

fn verify_submission(
    receipt: &Receipt,
    event: &Event,
    outer: Option<&Outer>,
    signature: &Signature,
    trust: &Trust,
) -> Result<Acting, ReceiptError> {
    let (Some(outer), Some(hashes)) = (outer, &event.hashes) else {
        return Err(ReceiptError::OuterMismatch("outer_hash"));
    };
    if event.available_at != outer.available_at(event.occurred_at) {
        return Err(ReceiptError::OuterMismatch("not_before"));
    }
    let claimed = Claimed { party: &outer.sender, signer: outer.signer, head: outer.sender_head };
    let key = key_of(receipt, event, &claimed, trust)?;
    hashes.verify(&key.public, signature).map_err(ReceiptError::Submission)?;
    key.in_log(event, None, trust)
}

fn verify_act(
    receipt: &Receipt,
    event: &Event,
    signed: &Signed,
    trust: &Trust,
) -> Result<Acting, ReceiptError> {
    let act = Act::peek(signed)?;
    if let Some(field) = act_mismatch(&act, event, &trust.origin) {
        return Err(ReceiptError::ActMismatch(field));
    }
    let claimed = Claimed { party: &act.actor, signer: act.signer, head: act.actor_head };
    let key = key_of(receipt, event, &claimed, trust)?;
    let act = Act::verify(signed, &key.public)?;
    key.in_log(event, Some(act), trust)
}

/// The first field in which an act and the event that logs it disagree, if one does. Whose signature it is stays to be
/// checked.
pub fn act_mismatch(act: &Act, event: &Event, origin: &Origin) -> Option<&'static str> {
    let mailbox = event.recipient.map(Party::Mailbox);
    let by_sender = matches!(maker(event.event_type), Maker::SenderAct);
    let expected = if by_sender { event.sender.as_ref() } else { mailbox.as_ref() };
    let message = act.message.map(|m| (m.message_id, m.outer_hash, m.letter_hash));
    let logged = event.message_id.zip(event.hashes).map(|(id, hashes)| (id, hashes.outer, hashes.letter));
    let window = postfach_domain::act::TIME_WINDOW_MS + CLOCK_LEAD_MS;
    let disagree = [
        ("origin", act.origin != *origin),
        ("type", act.act_type.event_type() != Some(event.event_type)),
        ("actor", Some(&act.actor) != expected),
        ("message_id", message != logged),
        ("reason", act.reason != event.reason),
        ("details", act.details != event.details),
        ("time", act.time.distance_ms(event.occurred_at) > window),
    ];
    disagree.into_iter().find_map(|(field, differs)| differs.then_some(field))
}

/// The key that the receipt shows for the claimed signer.
fn key_of<'a>(
    receipt: &'a Receipt,
    event: &Event,
    claimed: &Claimed<'_>,
    trust: &Trust,
) -> Result<Key<'a>, ReceiptError> {
    match (&receipt.actor, claimed.party) {
        (Actor::Authority { certificate, key_proof }, Party::Authority(id)) => {
            let cert = AuthorityCert::verify(certificate, &trust.registrar)?;
            let field = if cert.origin != trust.origin {
                "origin"
            } else if cert.authority_id != *id {
                "authority_id"
            } else if cert.key_id() != claimed.signer {
                "key"
            } else if !cert.valid_at(event.occurred_at) {
                "time"
            } else {
                let leaf = KeyLeaf::Certificate { key_id: cert.key_id(), hash: cert_hash(certificate) };
                let (public, proof) = (cert.sign_pub, key_proof);
                return Ok(Key { public, leaf, chain: Vec::new(), proof, certificate: Some(cert) });
            };
            Err(ReceiptError::CertificateMismatch(field))
        }
        (Actor::Mailbox { links, key_proof }, Party::Mailbox(address)) => {
            let head = claimed.head.ok_or(ReceiptError::Actor)?;
            let public = chain_key(links, address, head, &claimed.signer, trust)?;
            let leaf = KeyLeaf::Link { label: address.label(), seq: head.seq, link_hash: head.link_hash };
            let chain = links.iter().map(link_hash).collect();
            Ok(Key { public, leaf, chain, proof: key_proof, certificate: None })
        }
        _ => Err(ReceiptError::Actor),
    }
}

/// The device key of the chain that ends with the named head.
fn chain_key(
    links: &[Signed],
    address: &Address,
    head: ChainHead,
    signer: &KeyId,
    trust: &Trust,
) -> Result<PublicKey, ReceiptError> {
    let chain = Chain::verify_for(&trust.origin, address, links)?;
    if chain.head() != head {
        return Err(ReceiptError::ChainHead);
    }
    chain.active_key(signer).copied().ok_or(ReceiptError::KeyNotActive)
}

impl Key<'_> {
    /// Checks that the key's leaf stood in the keys log before the event was logged.
    fn in_log(self, event: &Event, act: Option<Act>, trust: &Trust) -> Result<Acting, ReceiptError> {
        let verified = self
            .proof
            .verify(&self.leaf.leaf_hash(), &trust.keys_log, &trust.witnesses)
            .map_err(ReceiptError::KeyProof)?;
        if self.proof.index >= event.keys_size {
            return Err(ReceiptError::KeyTooLate);
        }
        let checkpoint = verified.signed.checkpoint.clone();
        if checkpoint.size < event.keys_size {
            return Err(ReceiptError::KeysCheckpoint);
        }
        let claim = KeyClaim {
            leaf: self.leaf,
            chain: self.chain,
            index: self.proof.index,
            keys_size: event.keys_size,
            checkpoint,
        };
        Ok(Acting {
            act,
            certificate: self.certificate,
            keys_checkpoint: Some(verified),
            key_claim: Some(claim),
        })
    }
}

/// Who makes an event of this type.
enum Maker {
    /// The sender, by the signature of the submission.
    Submission,
    /// The sender, by an act.
    SenderAct,
    /// The recipient's mailbox, by an act.
    RecipientAct,
    /// The service alone.
    Service,
}

fn maker(event_type: EventType) -> Maker {
    match event_type {
        EventType::Accepted | EventType::Refused => Maker::Submission,
        EventType::Withdrawn => Maker::SenderAct,
        EventType::HandedOver
        | EventType::Confirmed
        | EventType::RejectedByRecipient
        | EventType::Disputed
        | EventType::Deleted
        | EventType::Consent
        | EventType::ConsentRevoked => Maker::RecipientAct,
        EventType::Notified | EventType::NotificationFailed | EventType::Lapsed | EventType::Erased => {
            Maker::Service
        }
    }
}
