//! `postfachd.toml`: what an operator may choose. Limits of the formats are not settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use postfach_domain::id::Origin;
use serde::Deserialize;

use super::folder::Folder;
use crate::failure::{Exit, Failure, Outcome};
use crate::telemetry::Format;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The deployment's name; must be the card's.
    #[serde(deserialize_with = "origin")]
    pub origin: Origin,
    /// Where `serve` listens unless told otherwise.
    pub listen: SocketAddr,
    /// Certificate files, relative to the data folder.
    pub tls: TlsFiles,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// Capacity.
    #[serde(default)]
    pub server: Server,
}

/// Certificate files, relative to the data folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// PEM chain, leaf first.
    pub certificate: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Lines for people or for programs.
    pub format: Format,
    /// In the form of RUST_LOG, which goes before it.
    pub filter: String,
}

/// Capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Open connections.
    pub connections: usize,
    /// Seconds that calls in progress get when the server stops.
    pub stop_seconds: u64,
    /// Connections to the database for reading.
    pub readers: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: Format::Text, filter: "info".to_owned() }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self { connections: 4096, stop_seconds: 10, readers: 4 }
    }
}

impl Config {
    /// Reads the file in the folder.
    pub fn read(folder: &Folder) -> Outcome<Self> {
        let path = folder.config();
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))?;
        toml::from_str(&text).map_err(|error| {
            Failure::new(
                Exit::Usage,
                "CONFIG_MALFORMED",
                format!("{}: {error}", path.display()),
                "Correct the setting that is named; docs/operations.md lists all of them.",
            )
        })
    }

    /// The settings of a new deployment.
    pub fn new(origin: Origin, listen: SocketAddr) -> Self {
        let tls = TlsFiles { certificate: "tls/server.pem".into(), key: "tls/server.key".into() };
        Self { origin, listen, tls, log: Log::default(), server: Server::default() }
    }

    /// The text of a new file: the settings that [`Config::new`] lets choose, and the defaults.
    pub fn text(&self) -> String {
        let Self { origin, listen, .. } = self;
        let Server { connections, stop_seconds, readers } = Server::default();
        format!(
            "# Settings of postfachd. Restart it after a change.\n\
             \n\
             # The deployment's name. The service card carries it too: do not change it.\n\
             origin = \"{origin}\"\n\
             # Where `serve` listens unless it is told otherwise.\n\
             listen = \"{listen}\"\n\
             \n\
             [tls]\n\
             # PEM files, relative to this folder. SIGHUP reads them again.\n\
             certificate = \"tls/server.pem\"\n\
             key = \"tls/server.key\"\n\
             \n\
             [log]\n\
             # \"text\" or \"json\", on standard error. RUST_LOG goes before the filter.\n\
             format = \"text\"\n\
             filter = \"info\"\n\
             \n\
             [server]\n\
             # Open connections; more wait.\n\
             connections = {connections}\n\
             # Seconds that calls in progress get when the server stops.\n\
             stop_seconds = {stop_seconds}\n\
             # Database connections for reading.\n\
             readers = {readers}\n"
        )
    }
}

fn origin<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Origin, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_init_writes_is_read_back() {
        let config = Config::new("post.example".parse().unwrap(), "127.0.0.1:0".parse().unwrap());
        assert_eq!(toml::from_str::<Config>(&config.text()).unwrap(), config);
    }

    #[test]
    fn unknown_settings_and_bad_origins_are_errors() {
        let good = Config::new("post.example".parse().unwrap(), "[::1]:8443".parse().unwrap()).text();
        assert!(toml::from_str::<Config>(&good).is_ok());
        assert!(toml::from_str::<Config>(&good.replace("filter =", "filtre =")).is_err());
        assert!(toml::from_str::<Config>(&good.replace("post.example", "Post.Example")).is_err());
    }
}
