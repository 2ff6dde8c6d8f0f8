//! `postfachd.toml`: what an operator may choose. Limits of the formats are not settings.

use std::net::SocketAddr;
use std::path::PathBuf;

use postfach_domain::id::Origin;
use serde::Deserialize;

use super::folder::Folder;
use crate::blobs::s3::S3Place;
use crate::failure::{Exit, Failure, Outcome};
use crate::storage::DatabaseUrl;
use crate::storage::audit::Source;
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
    /// Where things lie that are not in the data folder.
    #[serde(default)]
    pub storage: Storage,
    /// Logging.
    #[serde(default)]
    pub log: Log,
    /// Capacity.
    #[serde(default)]
    pub server: Server,
}

impl Storage {
    /// Where an audit of this folder reads.
    pub fn source(&self, folder: &Folder) -> Source {
        match &self.database {
            Some(url) => Source::Server(url.clone()),
            None => Source::File(folder.database()),
        }
    }
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

/// Where things lie that are not in the data folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The attachments' ciphertext; the folder `blobs` if not given.
    pub blobs: Option<S3Place>,
    /// A PostgreSQL database; SQLite in the folder if not given.
    #[serde(deserialize_with = "database")]
    pub database: Option<DatabaseUrl>,
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
            // Not the line itself, as the parser would: it may hold a password.
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            Failure::new(
                Exit::Usage,
                "CONFIG_MALFORMED",
                format!("{}, line {line}: {}.", path.display(), error.message()),
                "Correct the setting that is named; docs/operations.md lists all of them.",
            )
        })
    }

    /// The settings of a new deployment.
    pub fn new(origin: Origin, listen: SocketAddr, storage: Storage) -> Self {
        let tls = TlsFiles { certificate: "tls/server.pem".into(), key: "tls/server.key".into() };
        Self { origin, listen, tls, storage, log: Log::default(), server: Server::default() }
    }

    /// The text of a new file: the settings that [`Config::new`] lets choose, and the defaults.
    pub fn text(&self) -> String {
        let Self { origin, listen, storage, .. } = self;
        let storage = storage.text();
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
             {storage}\
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

impl Storage {
    fn text(&self) -> String {
        let blobs = match &self.blobs {
            Some(place) => format!("blobs = \"{place}\"\n"),
            None => "# blobs = \"s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION\"\n".to_owned(),
        };
        let database = match &self.database {
            Some(url) => format!("database = {}\n", toml::Value::from(url.reveal_with_password())),
            None => "# database = \"postgres://USER@HOST/DATABASE\"\n".to_owned(),
        };
        format!(
            "[storage]\n# Everything but attachments in PostgreSQL instead of SQLite in this folder.\n{database}\
             # Attachments in an S3-compatible store instead of the folder blobs; no key stands here.\n{blobs}"
        )
    }
}

/// The text of a configuration with its attachments in the folder `blobs`: a line that says otherwise becomes a comment.
/// `None` where that cannot be done by taking out a line.
pub fn with_local_blobs(text: &str) -> Option<String> {
    let mut section = "";
    let mut out = String::with_capacity(text.len() + 128);
    for line in text.lines() {
        let plain = line.trim();
        if plain.starts_with('[') {
            section = plain;
        }
        let word = plain.split('=').next().unwrap_or_default().trim();
        if section == "[storage]" && word == "blobs" {
            out.push_str("# The backup was restored to the folder blobs. Before, they were at:\n# ");
        }
        out.push_str(line);
        out.push('\n');
    }
    let config: Config = toml::from_str(&out).ok()?;
    config.storage.blobs.is_none().then_some(out)
}

fn origin<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Origin, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn database<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<DatabaseUrl>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_init_writes_is_read_back() {
        for (blobs, database) in [
            (None, None),
            (
                Some("s3://post/x?endpoint=http://[::1]:9000&credentials=/etc/s3".parse().unwrap()),
                Some("postgres://post:a%22b@db.example/mail".parse().unwrap()),
            ),
        ] {
            let storage = Storage { blobs, database };
            let config =
                Config::new("post.example".parse().unwrap(), "127.0.0.1:0".parse().unwrap(), storage);
            assert_eq!(toml::from_str::<Config>(&config.text()).unwrap(), config);
        }
    }

    #[test]
    fn blobs_are_taken_back_into_the_folder() {
        let storage = Storage { blobs: Some("s3://post/x".parse().unwrap()), database: None };
        let there = Config::new("post.example".parse().unwrap(), "127.0.0.1:0".parse().unwrap(), storage);
        let here = with_local_blobs(&there.text()).unwrap();
        assert!(here.contains("# blobs = \"s3://post/x?region=us-east-1\""), "{here}");
        let expected = Config { storage: Storage::default(), ..there.clone() };
        assert_eq!(toml::from_str::<Config>(&here).unwrap(), expected);
        assert_eq!(with_local_blobs(&here).unwrap(), here);
        let inline = there.text().replace("[storage]", "[elsewhere]");
        assert_eq!(with_local_blobs(&inline), None);
        let inline =
            format!("storage = {{ blobs = \"s3://post/x\" }}\n{}", expected.text().replace("[storage]", ""));
        assert!(toml::from_str::<Config>(&inline).is_ok());
        assert_eq!(with_local_blobs(&inline), None);
    }

    #[test]
    fn a_password_in_a_bad_file_is_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path());
        let good =
            Config::new("post.example".parse().unwrap(), "127.0.0.1:0".parse().unwrap(), Storage::default());
        let good = good.text();
        for bad in [
            "database = \"postgres://post:geheim@db\"",
            "database = \"postgres://post:geheim@",
            "databas = \"geheim\"",
        ] {
            let text = good.replace("# database = \"postgres://USER@HOST/DATABASE\"", bad);
            std::fs::write(folder.config(), &text).unwrap();
            let failure = Config::read(&folder).unwrap_err();
            let line = text.lines().position(|line| line == bad).unwrap() + 1;
            assert!(failure.message.contains(&format!("line {line}: ")), "{failure:?}");
            assert!(!format!("{failure:?}").contains("geheim"), "{failure:?}");
        }
    }

    #[test]
    fn unknown_settings_and_bad_origins_are_errors() {
        let good =
            Config::new("post.example".parse().unwrap(), "[::1]:8443".parse().unwrap(), Storage::default());
        let good = good.text();
        assert!(toml::from_str::<Config>(&good).is_ok());
        assert!(toml::from_str::<Config>(&good.replace("filter =", "filtre =")).is_err());
        assert!(toml::from_str::<Config>(&good.replace("post.example", "Post.Example")).is_err());
    }
}
