//! Recovery kits as people type them: printed groups with their check symbols, or the bare text of the QR code.
#![no_main]

use postfach_domain::kit::RecoverySecret;
use postfach_fuzz::{bounded, retyped, seeds, target};

/// Without spaces and dashes, in lower case.
fn plain(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_lowercase()).collect()
}

fn check(typed: &str) {
    let Ok(secret) = bounded(typed.len(), 64, || typed.parse::<RecoverySecret>()) else { return };
    let (text, bare, typed) = (secret.expose_text(), secret.expose_bare(), plain(typed));
    assert!(typed == plain(&text) || typed == *bare, "another spelling: {typed:?}");
    let again = text.parse::<RecoverySecret>().expect("what is printed can be typed");
    assert_eq!(again.expose_bare(), bare);
}

/// Printed kits, and the one below with its first symbol typed as it is.
fn start() -> Vec<Vec<u8>> {
    let mut all = seeds::of_texts(seeds::texts(&seeds::json("kit"), &["bare", "text"]));
    all.push(b"\x00m".to_vec());
    all
}

target!(seeds: start(), |data| {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
    }
    // Nearly every symbol of the alphabet stands in it.
    let known = RecoverySecret::from_bytes(std::array::from_fn(|n| (n as u8).wrapping_mul(189)));
    for text in [known.expose_text(), known.expose_bare()] {
        if let Some(typed) = retyped(&text, data) {
            check(&typed);
        }
    }
});
