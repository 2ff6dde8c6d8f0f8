//! No panic on data: every reader of bytes or text gets arbitrary ones, and the committed vectors with changes.
#![allow(clippy::unwrap_used, missing_docs)]

use postfach_domain::act::Act;
use postfach_domain::authority::{AuthorityCert, AuthorityRevocation};
use postfach_domain::card::ServiceCard;
use postfach_domain::chain::{Chain, Link};
use postfach_domain::code::ActivationCode;
use postfach_domain::event::{ErasedDetails, Event};
use postfach_domain::format::{Signature, Signed};
use postfach_domain::id::{Address, AuthorityId, MessageId, Origin};
use postfach_domain::kit::RecoverySecret;
use postfach_domain::outer::Outer;
use proptest::prelude::*;

fn read_all(bytes: &[u8]) {
    let _ = Act::parse(bytes);
    let _ = AuthorityCert::parse(bytes);
    let _ = AuthorityRevocation::parse(bytes);
    let _ = Event::parse(bytes);
    let _ = ErasedDetails::parse(bytes);
    let _ = Link::parse(bytes);
    let _ = Outer::parse(bytes);
    let _ = ServiceCard::verify(bytes);
    let signature = Signature { alg: 1, key_id: bytes.to_vec(), sig: bytes.to_vec() };
    let signed = Signed { body: bytes.to_vec(), signature: Some(signature) };
    let _ = Chain::verify(&"post.example".parse().unwrap(), &[signed]);
}

fn read_text(text: &str) {
    let _ = text.parse::<Address>();
    let _ = text.parse::<AuthorityId>();
    let _ = text.parse::<MessageId>();
    let _ = text.parse::<Origin>();
    let _ = text.parse::<ActivationCode>();
    let _ = text.parse::<RecoverySecret>();
    let _ = ServiceCard::verify(text.as_bytes());
}

/// Every hexadecimal string and every text in the committed vectors.
fn collect(value: &serde_json::Value, found: &mut Vec<Vec<u8>>) {
    match value {
        serde_json::Value::String(text) => {
            found.push(hex::decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut found = Vec::new();
    for name in ["act", "authority", "card", "chain", "event", "kit", "code", "submission", "address"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        collect(&serde_json::from_str(&text).unwrap(), &mut found);
    }
    assert!(found.len() > 40);
    found
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn arbitrary_text(text in any::<String>()) {
        read_text(&text);
    }

    #[test]
    fn changed_vectors(seed: prop::sample::Index, changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), cut: prop::sample::Index) {
        let seeds = seeds();
        let mut bytes = seeds[seed.index(seeds.len())].clone();
        prop_assume!(!bytes.is_empty());
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        read_all(&bytes);
        read_all(&bytes[..cut.index(bytes.len())]);
        read_text(&String::from_utf8_lossy(&bytes));
    }
}
