//! `postfachd node join`: makes the data folder of a further node. The database must be there and be this deployment's;
//! where anything fails nothing is left behind.

use std::io::Read as _;

use serde_json::json;
use zeroize::Zeroizing;

use super::bundle::Bundle;
use super::settings::set;
use crate::args::NodeJoinArgs;
use crate::backup::{Vault, pipe_failed, remove_folder};
use crate::deployment::config::Config;
use crate::deployment::folder::Folder;
use crate::deployment::{keyfile, open};
use crate::failure::{Exit, Failure, Outcome};
use crate::init::{make_folder, make_private, sync_folder, write};
use crate::output::Output;

/// Bytes of a bundle at most.
const LONGEST: u64 = 1024 * 1024;

/// See the module.
pub(super) async fn run(args: &NodeJoinArgs, output: Output) -> Outcome<()> {
    let folder = Folder::at(&args.data.data);
    let bundle = unsealed(args)?;
    make_folder(&folder)?;
    let joined = join(&folder, &bundle, args).await;
    if joined.is_err() {
        // The first error is the one to tell.
        let _ = remove_folder(folder.path());
    }
    let config = joined?;
    let answer = json!({
        "origin": config.origin.as_str(),
        "data": folder.path(),
        "listen": config.listen.to_string(),
    });
    let text = format!(
        "{} is a node of {}. Start it with `postfachd serve`.\n\
         Delete the file that it was made of. The registrar's key is not here.",
        folder.path().display(),
        config.origin,
    );
    output.answer(&answer, &text)
}

fn unsealed(args: &NodeJoinArgs) -> Outcome<Bundle> {
    let sealed = std::fs::File::open(&args.from).map_err(|error| Failure::file(&args.from, &error))?;
    let (vault, pipe) = Vault::open(&args.identity, sealed)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let read = pipe.take(LONGEST).read_to_end(&mut bytes);
    if let Err(error) = read {
        return Err(vault.explain(pipe_failed(&error)));
    }
    vault.finish()?;
    Bundle::decode(&bytes)
}

/// Writes everything, the settings last: without them there is no node.
async fn join(folder: &Folder, bundle: &Bundle, args: &NodeJoinArgs) -> Outcome<Config> {
    let _lock = folder.lock_now()?;
    make_private(&folder.keys())?;
    make_private(&folder.tls())?;
    keyfile::write_secret(&folder.keys_log_key(), bundle.keys_log_key.as_bytes())?;
    keyfile::write_secret(&folder.evidence_log_key(), bundle.evidence_log_key.as_bytes())?;
    keyfile::write_secret(&folder.tls_key(), bundle.tls_key.as_bytes())?;
    write(&folder.tls_certificate(), bundle.tls_certificate.as_bytes())?;
    if let Some(root) = &bundle.tls_root {
        write(&folder.tls_root(), root.as_bytes())?;
    }
    write(&folder.card(), bundle.card.as_bytes())?;
    let settings = set(&bundle.settings, "", "listen", &args.listen.to_string())?;
    let settings = set(&settings, "tls", "certificate", "tls/server.pem")?;
    let settings = Zeroizing::new(set(&settings, "tls", "key", "tls/server.key")?);
    let config: Config = toml::from_str(&settings).map_err(|_| {
        Failure::new(
            Exit::Usage,
            "CONFIG_MALFORMED",
            "The settings of the other node do not parse here.",
            "Use the same version of postfachd on all nodes.",
        )
    })?;
    // Compares card, keys and database.
    open::app(folder, &config).await?.close().await;
    for made in [folder.keys(), folder.tls(), folder.path().to_owned()] {
        sync_folder(&made)?;
    }
    // It may hold the database's password.
    keyfile::write_secret(&folder.config(), settings.as_bytes())?;
    sync_folder(folder.path())?;
    Ok(config)
}
