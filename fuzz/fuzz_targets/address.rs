//! Addresses as people type and scan them: bech32m in one case, white space around it. Anything else is refused.
#![no_main]

use postfach_domain::id::{Address, Party};
use postfach_fuzz::{bounded, retyped, seeds, target};

fn check(typed: &str) {
    if let Ok(party) = Party::from_issuer(typed) {
        assert_eq!(party.issuer(), typed, "machines write addresses in one way");
    }
    let Ok(address) = bounded(typed.len(), 4, || typed.parse::<Address>()) else { return };
    let written = address.to_string();
    let trimmed = typed.trim();
    assert!(trimmed == written || trimmed == written.to_ascii_uppercase(), "another spelling: {typed:?}");
    assert_eq!(written.parse::<Address>().as_ref(), Ok(&address));
}

fn start() -> Vec<Vec<u8>> {
    let mut all = seeds::of_texts(seeds::texts(&seeds::json("address"), &["text"]));
    all.push(b"\x09k".to_vec());
    all
}

target!(seeds: start(), |data| {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
    let known = Address([7; 32]).to_string();
    if let Some(typed) = retyped(&known, data) {
        check(&typed);
        check(&typed.to_ascii_uppercase());
    }
});
