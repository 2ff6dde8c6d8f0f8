//! Bearer tokens, by the server's own source: the rest of the server has files, sockets and C in it, and would cost minutes of
//! building. A token as it came holds only if it was made by its key; claims that a caller signs are taken as they are.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use postfach_domain::id::Party;
use postfach_domain::time::Timestamp;
use postfach_fuzz::{bounded, keys, target, text};

#[path = "../../server/src/auth/token.rs"]
#[allow(dead_code)]
mod token;

use token::{MAX_LIFE_S, ParsedToken, SKEW_S, make, verify_signature};

const NOW: Timestamp = Timestamp(1_795_000_000_000);

fn issuer() -> Party {
    Party::Authority("amt".parse().expect("an id"))
}

fn good() -> String {
    make(keys::key(1), &issuer(), &keys::origin(), NOW, 300).expect("a token")
}

/// What holds for every token that can be read.
fn check(parsed: &ParsedToken) {
    let written = parsed.issuer.issuer();
    assert_eq!(Party::from_issuer(&written).as_ref(), Ok(&parsed.issuer));
    if parsed.check(&keys::origin(), NOW).is_ok() {
        let (now, until) = (NOW.0 / 1000, parsed.expires_s);
        assert!(until + SKEW_S > now && until <= now + SKEW_S + MAX_LIFE_S, "lives from {now} to {until}");
        assert!(parsed.check(&keys::origin(), Timestamp(parsed.ends_at().0)).is_err(), "no end");
        assert!(parsed.check(&"other.example".parse().expect("a host name"), NOW).is_err());
    }
}

/// Header and claims, each on its line, as a caller would sign them.
fn signed(text: &str) -> Option<String> {
    let (header, claims) = text.split_once('\n')?;
    let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let sig = keys::key(1).expose_dalek().sign(input.as_bytes()).to_bytes();
    Some(format!("{input}.{}", URL_SAFE_NO_PAD.encode(sig)))
}

fn start() -> Vec<Vec<u8>> {
    let good = good();
    let parts = good.split('.').take(2).map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64"));
    vec![good.clone().into_bytes(), parts.collect::<Vec<_>>().join(&b'\n')]
}

target!(seeds: start(), |data| {
    let text = text!(data);
    let me = keys::key(1).public();
    if let Ok(parsed) = bounded(data.len(), 16, || ParsedToken::parse(text)) {
        check(&parsed);
        assert!(verify_signature(text, &me).is_err() || text == good(), "a token that nobody made");
    }
    if let Some(token) = signed(text)
        && let Ok(parsed) = ParsedToken::parse(&token)
    {
        check(&parsed);
        assert!(verify_signature(&token, &me).is_ok());
        assert!(verify_signature(&format!("{token}A"), &me).is_err());
        assert!(verify_signature(&token, &keys::key(2).public()).is_err());
    }
});
