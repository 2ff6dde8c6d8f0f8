//! Key chains: one link as it came, and whole chains. So that more than the first signature is seen, links are put into their
//! place and signed by one of eight keys, as the input says: `key u8, length u16, body` each; a key of 128 and more
//! leaves the body as it is, one of 64 and more the number of its generation.
#![no_main]

use postfach_domain::chain::{Chain, Link, reverse_sign};
use postfach_domain::format::link_body::Op;
use postfach_domain::format::{self, Signed};
use postfach_domain::hash::Digest;
use postfach_domain::limits;
use postfach_domain::pae::context;
use postfach_domain::sign::SecretKey;
use postfach_fuzz::{bounded, keys, seeds, target};
use prost::Message as _;

/// Links of one input: enough for every operation twice, and few enough to be quick.
const LINKS: usize = 16;
/// From here on a body is signed as it is.
const AS_IT_IS: u8 = 128;
/// From here on a link keeps the number of its generation.
const ITS_GENERATION: u8 = 64;

fn signer(of: u8) -> &'static SecretKey {
    keys::key(of % 8 + 1)
}

/// The key that a member names, if it is one of ours: a new member has to sign too.
fn owner(member_key: &[u8]) -> Option<&'static SecretKey> {
    (0..8).map(signer).find(|key| key.public().to_bytes() == member_key)
}

/// Gives the generation that a link brings the next number.
fn number_generation(op: &mut Op, chain: Option<&Chain>) {
    let mailbox = match op {
        Op::Genesis(op) => &mut op.mailbox,
        Op::RevokeDevice(op) => &mut op.mailbox,
        Op::RotateMailbox(op) => &mut op.mailbox,
        Op::RotateRecovery(op) => &mut op.mailbox,
        _ => return,
    };
    let next = chain.map_or(0, |chain| chain.generation().generation + 1);
    mailbox.iter_mut().for_each(|mailbox| mailbox.generation = next);
}

/// Puts a body behind the head of the chain.
fn placed(body: &[u8], chain: Option<&Chain>, by: u8) -> Option<Vec<u8>> {
    let key = signer(by);
    let mut link = format::LinkBody::decode(body).ok()?;
    if by < ITS_GENERATION {
        number_generation(link.op.as_mut()?, chain);
    }
    link.origin = keys::origin().to_string();
    link.signer = key.key_id().to_vec();
    link.seq = chain.map_or(0, |chain| chain.head().seq + 1);
    link.genesis_hash = chain.map(|chain| chain.genesis_hash().to_vec()).unwrap_or_default();
    link.prev_hash = chain.map_or(Digest::ZERO, |chain| chain.head().link_hash).to_vec();
    let genesis_hash = link.genesis_hash.clone();
    let reverse = |member: &[u8], member_key: &[u8]| {
        owner(member_key)
            .map(|new| reverse_sign(new, &keys::origin(), &genesis_hash, &key.key_id(), member).to_vec())
    };
    let recovery_key =
        |member: &[u8]| format::Recovery::decode(member).map(|member| member.sign_pub).unwrap_or_default();
    match link.op.as_mut()? {
        Op::Genesis(op) => op.reverse_sig = reverse(&op.recovery, &recovery_key(&op.recovery))?,
        Op::RotateRecovery(op) => {
            op.reverse_sig = reverse(&op.recovery, &recovery_key(&op.recovery))?;
            let proposal = chain.and_then(|chain| chain.proposals().first());
            op.proposal_hash = proposal.map(|proposal| proposal.link.link_hash.to_vec()).unwrap_or_default();
        }
        Op::AddDevice(op) => {
            op.reverse_sig = reverse(&op.device, &format::Device::decode(&op.device[..]).ok()?.sign_pub)?;
        }
        _ => {}
    }
    Some(link.encode_to_vec())
}

/// One link of the input, and the rest of the input.
fn next(data: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (key, rest) = data.split_first()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    Some((*key, body, rest))
}

/// What holds for every verified chain.
fn invariants(chain: &Chain, links: &[Signed]) {
    assert_eq!(Chain::verify(&keys::origin(), links).as_ref(), Ok(chain), "link by link and at once");
    assert_eq!(chain.head().seq as usize + 1, links.len());
    assert!((1..=limits::DEVICES).contains(&chain.active_devices().count()));
    assert!(
        chain.generations().iter().enumerate().all(|(n, generation)| generation.generation as usize == n)
    );
    for device in chain.devices() {
        let others = chain.devices().iter().filter(|other| other.device.key_id == device.device.key_id);
        assert_eq!(others.count(), 1, "a device came back");
        assert!(!chain.is_recovery(&device.device.key_id), "a device is the recovery key");
    }
    let another = "other.example".parse().expect("a host name");
    assert!(Chain::verify(&another, links).is_err(), "a chain of another deployment");
}

fn grow(mut data: &[u8]) {
    let (mut chain, mut links): (Option<Chain>, Vec<Signed>) = (None, Vec::new());
    for _ in 0..LINKS {
        let Some((by, body, rest)) = next(data) else { break };
        data = rest;
        let key = signer(by);
        let body = if by >= AS_IT_IS { Some(body.to_vec()) } else { placed(body, chain.as_ref(), by) };
        let Some(body) = body else { continue };
        let link = key.sign_body(context::LINK, body);
        match &mut chain {
            None => {
                let Ok((first, _)) = Chain::genesis(&keys::origin(), &link) else { continue };
                chain = Some(first);
            }
            Some(chain) => {
                let before = chain.clone();
                if chain.append(&link).is_err() {
                    assert_eq!(*chain, before, "a refused link changed something");
                    continue;
                }
                assert!(!before.is_closed(), "a link after the end");
                let by_device = before.key_active(&key.key_id());
                assert!(by_device || before.is_recovery(&key.key_id()), "signed by nobody");
            }
        }
        links.push(link);
    }
    if let Some(chain) = &chain {
        invariants(chain, &links);
    }
}

/// The committed chain in the form of the input; keys as its vector makes it.
fn start() -> Vec<Vec<u8>> {
    let bodies = seeds::bytes(&seeds::json("chain"), &["body"]);
    let part = |by: u8, body: &[u8]| {
        let length = u16::try_from(body.len()).expect("a short link").to_be_bytes();
        [&[by - 1], &length[..], body].concat()
    };
    let by = [1, 1, 3, 1, 1, 1, 4];
    assert_eq!(bodies.len(), by.len());
    let parts: Vec<Vec<u8>> = bodies.iter().zip(by).map(|(body, by)| part(by, body)).collect();
    let mut all: Vec<Vec<u8>> = (1..=parts.len()).map(|n| parts[..n].concat()).collect();
    // And all of it once more, behind the end.
    all.push([&parts[..], &parts[1..]].concat().concat());
    all.extend(bodies);
    all
}

target!(seeds: start(), |data| {
    if let Ok(link) = bounded(data.len(), 64, || Link::parse(data)) {
        assert!(data.len() <= limits::LINK_LEN);
        assert_eq!(link.genesis_bytes().len(), if link.genesis_hash.is_some() { 32 } else { 0 });
    }
    grow(data);
});
