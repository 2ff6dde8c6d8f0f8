//! `postfachd backup restore`: into a new folder. The configuration comes last: without it there is no deployment, so a
//! restore that was interrupted is never taken for one. The next restore into the folder begins anew.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::json;

use super::archive::{CARD, CHECKPOINTS, CONFIG};
use super::extract::{extract, write_small};
use super::stop::{Stop, interruptible};
use super::verify::{Checked, check};
use super::workplace::remove_folder;
use crate::args::BackupRestoreArgs;
use crate::clock::{Clock as _, SystemClock};
use crate::deployment::config::with_local_blobs;
use crate::deployment::folder::{Folder, FolderLock};
use crate::deployment::restored::Restored;
use crate::durable::sync_folder;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// All that a restore makes, besides its marker and the configuration.
const OURS: [&str; 13] = [
    "postfach.db",
    "postfach.db-wal",
    "postfach.db-shm",
    "blobs",
    "checkpoints",
    "keys",
    "tls",
    "service-card.toml",
    "restored.json",
    "restored.json.new",
    "postfachd.toml.new",
    "SHA256SUMS.new",
    "lock",
];

/// See the module.
pub async fn run(args: &BackupRestoreArgs, output: Output) -> Outcome<()> {
    let theirs = args.clone();
    let (restored, checked) = interruptible(move |stop| restore(&theirs, stop)).await?;
    let manifest = &checked.extracted.manifest;
    let answer = json!({
        "data": args.data.data,
        "origin": manifest.origin,
        "card_fingerprint": manifest.card_fingerprint,
        "snapshot_at": restored.snapshot_at,
        "keys_size": restored.keys_size,
        "evidence_size": restored.evidence_size,
        "messages": checked.report.counts.messages,
        "standing": restored.standing,
        "compared": restored.compared,
        "keys_compared": restored.keys_compared,
        "evidence_compared": restored.evidence_compared,
        "strays": restored.strays,
        "serves": restored.serves(),
        "left_out": manifest.left_out,
    });
    let text = format!(
        "The deployment {} is restored to {}. Service card {}.\n{}",
        manifest.origin,
        args.data.data.display(),
        manifest.card_fingerprint,
        restored.words(),
    );
    let undecided = restored.permit(&Folder::at(&args.data.data)).err();
    let undecided = undecided.map(|failure| format!("It does not serve yet. {}", failure.hint));
    let left_out = manifest.left_out.iter().map(|name| format!("Not in the backup: {name}"));
    let lines: Vec<_> = std::iter::once(text).chain(undecided).chain(left_out).collect();
    output.answer(&answer, &lines.join("\n"))
}

fn restore(args: &BackupRestoreArgs, stop: &Stop) -> Outcome<(Restored, Checked)> {
    let folder = Folder::at(&args.data.data);
    let site = Site::open(&folder)?;
    let list = folder.path().join("SHA256SUMS.new");
    let files = (args.backup.file.as_path(), args.backup.identity.as_path());
    let extracted = extract(files, folder.path(), &list, true, stop)?;
    fs::remove_file(&list).map_err(|error| Failure::file(&list, &error))?;
    let checked = check(extracted, &args.backup, &folder, stop)?;

    let small = &checked.extracted.small;
    for (name, bytes) in small {
        let there = name == CARD || CHECKPOINTS.contains(&name.as_str()) || name == CONFIG;
        if !there {
            write_small(folder.path(), name, bytes)?;
        }
    }
    let restored = Restored {
        snapshot_at: checked.extracted.manifest.snapshot_at.clone(),
        restored_at: SystemClock.now().to_rfc3339(),
        keys_size: checked.report.keys_size,
        evidence_size: checked.report.evidence_size,
        standing: checked.standing,
        compared: checked.compared,
        keys_compared: checked.report.keys_compared,
        evidence_compared: checked.report.evidence_compared,
        strays: checked.strays.clone(),
        accepted: None,
    };
    restored.write(&folder)?;
    stop.check()?;
    // Safe because `check` looked for it.
    let config = small.get(CONFIG).expect("the configuration is there");
    write_small(folder.path(), "postfachd.toml.new", local_config(config)?.as_bytes())?;
    site.finish()?;
    Ok((restored, checked))
}

/// The configuration, with the attachments where they are restored to.
fn local_config(config: &[u8]) -> Outcome<String> {
    let text = std::str::from_utf8(config).ok().and_then(with_local_blobs);
    text.ok_or_else(|| {
        Failure::new(
            Exit::Other,
            "CONFIG_BLOBS",
            "The configuration in the backup names a place for blobs in an unusual way.",
            "Unpack the backup by hand, as docs/operations.md says, and set [storage] there.",
        )
    })
}

/// The folder while it is filled. What is in it goes when this is dropped before the end.
struct Site<'a> {
    folder: &'a Folder,
    /// It was absent before.
    made: bool,
    finished: bool,
    _lock: FolderLock,
}

impl<'a> Site<'a> {
    fn open(folder: &'a Folder) -> Outcome<Self> {
        let path = folder.path();
        let failed = |error: &io::Error| Failure::file(path, error);
        let made = !path.exists();
        if made {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| failed(&error))?;
        }
        let marker = folder.restoring();
        if marker.exists() && !folder.config().exists() {
            // Somebody at work has the lock.
            let _lock = folder.lock_now()?;
            sweep(folder)?;
        }
        if fs::read_dir(path).map_err(|error| failed(&error))?.next().is_some() {
            return Err(Failure::new(
                Exit::Conflict,
                "FOLDER_NOT_EMPTY",
                format!("{} is not empty.", path.display()),
                "Choose a new folder with --data; nothing was changed.",
            ));
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|error| failed(&error))?;
        // Two at once: one of them makes the marker.
        let marked = File::options().write(true).create_new(true).mode(0o600).open(&marker);
        marked.and_then(|_| sync_folder(path)).map_err(|error| failed(&error))?;
        Ok(Self { folder, made, finished: false, _lock: folder.lock_now()? })
    }

    /// From now on it is a deployment.
    fn finish(mut self) -> Outcome<()> {
        let path = self.folder.path();
        let finish = || {
            sync_folder(path)?;
            fs::rename(path.join("postfachd.toml.new"), self.folder.config())?;
            sync_folder(path)?;
            fs::remove_file(self.folder.restoring())
        };
        finish().map_err(|error: io::Error| Failure::file(path, &error))?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // What cannot be removed now is removed by the next restore.
        let _ = sweep(self.folder);
        if self.made {
            let _ = fs::remove_dir(self.folder.path());
        }
    }
}

/// Removes what a restore made, and nothing else; its marker last.
fn sweep(folder: &Folder) -> Outcome<()> {
    for name in OURS {
        let path = folder.path().join(name);
        if path.is_dir() {
            remove_folder(&path)?;
        } else {
            remove_file(&path)?;
        }
    }
    remove_file(&folder.restoring())
}

fn remove_file(path: &Path) -> Outcome<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::file(path, &error)),
        _ => Ok(()),
    }
}
