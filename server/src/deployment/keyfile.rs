//! Files that hold one Ed25519 seed: `MPF-ED25519-SEED <base64>`, mode 0600. They are as secret as the key itself.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postfach_domain::sign::SecretKey;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure, Outcome};

const TAG: &str = "MPF-ED25519-SEED ";

/// Writes a new file; fails where one exists.
pub fn write_new(path: &Path, key: &SecretKey) -> Outcome<()> {
    let seed = key.expose_seed();
    let text = Zeroizing::new(format!("{TAG}{}\n", *Zeroizing::new(STANDARD.encode(&seed[..]))));
    write_secret(path, text.as_bytes())
}

/// Writes any secret into a new file of mode 0600, durably.
pub fn write_secret(path: &Path, content: &[u8]) -> Outcome<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file(path, &error))
}

/// Reads a key; refuses a file that others can read.
pub fn read(path: &Path) -> Outcome<SecretKey> {
    let metadata = std::fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(Failure::new(
            Exit::NotAllowed,
            "KEY_FILE_OPEN",
            format!("{} can be read by other users.", path.display()),
            format!("Run `chmod 600 {}` and consider whether the key is still secret.", path.display()),
        ));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?);
    from_text(&text, path)
}

/// The key in the text of a file.
pub fn from_text(text: &str, path: &Path) -> Outcome<SecretKey> {
    parse(text).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "KEY_FILE_MALFORMED",
            format!("{} is no key file of postfachd.", path.display()),
            "Name the file that `postfachd init` wrote, or restore it from a backup.",
        )
    })
}

fn parse(text: &str) -> Option<SecretKey> {
    let encoded = text.strip_prefix(TAG)?.trim_end();
    let seed = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let seed: &[u8; 32] = seed.as_slice().try_into().ok()?;
    Some(SecretKey::from_seed(seed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_come_back_and_are_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        let key = SecretKey::from_seed(&[9; 32]);
        write_new(&path, &key).unwrap();
        assert_eq!(read(&path).unwrap().key_id(), key.key_id());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(write_new(&path, &key).unwrap_err().exit, Exit::Conflict);
    }

    #[test]
    fn open_and_damaged_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        write_secret(&path, b"MPF-ED25519-SEED AAAA\n").unwrap();
        assert_eq!(read(&path).unwrap_err().exit, Exit::Usage);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(&path).unwrap_err().exit, Exit::NotAllowed);
        assert_eq!(read(&dir.path().join("none")).unwrap_err().exit, Exit::NotFound);
    }
}
