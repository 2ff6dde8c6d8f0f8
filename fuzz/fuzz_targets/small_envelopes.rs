//! Wraps and sender copies: small age files for one key. The first byte says whether the rest is the file as it came, or what
//! stands in it.
#![no_main]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use age::Encryptor;
use postfach_envelope::hybrid::{HybridIdentity, HybridRecipient};
use postfach_envelope::open_sender_copy;
use postfach_envelope::wraps::open_wrap;
use postfach_fuzz::{bounded, seeds, target};

static DEVICE: LazyLock<HybridIdentity> = LazyLock::new(|| identity("device.identity"));
static SENDER: LazyLock<HybridIdentity> = LazyLock::new(|| identity("sender-mailbox.identity"));
/// Both of these stand in the committed wraps.
static GENERATIONS: LazyLock<BTreeMap<u32, HybridRecipient>> = LazyLock::new(|| {
    (0..).zip([2, 6].map(|seed| HybridIdentity::from_seed([seed; 32]).to_recipient())).collect()
});

fn identity(name: &'static str) -> HybridIdentity {
    seeds::line("envelope", name).parse().expect("an identity")
}

/// Sealed for one key; age itself is random.
fn sealed(plain: &[u8], recipient: &HybridRecipient) -> Vec<u8> {
    let one: &dyn age::Recipient = recipient;
    let mut file = Vec::new();
    let encryptor = Encryptor::with_recipients(std::iter::once(one)).expect("one recipient");
    let mut writer = encryptor.wrap_output(&mut file).expect("memory takes all");
    writer.write_all(plain).and_then(|()| writer.finish().map(drop)).expect("memory takes all");
    file
}

/// Keys come out of a wrap only where they are the chain's.
fn wrap(file: &[u8]) {
    let chain = &*GENERATIONS;
    let Ok(opened) = bounded(file.len(), 16, || open_wrap(file, &DEVICE, chain)) else { return };
    for (generation, key) in &opened.keys {
        assert_eq!(Some(&key.to_recipient()), chain.get(generation));
    }
    for generation in chain.keys() {
        let missing = opened.missing.contains(generation);
        assert_eq!(missing, !opened.keys.contains_key(generation), "neither there nor missing");
    }
}

fn sender_copy(file: &[u8], plain: Option<&[u8]>) {
    let Ok(keys) = bounded(file.len(), 16, || open_sender_copy(file, &SENDER)) else {
        assert!(plain.is_none_or(|plain| plain.len() != 32), "two keys are a sender copy");
        return;
    };
    let both = [*keys.cover.expose_key_bytes(), *keys.letter.expose_key_bytes()].concat();
    assert!(plain.is_none_or(|plain| plain == both));
}

fn start() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for name in ["wrap-device.age", "wrap-recovery.age", "sender-copy.age", "foreign-sender-copy.age"] {
        all.push([vec![0], seeds::vector("envelope", name)].concat());
    }
    let entry = |generation: u8, seed: u8| [vec![0, 0, 0, generation], vec![seed; 32]].concat();
    all.push([vec![1], entry(0, 2), entry(1, 6)].concat());
    all.push(vec![1; 33]);
    all
}

target!(seeds: start(), |data| {
    match data.split_first() {
        Some((0, file)) => {
            wrap(file);
            sender_copy(file, None);
        }
        Some((1, plain)) if plain.len() < 4096 => {
            wrap(&sealed(plain, &DEVICE.to_recipient()));
            sender_copy(&sealed(plain, &SENDER.to_recipient()), Some(plain));
        }
        _ => {}
    }
});
