//! Reading a backup back: opened, unpacked into a folder, every member compared with its hash. Nothing is trusted: names
//! that are not ours, members twice, and anything behind the end are errors.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use super::archive::{self, Hashing, Kind, MANIFEST, SUMS, Sums, first_difference};
use super::manifest::{self, FORMAT, Manifest};
use super::stop::Stop;
use super::vault::Vault;
use crate::durable::sync_folder;
use crate::failure::{Exit, Failure, Outcome};

/// Longest small member, in bytes.
const MAX_SMALL: u64 = 1024 * 1024;
/// Small members at most.
const MAX_FILES: usize = 64;
/// What is read from the pipe at once.
const BUFFER: usize = 256 * 1024;

/// What was in a backup besides what lies in the folder now.
pub struct Extracted {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Settings, keys, certificates, checkpoints by their names: not written anywhere yet.
    pub small: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// Opens `file` with the key in `identity` and unpacks database and segments into `folder`, which holds neither;
/// `list` is a new file for our own list of hashes. With `durable`, all is flushed.
pub fn extract(
    (file, identity): (&Path, &Path),
    folder: &Path,
    list: &Path,
    durable: bool,
    stop: &Stop,
) -> Outcome<Extracted> {
    let sealed = File::open(file).map_err(|error| Failure::file(file, &error))?;
    let (vault, pipe) = Vault::open(identity, sealed)?;
    let unpack = Unpack {
        file,
        folder,
        durable,
        stop,
        sums: Some(Sums::create(list)?),
        small: BTreeMap::new(),
        manifest: None,
        last_blob: None,
    };
    let mut pipe = BufReader::with_capacity(BUFFER, pipe);
    let unpacked = unpack.all(&mut pipe);
    drop(pipe);
    match unpacked {
        Ok(extracted) => vault.finish().map(|()| extracted).map_err(|failure| named(file, failure)),
        Err(failure) => Err(named(file, vault.explain(failure))),
    }
}

/// Something in the backup is wrong: exit 8, with the first bad place.
pub fn bad(place: &str, what: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Evidence,
        "BACKUP_BAD",
        format!("The backup does not hold. The first bad place is {place}: {what}."),
        "Use another backup, and keep this one as it is.",
    )
    .with_answer(
        json!({ "ok": false, "problem": { "table": "backup", "row": place, "what": what.to_string() } }),
    )
}

/// Damage that the sealing program found is a bad place too.
fn named(file: &Path, failure: Failure) -> Failure {
    if failure.exit != Exit::Evidence || failure.answer.is_some() {
        return failure;
    }
    let row = file.display().to_string();
    let answer =
        json!({ "ok": false, "problem": { "table": "backup", "row": row, "what": failure.message } });
    failure.with_answer(answer)
}

struct Unpack<'a> {
    file: &'a Path,
    folder: &'a Path,
    durable: bool,
    stop: &'a Stop,
    /// Until the backup's own list came.
    sums: Option<Sums>,
    small: BTreeMap<String, Zeroizing<Vec<u8>>>,
    manifest: Option<Manifest>,
    last_blob: Option<std::path::PathBuf>,
}

impl Unpack<'_> {
    fn all(mut self, pipe: &mut impl Read) -> Outcome<Extracted> {
        let mut totals = (0, 0, String::new());
        let mut tar = tar::Archive::new(&mut *pipe);
        for entry in tar.entries().map_err(|error| self.cut(&error))? {
            self.stop.check()?;
            let mut entry = entry.map_err(|error| self.cut(&error))?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let regular = entry.header().entry_type() == tar::EntryType::Regular;
            if !regular || entry.link_name_bytes().is_some() || self.manifest.is_some() {
                return Err(bad(&name, "a member that no backup has there"));
            }
            let length = entry.size();
            match (name.as_str(), self.sums.take()) {
                (SUMS, Some(sums)) => totals = self.compare(sums, entry)?,
                (MANIFEST, None) => self.manifest = Some(self.read_manifest(entry, length)?),
                (_, Some(mut sums)) => {
                    let passed = self.member(&name, &mut entry, length)?;
                    sums.add(&name, passed).map_err(|error| Failure::file(self.folder, &error))?;
                    self.sums = Some(sums);
                }
                (_, None) => return Err(bad(&name, "a member behind the list of hashes")),
            }
        }
        self.nothing_behind(pipe)?;
        self.flush_last()?;
        let manifest =
            self.manifest.ok_or_else(|| bad(MANIFEST, "it is missing: the backup is not whole"))?;
        if (manifest.members, manifest.bytes, &manifest.sha256sums) != (totals.0, totals.1, &totals.2) {
            return Err(bad(MANIFEST, "it counts other members"));
        }
        Ok(Extracted { manifest, small: self.small })
    }

    fn cut(&self, error: &io::Error) -> Failure {
        bad(&self.file.display().to_string(), format!("the tar in it cannot be read: {error}"))
    }

    fn member(
        &mut self,
        name: &str,
        content: &mut impl Read,
        length: u64,
    ) -> Outcome<(postfach_domain::hash::Digest, u64)> {
        let kind = archive::kind(name).ok_or_else(|| bad(name, "a member that no backup has"))?;
        if kind == Kind::Small {
            return self.small(name, content, length);
        }
        let path = self.folder.join(name);
        if kind == Kind::Segment {
            self.blob_folder(&path)?;
        }
        let failed = |error: &io::Error| Failure::file(&path, error);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let file = match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(bad(name, "it comes twice"));
            }
            opened => opened.map_err(|error| failed(&error))?,
        };
        let mut target = BufWriter::with_capacity(BUFFER, file);
        let mut content = Hashing::new(content);
        self.copy(&mut content, &mut target, &path)?;
        let file = target.into_inner().map_err(|error| failed(error.error()))?;
        if self.durable {
            file.sync_all().map_err(|error| failed(&error))?;
        }
        let passed = content.end();
        if passed.1 == length { Ok(passed) } else { Err(bad(name, "it is cut short")) }
    }

    /// Reading and writing fail for different reasons.
    fn copy(&self, from: &mut impl Read, to: &mut impl io::Write, path: &Path) -> Outcome<()> {
        let mut chunk = vec![0; BUFFER];
        loop {
            self.stop.check()?;
            match from.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => {
                    to.write_all(&chunk[..read]).map_err(|error| Failure::file(path, &error))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.cut(&error)),
            }
        }
    }

    fn small(
        &mut self,
        name: &str,
        content: &mut impl Read,
        length: u64,
    ) -> Outcome<(postfach_domain::hash::Digest, u64)> {
        if length > MAX_SMALL || self.small.len() == MAX_FILES {
            return Err(bad(name, "larger than such a member may be"));
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0)));
        let mut content = Hashing::new(content);
        content.read_to_end(&mut bytes).map_err(|error| self.cut(&error))?;
        let passed = content.end();
        if passed.1 != length {
            return Err(bad(name, "it is cut short"));
        }
        if self.small.insert(name.to_owned(), bytes).is_some() {
            return Err(bad(name, "it comes twice"));
        }
        Ok(passed)
    }

    /// Makes the folder of a blob; flushes the one before it, which is complete.
    fn blob_folder(&mut self, segment: &Path) -> Outcome<()> {
        let folder = segment.parent().unwrap_or(self.folder);
        if self.last_blob.as_deref() == Some(folder) {
            return Ok(());
        }
        self.flush_last()?;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| Failure::file(folder, &error))?;
        self.last_blob = Some(folder.to_owned());
        Ok(())
    }

    /// Names of a blob's segments, and those of the folders above it.
    fn flush_last(&mut self) -> Outcome<()> {
        let Some(last) = self.last_blob.take().filter(|_| self.durable) else { return Ok(()) };
        for folder in last.ancestors().take_while(|folder| *folder != self.folder) {
            sync_folder(folder).map_err(|error| Failure::file(folder, &error))?;
        }
        Ok(())
    }

    /// Compares our list with the backup's; answers members, bytes and the hash of the list.
    fn compare(&self, sums: Sums, theirs: impl Read) -> Outcome<(u64, u64, String)> {
        let (members, bytes) = (sums.members, sums.bytes);
        let (ours, hash) = sums.finish().map_err(|error| Failure::file(self.folder, &error))?;
        let mut theirs = Hashing::new(theirs);
        let difference = first_difference(ours, &mut theirs).map_err(|error| self.cut(&error))?;
        match difference {
            Some((name, what)) => Err(bad(&name, what)),
            None if theirs.end().0 != hash => Err(bad(SUMS, "it is not written as it should be")),
            None => Ok((members, bytes, hash.to_hex())),
        }
    }

    fn read_manifest(&self, content: impl Read, length: u64) -> Outcome<Manifest> {
        if length > manifest::MAX_LEN {
            return Err(bad(MANIFEST, "larger than a manifest may be"));
        }
        let mut bytes = Vec::new();
        content.take(length).read_to_end(&mut bytes).map_err(|error| self.cut(&error))?;
        let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| bad(MANIFEST, error))?;
        if manifest.format == FORMAT { Ok(manifest) } else { Err(bad(MANIFEST, "a later form of backup")) }
    }

    /// The tar ends with zeros, and then the file ends.
    fn nothing_behind(&self, pipe: &mut impl Read) -> Outcome<()> {
        let mut chunk = [0; 4096];
        loop {
            match pipe.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) if chunk[..read].iter().all(|byte| *byte == 0) => {}
                Ok(_) => {
                    return Err(bad(&self.file.display().to_string(), "something stands behind the tar"));
                }
                Err(error) => return Err(self.cut(&error)),
            }
        }
    }
}

/// Writes a small member with mode 0600, durably.
pub fn write_small(folder: &Path, name: &str, bytes: &[u8]) -> Outcome<()> {
    let path = folder.join(name);
    let write = || {
        let parent = path.parent().unwrap_or(folder);
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        sync_folder(parent)
    };
    write().map_err(|error| Failure::file(&path, &error))
}

/// Makes a folder that a backup without a single blob does not have.
pub fn ensure_folder(path: &Path) -> Outcome<()> {
    if fs::exists(path).unwrap_or(false) {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(path).map_err(|error| Failure::file(path, &error))
}
