//! Every other short text: ids, names of deployments and parties, keys of logs, witnesses and age. What parses is written as
//! it was read; where people may type capitals or dashes, it is the same but for these.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use postfach_domain::hash::Digest;
use postfach_domain::id::{ActId, AttachmentId, AuthorityId, KeyId, Label, MessageId, Origin, Party};
use postfach_domain::outer::Kind;
use postfach_envelope::EnvelopeKey;
use postfach_envelope::hybrid::{HybridIdentity, HybridRecipient};
use postfach_fuzz::{bounded, keys, seeds, target, text};
use postfach_ledger::hash::Hash;
use postfach_ledger::tile::Resource;
use postfach_ledger::vkey::LogVerifier;
use postfach_ledger::witness::WitnessVerifier;

/// Read and written back, without a difference.
fn exact<T: FromStr + Display>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        assert_eq!(value.to_string(), text);
    }
}

/// Hexadecimal digits alone, in lower case.
fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect()
}

/// Read and written back, with the same digits.
fn same_digits<T: FromStr + Display + PartialEq>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        assert!(digits(text).ends_with(&digits(&written)), "{text:?} became {written}");
        assert!(written.parse::<T>().is_ok_and(|again| again == value));
    }
}

fn read_all(text: &str) {
    exact::<AuthorityId>(text);
    exact::<Origin>(text);
    exact::<Kind>(text);
    exact::<HybridRecipient>(&text.to_ascii_lowercase());
    same_digits::<MessageId>(text);
    same_digits::<KeyId>(text);
    same_digits::<Label>(text);
    same_digits::<ActId>(text);
    same_digits::<AttachmentId>(text);
    if let Ok(party) = Party::from_issuer(text) {
        assert_eq!(party.issuer(), text);
    }
    if let Ok(key) = text.parse::<EnvelopeKey>() {
        assert_eq!(*key.expose_as_hex(), text.to_ascii_lowercase());
    }
    if let Ok(identity) = text.parse::<HybridIdentity>() {
        assert_eq!(*identity.expose_as_age_secret_key(), text.to_ascii_uppercase());
    }
    if let Ok(key) = LogVerifier::from_vkey(text) {
        assert_eq!(key.vkey(), text);
        assert!(WitnessVerifier::from_vkey(text).is_err(), "a key of a log and of a witness");
    }
    if let Ok(key) = WitnessVerifier::from_vkey(text) {
        assert_eq!(key.vkey(), text);
    }
    if let Some(hash) = Hash::from_base64(text) {
        assert_eq!(hash.to_base64(), text);
    }
    if let Some(resource) = Resource::parse(text) {
        assert_eq!(resource.path(), text);
    }
}

fn start() -> Vec<Vec<u8>> {
    let mut all = seeds::texts(&seeds::json("address"), &["text", "label"]);
    all.extend(
        ["finanzamt-muenchen", "post.example", "01970f2e-6a00-7000-8000-000000000000"].map(str::to_owned),
    );
    all.extend(["tile/0/x001/067.p/5", "tile/entries/000", "checkpoint"].map(str::to_owned));
    all.push(Digest::ZERO.to_hex());
    all.push(Hash::from_slice(&[7; 32]).map(|hash| hash.to_base64()).unwrap_or_default());
    all.push(keys::keys_log().verifier().vkey());
    all.push(keys::witness(1).verifier().vkey());
    for name in ["mailbox.identity", "mailbox.recipient", "letter.filekey"] {
        all.push(seeds::line("envelope", name));
    }
    seeds::of_texts(all)
}

target!(seeds: start(), |data| {
    let text = text!(data);
    bounded(data.len(), 16, || read_all(text));
});
