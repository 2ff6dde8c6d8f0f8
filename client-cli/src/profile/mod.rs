//! One folder that holds everything of one person or one clerk: what is public in the clear, everything else sealed.
//!
//! ```text
//! profile.toml            what this profile is: public
//! service-card.toml       the pinned service: public
//! unlock.age              the data key under the passphrase; or unlock.plain, in the clear by explicit choice
//! keys.sealed             private keys
//! trust.sealed            checkpoints seen and chains pinned
//! mailbox.sealed          how far the mailbox was read, and which of the journals counts
//! messages-*.journal      one record for each change of a message
//! covers-*.journal        outer headers and covers as transported
//! letters/ID.sealed       letters as transported
//! outbox/ID/, sent/ID/    what an authority sends, durable before it is delivered; and what it sent
//! registration.sealed     what `init` sends, until the service answered
//! receipts/               receipts of what was sent
//! evidence/               checkpoints that prove a fork, if one was met
//! ```

pub mod changes;
pub mod files;
pub mod journal;
pub mod lock;
pub mod mailbox;
pub mod message;
pub mod outbox;
pub mod vault;

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postfach_sdk::mailbox::Registration;
use postfach_sdk::state::{LogMemory, Trust};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock;
use crate::exit::{Failure, Outcome};
use crate::fail;
use files::{create_private_folder, write_atomic};
use lock::{Lock, LockError};
use vault::{DataKey, Passphrase, VaultError};

const HEADER: &str = "profile.toml";
const CARD: &str = "service-card.toml";
const UNLOCK_AGE: &str = "unlock.age";
const UNLOCK_PLAIN: &str = "unlock.plain";
const KEYS: &str = "keys.sealed";
const TRUST: &str = "trust.sealed";
const LOCK: &str = ".lock";
/// The lock of whoever syncs.
pub const SYNC_LOCK: &str = ".sync.lock";
const REGISTRATION: &str = "registration.sealed";
/// Files with which a profile begins.
const OURS: [&str; 10] =
    [HEADER, CARD, UNLOCK_AGE, UNLOCK_PLAIN, KEYS, TRUST, REGISTRATION, "evidence", LOCK, SYNC_LOCK];
/// How long a command waits for another one's short change.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whose profile it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Citizen,
    Authority,
}

/// The public part, `profile.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Form of the folder; 1.
    pub version: u32,
    /// Whose profile it is.
    pub kind: Kind,
    /// The deployment.
    pub origin: String,
    /// The mailbox.
    pub address: String,
    /// Of an authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_id: Option<String>,
    /// False until the service confirmed the registration; then `init` goes on where it stopped.
    pub registered: bool,
    /// Where the recovery kit was written.
    #[serde(serialize_with = "crate::text_form::path")]
    pub recovery_kit: PathBuf,
}

/// A profile whose public part is read.
#[derive(Debug)]
pub struct Profile {
    home: PathBuf,
    header: Header,
}

/// A profile whose data key is at hand.
#[derive(Debug)]
pub struct Unlocked {
    profile: Profile,
    key: DataKey,
}

impl Profile {
    /// Reads the public part; `None` where there is no profile.
    pub fn find(home: &Path) -> Outcome<Option<Self>> {
        let path = home.join(HEADER);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(damaged(&path)),
            Err(e) => return Err(io_failure(&path, &e)),
        };
        let header: Header = toml::from_str(&text).map_err(|_| damaged(&path))?;
        let profile = Self { home: home.to_path_buf(), header };
        if profile.header.version != 1 {
            return Err(damaged(&path));
        }
        Ok(Some(profile))
    }

    /// The public part.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The pinned service card as it was given.
    pub fn card(&self) -> Outcome<Vec<u8>> {
        read(&self.home.join(CARD))
    }

    /// True where a passphrase is needed.
    pub fn is_protected(&self) -> bool {
        !self.home.join(UNLOCK_PLAIN).exists()
    }

    /// Opens a profile that its owner left unprotected, or with the passphrase.
    pub fn unlock(self, passphrase: Option<&Passphrase>) -> Outcome<Unlocked> {
        let key = match passphrase {
            None => {
                let path = self.home.join(UNLOCK_PLAIN);
                let text = Zeroizing::new(read(&path)?);
                DataKey::from_unprotected(&text).map_err(|_| damaged(&path))?
            }
            Some(passphrase) => {
                let path = self.home.join(UNLOCK_AGE);
                DataKey::unlock(&read(&path)?, passphrase).map_err(|error| match error {
                    VaultError::WrongPassphrase => fail!(Locked, "PASSPHRASE_WRONG", "passphrase-wrong"),
                    VaultError::Damaged => damaged(&path),
                })?
            }
        };
        Ok(Unlocked { profile: self, key })
    }

    /// Takes a whole profile away, after a registration that was refused for good.
    pub fn discard(&self) -> Outcome<()> {
        for name in &OURS[..7] {
            let path = self.home.join(name);
            match fs::remove_file(&path) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_failure(&path, &e)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// What a new profile begins with.
pub struct Beginning<'a> {
    /// The public part.
    pub header: Header,
    /// The service card's bytes.
    pub card: &'a [u8],
    /// Private keys, exposed for sealing.
    pub keys: &'a [u8],
    /// The first memory: the own chain.
    pub trust: &'a Trust,
    /// What registration sends, until it was answered.
    pub registration: Option<&'a Registration>,
    /// `None` leaves the profile unprotected.
    pub passphrase: Option<&'a Passphrase>,
}

impl Unlocked {
    /// Makes a profile. Everything is durable when this returns; a crash before leaves none.
    pub fn create(home: &Path, beginning: &Beginning<'_>) -> Outcome<Self> {
        refuse_foreign(home)?;
        create_private_folder(home).map_err(|e| io_failure(home, &e))?;
        let key = DataKey::generate(&mut clock::rng());
        let put = |name: &str, bytes: &[u8]| {
            let path = home.join(name);
            write_atomic(&path, bytes).map_err(|e| io_failure(&path, &e))
        };
        match beginning.passphrase {
            Some(passphrase) => {
                let sealed = key.lock(passphrase).map_err(|_| damaged(&home.join(UNLOCK_AGE)))?;
                put(UNLOCK_AGE, &sealed)?;
            }
            None => put(UNLOCK_PLAIN, key.expose_unprotected().as_bytes())?,
        }
        put(CARD, beginning.card)?;
        let profile = Profile { home: home.to_path_buf(), header: beginning.header.clone() };
        let unlocked = Self { profile, key };
        unlocked.write_sealed(KEYS, beginning.keys)?;
        unlocked.write_json(TRUST, beginning.trust)?;
        if let Some(registration) = beginning.registration {
            unlocked.write_json(REGISTRATION, registration)?;
        }
        unlocked.write_header()?;
        Ok(unlocked)
    }

    /// The public side.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The data key, for journals.
    pub fn key(&self) -> &DataKey {
        &self.key
    }

    /// What registration sends, while it was not answered.
    pub fn registration(&self) -> Outcome<Registration> {
        self.read_json(REGISTRATION)?.ok_or_else(|| damaged(&self.path(REGISTRATION)))
    }

    /// Notes that the service knows this mailbox.
    pub fn set_registered(&mut self) -> Outcome<()> {
        self.profile.header.registered = true;
        self.write_header()?;
        // Public, and of no use any more; it does no harm where it stays.
        let _ = fs::remove_file(self.path(REGISTRATION));
        Ok(())
    }

    /// The private keys, for the SDK to read.
    pub fn keys(&self) -> Outcome<Zeroizing<Vec<u8>>> {
        self.read_sealed(KEYS)?.ok_or_else(|| damaged(&self.path(KEYS)))
    }

    /// What was seen so far.
    pub fn trust(&self) -> Outcome<Trust> {
        self.read_json(TRUST)?.ok_or_else(|| damaged(&self.path(TRUST)))
    }

    /// Stores what a run has seen, together with what other runs stored since it `loaded` its beginning.
    pub fn save_trust(&self, loaded: &Trust, seen: &Trust) -> Outcome<()> {
        if loaded == seen {
            return Ok(());
        }
        let _lock = self.lock()?;
        let mut stored = self.trust()?;
        let mut merged = seen.clone();
        if stored != *loaded {
            // What this run began with is linked already, or still stands in what it has seen.
            forget(&mut stored.keys_log.unlinked, &loaded.keys_log);
            forget(&mut stored.evidence_log.unlinked, &loaded.evidence_log);
            merged.absorb(&stored);
        }
        self.write_json(TRUST, &merged)
    }

    /// The lock around one change.
    pub fn lock(&self) -> Outcome<Lock> {
        self.lock_named(LOCK, PATIENCE)
    }

    /// A lock of the profile by name.
    pub fn lock_named(&self, name: &str, patience: Duration) -> Outcome<Lock> {
        let path = self.path(name);
        lock::lock(&path, patience).map_err(|error| match error {
            LockError::Busy => fail!(Conflict, "PROFILE_BUSY", "profile-busy"),
            LockError::Io(e) => io_failure(&path, &e),
        })
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.profile.home.join(name)
    }

    /// Seals bytes into a file of the profile, replacing it whole.
    pub fn write_sealed(&self, name: &str, plain: &[u8]) -> Outcome<()> {
        self.write_sealed_at(name, name, plain)
    }

    /// The same for a file that may be moved later: `name` stays what it is sealed for.
    pub fn write_sealed_at(&self, place: &str, name: &str, plain: &[u8]) -> Outcome<()> {
        let path = self.path(place);
        let sealed = self.key.seal_file(name, plain, &mut clock::rng());
        write_atomic(&path, &sealed).map_err(|e| io_failure(&path, &e))
    }

    /// Opens a sealed file; `None` where there is none.
    pub fn read_sealed(&self, name: &str) -> Outcome<Option<Zeroizing<Vec<u8>>>> {
        self.read_sealed_at(name, name)
    }

    /// The same for a file that may have been moved.
    pub fn read_sealed_at(&self, place: &str, name: &str) -> Outcome<Option<Zeroizing<Vec<u8>>>> {
        let path = self.path(place);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(io_failure(&path, &e)),
        };
        self.key.open_file(name, &bytes).map(Some).map_err(|_| damaged(&path))
    }

    /// A sealed file that holds JSON.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Outcome<Option<T>> {
        let Some(plain) = self.read_sealed(name)? else { return Ok(None) };
        serde_json::from_slice(&plain).map(Some).map_err(|_| damaged(&self.path(name)))
    }

    /// Seals a value as JSON.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Outcome<()> {
        // Safe because everything stored has text keys.
        let plain = Zeroizing::new(serde_json::to_vec(value).expect("state serialises"));
        self.write_sealed(name, &plain)
    }

    /// Keeps checkpoints that prove a fault of the service; gives the folder.
    pub fn keep_proof(&self, proof: &[(String, Vec<u8>)]) -> Outcome<PathBuf> {
        let folder = self.path("evidence");
        create_private_folder(&folder).map_err(|e| io_failure(&folder, &e))?;
        for (name, bytes) in proof {
            let path = folder.join(postfach_domain::cleaning::file_name(name));
            write_atomic(&path, bytes).map_err(|e| io_failure(&path, &e))?;
        }
        Ok(folder)
    }

    fn write_header(&self) -> Outcome<()> {
        let path = self.path(HEADER);
        // Safe because the header is a flat struct of text.
        let text = toml::to_string(&self.profile.header).expect("the header serialises");
        write_atomic(&path, text.as_bytes()).map_err(|e| io_failure(&path, &e))
    }
}

fn forget(unlinked: &mut Vec<Vec<u8>>, loaded: &LogMemory) {
    unlinked.retain(|note| *note != loaded.largest && !loaded.unlinked.contains(note));
}

/// A folder with other things in it is somebody's: it is neither restricted nor written to. Leftovers of an
/// interrupted or refused registration are ours.
pub fn refuse_foreign(home: &Path) -> Outcome<()> {
    let listed = match fs::read_dir(home) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|e| io_failure(home, &e))?,
    };
    let is_temporary = |name: &str| OURS.iter().any(|ours| name.starts_with(&format!(".{ours}.")));
    let is_ours = |name: &str| OURS.contains(&name) || is_temporary(name);
    let foreign = listed.filter_map(Result::ok).any(|entry| !entry.file_name().to_str().is_some_and(is_ours));
    if foreign {
        let home = home.display().to_string();
        return Err(fail!(Conflict, "FOLDER_IN_USE", "home-in-use", home = home.as_str()));
    }
    Ok(())
}

/// Reads a file of the profile.
fn read(path: &Path) -> Outcome<Vec<u8>> {
    fs::read(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => damaged(path),
        _ => io_failure(path, &e),
    })
}

/// A file of the profile that is not what was written.
pub fn damaged(path: &Path) -> Failure {
    fail!(Other, "PROFILE_DAMAGED", "profile-damaged", file = path.display().to_string())
}

/// A file that the system does not let us read or write.
pub fn io_failure(path: &Path, error: &io::Error) -> Failure {
    fail!(Other, "FILE", "file-failed", file = path.display().to_string(), error = error.to_string())
}
