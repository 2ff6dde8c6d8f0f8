//! The mark of a folder that was restored from a backup. A backup is older than the last thing that was acknowledged, as
//! far as anybody knows; what was acknowledged since is lost, and who saw it will call this server a liar. So it does not
//! serve until checkpoints kept elsewhere show that nothing is missing, or the operator decides.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::folder::Folder;
use crate::durable::{replace, sync_folder};
use crate::failure::{Exit, Failure, Outcome};

/// `restored.json`. Times are RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// When the backup's copy of the database was taken.
    pub snapshot_at: String,
    /// When it was restored.
    pub restored_at: String,
    /// Leaves of the keys log.
    pub keys_size: u64,
    /// Leaves of the evidence log.
    pub evidence_size: u64,
    /// How it stands to checkpoints kept elsewhere.
    pub standing: Standing,
    /// Checkpoints that it was compared with.
    pub compared: u64,
    /// Leaves that the newest of them was signed for in the keys log.
    #[serde(default)]
    pub keys_compared: Option<u64>,
    /// In the evidence log.
    #[serde(default)]
    pub evidence_compared: Option<u64>,
    /// Those that it does not extend, in words.
    pub strays: Vec<String>,
    /// What the operator decided.
    pub accepted: Option<Accepted>,
}

/// See [`Restored::standing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// For both logs the newest of them was signed for exactly what it has.
    Current,
    /// It extends all of them, if there are any; of what was logged later they say nothing.
    #[serde(alias = "extends")]
    Undecided,
    /// One of them was signed for more leaves.
    Older,
    /// One of them was signed for other leaves.
    Forked,
}

/// A decision to serve nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// When.
    pub at: String,
    /// Why.
    pub reason: String,
}

impl Restored {
    /// Reads the mark; `None` where the folder was not restored.
    pub fn read(folder: &Folder) -> Outcome<Option<Self>> {
        let path = folder.restored();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file(&path, &error)),
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Failure::new(
                Exit::Evidence,
                "RESTORED_MALFORMED",
                format!("{}: {error}.", path.display()),
                "Restore the backup again; the file is written by postfachd and not edited.",
            )
        })
    }

    /// Writes the mark durably.
    pub fn write(&self, folder: &Folder) -> Outcome<()> {
        let path = folder.restored();
        let write = || {
            replace(&path, &serde_json::to_vec_pretty(self)?, 0o600)?;
            sync_folder(folder.path())
        };
        write().map_err(|error: io::Error| Failure::file(&path, &error))
    }

    /// True where the folder may be served.
    pub fn serves(&self) -> bool {
        self.standing == Standing::Current || self.accepted.is_some()
    }

    /// Fails where nobody has decided yet; says what a decision means.
    pub fn permit(&self, folder: &Folder) -> Outcome<()> {
        if self.serves() {
            return Ok(());
        }
        let (exit, reason) = match self.standing {
            Standing::Undecided => (Exit::Conflict, "RESTORED_UNDECIDED"),
            _ => (Exit::Evidence, "RESTORED_OLDER"),
        };
        Err(Failure::new(
            exit,
            reason,
            self.words(),
            format!(
                "Restore again with the newest checkpoint of each log, --checkpoint FILE twice, from a witness, a monitor, \
                 or checkpoints/ of the old folder; or decide: `postfachd backup accept --data {} --reason TEXT`. It means: what was logged behind these \
                 sizes is lost, and everyone who saw more will refuse this server (exit 8).",
                folder.path().display()
            ),
        ))
    }

    /// What happened, for people.
    pub fn words(&self) -> String {
        let Self { snapshot_at, keys_size, evidence_size, compared, .. } = self;
        let standing = match self.standing {
            Standing::Current => {
                "It is as new as the newest checkpoints of both logs that were kept elsewhere".to_owned()
            }
            Standing::Undecided if *compared == 0 => {
                "No checkpoint kept elsewhere was compared with it".to_owned()
            }
            Standing::Undecided => format!(
                "It extends all {compared} checkpoints that were kept elsewhere ({}; {}), but they do not say whether \
                 more was logged after the backup",
                reach("keys", self.keys_compared),
                reach("evidence", self.evidence_compared)
            ),
            Standing::Older => {
                format!("It is older than what was signed since: {}", self.strays.join("; "))
            }
            Standing::Forked => {
                format!("It contradicts what was signed elsewhere: {}", self.strays.join("; "))
            }
        };
        let accepted = self.accepted.as_ref();
        let accepted = accepted
            .map_or(String::new(), |accepted| format!(" Accepted at {}: {}", accepted.at, accepted.reason));
        format!(
            "This folder was restored from a backup of {snapshot_at}, with {keys_size} leaves in the keys log and \
             {evidence_size} in the evidence log. {standing}.{accepted}"
        )
    }

    /// For `admin status`.
    pub fn to_json(&self) -> Value {
        json!({
            "snapshot_at": self.snapshot_at,
            "restored_at": self.restored_at,
            "keys_size": self.keys_size,
            "evidence_size": self.evidence_size,
            "standing": self.standing,
            "compared": self.compared,
            "keys_compared": self.keys_compared,
            "evidence_compared": self.evidence_compared,
            "strays": self.strays,
            "accepted": self.accepted,
        })
    }
}

/// How far the checkpoints of a log reach, in words.
fn reach(log: &str, size: Option<u64>) -> String {
    size.map_or_else(|| format!("none of the {log} log"), |size| format!("the {log} log up to {size} leaves"))
}
