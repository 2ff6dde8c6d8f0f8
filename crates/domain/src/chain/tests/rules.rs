//! Every rule of SPEC 2, with the link that breaks it.

use prost::Message as _;

use super::person::{Person, genesis, origin, recipient};
use crate::chain::{
    Chain, ChainError, Link, LinkBuilder, LinkError, PROPOSAL_AGE_MS, Proposed, RESERVED_FROM_SEQ, Recovery,
    address_of, check_link_time,
};
use crate::format::{self, LinkBody, Signed, link_body};
use crate::limits;
use crate::pae::context;
use crate::sign::{SecretKey, SignatureError};
use crate::time::Timestamp;

/// The next link (ROTATE_MAILBOX by the first device) with its body changed before it is signed.
fn changed(person: &Person, change: impl FnOnce(&mut LinkBody)) -> Signed {
    let good = person.next(&person.devices[0]).rotate_mailbox(recipient(1));
    let mut body = LinkBody::decode(good.body.as_slice()).unwrap();
    change(&mut body);
    person.devices[0].sign_body(context::LINK, body.encode_to_vec())
}

/// The genesis link with its body changed before it is signed.
fn changed_genesis(change: impl FnOnce(&mut LinkBody)) -> LinkError {
    let (link, device, _) = genesis(0, Timestamp(5));
    let mut body = LinkBody::decode(link.body.as_slice()).unwrap();
    change(&mut body);
    Chain::genesis(&origin(), &device.sign_body(context::LINK, body.encode_to_vec())).unwrap_err()
}

fn genesis_op(body: &mut LinkBody) -> &mut format::Genesis {
    match body.op.as_mut() {
        Some(link_body::Op::Genesis(op)) => op,
        _ => panic!("a genesis link"),
    }
}

#[test]
fn genesis_rules() {
    assert_eq!(changed_genesis(|b| b.origin = "other.example".into()), LinkError::Origin);
    assert_eq!(changed_genesis(|b| b.seq = 1), LinkError::Seq { expected: 0, got: 1 });
    assert_eq!(changed_genesis(|b| b.genesis_hash = vec![1; 32]), LinkError::Genesis);
    assert_eq!(changed_genesis(|b| b.prev_hash = vec![1; 32]), LinkError::PrevHash);
    assert_eq!(changed_genesis(|b| b.signer = vec![1; 32]), LinkError::SignerNotActive);
    assert_eq!(changed_genesis(|b| b.op = None), LinkError::UnknownOp);
    assert_eq!(
        changed_genesis(|b| b.op = Some(link_body::Op::Close(format::Close::default()))),
        LinkError::GenesisPlace
    );
    assert_eq!(
        changed_genesis(|b| genesis_op(b).mailbox.as_mut().unwrap().generation = 1),
        LinkError::Generation { expected: 0, got: 1 }
    );
    assert_eq!(
        changed_genesis(|b| genesis_op(b).reverse_sig[0] ^= 1),
        LinkError::ReverseSignature(SignatureError::Invalid)
    );
    // A member that the recovery key did not sign.
    let stranger = Recovery::new(SecretKey::from_seed(&[1; 32]).public(), recipient(2)).encode();
    assert_eq!(
        changed_genesis(|b| genesis_op(b).recovery = stranger),
        LinkError::ReverseSignature(SignatureError::Invalid)
    );
    let weak = format::Recovery { sign_pub: vec![0; 32], age_recipient: recipient(2) }.encode_to_vec();
    assert_eq!(changed_genesis(|b| genesis_op(b).recovery = weak), LinkError::WeakKey);
    let device = |b: &mut LinkBody, change: fn(&mut format::Device)| {
        let mut device = format::Device::decode(genesis_op(b).device.as_slice()).unwrap();
        change(&mut device);
        genesis_op(b).device = device.encode_to_vec();
    };
    assert_eq!(
        changed_genesis(|b| device(b, |d| d.age_recipient.truncate(1215))),
        LinkError::Field("age_recipient")
    );
    assert_eq!(
        changed_genesis(|b| device(b, |d| d.name_sealed = vec![0; limits::DEVICE_NAME_LEN + 1])),
        LinkError::Field("name_sealed")
    );
    assert_eq!(changed_genesis(|b| b.nonce = vec![0; 31]), LinkError::Field("nonce"));
    assert_eq!(changed_genesis(|b| b.time = u64::MAX), LinkError::Field("time"));
}

#[test]
fn a_recovery_key_is_not_a_device() {
    let (_, device, _) = genesis(0, Timestamp(5));
    let link = crate::chain::make_genesis(crate::chain::GenesisParts {
        origin: &origin(),
        device_key: &device,
        device_recipient: recipient(1),
        device_name_sealed: Vec::new(),
        mailbox_recipient: recipient(2),
        recovery_key: &device,
        recovery_recipient: recipient(3),
        time: Timestamp(5),
        nonce: [0; 32],
    });
    assert_eq!(Chain::genesis(&origin(), &link).unwrap_err(), LinkError::KeyReused);
}

#[test]
fn rules_of_every_link() {
    let mut person = Person::new(0);
    let head = person.chain.head();
    let cases: Vec<(Signed, LinkError)> = vec![
        (changed(&person, |b| b.origin = "other.example".into()), LinkError::Origin),
        (changed(&person, |b| b.genesis_hash = vec![1; 32]), LinkError::Genesis),
        (changed(&person, |b| b.genesis_hash.clear()), LinkError::Genesis),
        (changed(&person, |b| b.seq = 2), LinkError::Seq { expected: 1, got: 2 }),
        (changed(&person, |b| b.seq = 0), LinkError::Seq { expected: 1, got: 0 }),
        (changed(&person, |b| b.prev_hash = vec![1; 32]), LinkError::PrevHash),
        (changed(&person, |b| b.time -= 1), LinkError::TimeDecreases),
        (changed(&person, |b| b.signer = vec![1; 32]), LinkError::SignerNotActive),
        (changed(&person, |b| b.op = None), LinkError::UnknownOp),
        (person.links[0].clone(), LinkError::GenesisPlace),
        (changed(&person, |b| b.nonce = vec![0; 20_000]), LinkError::TooLarge),
    ];
    for (link, error) in cases {
        assert_eq!(person.append(link).unwrap_err(), error);
    }
    let stranger = SecretKey::from_seed(&[1; 32]);
    let by_stranger = person.next(&stranger).rotate_mailbox(recipient(1));
    assert_eq!(person.append(by_stranger).unwrap_err(), LinkError::SignerNotActive);
    // Body names the device, a stranger signs.
    let good = person.next(&person.devices[0]).rotate_mailbox(recipient(1));
    let forged = stranger.sign_body(context::LINK, good.body.clone());
    assert_eq!(person.append(forged).unwrap_err(), LinkError::Signature(SignatureError::WrongKey));
    let unsigned = Signed { body: good.body.clone(), signature: None };
    assert_eq!(person.append(unsigned).unwrap_err(), LinkError::Signature(SignatureError::Malformed));
    assert_eq!(person.chain.head(), head);
    assert!(person.append(good).unwrap().needs_wraps());
}

#[test]
fn generations_grow_by_one() {
    let mut person = Person::new(0);
    let generation = |n: u32| {
        move |b: &mut LinkBody| match b.op.as_mut() {
            Some(link_body::Op::RotateMailbox(op)) => op.mailbox.as_mut().unwrap().generation = n,
            _ => panic!("a rotation"),
        }
    };
    for n in [0, 2, u32::MAX] {
        let link = changed(&person, generation(n));
        assert_eq!(person.append(link).unwrap_err(), LinkError::Generation { expected: 1, got: n });
    }
    let link = changed(&person, generation(1));
    assert_eq!(person.append(link).unwrap().generation, Some(1));
    assert_eq!(person.chain.generation().from_seq, 1);
    assert_eq!(person.chain.generation_at(0).unwrap().generation, 0);
    assert_eq!(person.chain.generation_at(1).unwrap().generation, 1);
}

#[test]
fn a_new_device_signs_for_itself_and_for_this_link() {
    let mut person = Person::new(0);
    let signer = person.devices[0].key_id();
    let recovery = person.recovery.key_id();
    let (_, device, sig) = person.new_device(&signer);
    // Signed for another signer.
    let link = person.next(&person.recovery).add_device(&device, &sig);
    assert_eq!(person.append(link).unwrap_err(), LinkError::ReverseSignature(SignatureError::Invalid));
    // Another device's signature.
    let (_, _, other) = person.new_device(&signer);
    let link = person.next(&person.devices[0]).add_device(&device, &other);
    assert_eq!(person.append(link).unwrap_err(), LinkError::ReverseSignature(SignatureError::Invalid));
    let link = person.next(&person.devices[0]).add_device(&device, &sig);
    let applied = person.append(link).unwrap();
    assert_eq!(applied.added, [device.key_id]);
    assert!(applied.needs_wraps() && !applied.by_recovery);
    let members: Vec<_> = person.chain.wrap_members().map(|m| m.key_id).collect();
    assert_eq!(members, [signer, device.key_id, recovery]);
}

#[test]
fn sixteen_devices_and_no_more() {
    let mut person = Person::new(0);
    for _ in 1..16 {
        person.add_device().unwrap();
    }
    assert_eq!(person.add_device().unwrap_err(), LinkError::TooManyDevices);
    let last = person.devices[15].key_id();
    let link = person.next(&person.devices[0]).revoke_device(&last, recipient(1));
    person.append(link).unwrap();
    person.add_device().unwrap();
    assert_eq!(person.chain.active_devices().count(), 16);
}

#[test]
fn a_revoked_device_never_signs_again() {
    let mut person = Person::new(0);
    person.add_device().unwrap();
    let (first, second) = (person.devices[0].key_id(), person.devices[1].key_id());
    let link = person.next(&person.devices[0]).revoke_device(&second, recipient(1));
    assert_eq!(person.append(link).unwrap().revoked, [second]);
    let link = person.next(&person.devices[1]).rotate_mailbox(recipient(2));
    assert_eq!(person.append(link).unwrap_err(), LinkError::SignerNotActive);
    let link = person.next(&person.devices[0]).revoke_device(&second, recipient(2));
    assert_eq!(person.append(link).unwrap_err(), LinkError::DeviceNotActive);
    let unknown = person.next(&person.devices[0]).revoke_device(&person.recovery.key_id(), recipient(2));
    assert_eq!(person.append(unknown).unwrap_err(), LinkError::DeviceNotActive);
    // Nor does it come back as a new member, in either role.
    let old = &person.devices[1];
    let device = person.chain.devices()[1].device.clone();
    let genesis = person.chain.genesis_hash();
    let sig = crate::chain::reverse_sign(old, &origin(), genesis.as_bytes(), &first, &device.encode());
    let link = person.next(&person.devices[0]).add_device(&device, &sig);
    assert_eq!(person.append(link).unwrap_err(), LinkError::KeyReused);
    let link =
        person.next(&person.recovery).rotate_recovery(&person.devices[1], recipient(3), recipient(4), None);
    assert_eq!(person.append(link).unwrap_err(), LinkError::KeyReused);
    assert!(person.chain.key_active_at(&second, 1) && !person.chain.key_active_at(&second, 2));
    assert!(!person.chain.key_active_at(&second, 0) && !person.chain.key_active(&second));
}

#[test]
fn paper_signs_every_operation_and_replaces_itself() {
    let mut person = Person::new(0);
    let old = person.recovery.key_id();
    let (_, device, sig) = person.new_device(&old);
    let link = person.next(&person.recovery).add_device(&device, &sig);
    assert!(person.append(link).unwrap().by_recovery);
    let first = person.devices[0].key_id();
    let link = person.next(&person.recovery).revoke_device(&first, recipient(1));
    person.append(link).unwrap();
    let new = person.fresh_key();
    let link = person.next(&person.recovery).rotate_recovery(&new, recipient(2), recipient(3), None);
    let applied = person.append(link).unwrap();
    assert_eq!((applied.added, applied.revoked), (vec![new.key_id()], vec![old]));
    assert!(person.chain.is_recovery(&new.key_id()) && !person.chain.is_recovery(&old));
    let link = person.next(&person.recovery).rotate_mailbox(recipient(4));
    assert_eq!(person.append(link).unwrap_err(), LinkError::SignerNotActive);
    let link = person.next(&new).close(None);
    assert!(person.append(link).unwrap().closed);
    assert!(person.chain.is_closed() && person.chain.key_active(&device.key_id));
    let link = person.next(&new).rotate_mailbox(recipient(5));
    assert_eq!(person.append(link).unwrap_err(), LinkError::Closed);
}

#[test]
fn a_device_needs_a_proposal_fourteen_days_old() {
    let mut person = Person::new(0);
    let new = person.fresh_key();
    let member = Recovery::new(new.public(), recipient(1)).encode();
    let rotate = |p: &Person, proposal| {
        p.next(&p.devices[0]).rotate_recovery(&new, recipient(1), recipient(2), proposal)
    };
    let link = rotate(&person, None);
    assert_eq!(person.append(link).unwrap_err(), LinkError::RecoveryOnly);
    let link = person.next(&person.devices[0]).close(None);
    assert_eq!(person.append(link).unwrap_err(), LinkError::RecoveryOnly);

    let link = person.next(&person.devices[0]).propose(Proposed::RotateRecovery(member));
    let applied = person.append(link).unwrap();
    assert!(!applied.needs_wraps());
    let named = Some(applied.head.link_hash);
    person.now = person.now.plus_ms(PROPOSAL_AGE_MS - 1);
    let link = rotate(&person, named);
    assert_eq!(person.append(link).unwrap_err(), LinkError::ProposalTooYoung);
    person.now = person.now.plus_ms(1);
    // For something else.
    let link = person.next(&person.devices[0]).close(named);
    assert_eq!(person.append(link).unwrap_err(), LinkError::ProposalUnknown);
    // Another key than the announced one.
    let link = person.next(&person.devices[0]).rotate_recovery(&new, recipient(9), recipient(2), named);
    assert_eq!(person.append(link).unwrap_err(), LinkError::ProposalUnknown);
    // Paper needs none.
    let link = person.next(&person.recovery).close(named);
    assert_eq!(person.append(link).unwrap_err(), LinkError::ProposalNotNeeded);
    let link = rotate(&person, named);
    person.append(link).unwrap();
    assert!(person.chain.is_recovery(&new.key_id()) && person.chain.proposals().is_empty());
}

#[test]
fn paper_overrules_proposals() {
    let mut person = Person::new(0);
    let link = person.next(&person.devices[0]).propose(Proposed::Close);
    let named = Some(person.append(link).unwrap().head.link_hash);
    assert_eq!(person.chain.proposals().len(), 1);
    let link = person.next(&person.recovery).rotate_mailbox(recipient(1));
    person.append(link).unwrap();
    person.now = person.now.plus_ms(2 * PROPOSAL_AGE_MS);
    let link = person.next(&person.devices[0]).close(named);
    assert_eq!(person.append(link).unwrap_err(), LinkError::ProposalUnknown);
    // What paper itself proposes stands, and a device may carry it out.
    let link = person.next(&person.recovery).propose(Proposed::Close);
    let named = Some(person.append(link).unwrap().head.link_hash);
    person.now = person.now.plus_ms(PROPOSAL_AGE_MS);
    let link = person.next(&person.devices[0]).close(named);
    assert!(person.append(link).unwrap().closed);
}

#[test]
fn the_last_links_are_for_paper() {
    let mut person = Person::new(0);
    while person.chain.head().seq < RESERVED_FROM_SEQ - 1 {
        let link = person.next(&person.devices[0]).rotate_mailbox(recipient(1));
        person.append(link).unwrap();
    }
    let link = person.next(&person.devices[0]).rotate_mailbox(recipient(1));
    assert_eq!(person.append(link).unwrap_err(), LinkError::ReservedForRecovery);
    while person.chain.head().seq < 999 {
        let link = person.next(&person.recovery).rotate_mailbox(recipient(1));
        person.append(link).unwrap();
    }
    let link = person.next(&person.recovery).close(None);
    assert_eq!(person.append(link).unwrap_err(), LinkError::Full);
    assert_eq!(Chain::verify(&origin(), &person.links).unwrap(), person.chain);
}

#[test]
fn an_address_has_one_chain() {
    let (person, other) = (Person::new(0), Person::new(1000));
    let address = person.chain.address();
    assert_eq!(address, address_of(&person.links[0]));
    assert_eq!(Chain::verify_for(&origin(), &address, &person.links).unwrap(), person.chain);
    assert_eq!(Chain::verify_for(&origin(), &address, &other.links), Err(ChainError::Address));
    assert_eq!(Chain::verify_for(&origin(), &address, &[]), Err(ChainError::Empty));
    assert_eq!(Chain::verify(&origin(), &[]), Err(ChainError::Empty));
}

#[test]
fn the_server_checks_the_time_of_a_link() {
    let person = Person::new(0);
    let link = Link::parse(&person.links[0].body).unwrap();
    assert_eq!(check_link_time(&link, link.time.plus_ms(300_000)), Ok(()));
    assert_eq!(check_link_time(&link, link.time.plus_ms(300_001)), Err(LinkError::TimeOff));
}

#[test]
fn a_builder_never_goes_back_in_time() {
    let mut person = Person::new(0);
    let link = LinkBuilder::new(&person.chain, &person.devices[0], Timestamp(1), [0; 32])
        .rotate_mailbox(recipient(1));
    person.append(link).unwrap();
}
