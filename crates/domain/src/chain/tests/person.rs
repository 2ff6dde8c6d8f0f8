//! A mailbox owner of tests: keys, links so far, and the chain that they make.

use crate::chain::{
    AGE_RECIPIENT_LEN, AppliedLink, Chain, Device, GenesisParts, LinkBuilder, LinkError, make_genesis,
    reverse_sign,
};
use crate::format::Signed;
use crate::id::{KeyId, Origin};
use crate::sign::SecretKey;
use crate::time::Timestamp;

pub(super) struct Person {
    pub(super) chain: Chain,
    pub(super) links: Vec<Signed>,
    pub(super) devices: Vec<SecretKey>,
    pub(super) recovery: SecretKey,
    pub(super) now: Timestamp,
    counter: u64,
}

pub(super) fn origin() -> Origin {
    "post.example".parse().unwrap()
}

pub(super) fn recipient(n: u64) -> Vec<u8> {
    let mut bytes = vec![0; AGE_RECIPIENT_LEN];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    bytes
}

fn key(n: u64) -> SecretKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&n.to_be_bytes());
    SecretKey::from_seed(&seed)
}

pub(super) fn genesis(base: u64, time: Timestamp) -> (Signed, SecretKey, SecretKey) {
    let (device, recovery) = (key(base + 1), key(base + 2));
    let link = make_genesis(GenesisParts {
        origin: &origin(),
        device_key: &device,
        device_recipient: recipient(base + 3),
        device_name_sealed: vec![1, 2, 3],
        mailbox_recipient: recipient(base + 4),
        recovery_key: &recovery,
        recovery_recipient: recipient(base + 5),
        time,
        nonce: [9; 32],
    });
    (link, device, recovery)
}

impl Person {
    pub(super) fn new(base: u64) -> Self {
        let now = Timestamp(1_795_000_000_000);
        let (link, device, recovery) = genesis(base, now);
        let (chain, _) = Chain::genesis(&origin(), &link).unwrap();
        Self { chain, links: vec![link], devices: vec![device], recovery, now, counter: base + 100 }
    }

    pub(super) fn fresh(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn fresh_key(&mut self) -> SecretKey {
        key(self.fresh())
    }

    pub(super) fn fresh_recipient(&mut self) -> Vec<u8> {
        recipient(self.fresh())
    }

    /// A builder for the next link.
    pub(super) fn next<'a>(&'a self, signer: &'a SecretKey) -> LinkBuilder<'a> {
        LinkBuilder::new(&self.chain, signer, self.now, [3; 32])
    }

    /// A new device and its answer to `signer`.
    pub(super) fn new_device(&mut self, signer: &KeyId) -> (SecretKey, Device, [u8; 64]) {
        let key = self.fresh_key();
        let device = Device::new(key.public(), self.fresh_recipient(), Vec::new());
        let genesis = self.chain.genesis_hash();
        let sig = reverse_sign(&key, &origin(), genesis.as_bytes(), signer, &device.encode());
        (key, device, sig)
    }

    pub(super) fn append(&mut self, link: Signed) -> Result<AppliedLink, LinkError> {
        let before = self.chain.clone();
        let result = self.chain.append(&link);
        match &result {
            Ok(_) => self.links.push(link),
            Err(_) => assert_eq!(self.chain, before, "a refused link changed the chain"),
        }
        result
    }

    /// Adds a device, signed by the first one.
    pub(super) fn add_device(&mut self) -> Result<AppliedLink, LinkError> {
        let signer = self.devices[0].key_id();
        let (key, device, sig) = self.new_device(&signer);
        let link = self.next(&self.devices[0]).add_device(&device, &sig);
        let applied = self.append(link)?;
        self.devices.push(key);
        Ok(applied)
    }
}
