//! The three hashes of a message as one base64 text of 96 bytes in the serde form of our state:
//! `#[serde(with = "postfach_sdk::hashes_form")]`.

use postfach_domain::hash::Digest;
use postfach_domain::submission::Hashes;
use serde::{Deserializer, Serializer, de::Error as _};

use crate::base64_bytes;

/// Writes outer, cover and letter hash.
pub fn serialize<S: Serializer>(hashes: &Hashes, to: S) -> Result<S::Ok, S::Error> {
    let all = [hashes.outer, hashes.cover, hashes.letter].map(|hash| *hash.as_bytes());
    base64_bytes::serialize(all.as_flattened(), to)
}

/// Reads them.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Hashes, D::Error> {
    match base64_bytes::deserialize(from)?.as_chunks() {
        ([outer, cover, letter], []) => {
            Ok(Hashes { outer: Digest(*outer), cover: Digest(*cover), letter: Digest(*letter) })
        }
        _ => Err(D::Error::custom("not three hashes")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Kept(#[serde(with = "super")] Hashes);

    #[test]
    fn three_hashes_come_back_and_nothing_else_does() {
        let kept = Kept(Hashes { outer: Digest([1; 32]), cover: Digest([2; 32]), letter: Digest([3; 32]) });
        let text = serde_json::to_string(&kept).unwrap();
        assert_eq!(text.len(), 2 + 128);
        assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
        for other in [r#""""#.to_owned(), format!("\"{}", &text[5..]), text.replace('"', "\"AAAA")] {
            assert!(serde_json::from_str::<Kept>(&other).is_err(), "{other}");
        }
    }
}
