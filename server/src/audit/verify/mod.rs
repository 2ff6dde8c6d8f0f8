//! `postfachd audit verify`: checks everything that is stored against what was signed and logged, and names the first
//! place that does not hold. It reads one snapshot of the database, beside a running server or on a folder at rest, and
//! changes nothing.
//!
//! Order: files outside the database; mailboxes, authorities and the keys log (`keys`); events with messages and
//! contents in the order of the log (`events`, `history`); tables that repeat them (`rest`, `attachments`); heads and
//! tiles of both trees (`tree`); ciphertext (`blobs`).

mod acts;
mod attachments;
mod authorities;
mod blobs;
mod chain;
mod event;
mod events;
mod facts;
mod history;
mod inputs;
mod keys;
mod message;
mod pipeline;
mod problem;
mod replay;
mod report;
mod rest;
mod run;
mod stages;
mod tags;
mod tree;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

pub use problem::{Failure, Problem};
pub use report::{Counts, Report};
pub use run::run;
pub use tree::{Astray, Stray};

use crate::blobs::BlobStore;
use crate::deployment::config::Config;
use crate::deployment::folder::Folder;
use crate::storage::audit::Source;

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Leave signatures out, but for those of checkpoints.
    pub quick: bool,
    /// Read the ciphertext of attachments too, which lies there.
    pub blobs: Option<Arc<dyn BlobStore>>,
    /// Checkpoints of either log that the database has to extend.
    pub checkpoints: Vec<PathBuf>,
    /// Checkpoints of either log that it may fail to extend: the report has those.
    pub compared: Vec<PathBuf>,
}

/// Where the database is. A folder without settings is read as what it holds.
fn source(folder: &Folder) -> Result<Source, Failure> {
    if !folder.config().exists() {
        return Ok(Source::File(folder.database()));
    }
    let config = Config::read(folder).map_err(Failure::Named)?;
    Ok(config.storage.source(folder))
}

/// Checks a deployment.
pub async fn verify(folder: &Folder, options: &Options) -> Result<Report, Failure> {
    let pinned = inputs::read_card(folder, !options.quick)?;
    let (mut trees, kept_checkpoints) =
        inputs::trees(folder, &pinned, &options.checkpoints, &options.compared)?;
    let context = pinned.context;
    let source = source(folder)?;
    let mut query = source.open().await?;
    let query = &mut *query;
    let mut counts = Counts { kept_checkpoints, ..Counts::default() };

    let log = keys::check_keys(query, &context, &mut trees.keys, &mut counts).await?;
    trees.keys.finish()?;
    let keys = log.keys;
    let history = events::check_events(query, &context, &keys, &mut trees.evidence, &mut counts).await?;

    rest::check_pairs(query, &history).await?;
    rest::check_acts(query, &history, &log.settings).await?;
    rest::check_consents(query, &keys, &history).await?;
    rest::check_codes(query, &keys).await?;
    let blobs = attachments::check_attachments(query, &keys, &history, &mut counts).await?;
    counts.tiles = trees.check_stored(query, &history.times).await?;
    if let Some(store) = &options.blobs {
        counts.blobs = blobs::check_blobs(query, &source, &**store, &blobs).await?;
    }
    let strays = [trees.keys.strays(), trees.evidence.strays()].concat();
    Ok(Report {
        keys_size: trees.keys.size(),
        evidence_size: trees.evidence.size(),
        counts,
        strays,
        keys_compared: trees.keys.compared(),
        evidence_compared: trees.evidence.compared(),
    })
}
