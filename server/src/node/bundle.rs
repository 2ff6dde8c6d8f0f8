//! What makes a folder a node of a deployment: one JSON object, the plaintext of an age file. It holds the log keys, so it
//! is as secret as they are; it is never on disk but sealed.

use std::path::Path;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::deployment::config::Config;
use crate::deployment::folder::Folder;
use crate::failure::{Exit, Failure, Outcome};

const FORMAT: &str = "postfach-node-1";

/// See the module.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bundle {
    format: String,
    /// `postfachd.toml`; it may hold the database's password.
    pub(super) settings: String,
    /// The service card, byte for byte.
    pub(super) card: String,
    /// Key files as they are.
    pub(super) keys_log_key: String,
    pub(super) evidence_log_key: String,
    pub(super) tls_certificate: String,
    pub(super) tls_key: String,
    /// Absent where the certificate is somebody else's.
    pub(super) tls_root: Option<String>,
}

impl Drop for Bundle {
    fn drop(&mut self) {
        for secret in
            [&mut self.settings, &mut self.keys_log_key, &mut self.evidence_log_key, &mut self.tls_key]
        {
            secret.zeroize();
        }
    }
}

fn read(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))
}

impl Bundle {
    /// Of a node's folder.
    pub(super) fn of(folder: &Folder, config: &Config) -> Outcome<Self> {
        let root = folder.tls_root();
        Ok(Self {
            format: FORMAT.to_owned(),
            settings: read(&folder.config())?,
            card: read(&folder.card())?,
            keys_log_key: read(&folder.keys_log_key())?,
            evidence_log_key: read(&folder.evidence_log_key())?,
            tls_certificate: read(&folder.path().join(&config.tls.certificate))?,
            tls_key: read(&folder.path().join(&config.tls.key))?,
            tls_root: if root.exists() { Some(read(&root)?) } else { None },
        })
    }

    /// As it is sealed.
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        // Safe because texts always have a form in JSON.
        Zeroizing::new(serde_json::to_vec(self).expect("a bundle encodes"))
    }

    /// What was sealed.
    pub(super) fn decode(bytes: &[u8]) -> Outcome<Self> {
        let bundle = serde_json::from_slice::<Self>(bytes).ok().filter(|bundle| bundle.format == FORMAT);
        bundle.ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "NODE_FILE",
                "The file was not written by `postfachd node export` of this version.",
                "Name the file that it wrote, and use the same version of postfachd on all nodes.",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bundles_come_back_and_other_files_are_refused() {
        let text = |name: &str| format!("{name}\n");
        let bundle = Bundle {
            format: FORMAT.to_owned(),
            settings: text("settings"),
            card: text("card"),
            keys_log_key: text("keys"),
            evidence_log_key: text("evidence"),
            tls_certificate: text("certificate"),
            tls_key: text("key"),
            tls_root: None,
        };
        let bytes = bundle.encode();
        assert_eq!(Bundle::decode(&bytes).unwrap().encode(), bytes);
        let other = String::from_utf8(bytes.to_vec()).unwrap();
        for bad in
            [other.replace("node-1", "node-2"), other.replace("card", "cart"), "{}".into(), String::new()]
        {
            assert_eq!(Bundle::decode(bad.as_bytes()).err().unwrap().reason, "NODE_FILE", "{bad}");
        }
    }
}
