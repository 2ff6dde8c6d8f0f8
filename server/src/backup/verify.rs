//! `postfachd backup verify`: really restores, into a scratch folder, and runs the whole audit on it. Private keys are
//! compared with the service card and never written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postfach_domain::card::ServiceCard;
use postfach_domain::hash::Digest;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::archive::{CARD, CHECKPOINTS, CONFIG, LOG_KEYS, SUMS};
use super::extract::{Extracted, bad, ensure_folder, extract, write_small};
use super::stop::{Stop, interruptible};
use super::workplace::{Workplace, folder_of};
use crate::args::{BackupFileArgs, BackupVerifyArgs};
use crate::audit::verify::{Astray, Failure as AuditFailure, Options, Report, verify};
use crate::blobs::{BlobStore, LocalBlobs};
use crate::deployment::folder::Folder;
use crate::deployment::restored::Standing;
use crate::deployment::{keyfile, open};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::storage::audit::open_read_only;
use crate::storage::sql::logs;

/// See the module.
pub async fn run(args: &BackupVerifyArgs, output: Output) -> Outcome<()> {
    let theirs = args.clone();
    let checked = interruptible(move |stop| scratch(&theirs, stop)).await?;
    if checked.standing == Standing::Older || checked.standing == Standing::Forked {
        let place = checked.strays.first().cloned().unwrap_or_default();
        return Err(bad("its logs", place));
    }
    let mut answer = json!({
        "ok": true,
        "origin": checked.extracted.manifest.origin,
        "card_fingerprint": checked.extracted.manifest.card_fingerprint,
        "snapshot_at": checked.extracted.manifest.snapshot_at,
        "members": checked.extracted.manifest.members,
        "bytes": checked.extracted.manifest.bytes,
        "left_out": checked.extracted.manifest.left_out,
        "compared": checked.compared,
    });
    if let (Value::Object(answer), Ok(Value::Object(report))) =
        (&mut answer, serde_json::to_value(&checked.report))
    {
        answer.extend(report);
    }
    output.answer(&answer, &text(&checked))
}

fn text(checked: &Checked) -> String {
    let (manifest, report) = (&checked.extracted.manifest, &checked.report);
    format!(
        "The backup can be restored, and everything in it holds.\n\
         Deployment    {}, service card {}\n\
         Moment        {}\n\
         Keys log      {} leaves\n\
         Evidence log  {} leaves with {} messages\n\
         Members       {} with {} bytes; {} segments hold\n\
         Checkpoints   {} kept elsewhere; it extends them all",
        manifest.origin,
        manifest.card_fingerprint,
        manifest.snapshot_at,
        report.keys_size,
        report.evidence_size,
        report.counts.messages,
        manifest.members,
        manifest.bytes,
        report.counts.blobs,
        checked.compared,
    )
}

fn scratch(args: &BackupVerifyArgs, stop: &Stop) -> Outcome<Checked> {
    let place = scratch_place(&args.backup.file, args.scratch.as_deref())?;
    let place = Workplace::make(&place)?;
    let list = place.path().join(SUMS);
    let data = place.path().join("data");
    ensure_folder(&data)?;
    let files = (args.backup.file.as_path(), args.backup.identity.as_path());
    let extracted = extract(files, &data, &list, false, stop)?;
    check(extracted, &args.backup, &Folder::at(&data), stop)
}

/// `<FILE>.scratch`, beside the backup or in the folder that was named.
fn scratch_place(file: &Path, folder: Option<&Path>) -> Outcome<PathBuf> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".scratch");
    let folder = folder.map_or_else(|| folder_of(file), Path::to_owned);
    if folder.is_dir() {
        return Ok(folder.join(name));
    }
    let error = std::io::Error::from(std::io::ErrorKind::NotFound);
    Err(Failure::file(&folder, &error))
}

/// A backup that was unpacked, and holds.
pub struct Checked {
    /// What was in it.
    pub extracted: Extracted,
    /// What the audit counted.
    pub report: Report,
    /// How many checkpoints it was compared with.
    pub compared: u64,
    /// How it stands to them.
    pub standing: Standing,
    /// Those that it does not extend, in words.
    pub strays: Vec<String>,
}

/// Checks what was unpacked into `folder`: the parts fit together, the audit finds nothing, and how the logs stand to
/// the checkpoints that the caller names. Writes service card and checkpoints, which the audit reads.
pub fn check(extracted: Extracted, args: &BackupFileArgs, folder: &Folder, stop: &Stop) -> Outcome<Checked> {
    stop.check()?;
    let small = |name: &str| {
        let found = extracted.small.get(name).map(|bytes| bytes.as_slice());
        found.ok_or_else(|| bad(name, "it is missing"))
    };
    small(CONFIG)?;
    let card = ServiceCard::verify(small(CARD)?).map_err(|error| bad(CARD, error))?;
    for (name, vkey) in LOG_KEYS.into_iter().zip([&card.card.keys_log, &card.card.evidence_log]) {
        let text = std::str::from_utf8(small(name)?).map_err(|_| bad(name, "it is no key file"))?;
        let key = keyfile::from_text(text, Path::new(name)).map_err(|_| bad(name, "it is no key file"))?;
        open::log_signer(&card.card.origin, vkey, key, Path::new(name))
            .map_err(|_| bad(name, "it is not the key on the service card"))?;
    }
    let manifest = &extracted.manifest;
    let told = (manifest.origin.as_str(), manifest.card_fingerprint.as_str());
    if told != (card.card.origin.as_str(), card.fingerprint.to_hex().as_str()) {
        return Err(bad(CARD, "the manifest names another"));
    }
    for name in [CARD].into_iter().chain(CHECKPOINTS) {
        if let Some(bytes) = extracted.small.get(name) {
            write_small(folder.path(), name, bytes)?;
        }
    }
    ensure_folder(&folder.blobs())?;

    // Whatever the configuration says: this is where they were unpacked.
    let blobs: Arc<dyn BlobStore> = Arc::new(LocalBlobs::beside(&folder.blobs()));
    let options = Options { blobs: Some(blobs), compared: args.checkpoint.clone(), ..Options::default() };
    let audited = Handle::current().block_on(verify(folder, &options));
    let report = audited.map_err(|failure| audit_failure(&failure))?;
    stop.check()?;
    manifest_fits(&extracted, folder, &report)?;
    let strays: Vec<_> = report.strays.iter().map(|stray| stray_words(stray, &report)).collect();
    let standing = if report.strays.iter().any(|stray| stray.astray == Astray::Forked) {
        Standing::Forked
    } else if !report.strays.is_empty() {
        Standing::Older
    } else if (report.keys_compared, report.evidence_compared)
        == (Some(report.keys_size), Some(report.evidence_size))
    {
        Standing::Current
    } else {
        // A smaller checkpoint says nothing of what came after the backup, nor one log of the other.
        Standing::Undecided
    };
    let compared = args.checkpoint.len() as u64;
    Ok(Checked { extracted, report, compared, standing, strays })
}

fn stray_words(stray: &crate::audit::verify::Stray, report: &Report) -> String {
    let (file, size) = (&stray.file, stray.size);
    match stray.astray {
        Astray::Older => format!(
            "{file} was signed for {size} leaves, the backup has {} in the keys log and {} in the evidence log",
            report.keys_size, report.evidence_size
        ),
        Astray::Forked => format!("{file} was signed for {size} other leaves"),
    }
}

/// The manifest says what the database is.
fn manifest_fits(extracted: &Extracted, folder: &Folder, report: &Report) -> Outcome<()> {
    let manifest = &extracted.manifest;
    let read = async {
        let mut database = open_read_only(&folder.database()).await?;
        logs::read_heads(&mut database).await
    };
    let heads = Handle::current().block_on(read);
    let heads = heads.map_err(|error| bad("postfach.db", error))?;
    let heads = heads.ok_or_else(|| bad("postfach.db", "it has no logs"))?;
    let told = (manifest.keys_size, manifest.evidence_size);
    let notes = (manifest.checkpoints.keys.as_bytes(), manifest.checkpoints.evidence.as_bytes());
    let fits = told == (report.keys_size, report.evidence_size)
        && Digest::of(notes.0) == Digest::of(&heads.keys.checkpoint)
        && Digest::of(notes.1) == Digest::of(&heads.evidence.checkpoint);
    if fits {
        Ok(())
    } else {
        Err(bad(super::archive::MANIFEST, "it is of another moment than the database"))
    }
}

fn audit_failure(failure: &AuditFailure) -> Failure {
    match failure {
        AuditFailure::Bad(problem) => {
            let mut failure = bad(&problem.to_string(), "what is stored does not hold");
            failure.message = format!("The backup does not hold. The first bad place is {problem}.");
            failure.with_answer(json!({ "ok": false, "problem": problem }))
        }
        AuditFailure::Named(failure) => failure.clone(),
        AuditFailure::Unreadable(what) => Failure::new(
            Exit::Other,
            "UNREADABLE",
            format!("What was unpacked cannot be read: {what}."),
            "Check the disk, then try again.",
        ),
    }
}
