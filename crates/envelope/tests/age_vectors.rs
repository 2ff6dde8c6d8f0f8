//! The public test vectors of the age hybrid recipient (C2SP age), read from beside the repository.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, Identity};
use postfach_envelope::hybrid::HybridIdentity;
use sha2::{Digest, Sha256};

const COUNT: usize = 19;

struct Vector {
    name: String,
    fields: HashMap<String, String>,
    identities: Vec<Box<dyn Identity>>,
    file: Vec<u8>,
}

fn folder() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/age-hybrid");
    path.is_dir().then_some(path)
}

fn identity(text: &str) -> Box<dyn Identity> {
    if text.starts_with("AGE-SECRET-KEY-PQ-1") {
        Box::new(text.parse::<HybridIdentity>().unwrap())
    } else {
        Box::new(text.parse::<age::x25519::Identity>().unwrap())
    }
}

fn parse(path: &Path) -> Vector {
    let bytes = std::fs::read(path).unwrap();
    let end = bytes.windows(2).position(|w| w == b"\n\n").unwrap();
    let mut fields = HashMap::new();
    let mut identities = Vec::new();
    for line in std::str::from_utf8(&bytes[..end]).unwrap().lines() {
        let (key, value) = line.split_once(": ").unwrap();
        if key == "identity" {
            identities.push(identity(value));
        } else {
            fields.insert(key.to_owned(), value.to_owned());
        }
    }
    let mut file = bytes[end + 2..].to_vec();
    match fields.get("compressed").map(String::as_str) {
        None => {}
        Some("zlib") => {
            let mut inflated = Vec::new();
            flate2::read::ZlibDecoder::new(&file[..]).read_to_end(&mut inflated).unwrap();
            file = inflated;
        }
        Some(other) => panic!("unknown compression {other}"),
    }
    Vector { name: path.file_name().unwrap().to_string_lossy().into_owned(), fields, identities, file }
}

fn outcome(vector: &Vector) -> String {
    let opened = Decryptor::new(ArmoredReader::new(&vector.file[..]))
        .and_then(|d| d.decrypt(vector.identities.iter().map(AsRef::as_ref)));
    match opened {
        Ok(mut reader) => {
            let mut plain = Vec::new();
            match reader.read_to_end(&mut plain) {
                Ok(_) => format!("success {}", hex::encode(Sha256::digest(&plain))),
                Err(_) => "payload failure".to_owned(),
            }
        }
        Err(DecryptError::NoMatchingKeys) => "no match".to_owned(),
        Err(DecryptError::InvalidMac) => "HMAC failure".to_owned(),
        // `age` reports a v1 header that does not parse as an unknown format.
        Err(DecryptError::InvalidHeader | DecryptError::UnknownFormat) => "header failure".to_owned(),
        Err(other) => format!("other: {other:?}"),
    }
}

#[test]
fn all_vectors_give_what_they_say() {
    let Some(folder) = folder() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "the age vectors must be there in CI");
        eprintln!("skipped: ../shared/vectors/age-hybrid is not there");
        return;
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in &paths {
        let vector = parse(path);
        let expected = match vector.fields["expect"].as_str() {
            "success" => format!("success {}", vector.fields["payload"]),
            other => other.to_owned(),
        };
        let got = outcome(&vector);
        if got != expected {
            wrong.push(format!("{}: expected {expected}, got {got}", vector.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(paths.len() >= COUNT, "only {} vectors", paths.len());
}
