//! Reading age recipients and identity files: post-quantum ones (`age1pq1…`) and classic ones (`age1…`).

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use age::{Identity, Recipient, x25519};
use postfach_envelope::hybrid::{HybridIdentity, HybridRecipient};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure, Outcome};

/// Longest identity file that is read, in bytes.
const MAX_IDENTITY_FILE: u64 = 1024 * 1024;

/// Parses recipients; they must all be of one kind.
pub fn recipients(texts: &[String]) -> Outcome<Vec<Box<dyn Recipient>>> {
    let hybrid = texts.iter().filter(|text| text.starts_with("age1pq1")).count();
    if hybrid != 0 && hybrid != texts.len() {
        return Err(Failure::new(
            Exit::Usage,
            "MIXED_RECIPIENTS",
            "Post-quantum recipients (age1pq1…) and classic ones (age1…) cannot seal the same file.",
            "Name recipients of one kind.",
        ));
    }
    texts.iter().map(|text| recipient(text)).collect()
}

fn recipient(text: &str) -> Outcome<Box<dyn Recipient>> {
    let malformed = || {
        let shown: String = text.chars().filter(char::is_ascii_graphic).take(24).collect();
        let message = if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            "A secret key was given where a recipient belongs.".to_owned()
        } else {
            format!("\"{shown}…\" is no age recipient.")
        };
        let hint = "Give a recipient of the form age1pq1… or age1…, as the key file's comment shows it.";
        Failure::new(Exit::Usage, "RECIPIENT", message, hint)
    };
    if text.starts_with("age1pq1") {
        let recipient: HybridRecipient = text.parse().map_err(|_| malformed())?;
        return Ok(Box::new(recipient));
    }
    let recipient: x25519::Recipient = text.parse().map_err(|_| malformed())?;
    Ok(Box::new(recipient))
}

/// Reads all identities of a file. One behind a passphrase is refused: opening it is another tool's work.
pub fn identities(path: &Path) -> Outcome<Vec<Box<dyn Identity>>> {
    let file = File::open(path).map_err(|error| Failure::file(path, &error))?;
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_IDENTITY_FILE).read_to_end(&mut bytes).map_err(|error| Failure::file(path, &error))?;
    if bytes.starts_with(b"age-encryption.org/") || bytes.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        return Err(Failure::new(
            Exit::Usage,
            "IDENTITY_PROTECTED",
            format!("{} is protected by a passphrase.", path.display()),
            "Open it for this command only: --identity <(age -d KEYFILE)",
        ));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| no_identity(path))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let found: Vec<_> = lines.map(|line| identity(path, line)).collect::<Outcome<_>>()?;
    if found.is_empty() { Err(no_identity(path)) } else { Ok(found) }
}

fn identity(path: &Path, line: &str) -> Outcome<Box<dyn Identity>> {
    if line.starts_with("AGE-SECRET-KEY-PQ-1") {
        let identity: HybridIdentity = line.parse().map_err(|_| no_identity(path))?;
        return Ok(Box::new(identity));
    }
    let identity: x25519::Identity = line.parse().map_err(|_| no_identity(path))?;
    Ok(Box::new(identity))
}

fn no_identity(path: &Path) -> Failure {
    Failure::new(
        Exit::Usage,
        "IDENTITY",
        format!("{} is no age identity file.", path.display()),
        "Name the file that holds AGE-SECRET-KEY-PQ-1… or AGE-SECRET-KEY-1…",
    )
}
