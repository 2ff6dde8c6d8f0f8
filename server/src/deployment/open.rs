//! From a locked data folder to the use cases over it. Refuses keys, card and configuration that do not belong
//! together, and a database that is older than what the server once signed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postfach_domain::card::{ServiceCard, VerifiedCard};
use postfach_domain::id::Origin;
use postfach_domain::sign::SecretKey;
use postfach_ledger::vkey::LogSigner;

use super::config::Config;
use super::folder::Folder;
use super::keyfile;
use super::restored::Restored;
use crate::app::{App, Deployment, OpenError};
use crate::blobs::s3::{Patience, S3Place};
use crate::blobs::{BlobStore, LocalBlobs, S3Blobs};
use crate::clock::{SystemClock, system_chance};
use crate::failure::{Exit, Failure, Outcome};
use crate::storage::{DatabaseUrl, PostgresStore, SqliteStore, Store, StoreError};

/// The service card in the folder, verified.
pub fn card(folder: &Folder) -> Outcome<VerifiedCard> {
    let path = folder.card();
    let bytes = std::fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
    ServiceCard::verify(&bytes).map_err(|error| {
        Failure::new(
            Exit::Evidence,
            "CARD",
            format!("{}: {error}.", path.display()),
            "Restore the card from a backup; clients pin its exact bytes.",
        )
    })
}

/// Opens everything. The caller holds the folder's lock.
pub async fn app(folder: &Folder, config: &Config) -> Outcome<Arc<App>> {
    if let Some(restored) = Restored::read(folder)? {
        restored.permit(folder)?;
    }
    let card = card(folder)?.card;
    if card.origin != config.origin {
        let message =
            format!("The service card is for {}, the configuration for {}.", card.origin, config.origin);
        let hint = "Set `origin` in postfachd.toml to the card's.";
        return Err(Failure::new(Exit::Usage, "OTHER_ORIGIN", message, hint));
    }
    let deployment = Deployment {
        origin: card.origin.clone(),
        registrar: card.registrar,
        keys_signer: signer(folder, &card.origin, &card.keys_log)?,
        evidence_signer: signer(folder, &card.origin, &card.evidence_log)?,
        checkpoints: folder.checkpoints(),
    };
    let blobs = blobs(folder, config).await?;
    let store = store(folder, config).await?;
    let clock = Arc::new(SystemClock);
    let opened = App::open(deployment, store, blobs, clock, system_chance()).await;
    Ok(Arc::new(opened.map_err(|error| failure(&error))?))
}

/// The engine that the settings name, with the newest form of the database.
pub async fn store(folder: &Folder, config: &Config) -> Outcome<Arc<dyn Store>> {
    let readers = config.server.readers;
    let opened: Result<Arc<dyn Store>, StoreError> = match &config.storage.database {
        Some(url) => PostgresStore::open(url, readers).await.map(|store| Arc::new(store) as _),
        None => SqliteStore::open(&folder.database(), readers).await.map(|store| Arc::new(store) as _),
    };
    opened.map_err(|error| match &config.storage.database {
        Some(url) => database_away(url, &error),
        None => failure(&error.into()),
    })
}

/// Why a database server cannot be used. Its URL is shown without the password.
pub fn database_away(url: &DatabaseUrl, error: &StoreError) -> Failure {
    Failure::new(
        Exit::Other,
        "DATABASE",
        format!("{url}: {error}."),
        "Check [storage] in postfachd.toml, the password file and the database server, then try again.",
    )
}

/// The attachments, for the process that changes them.
async fn blobs(folder: &Folder, config: &Config) -> Outcome<Arc<dyn BlobStore>> {
    let Some(place) = &config.storage.blobs else {
        let blobs = folder.blobs();
        // Where other nodes can be, the folder may be one that all of them see.
        let shared = config.storage.database.is_some();
        let opened = if shared { LocalBlobs::open_shared(&blobs) } else { LocalBlobs::open(&blobs) };
        return Ok(Arc::new(opened.map_err(|error| Failure::file(&blobs, &error))?));
    };
    let blobs = s3_blobs(place)?;
    if !place.is_encrypted() {
        tracing::warn!(%place, "blobs travel without TLS");
    }
    if blobs.check().await?.is_some_and(|seen| seen.versioned) {
        tracing::warn!(%place, "the bucket keeps versions: what is erased stays there until they expire");
    }
    Ok(Arc::new(blobs))
}

/// The attachments, beside the process that changes them: for reading and holding.
pub fn blobs_beside(folder: &Folder, config: &Config) -> Outcome<Arc<dyn BlobStore>> {
    Ok(match &config.storage.blobs {
        Some(place) => Arc::new(s3_blobs(place)?),
        None => Arc::new(LocalBlobs::beside(&folder.blobs())),
    })
}

/// An S3-compatible store with the key that the place or the environment names.
pub fn s3_blobs(place: &S3Place) -> Outcome<S3Blobs> {
    S3Blobs::open(place, Patience::default(), Arc::new(SystemClock), |name| std::env::var(name).ok())
}

/// The key of one of the logs, which must be the one on the card.
fn signer(folder: &Folder, origin: &Origin, vkey: &str) -> Outcome<LogSigner> {
    let path = log_key_path(folder, origin, vkey);
    log_signer(origin, vkey, keyfile::read(&path)?, &path)
}

fn log_key_path(folder: &Folder, origin: &Origin, vkey: &str) -> PathBuf {
    if vkey.starts_with(&format!("{}+", origin.keys_log())) {
        folder.keys_log_key()
    } else {
        folder.evidence_log_key()
    }
}

/// The signer of the log that `vkey` names on the card, made of its key, which `path` holds.
pub fn log_signer(origin: &Origin, vkey: &str, key: SecretKey, path: &Path) -> Outcome<LogSigner> {
    let name = vkey.split_once('+').map_or("", |(name, _)| name);
    let wrong = |problem: &str| {
        let message = format!("{}: {problem}.", path.display());
        Failure::new(Exit::Evidence, "LOG_KEY", message, "Restore the key that belongs to the service card.")
    };
    if ![origin.keys_log(), origin.evidence_log()].iter().any(|log| log == name) {
        return Err(wrong("the service card names another log"));
    }
    let signer = LogSigner::new(name, key).map_err(|error| wrong(&error.to_string()))?;
    if signer.verifier().vkey() == vkey { Ok(signer) } else { Err(wrong("not the key on the service card")) }
}

fn failure(error: &OpenError) -> Failure {
    match error {
        OpenError::Kept(_) | OpenError::Foreign { .. } => Failure::new(
            Exit::Evidence,
            "LOG_SET_BACK",
            format!("{error}."),
            "Restore the newest database. Serving this one would contradict what was signed.",
        ),
        OpenError::OtherDeployment { .. } => Failure::new(
            Exit::Conflict,
            "OTHER_DEPLOYMENT",
            format!("{error}."),
            "Name this deployment's own database in postfachd.toml, or make this node anew with `postfachd node join`.",
        ),
        OpenError::Store(_) => Failure::new(
            Exit::Other,
            "DATABASE",
            format!("{error}."),
            "Check disk space and permissions of the data folder, then try again.",
        ),
        OpenError::Chance(_) => Failure::new(
            Exit::Other,
            "RANDOMNESS",
            format!("{error}."),
            "Try again when the system has started.",
        ),
    }
}
