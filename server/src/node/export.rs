//! `postfachd node export`: reads a node's folder, beside its running server or not, and seals what another node needs.

use std::io::Write as _;

use serde_json::json;

use super::bundle::Bundle;
use crate::args::NodeExportArgs;
use crate::backup::{Partial, Vault, may_write, pipe_failed};
use crate::deployment::config::Config;
use crate::deployment::folder::Folder;
use crate::deployment::{keyfile, open};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// See the module.
pub(super) fn run(args: &NodeExportArgs, output: Output) -> Outcome<()> {
    let folder = Folder::at(&args.data.data);
    folder.require_deployment()?;
    let config = Config::read(&folder)?;
    require_shared(&folder, &config)?;
    let card = open::card(&folder)?.card;
    for (vkey, path) in
        [(&card.keys_log, folder.keys_log_key()), (&card.evidence_log, folder.evidence_log_key())]
    {
        open::log_signer(&card.origin, vkey, keyfile::read(&path)?, &path)?;
    }
    may_write(&args.output, args.force)?;
    let bundle = Bundle::of(&folder, &config)?.encode();
    let (partial, sealed) = Partial::make(&args.output)?;
    let (vault, mut pipe) = Vault::seal(&args.recipient, sealed)?;
    let written = pipe.write_all(&bundle);
    drop(pipe);
    if let Err(error) = written {
        return Err(vault.explain(pipe_failed(&error)));
    }
    vault.finish()?;
    partial.keep(&args.output)?;
    let answer = json!({
        "file": args.output,
        "origin": card.origin.as_str(),
        "recipients": args.recipient.len(),
    });
    let text = format!(
        "What a further node of {} needs is in {}, sealed: the log keys are in it.\n\
         On the other machine run `postfachd node join`, then delete the file.",
        card.origin,
        args.output.display(),
    );
    output.answer(&answer, &text)
}

/// A database in the folder belongs to one process.
fn require_shared(folder: &Folder, config: &Config) -> Outcome<()> {
    if config.storage.database.is_some() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Usage,
        "ONE_NODE_ONLY",
        format!(
            "The data of {} is in the folder itself, which one process at a time can use.",
            folder.path().display()
        ),
        "Several nodes need a PostgreSQL database: docs/operations.md, Several nodes.",
    ))
}
