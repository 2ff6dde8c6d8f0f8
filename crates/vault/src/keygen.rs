//! Makes an operator's key.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use age::secrecy::ExposeSecret as _;
use age::x25519;
use postfach_envelope::hybrid::HybridIdentity;
use rand_core::OsRng;
use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// Writes a new identity file of mode 0600 and prints its recipient.
pub fn keygen(path: &Path, classic: bool, mut output: impl Write) -> Outcome<()> {
    let (recipient, secret) = if classic {
        let key = x25519::Identity::generate();
        (key.to_public().to_string(), Zeroizing::new(key.to_string().expose_secret().to_owned()))
    } else {
        let key = HybridIdentity::generate(&mut OsRng);
        (key.to_recipient().to_string(), key.expose_as_age_secret_key())
    };
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", *secret));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| Failure::file(path, &error))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half a key is none.
        let _ = fs::remove_file(path);
        Failure::file(path, &error)
    })?;
    writeln!(output, "{recipient}").map_err(|error| Failure::output(&error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::failure::Exit;
    use crate::keys::{identities, recipients};
    use crate::open::open;
    use crate::seal::seal;

    #[test]
    fn what_is_made_opens_what_is_sealed_to_it() {
        let folder = tempfile::tempdir().unwrap();
        for classic in [false, true] {
            let path = folder.path().join(format!("{classic}.key"));
            let mut printed = Vec::new();
            keygen(&path, classic, &mut printed).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(keygen(&path, classic, &mut Vec::new()).unwrap_err().exit, Exit::Conflict);
            let recipient = String::from_utf8(printed).unwrap().trim_end().to_owned();
            assert!(fs::read_to_string(&path).unwrap().contains(&recipient));
            let (mut file, mut plain) = (Vec::new(), Vec::new());
            seal(&recipients(&[recipient]).unwrap(), &b"hello"[..], &mut file).unwrap();
            open(&identities(&path).unwrap(), file.as_slice(), &mut plain).unwrap();
            assert_eq!(plain, b"hello");
        }
    }

    #[test]
    fn what_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for (content, reason) in [
            (&b"hello"[..], "IDENTITY"),
            (b"", "IDENTITY"),
            (b"\xff", "IDENTITY"),
            (b"age-encryption.org/v1\n-> scrypt", "IDENTITY_PROTECTED"),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(identities(&path).err().unwrap().reason, reason);
        }
        assert_eq!(identities(&folder.path().join("none")).err().unwrap().exit, Exit::NotFound);
        let hybrid = HybridIdentity::from_seed([1; 32]).to_recipient().to_string();
        let classic = x25519::Identity::generate();
        let mixed = [hybrid, classic.to_public().to_string()];
        assert_eq!(recipients(&mixed).err().unwrap().reason, "MIXED_RECIPIENTS");
        for bad in ["", "age1", "age1pq1x", "ssh-ed25519 AAAA", classic.to_string().expose_secret()] {
            let failure = recipients(&[bad.to_owned()]).err().unwrap();
            assert_eq!(failure.reason, "RECIPIENT", "{bad}");
            assert!(bad.is_empty() || !failure.message.contains("SECRET-KEY-1"), "{}", failure.message);
        }
    }
}
