//! Random histories of every operation: the valid ones verify, every mutation of one is refused.

use proptest::prelude::*;

use super::person::{Person, origin, recipient};
use crate::chain::{Chain, ChainError, PROPOSAL_AGE_MS, Proposed, Recovery, address_of};
use crate::format::Signed;
use crate::sign::SecretKey;

/// One abstract step: which operation, by whom, with what, how long after the last one.
type Step = (u8, u8, u8, u32);

/// Plays a step; steps that make no sense now become a rotation.
fn play(person: &mut Person, step: Step) {
    let (op, by, which, wait) = step;
    person.now = person.now.plus_ms(u64::from(wait));
    let by_paper = by % 4 == 0 || person.devices.is_empty();
    let signer_index = usize::from(by) % person.devices.len().max(1);
    let index = usize::from(which) % person.devices.len().max(1);
    let signer_id = if by_paper { person.recovery.key_id() } else { person.devices[signer_index].key_id() };
    match op % 8 {
        0 | 1 if person.devices.len() < 16 => {
            let (key, device, sig) = person.new_device(&signer_id);
            let link = person.next(signer(person, by_paper, signer_index)).add_device(&device, &sig);
            person.append(link).unwrap();
            person.devices.push(key);
        }
        2 if !person.devices.is_empty() => {
            let revoked = person.devices[index].key_id();
            let next = person.fresh_recipient();
            let link = person.next(signer(person, by_paper, signer_index)).revoke_device(&revoked, next);
            person.append(link).unwrap();
            person.devices.remove(index);
        }
        3 => {
            let (new, mailbox) = (person.fresh_key(), person.fresh_recipient());
            let link = person.next(&person.recovery).rotate_recovery(&new, recipient(1), mailbox, None);
            person.append(link).unwrap();
            person.recovery = new;
        }
        4 => {
            let link = person.next(signer(person, by_paper, signer_index)).propose(Proposed::Close);
            person.append(link).unwrap();
        }
        5 if !person.devices.is_empty() => propose_and_carry_out(person, index),
        _ => {
            let next = person.fresh_recipient();
            let link = person.next(signer(person, by_paper, signer_index)).rotate_mailbox(next);
            person.append(link).unwrap();
        }
    }
}

fn signer(person: &Person, by_paper: bool, index: usize) -> &SecretKey {
    if by_paper { &person.recovery } else { &person.devices[index] }
}

fn propose_and_carry_out(person: &mut Person, index: usize) {
    let (new, mailbox) = (person.fresh_key(), person.fresh_recipient());
    let member = Recovery::new(new.public(), recipient(1)).encode();
    let link = person.next(&person.devices[index]).propose(Proposed::RotateRecovery(member));
    let named = Some(person.append(link).unwrap().head.link_hash);
    person.now = person.now.plus_ms(PROPOSAL_AGE_MS);
    let link = person.next(&person.devices[index]).rotate_recovery(&new, recipient(1), mailbox, named);
    person.append(link).unwrap();
    person.recovery = new;
}

fn history() -> impl Strategy<Value = Person> {
    let steps = proptest::collection::vec((any::<u8>(), any::<u8>(), any::<u8>(), any::<u32>()), 1..14);
    (steps, any::<bool>()).prop_map(|(steps, close)| {
        let mut person = Person::new(0);
        for step in steps {
            play(&mut person, step);
        }
        if close {
            let link = person.next(&person.recovery).close(None);
            person.append(link).unwrap();
        }
        person
    })
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.chain)
    }
}

fn refused(person: &Person, links: &[Signed]) -> bool {
    Chain::verify_for(&origin(), &person.chain.address(), links).is_err()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn valid_histories_verify(person in history()) {
        let chain = Chain::verify(&origin(), &person.links).unwrap();
        prop_assert_eq!(&chain, &person.chain);
        prop_assert_eq!(chain.head().seq as usize + 1, person.links.len());
        prop_assert_eq!(chain.address(), address_of(&person.links[0]));
        let active: Vec<_> = chain.active_devices().map(|d| d.key_id).collect();
        let expected: Vec<_> = person.devices.iter().map(SecretKey::key_id).collect();
        prop_assert_eq!(active, expected);
        prop_assert!(chain.is_recovery(&person.recovery.key_id()));
        prop_assert_eq!(chain.wrap_members().count(), person.devices.len() + 1);
        for (i, generation) in chain.generations().iter().enumerate() {
            prop_assert_eq!(generation.generation as usize, i);
        }
        for seq in 0..=chain.head().seq {
            let at = Chain::verify(&origin(), &person.links[..=seq as usize]).unwrap();
            prop_assert_eq!(chain.link_hash_at(seq), Some(at.head().link_hash));
            prop_assert_eq!(chain.generation_at(seq).unwrap(), at.generation());
            for device in chain.devices() {
                let id = &device.device.key_id;
                prop_assert_eq!(chain.key_active_at(id, seq), at.key_active(id));
            }
        }
    }

    #[test]
    fn reordered_dropped_and_repeated_links_are_refused(person in history(), a: prop::sample::Index, b: prop::sample::Index) {
        let (a, b) = (a.index(person.links.len()), b.index(person.links.len()));
        let mut links = person.links.clone();
        if a != b {
            links.swap(a, b);
            prop_assert!(refused(&person, &links));
        }
        if a + 1 < person.links.len() {
            let mut links = person.links.clone();
            links.remove(a);
            prop_assert!(refused(&person, &links));
        }
        let mut links = person.links.clone();
        links.insert(b, person.links[a].clone());
        prop_assert!(refused(&person, &links));
    }

    #[test]
    fn altered_links_are_refused(person in history(), link: prop::sample::Index, byte: prop::sample::Index, bit in 0u8..8, part in 0u8..6) {
        let at = link.index(person.links.len());
        let mut links = person.links.clone();
        let signed = &mut links[at];
        let signature = signed.signature.as_mut().unwrap();
        match part {
            0 => signature.sig[byte.index(64)] ^= 1 << bit,
            1 => signature.key_id[byte.index(32)] ^= 1 << bit,
            2 => signature.alg ^= 1 << bit,
            3 => { signed.body.remove(byte.index(signed.body.len())); }
            _ => { let i = byte.index(signed.body.len()); signed.body[i] ^= 1 << bit; }
        }
        prop_assert!(refused(&person, &links));
    }

    #[test]
    fn links_of_another_chain_and_of_strangers_are_refused(person in history(), link: prop::sample::Index) {
        let mut other = Person::new(5000);
        let fresh = other.fresh_recipient();
        let foreign = other.next(&other.devices[0]).rotate_mailbox(fresh);
        let mut links = person.links.clone();
        let at = link.index(links.len());
        links[at] = foreign.clone();
        prop_assert!(refused(&person, &links));
        let mut chain = person.chain.clone();
        prop_assert!(chain.append(&foreign).is_err());
        let stranger = SecretKey::from_seed(&[1; 32]);
        let link = person.next(&stranger).rotate_mailbox(recipient(1));
        prop_assert!(chain.append(&link).is_err());
        let revoked = person.chain.devices().iter().any(|d| d.revoked_seq.is_some());
        prop_assert!(!revoked || person.chain.devices().len() > person.devices.len());
        let of_other_origin = Chain::verify(&"other.example".parse().unwrap(), &person.links);
        let is_link_error = matches!(of_other_origin, Err(ChainError::Link { seq: 0, .. }));
        prop_assert!(is_link_error);
    }
}
