//! Receipts of every kind of event, and everything that must be refused.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use postfach_domain::act::{ActType, ConsentScope};
use postfach_domain::card::{FormerLog, ServiceCard, WitnessPolicy as CardPolicy};
use postfach_domain::event::{Event, EventType};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, Party};
use postfach_domain::limits;
use postfach_domain::sign::SignatureError;
use postfach_domain::time::Timestamp;
use postfach_ledger::leaf::KeyLeaf;
use postfach_ledger::proof::ProofError;
use postfach_ledger::receipt::{
    Actor, MAGIC, Receipt, ReceiptError, ReceiptFormatError, Trust, TrustError, VerifiedReceipt, verify,
};
use postfach_ledger::scan::{Finding, KeyScan, ScanError};
use postfach_ledger::tlog_proof::TlogProofError;
use postfach_ledger::vkey::{LogSigner, VkeyError};
use postfach_ledger::witness::WitnessPolicy;

fn check(receipt: &Receipt) -> Result<VerifiedReceipt, ReceiptError> {
    let bytes = receipt.encode();
    assert_eq!(Receipt::parse(&bytes).as_ref(), Ok(receipt));
    verify(&bytes, &trust())
}

#[test]
fn accepted_from_an_authority() {
    let proven = check(&accepted()).unwrap();
    assert_eq!(proven.event.event_type, EventType::Accepted);
    assert_eq!((proven.index, proven.checkpoint.signed.checkpoint.size), (2, 5));
    assert_eq!(proven.actor(), Some(&authority()));
    assert_eq!(proven.certificate.unwrap().display_name, "Amt Muster");
    assert_eq!(proven.key_claim.unwrap().keys_size, 3);
    assert_eq!(proven.outer.unwrap().recipient, address());
    assert!(!proven.witnessed);
}

#[test]
fn refused_and_accepted_from_a_citizen() {
    let outer = outer(Party::Mailbox(address()));
    for event_type in [EventType::Accepted, EventType::Refused] {
        let event = submission_event(event_type, &outer, &device_key());
        let proven = check(&receipt(&event, Some(&outer), by_mailbox())).unwrap();
        assert_eq!(proven.actor(), Some(&Party::Mailbox(address())));
        assert!(proven.certificate.is_none());
    }
}

#[test]
fn every_act_on_a_message() {
    let outer = outer(authority());
    for act_type in [
        ActType::HandedOver,
        ActType::Confirmed,
        ActType::RejectedByRecipient,
        ActType::Disputed,
        ActType::Deleted,
    ] {
        let act = act(act_type, Party::Mailbox(address()), &outer, &device_key());
        let receipt = receipt(&act_event(&act, &outer, &device_key()), Some(&outer), by_mailbox());
        let proven = check(&receipt).unwrap();
        assert_eq!(proven.actor(), Some(&Party::Mailbox(address())));
        assert_eq!(proven.act, Some(act));
    }
    let withdrawn = act(ActType::Withdrawn, authority(), &outer, &authority_key());
    let event = act_event(&withdrawn, &outer, &authority_key());
    assert_eq!(check(&receipt(&event, Some(&outer), by_authority())).unwrap().actor(), Some(&authority()));
}

#[test]
fn consent_has_no_message() {
    let outer = outer(authority());
    for act_type in [ActType::Consent, ActType::ConsentRevoked] {
        let mut act = act(act_type, Party::Mailbox(address()), &outer, &device_key());
        act.details = ConsentScope::All.encode();
        let event = act_event(&act, &outer, &device_key());
        assert_eq!(check(&receipt(&event, None, by_mailbox())).unwrap().act, Some(act));
        let superfluous = check(&receipt(&event, Some(&outer), by_mailbox()));
        assert_eq!(superfluous, Err(ReceiptError::OuterMismatch("outer_hash")));
    }
}

fn lapsed() -> Event {
    let outer = outer(authority());
    Event {
        event_type: EventType::Lapsed,
        signed: None,
        ..submission_event(EventType::Accepted, &outer, &authority_key())
    }
}

#[test]
fn the_service_acts_without_a_signature() {
    let outer = outer(authority());
    let proven = check(&receipt(&lapsed(), Some(&outer), Actor::Service)).unwrap();
    assert!(proven.actor().is_none() && proven.key_claim.is_none());
    let erased = Event { event_type: EventType::Erased, hashes: None, ..lapsed() };
    assert!(check(&receipt(&erased, None, Actor::Service)).is_ok());
    assert_eq!(check(&receipt(&lapsed(), Some(&outer), by_authority())), Err(ReceiptError::Actor));
}

#[test]
fn a_party_cannot_be_left_out_or_exchanged() {
    let outer = outer(authority());
    let event = submission_event(EventType::Accepted, &outer, &authority_key());
    assert_eq!(check(&receipt(&event, Some(&outer), Actor::Service)), Err(ReceiptError::Actor));
    assert_eq!(check(&receipt(&event, Some(&outer), by_mailbox())), Err(ReceiptError::Actor));
    let unsigned = Event { signed: None, ..event.clone() };
    assert_eq!(check(&receipt(&unsigned, Some(&outer), by_authority())), Err(ReceiptError::Actor));
    assert_eq!(check(&receipt(&unsigned, Some(&outer), Actor::Service)), Err(ReceiptError::Actor));
    // An act where a submission belongs.
    let act = act(ActType::HandedOver, Party::Mailbox(address()), &outer, &device_key());
    let swapped = Event { signed: act_event(&act, &outer, &device_key()).signed, ..event };
    assert_eq!(check(&receipt(&swapped, Some(&outer), by_mailbox())), Err(ReceiptError::Actor));
}

#[test]
fn a_submission_is_signed_by_the_named_key() {
    let outer = outer(authority());
    let forged = submission_event(EventType::Accepted, &outer, &device_key());
    assert_eq!(
        check(&receipt(&forged, Some(&outer), by_authority())),
        Err(ReceiptError::Submission(SignatureError::WrongKey))
    );
    let mut moved = submission_event(EventType::Accepted, &outer, &authority_key());
    moved.hashes.as_mut().unwrap().letter = Digest([1; 32]);
    assert_eq!(
        check(&receipt(&moved, Some(&outer), by_authority())),
        Err(ReceiptError::Submission(SignatureError::Invalid))
    );
    let other_signer = postfach_domain::outer::Outer { signer: device_key().key_id(), ..outer };
    let event = submission_event(EventType::Accepted, &other_signer, &authority_key());
    assert_eq!(
        check(&receipt(&event, Some(&other_signer), by_authority())),
        Err(ReceiptError::CertificateMismatch("key"))
    );
}

#[test]
fn outer_and_event_agree() {
    let outer = outer(authority());
    let good = submission_event(EventType::Accepted, &outer, &authority_key());
    let cases = [
        (Event { message_id: None, ..good.clone() }, "message_id"),
        (Event { sender: Some(Party::Mailbox(address())), ..good.clone() }, "sender"),
        (Event { recipient: Some(Address([1; 32])), ..good.clone() }, "recipient"),
        (Event { available_at: Timestamp(NOW.0 + 1), ..good.clone() }, "not_before"),
        (Event { available_at: Timestamp(NOW.0 - 1), ..good.clone() }, "not_before"),
    ];
    for (event, field) in cases {
        let result = check(&receipt(&event, Some(&outer), by_authority()));
        assert_eq!(result, Err(ReceiptError::OuterMismatch(field)));
    }
    assert_eq!(check(&receipt(&good, None, by_authority())), Err(ReceiptError::OuterMismatch("outer_hash")));
    let elsewhere = postfach_domain::outer::Outer { origin: "other.example".parse().unwrap(), ..outer };
    let event = submission_event(EventType::Accepted, &elsewhere, &authority_key());
    assert_eq!(
        check(&receipt(&event, Some(&elsewhere), by_authority())),
        Err(ReceiptError::OuterMismatch("origin"))
    );
}

#[test]
fn act_and_event_agree() {
    let outer = outer(authority());
    let act = act(ActType::HandedOver, Party::Mailbox(address()), &outer, &device_key());
    let good = act_event(&act, &outer, &device_key());
    let late = Timestamp(act.time.0 + 305_001);
    let cases = [
        (Event { event_type: EventType::Confirmed, ..good.clone() }, "type"),
        (Event { event_type: EventType::Withdrawn, ..good.clone() }, "type"),
        (Event { reason: "OTHER".into(), ..good.clone() }, "reason"),
        (Event { details: vec![1], ..good.clone() }, "details"),
        (Event { occurred_at: late, ..good.clone() }, "time"),
    ];
    for (event, field) in cases {
        let result = check(&receipt(&event, Some(&outer), by_mailbox()));
        assert_eq!(result, Err(ReceiptError::ActMismatch(field)));
    }
    let other_message = postfach_domain::outer::Outer {
        message_id: postfach_domain::id::MessageId::new(NOW, [4; 10]),
        ..outer.clone()
    };
    let moved = Event {
        message_id: Some(other_message.message_id),
        hashes: Some(hashes(&other_message)),
        ..good.clone()
    };
    assert_eq!(
        check(&receipt(&moved, Some(&other_message), by_mailbox())),
        Err(ReceiptError::ActMismatch("message_id"))
    );
    let mut stranger = act.clone();
    stranger.actor = Party::Mailbox(Address([1; 32]));
    let event = act_event(&stranger, &outer, &device_key());
    assert_eq!(check(&receipt(&event, Some(&outer), by_mailbox())), Err(ReceiptError::ActMismatch("actor")));
}

#[test]
fn certificates_are_of_this_authority_and_time() {
    let outer = outer(authority());
    let event = submission_event(EventType::Accepted, &outer, &authority_key());
    let late = Timestamp(NOW.0 + 1_000_001);
    let expired = Event { occurred_at: late, available_at: late, ..event.clone() };
    assert_eq!(
        check(&receipt(&expired, Some(&outer), by_authority())),
        Err(ReceiptError::CertificateMismatch("time"))
    );
    let foreign = Trust { registrar: key(9).public(), ..trust() };
    let bytes = receipt(&event, Some(&outer), by_authority()).encode();
    assert!(matches!(verify(&bytes, &foreign), Err(ReceiptError::Certificate(_))));
    let other = common::outer(Party::Authority("amt-anders".parse().unwrap()));
    let event = submission_event(EventType::Accepted, &other, &authority_key());
    assert_eq!(
        check(&receipt(&event, Some(&other), by_authority())),
        Err(ReceiptError::CertificateMismatch("authority_id"))
    );
}

#[test]
fn chains_end_with_the_named_head_and_an_active_device() {
    let outer = outer(authority());
    let by = |signer| {
        let act = act(ActType::HandedOver, Party::Mailbox(address()), &outer, &signer);
        act_event(&act, &outer, &signer)
    };
    assert!(check(&receipt(&by(second_device_key()), Some(&outer), by_mailbox())).is_ok());
    for not_a_device in [recovery_key(), authority_key()] {
        let result = check(&receipt(&by(not_a_device), Some(&outer), by_mailbox()));
        assert_eq!(result, Err(ReceiptError::KeyNotActive));
    }
    let short = Actor::Mailbox { links: chain_links()[..1].to_vec(), key_proof: key_proof(1) };
    assert_eq!(check(&receipt(&by(device_key()), Some(&outer), short)), Err(ReceiptError::ChainHead));
    let empty = Actor::Mailbox { links: vec![], key_proof: key_proof(2) };
    assert!(matches!(check(&receipt(&by(device_key()), Some(&outer), empty)), Err(ReceiptError::Chain(_))));
}

#[test]
fn the_key_stood_in_the_log_before() {
    let outer = outer(authority());
    let event = submission_event(EventType::Accepted, &outer, &authority_key());
    let with = |keys_size| Event { keys_size, ..event.clone() };
    assert_eq!(check(&receipt(&with(0), Some(&outer), by_authority())), Err(ReceiptError::KeyTooLate));
    assert!(check(&receipt(&with(4), Some(&outer), by_authority())).is_ok());
    assert_eq!(check(&receipt(&with(5), Some(&outer), by_authority())), Err(ReceiptError::KeysCheckpoint));
    let elsewhere = Actor::Authority { certificate: certificate(), key_proof: key_proof(3) };
    assert_eq!(
        check(&receipt(&event, Some(&outer), elsewhere)),
        Err(ReceiptError::KeyProof(TlogProofError::Inclusion(ProofError::Root)))
    );
    // The evidence log's key cannot vouch for the keys log.
    let mut swapped = accepted();
    swapped.actor =
        Actor::Authority { certificate: certificate(), key_proof: swapped.evidence_proof.clone() };
    assert!(matches!(check(&swapped), Err(ReceiptError::KeyProof(TlogProofError::Checkpoint(_)))));
}

#[test]
fn witnesses_count_on_both_checkpoints() {
    let outer = outer(authority());
    let event = submission_event(EventType::Accepted, &outer, &authority_key());
    let time = 1_795_000_100;
    let cosigned_keys = |actor: Actor| match actor {
        Actor::Authority { certificate, key_proof } => {
            let (checkpoint, _) = keys_checkpoint();
            let note = witness(1).cosign(&checkpoint, time).note;
            let key_proof = postfach_ledger::tlog_proof::TlogProof { note, ..key_proof };
            Actor::Authority { certificate, key_proof }
        }
        other => other,
    };
    let one = receipt_under(&event, Some(&outer), by_authority(), |signed| witness(1).cosign(&signed, time));
    let both = receipt_under(&event, Some(&outer), cosigned_keys(by_authority()), |signed| {
        witness(1).cosign(&signed, time)
    });
    let proven = check(&both).unwrap();
    assert!(proven.witnessed);
    assert_eq!(proven.witnessed_by(), Some(time));
    assert!(!check(&one).unwrap().witnessed);

    let policy = |quorum| {
        let witnesses = trust().witnesses.witnesses().to_vec();
        Trust { witnesses: WitnessPolicy::new(witnesses, quorum).unwrap(), ..trust() }
    };
    assert!(both.verify(&policy(1)).unwrap().witnessed);
    assert_eq!(both.verify(&policy(2)), Err(ReceiptError::Unwitnessed));
    assert_eq!(one.verify(&policy(1)), Err(ReceiptError::Unwitnessed));
    let lenient = Trust { allow_unwitnessed: true, ..policy(1) };
    assert!(!one.verify(&lenient).unwrap().witnessed);
}

#[test]
fn a_scan_checks_what_the_operator_asserts() {
    let claim = check(&accepted()).unwrap().key_claim.unwrap();
    let mut scan = KeyScan::new(claim, keys_checkpoint().0.checkpoint);
    for leaf in key_leaves() {
        scan.push(&leaf.encode()).unwrap();
    }
    assert_eq!(scan.finish(), Ok(Finding::Clear));
}

#[test]
fn a_scan_compares_every_link_of_the_chain() {
    let claim = check(&handed_over()).unwrap().key_claim.unwrap();
    let mut scan = KeyScan::new(claim.clone(), keys_checkpoint().0.checkpoint);
    for leaf in key_leaves() {
        scan.push(&leaf.encode()).unwrap();
    }
    assert_eq!(scan.finish(), Ok(Finding::Clear));
    // Another genesis-to-head history whose first link stood there before.
    let rival = KeyLeaf::Link { label: address().label(), seq: 0, link_hash: Digest([1; 32]) };
    let mut scan = KeyScan::new(claim, keys_checkpoint().0.checkpoint);
    scan.push(&key_leaves()[0].encode()).unwrap();
    assert_eq!(scan.push(&rival.encode()), Err(ScanError::Contradiction(1)));
}

#[test]
fn the_frame_has_one_spelling() {
    let good = accepted().encode();
    assert!(good.starts_with(MAGIC));
    let not_a_receipt = Err(ReceiptFormatError::NotAReceipt);
    assert_eq!(Receipt::parse(b""), not_a_receipt);
    assert_eq!(Receipt::parse(&[b"MPFR\x02".as_slice(), &good[5..]].concat()), not_a_receipt);
    let malformed = Err(ReceiptFormatError::Malformed);
    // An unknown field, a default written out, a field twice.
    assert_eq!(Receipt::parse(&[good.as_slice(), &[0x7a, 0]].concat()), malformed);
    let service = receipt(&lapsed(), Some(&outer(authority())), Actor::Service).encode();
    assert_eq!(Receipt::parse(&[service.as_slice(), &[0x32, 0]].concat()), malformed);
    assert_eq!(Receipt::parse(&[good.as_slice(), &[0x0a, 1, 1]].concat()), malformed);
}

#[test]
fn a_receipt_has_as_many_and_as_large_links_as_a_chain() {
    let largest = Signed { body: vec![7; limits::LINK_LEN], signature: chain_links()[0].signature.clone() };
    let with = |links| {
        let actor = Actor::Mailbox { links, key_proof: key_proof(2) };
        Receipt { actor, ..handed_over() }
    };
    let full = with(vec![largest; limits::CHAIN_LINKS]);
    assert_eq!(Receipt::parse(&full.encode()).as_ref(), Ok(&full));
    let more = with(vec![Signed::default(); limits::CHAIN_LINKS + 1]);
    assert_eq!(Receipt::parse(&more.encode()), Err(ReceiptFormatError::Malformed));
}

fn card() -> ServiceCard {
    ServiceCard {
        version: 1,
        origin: origin(),
        server_url: "https://post.example".into(),
        tls_root: None,
        registrar: registrar().public(),
        keys_log: keys_signer().verifier().vkey(),
        evidence_log: evidence_signer().verifier().vkey(),
        former_logs: vec![],
        witness_policy: CardPolicy { witnesses: vec![witness(1).verifier().vkey()], quorum: 0 },
    }
}

#[test]
fn a_card_gives_the_trust() {
    let vkey = |name: &str, seed| LogSigner::new(name, key(seed)).unwrap().verifier().vkey();
    assert!(verify(&accepted().encode(), &Trust::from_card(&card()).unwrap()).is_ok());

    // After a change of keys the old receipt holds as long as its size is not beyond the old key's last.
    let changed = |final_size| {
        let former = FormerLog { vkey: card().evidence_log, final_size };
        let evidence_log = vkey("post.example/evidence", 40);
        Trust::from_card(&ServiceCard { evidence_log, former_logs: vec![former], ..card() }).unwrap()
    };
    assert!(verify(&accepted().encode(), &changed(5)).is_ok());
    assert!(matches!(verify(&accepted().encode(), &changed(4)), Err(ReceiptError::Evidence(_))));

    let with = |change: fn(&mut ServiceCard)| {
        let mut card = card();
        change(&mut card);
        Trust::from_card(&card).map(|_| ())
    };
    assert_eq!(with(|card| card.keys_log = card.evidence_log.clone()), Err(TrustError::LogName));
    assert_eq!(with(|card| card.witness_policy.quorum = 2), Err(TrustError::Witnesses));
    assert_eq!(
        with(|card| card.keys_log = card.witness_policy.witnesses[0].clone()),
        Err(TrustError::Vkey(VkeyError::Type))
    );
    let foreign = FormerLog { vkey: vkey("other.example/keys", 41), final_size: 1 };
    let card = ServiceCard { former_logs: vec![foreign], ..card() };
    assert_eq!(Trust::from_card(&card).map(|_| ()), Err(TrustError::LogName));
}

fn damage_everywhere(good: &[u8], bits: &[u8]) {
    let trust = trust();
    verify(good, &trust).unwrap();
    for at in 0..good.len() {
        for bit in bits {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << ((usize::from(*bit) + at) % 8);
            assert!(verify(&bad, &trust).is_err(), "flip at {at}");
        }
        let mut bad = good.to_vec();
        let removed = bad.remove(at);
        assert!(verify(&bad, &trust).is_err(), "deletion at {at}");
        let mut bad = good.to_vec();
        bad.insert(at, removed);
        assert!(verify(&bad, &trust).is_err(), "doubling at {at}");
        let mut bad = good.to_vec();
        bad.insert(at, 0);
        assert!(verify(&bad, &trust).is_err(), "insertion at {at}");
    }
    for byte in [0, b'\n', b'A'] {
        let mut bad = good.to_vec();
        bad.push(byte);
        assert!(verify(&bad, &trust).is_err(), "one more at the end");
    }
}

#[test]
fn every_damaged_byte_of_an_authoritys_receipt_is_refused() {
    damage_everywhere(&accepted().encode(), &[0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn every_damaged_byte_of_a_citizens_receipt_is_refused() {
    damage_everywhere(&handed_over().encode(), &[0]);
}
