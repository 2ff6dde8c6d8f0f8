//! Activation codes as people type them. Of a code, only what cannot be mistaken may be spelled otherwise.
#![no_main]

use postfach_domain::code::ActivationCode;
use postfach_fuzz::{bounded, retyped, seeds, target};

const KNOWN: [u8; 15] =
    [0x00, 0x44, 0x32, 0x14, 0xc7, 0x42, 0x54, 0xb6, 0x35, 0xcf, 0x84, 0x65, 0x3a, 0x56, 0xd7];

/// The one spelling: upper case, 0 and 1 for the letters that look like them, no spaces and dashes.
fn plain(typed: &str) -> String {
    let shown = typed.chars().filter(|c| !c.is_whitespace() && !"-–—".contains(*c));
    shown
        .map(|c| c.to_ascii_uppercase())
        .map(|c| {
            if c == 'O' {
                '0'
            } else if "IL".contains(c) {
                '1'
            } else {
                c
            }
        })
        .collect()
}

fn check(typed: &str) {
    let Ok(code) = bounded(typed.len(), 1, || typed.parse::<ActivationCode>()) else { return };
    let written = code.expose_text();
    assert_eq!(plain(typed), plain(&written), "another spelling: {typed:?}");
    let again = written.parse::<ActivationCode>().expect("what is printed can be typed");
    assert_eq!(again.code_id(), code.code_id());
}

/// Printed codes, and the one below with its first symbol typed as it is.
fn start() -> Vec<Vec<u8>> {
    let mut all = seeds::of_texts(seeds::texts(&seeds::json("code"), &["text"]));
    all.push(b"\x000".to_vec());
    all
}

target!(seeds: start(), |data| {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
    // Every symbol of the alphabet stands in the first 24 of one of these.
    for bytes in [KNOWN, KNOWN.map(|byte| !byte)] {
        if let Some(typed) = retyped(&ActivationCode::from_bytes(bytes).expose_text(), data) {
            check(&typed);
        }
    }
});
