//! `postfachd backup create`: reads beside a running server, or a folder at rest, and changes nothing in it.
//!
//! First no blob is deleted any more (`Hold`), wherever they lie, then the database is copied as of one moment, then every segment that this
//! copy names is read: it was there at that moment, is never changed, and stays as long as it is held.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Component, Path};
use std::time::{Duration, Instant};

use postfach_domain::card::VerifiedCard;
use postfach_domain::hash::Digest;
use postfach_domain::time::Timestamp;
use serde_json::json;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::archive::{self, Sums, Writer};
use super::manifest::{Checkpoints, FORMAT, Manifest};
use super::stop::{Stop, interruptible};
use super::vault::Vault;
use super::workplace::{Partial, Workplace, alone};
use crate::args::BackupCreateArgs;
use crate::blobs::{BlobError, BlobKey, BlobStore, Hold, SegmentName};
use crate::clock::{Clock as _, SystemClock};
use crate::deployment::config::Config;
use crate::deployment::folder::Folder;
use crate::deployment::open;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::storage::StoreError;
use crate::storage::audit::{Misread, Pager, ReadOnlyStore, SEGMENT, open_read_only};
use crate::storage::sql::logs::{self, Heads};

/// How long a backup waits until deletions under way have ended.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Segments of one question.
const SEGMENTS: u64 = 1000;
/// What collects in front of the pipe.
const BUFFER: usize = 256 * 1024;

/// See the module.
pub async fn run(args: &BackupCreateArgs, output: Output) -> Outcome<()> {
    let theirs = args.clone();
    let (manifest, length) = interruptible(move |stop| create(&theirs, stop)).await?;
    let answer = json!({
        "file": args.output,
        "length": length,
        "recipients": args.recipient.len(),
        "origin": manifest.origin,
        "snapshot_at": manifest.snapshot_at,
        "keys_size": manifest.keys_size,
        "evidence_size": manifest.evidence_size,
        "members": manifest.members,
        "bytes": manifest.bytes,
        "left_out": manifest.left_out,
    });
    let text = format!(
        "The deployment {} as of {} is in {}.\n\
         Keys log      {} leaves\n\
         Evidence log  {} leaves\n\
         Members       {} with {} bytes; sealed {} bytes",
        manifest.origin,
        manifest.snapshot_at,
        args.output.display(),
        manifest.keys_size,
        manifest.evidence_size,
        manifest.members,
        manifest.bytes,
        length,
    );
    let left_out = manifest.left_out.iter().map(|name| format!("Not in it     {name}"));
    let lines: Vec<_> = std::iter::once(text).chain(left_out).collect();
    output.answer(&answer, &lines.join("\n"))
}

fn create(args: &BackupCreateArgs, stop: &Stop) -> Outcome<(Manifest, u64)> {
    let folder = Folder::at(&args.data.data);
    folder.require_deployment()?;
    let config = Config::read(&folder)?;
    in_the_folder(&config)?;
    let card = open::card(&folder)?;
    may_write(&args.output, args.force)?;

    let _alone = patiently(&folder, stop, || alone(&folder))?;
    let blobs = open::blobs_beside(&folder, &config)?;
    let runtime = Handle::current();
    let hold = || runtime.block_on(blobs.hold()).map_err(|error| not_held(&error));
    let hold = patiently(&folder, stop, hold)?;
    let deployment = Held { folder: &folder, config: &config, card: &card, blobs: &*blobs, hold: &hold };
    let outcome = deployment.copy(args, stop);
    runtime.block_on(hold.release());
    outcome
}

/// A deployment whose blobs stay where they are.
struct Held<'a> {
    folder: &'a Folder,
    config: &'a Config,
    card: &'a VerifiedCard,
    blobs: &'a dyn BlobStore,
    hold: &'a Hold,
}

impl Held<'_> {
    fn copy(&self, args: &BackupCreateArgs, stop: &Stop) -> Outcome<(Manifest, u64)> {
        let Self { folder, config, card, .. } = *self;
        let workplace = Workplace::make(&folder.backup_work())?;
        let small = Small::read(folder, config)?;
        let copy = workplace.path().join(archive::DATABASE);
        let taken = copy_database(&folder.database(), &copy, stop)?;
        let runtime = Handle::current();
        let mut database = runtime.block_on(open_read_only(&copy)).map_err(|error| unreadable(&error))?;
        let heads = runtime.block_on(logs::read_heads(&mut database)).map_err(|error| unreadable(&error))?;
        let heads = heads.ok_or_else(|| unreadable(&StoreError::Corrupt("it has no logs".into())))?;

        let (partial, sealed) = Partial::make(&args.output)?;
        let (vault, pipe) = Vault::seal(&args.recipient, sealed)?;
        let sums = Sums::create(&workplace.path().join(archive::SUMS))?;
        let pipe = BufWriter::with_capacity(BUFFER, pipe);
        let content = Content { held: self, small: &small, copy: &copy, database, heads, card };
        let manifest = match content.write(Writer::new(pipe, sums, taken, stop), taken) {
            Ok(manifest) => manifest,
            Err(failure) => return Err(vault.explain(failure)),
        };
        vault.finish()?;
        stop.check()?;
        may_write(&args.output, args.force)?;
        Ok((manifest, partial.keep(&args.output)?))
    }
}

/// A database server has its own ways to be copied.
fn in_the_folder(config: &Config) -> Outcome<()> {
    match &config.storage.database {
        None => Ok(()),
        Some(url) => Err(Failure::new(
            Exit::Usage,
            "BACKUP_BY_POSTGRESQL",
            format!("The data is in {url}, which this command does not copy."),
            "Use pg_basebackup with WAL archiving, and keep a copy of the data folder: docs/operations.md, PostgreSQL.",
        )),
    }
}

/// Nothing is replaced without being asked for.
pub(crate) fn may_write(path: &Path, force: bool) -> Outcome<()> {
    if force || !path.exists() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Conflict,
        "FILE_EXISTS",
        format!("{} is there already.", path.display()),
        "Choose another name, or replace it with --force.",
    ))
}

/// Waits until what `take` takes is free.
fn patiently<T>(folder: &Folder, stop: &Stop, take: impl Fn() -> Outcome<Option<T>>) -> Outcome<T> {
    let started = Instant::now();
    loop {
        if let Some(taken) = take()? {
            return Ok(taken);
        }
        stop.check()?;
        if started.elapsed() > PATIENCE {
            return Err(Failure::new(
                Exit::Conflict,
                "BACKUP_RUNNING",
                format!("Another backup of {} is under way.", folder.path().display()),
                "Wait until it has ended, then try again. One that was killed blocks an S3 store for 20 minutes.",
            ));
        }
        std::thread::sleep(PAUSE);
    }
}

/// Copies the database as of one moment, and answers that moment.
fn copy_database(from: &Path, to: &Path, stop: &Stop) -> Outcome<Timestamp> {
    let snapshot = Handle::current().block_on(open_read_only(from)).map_err(|error| unreadable(&error))?;
    let taken = SystemClock.now();
    let whole = snapshot.copy_to(to, || stop.go_on()).map_err(|error| {
        Failure::new(
            Exit::Other,
            "SNAPSHOT",
            format!("The database cannot be copied to {}: {error}.", to.display()),
            "The copy takes as much space as the database, beside it; free some, then try again.",
        )
    })?;
    if whole { Ok(taken) } else { stop.check().map(|()| taken) }
}

/// Settings, keys, certificates and checkpoints, all read before the snapshot: checkpoints never run ahead of the database.
struct Small {
    files: Vec<(String, Zeroizing<Vec<u8>>)>,
    left_out: Vec<String>,
}

impl Small {
    fn read(folder: &Folder, config: &Config) -> Outcome<Self> {
        let mut small = Self { files: Vec::new(), left_out: Vec::new() };
        for name in [archive::CONFIG, archive::CARD].into_iter().chain(archive::LOG_KEYS) {
            small.add(folder, name, true)?;
        }
        for name in archive::CHECKPOINTS {
            small.add(folder, name, false)?;
        }
        small.add(folder, "tls/root.pem", false)?;
        for path in [&config.tls.certificate, &config.tls.key].into_iter().collect::<BTreeSet<_>>() {
            match inside(path) {
                Some(name) => small.add(folder, &name, false)?,
                // Another program keeps it, and backs it up.
                None => small.left_out.push(path.display().to_string()),
            }
        }
        if let Some(place) = &config.storage.blobs {
            let theirs = place.credentials.iter().chain(&place.ca);
            small.left_out.extend(theirs.map(|path| path.display().to_string()));
        }
        for (path, name) in
            [(folder.registrar_key(), "registrar.key"), (folder.tls_root_key(), "tls/root.key")]
        {
            if path.exists() {
                small.left_out.push(name.to_owned());
            }
        }
        Ok(small)
    }

    fn add(&mut self, folder: &Folder, name: &str, required: bool) -> Outcome<()> {
        if self.files.iter().any(|(there, _)| there == name) {
            return Ok(());
        }
        let path = folder.path().join(name);
        match fs::read(&path) {
            Ok(bytes) => self.files.push((name.to_owned(), Zeroizing::new(bytes))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => {}
            Err(error) => return Err(Failure::file(&path, &error)),
        }
        Ok(())
    }
}

/// The member of a TLS file that lies in the data folder's own place for them; the key of the root certificate never.
fn inside(path: &Path) -> Option<String> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let name = path.to_str().filter(|name| plain && *name != "tls/root.key")?;
    archive::kind(name).filter(|_| name.starts_with("tls/")).map(|_| name.to_owned())
}

/// All that goes into the tar.
struct Content<'a> {
    held: &'a Held<'a>,
    small: &'a Small,
    copy: &'a Path,
    database: ReadOnlyStore,
    heads: Heads,
    card: &'a VerifiedCard,
}

impl Content<'_> {
    fn write(mut self, mut tar: Writer<'_, impl Write>, taken: Timestamp) -> Outcome<Manifest> {
        for (name, bytes) in &self.small.files {
            tar.bytes(name, bytes)?;
        }
        tar.file(archive::DATABASE, self.copy)?;
        self.segments(&mut tar)?;
        let note = |note: &[u8]| String::from_utf8_lossy(note).into_owned();
        tar.finish(|totals| Manifest {
            format: FORMAT,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            origin: self.card.card.origin.to_string(),
            card_fingerprint: self.card.fingerprint.to_hex(),
            snapshot_at: taken.to_rfc3339(),
            keys_size: self.heads.keys.size,
            evidence_size: self.heads.evidence.size,
            checkpoints: Checkpoints {
                keys: note(&self.heads.keys.checkpoint),
                evidence: note(&self.heads.evidence.checkpoint),
            },
            members: totals.members,
            bytes: totals.bytes,
            sha256sums: totals.sha256sums.to_hex(),
            left_out: self.small.left_out.clone(),
        })
    }

    fn segments(&mut self, tar: &mut Writer<'_, impl Write>) -> Outcome<()> {
        let runtime = Handle::current();
        let mut pager = Pager::new(&SEGMENT, SEGMENTS);
        loop {
            let page = runtime.block_on(pager.next(&mut self.database));
            let page = page.map_err(|error| unreadable(&error))?;
            self.held.hold.check().map_err(|error| not_held(&error))?;
            if page.is_empty() {
                return Ok(());
            }
            for mut row in page {
                let mut name = || {
                    let (blob, index) = (BlobKey(row.array()?), row.unsigned()?);
                    Ok(SegmentName { blob, index, leaf: Digest(row.array()?) })
                };
                let name = name().map_err(|misread: Misread| {
                    unreadable(&StoreError::Corrupt(format!("{} [{}]", misread.table, misread.row)))
                })?;
                let bytes =
                    runtime.block_on(self.held.blobs.get(name)).map_err(|error| lost(name, &error))?;
                tar.bytes(&archive::segment_name(name), &bytes)?;
            }
        }
    }
}

fn lost(name: SegmentName, error: &BlobError) -> Failure {
    let name = archive::segment_name(name);
    match error {
        BlobError::NotFound => Failure::new(
            Exit::Evidence,
            "SEGMENT_MISSING",
            format!("{name} is missing, but the database names it."),
            "Run `postfachd audit verify --blobs`, and look for the file in an older backup.",
        ),
        BlobError::Damaged => Failure::new(
            Exit::Evidence,
            "SEGMENT_DAMAGED",
            format!("{name} has other bytes than were stored."),
            "Run `postfachd audit verify --blobs`, and look for the file in an older backup.",
        ),
        BlobError::Unavailable(_) => Failure::new(
            Exit::Other,
            "SEGMENT_UNREADABLE",
            format!("{name} cannot be read: {error}."),
            "Check the disk or the network, then try again.",
        ),
    }
}

fn not_held(error: &BlobError) -> Failure {
    Failure::new(
        Exit::Other,
        "BLOBS_NOT_HELD",
        format!("The blobs cannot be kept in place: {error}."),
        "Check the folder or the network, then try again.",
    )
}

fn unreadable(error: &StoreError) -> Failure {
    let exit = if matches!(error, StoreError::Corrupt(_)) { Exit::Evidence } else { Exit::Other };
    Failure::new(
        exit,
        "DATABASE",
        format!("The database cannot be read: {error}."),
        "Check the folder and its permissions, and run `postfachd audit verify`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_files_are_taken_from_their_own_place_only() {
        let name = |path: &str| inside(Path::new(path));
        assert_eq!(name("tls/server.pem").as_deref(), Some("tls/server.pem"));
        for elsewhere in [
            "tls/root.key",
            "tls/../keys/evidence-log.key",
            "tls/sub/server.key",
            "/etc/tls/server.key",
            "../tls/server.key",
            "server.key",
            "postfachd.toml",
            "tls/.hidden",
            "",
        ] {
            assert_eq!(name(elsewhere), None, "{elsewhere}");
        }
    }
}
