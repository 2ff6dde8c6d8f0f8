//! A small deployment with fixed keys: two logs, one authority, one mailbox, and receipts of anything that happens.
#![allow(clippy::unwrap_used, dead_code)]

use postfach_domain::act::{Act, ActType, MessageRef};
use postfach_domain::authority::{AuthorityCert, cert_hash};
use postfach_domain::chain::{Chain, Device, GenesisParts, LinkBuilder, make_genesis, reverse_sign};
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::head::RecipientHead;
use postfach_domain::id::{ActId, Address, MessageId, Origin, Party};
use postfach_domain::outer::{LegalRegime, Outer, TrustLevel};
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_domain::time::Timestamp;
use postfach_ledger::checkpoint::{Checkpoint, LogKeys, SignedCheckpoint};
use postfach_ledger::cosign::WitnessSigner;
use postfach_ledger::leaf::{EvidenceLeaf, KeyLeaf, commitment};
use postfach_ledger::receipt::{Actor, Receipt, Trust};
use postfach_ledger::tlog_proof::TlogProof;
use postfach_ledger::tree::TreeEdge;
use postfach_ledger::vkey::LogSigner;
use postfach_ledger::witness::WitnessPolicy;

pub const NOW: Timestamp = Timestamp(1_795_000_000_000);
pub const SALT: [u8; 32] = [0x5a; 32];

pub fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

pub fn registrar() -> SecretKey {
    key(1)
}

pub fn keys_signer() -> LogSigner {
    LogSigner::new("post.example/keys", key(2)).unwrap()
}

pub fn evidence_signer() -> LogSigner {
    LogSigner::new("post.example/evidence", key(3)).unwrap()
}

pub fn authority_key() -> SecretKey {
    key(4)
}

pub fn device_key() -> SecretKey {
    key(5)
}

pub fn recovery_key() -> SecretKey {
    key(6)
}

pub fn second_device_key() -> SecretKey {
    key(7)
}

pub fn witness(number: u8) -> WitnessSigner {
    WitnessSigner::new(&format!("witness{number}.example"), key(10 + number)).unwrap()
}

pub fn origin() -> Origin {
    "post.example".parse().unwrap()
}

pub fn trust() -> Trust {
    Trust {
        origin: origin(),
        registrar: registrar().public(),
        keys_log: LogKeys::new(keys_signer().verifier().clone(), vec![]).unwrap(),
        evidence_log: LogKeys::new(evidence_signer().verifier().clone(), vec![]).unwrap(),
        witnesses: WitnessPolicy::new(vec![witness(1).verifier().clone(), witness(2).verifier().clone()], 0)
            .unwrap(),
        allow_unwitnessed: false,
    }
}

/// The chain: genesis, then a second device.
pub fn chain_links() -> Vec<Signed> {
    let (device, recovery) = (device_key(), recovery_key());
    let origin = origin();
    let genesis = make_genesis(GenesisParts {
        origin: &origin,
        device_key: &device,
        device_recipient: vec![0x21; 1216],
        device_name_sealed: b"sealed".to_vec(),
        mailbox_recipient: vec![0x22; 1216],
        recovery_key: &recovery,
        recovery_recipient: vec![0x23; 1216],
        time: NOW,
        nonce: [0x24; 32],
    });
    let chain = Chain::verify(&origin, std::slice::from_ref(&genesis)).unwrap();
    let added = Device::new(second_device_key().public(), vec![0x25; 1216], vec![]);
    let consent = reverse_sign(
        &second_device_key(),
        &origin,
        chain.genesis_hash().as_bytes(),
        &device.key_id(),
        &added.encode(),
    );
    let link = LinkBuilder::new(&chain, &device, NOW, [0x26; 32]).add_device(&added, &consent);
    vec![genesis, link]
}

pub fn chain() -> Chain {
    Chain::verify(&origin(), &chain_links()).unwrap()
}

pub fn address() -> Address {
    chain().address()
}

pub fn authority() -> Party {
    Party::Authority("amt-muster".parse().unwrap())
}

pub fn certificate() -> Signed {
    AuthorityCert {
        origin: origin(),
        authority_id: "amt-muster".parse().unwrap(),
        display_name: "Amt Muster".into(),
        ags: Some("09162000".into()),
        sign_pub: authority_key().public(),
        mailbox: Address([0x31; 32]),
        ibans: vec![],
        not_before: Timestamp(NOW.0 - 1000),
        not_after: Some(Timestamp(NOW.0 + 1_000_000)),
    }
    .sign(&registrar())
    .unwrap()
}

/// The keys log: certificate, both links, and one leaf of somebody else.
pub fn key_leaves() -> Vec<KeyLeaf> {
    let chain = chain();
    let link = |seq| KeyLeaf::Link { label: chain.label(), seq, link_hash: chain.link_hash_at(seq).unwrap() };
    let cert = KeyLeaf::Certificate { key_id: authority_key().key_id(), hash: cert_hash(&certificate()) };
    let other = KeyLeaf::Certificate { key_id: key(99).key_id(), hash: Digest([9; 32]) };
    vec![cert, link(0), link(1), other]
}

pub fn keys_checkpoint() -> (SignedCheckpoint, TreeEdge) {
    let mut tree = TreeEdge::new();
    tree.append(key_leaves().iter().map(KeyLeaf::leaf_hash)).unwrap();
    (Checkpoint::sign(&keys_signer(), tree.size(), tree.root()), tree)
}

pub fn key_proof(index: u64) -> TlogProof {
    let (checkpoint, tree) = keys_checkpoint();
    TlogProof::new(index, tree.inclusion_proof(index).unwrap(), &checkpoint)
}

pub fn by_authority() -> Actor {
    Actor::Authority { certificate: certificate(), key_proof: key_proof(0) }
}

pub fn by_mailbox() -> Actor {
    Actor::Mailbox { links: chain_links(), key_proof: key_proof(2) }
}

pub fn outer(sender: Party) -> Outer {
    let from_mailbox = matches!(sender, Party::Mailbox(_));
    Outer {
        origin: origin(),
        message_id: MessageId::new(NOW, [3; 10]),
        sender,
        signer: if from_mailbox { device_key().key_id() } else { authority_key().key_id() },
        sender_head: from_mailbox.then(|| chain().head()),
        recipient: if from_mailbox { Address([0x31; 32]) } else { address() },
        recipient_head: RecipientHead { head: chain().head(), generation: 0 },
        created_at: NOW,
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::Ozg9,
        min_trust_level: TrustLevel::Basic,
        confirmation_requested: true,
        not_before: None,
        in_reply_to: None,
        attachments: vec![],
    }
}

pub fn hashes(outer: &Outer) -> Hashes {
    Hashes::of(&outer.encode(), b"cover envelope", b"letter envelope")
}

/// ACCEPTED or REFUSED of a message.
pub fn submission_event(event_type: EventType, outer: &Outer, signer: &SecretKey) -> Event {
    Event {
        event_type,
        message_id: Some(outer.message_id),
        sender: Some(outer.sender.clone()),
        recipient: Some(outer.recipient),
        hashes: Some(hashes(outer)),
        occurred_at: NOW,
        available_at: NOW,
        pair_seq: 1,
        keys_size: 3,
        signed: Some(EventSigned::Submission(hashes(outer).sign(signer))),
        prev_commitment: Digest::ZERO,
        reason: String::new(),
        details: vec![],
    }
}

/// An act about the message, or about the whole mailbox.
pub fn act(act_type: ActType, actor: Party, outer: &Outer, signer: &SecretKey) -> Act {
    let hashes = hashes(outer);
    let head = matches!(actor, Party::Mailbox(_)).then(|| chain().head());
    let message =
        MessageRef { message_id: outer.message_id, outer_hash: hashes.outer, letter_hash: hashes.letter };
    Act {
        origin: origin(),
        act_id: ActId([8; 16]),
        act_type,
        actor,
        signer: signer.key_id(),
        actor_head: head,
        message: act_type.needs_message().then_some(message),
        time: Timestamp(NOW.0 + 60_000),
        reason: String::new(),
        details: vec![],
    }
}

/// The event that an act makes.
pub fn act_event(act: &Act, outer: &Outer, signer: &SecretKey) -> Event {
    let about_message = act.act_type.needs_message();
    Event {
        event_type: act.act_type.event_type().unwrap(),
        message_id: act.message.map(|m| m.message_id),
        sender: about_message.then(|| outer.sender.clone()),
        recipient: Some(outer.recipient),
        hashes: about_message.then(|| hashes(outer)),
        occurred_at: Timestamp(NOW.0 + 60_500),
        available_at: NOW,
        pair_seq: 0,
        keys_size: 4,
        signed: Some(EventSigned::Act(act.sign(signer))),
        prev_commitment: Digest([7; 32]),
        reason: act.reason.clone(),
        details: act.details.clone(),
    }
}

/// Logs an event between others and makes its receipt.
pub fn receipt(event: &Event, outer: Option<&Outer>, actor: Actor) -> Receipt {
    receipt_under(event, outer, actor, |checkpoint| checkpoint)
}

/// The same, with something done to the evidence checkpoint.
pub fn receipt_under(
    event: &Event,
    outer: Option<&Outer>,
    actor: Actor,
    checkpoint: impl FnOnce(SignedCheckpoint) -> SignedCheckpoint,
) -> Receipt {
    let bytes = event.encode();
    let leaf = EvidenceLeaf { commitment: commitment(&SALT, &bytes) };
    let other = |i: u8| EvidenceLeaf { commitment: Digest([i; 32]) }.leaf_hash();
    let mut tree = TreeEdge::new();
    tree.append([other(1), other(2), leaf.leaf_hash(), other(3), other(4)]).unwrap();
    let signed = checkpoint(Checkpoint::sign(&evidence_signer(), tree.size(), tree.root()));
    Receipt {
        event: bytes,
        salt: SALT,
        outer: outer.map(Outer::encode).unwrap_or_default(),
        actor,
        evidence_proof: TlogProof::new(2, tree.inclusion_proof(2).unwrap(), &signed),
    }
}

/// ACCEPTED of the authority's notice.
pub fn accepted() -> Receipt {
    let outer = outer(authority());
    let event = submission_event(EventType::Accepted, &outer, &authority_key());
    receipt(&event, Some(&outer), by_authority())
}

/// HANDED_OVER of the same notice, by the citizen's first device.
pub fn handed_over() -> Receipt {
    let outer = outer(authority());
    let act = act(ActType::HandedOver, Party::Mailbox(address()), &outer, &device_key());
    receipt(&act_event(&act, &outer, &device_key()), Some(&outer), by_mailbox())
}
