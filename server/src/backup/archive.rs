//! The tar of a backup: its names, and writing it. Members come one after another with their hashes; `SHA256SUMS` and
//! `manifest.json` stand at the end. `age -d -i KEYFILE backup | tar x && sha256sum -c SHA256SUMS` needs nothing of ours.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read, Write};
use std::path::Path;

use postfach_domain::hash::Digest;
use postfach_domain::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::manifest::Manifest;
use super::stop::Stop;
use super::vault::pipe_failed;
use crate::blobs::SegmentName;
use crate::failure::{Failure, Outcome};

/// The list of hashes, in the form of `sha256sum`.
pub const SUMS: &str = "SHA256SUMS";
/// The last member.
pub const MANIFEST: &str = "manifest.json";
/// The database.
pub const DATABASE: &str = "postfach.db";
/// Settings.
pub const CONFIG: &str = "postfachd.toml";
/// What clients pin.
pub const CARD: &str = "service-card.toml";
/// What the names of all segments begin with: the folder that they are restored to.
const BLOBS: &str = "blobs/";
/// Private keys of the logs.
pub const LOG_KEYS: [&str; 2] = ["keys/keys-log.key", "keys/evidence-log.key"];
/// The last checkpoints outside the database.
pub const CHECKPOINTS: [&str; 2] = ["checkpoints/keys", "checkpoints/evidence"];

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A setting, key, certificate or checkpoint: fits into memory.
    Small,
    /// The database.
    Database,
    /// Ciphertext of an attachment.
    Segment,
}

/// What a member's name stands for; `None` where no backup has such a member. Nothing that it allows leads out of the
/// folder.
pub fn kind(name: &str) -> Option<Kind> {
    match name {
        DATABASE => return Some(Kind::Database),
        CONFIG | CARD => return Some(Kind::Small),
        _ if LOG_KEYS.contains(&name) || CHECKPOINTS.contains(&name) => return Some(Kind::Small),
        _ => {}
    }
    if let Some(file) = name.strip_prefix("tls/") {
        return is_plain(file).then_some(Kind::Small);
    }
    let segment = name.strip_prefix(BLOBS).and_then(SegmentName::from_path);
    segment.map(|_| Kind::Segment)
}

/// A file name without anything special.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(plain)
}

/// The member of a segment.
pub fn segment_name(segment: SegmentName) -> String {
    format!("{BLOBS}{}", segment.path())
}

/// Counts and hashes what passes.
pub struct Hashing<T> {
    inner: T,
    hash: Sha256,
    length: u64,
}

impl<T> Hashing<T> {
    /// Around a reader or writer.
    pub fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new(), length: 0 }
    }

    /// Hash and length of what passed.
    pub fn end(self) -> (Digest, u64) {
        (Digest(self.hash.finalize().into()), self.length)
    }

    fn passed(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.passed(&buffer[..read]);
        Ok(read)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.passed(&buffer[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The growing list of hashes, on disk: there may be very many.
pub struct Sums {
    list: BufWriter<File>,
    /// Members so far.
    pub members: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Sums {
    /// A new list at `path`.
    pub fn create(path: &Path) -> Outcome<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(path);
        let file = file.map_err(|error| Failure::file(path, &error))?;
        Ok(Self { list: BufWriter::new(file), members: 0, bytes: 0 })
    }

    /// Adds a member.
    pub fn add(&mut self, name: &str, (hash, length): (Digest, u64)) -> io::Result<()> {
        self.members += 1;
        self.bytes += length;
        writeln!(self.list, "{hash}  {name}")
    }

    /// The list's own bytes from the start, and its hash.
    pub fn finish(mut self) -> io::Result<(File, Digest)> {
        self.list.flush()?;
        let mut file = self.list.into_inner().map_err(io::IntoInnerError::into_error)?;
        io::Seek::rewind(&mut file)?;
        let mut all = Hashing::new(&mut file);
        io::copy(&mut all, &mut io::sink())?;
        let (hash, _) = all.end();
        io::Seek::rewind(&mut file)?;
        Ok((file, hash))
    }
}

/// The first line in which the list of what is there differs from that of what was backed up: the member's name, and
/// what is wrong.
pub fn first_difference(ours: impl Read, theirs: impl Read) -> io::Result<Option<(String, &'static str)>> {
    let (mut ours, mut theirs) = (BufReader::new(ours).lines(), BufReader::new(theirs).lines());
    let name = |line: &str| line.split_once("  ").map_or(line, |(_, name)| name).to_owned();
    loop {
        return Ok(match (ours.next().transpose()?, theirs.next().transpose()?) {
            (None, None) => None,
            (Some(ours), Some(theirs)) if ours == theirs => continue,
            (Some(ours), Some(theirs)) if name(&ours) == name(&theirs) => {
                Some((name(&theirs), "its bytes are not those that were backed up"))
            }
            (_, Some(theirs)) => Some((name(&theirs), "it is missing where it was backed up")),
            (Some(ours), None) => Some((name(&ours), "it was not backed up")),
        });
    }
}

/// Writes a tar.
pub struct Writer<'a, W: Write> {
    out: Members<'a, W>,
    sums: Sums,
}

struct Members<'a, W: Write> {
    tar: tar::Builder<W>,
    time: Timestamp,
    stop: &'a Stop,
}

impl<W: Write> Members<'_, W> {
    fn add(&mut self, name: &str, content: impl Read, length: u64) -> io::Result<(Digest, u64)> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.time.0 / 1000);
        header.set_size(length);
        let mut content = Hashing::new(Stopping { inner: content, stop: self.stop }.take(length));
        self.tar.append_data(&mut header, name, &mut content)?;
        Ok(content.end())
    }
}

impl<'a, W: Write> Writer<'a, W> {
    /// Onto `output`; `time` is that of all members.
    pub fn new(output: W, sums: Sums, time: Timestamp, stop: &'a Stop) -> Self {
        Self { out: Members { tar: tar::Builder::new(output), time, stop }, sums }
    }

    /// Adds bytes.
    pub fn bytes(&mut self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let passed = self.out.add(name, bytes, bytes.len() as u64).map_err(|error| pipe_failed(&error))?;
        self.listed(name, passed)
    }

    /// Adds a file that does not change.
    pub fn file(&mut self, name: &str, path: &Path) -> Outcome<()> {
        let failed = |error: io::Error| Failure::file(path, &error);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let passed = self.out.add(name, file, length).map_err(|error| pipe_failed(&error))?;
        if passed.1 != length {
            return Err(failed(io::Error::other("it changed while it was read")));
        }
        self.listed(name, passed)
    }

    fn listed(&mut self, name: &str, passed: (Digest, u64)) -> Outcome<()> {
        self.sums.add(name, passed).map_err(|error| spool(&error))
    }

    /// Adds the list of hashes and the manifest, and ends the tar.
    pub fn finish(self, manifest: impl FnOnce(&Totals) -> Manifest) -> Outcome<Manifest> {
        let Self { mut out, sums } = self;
        let (members, bytes) = (sums.members, sums.bytes);
        let (list, sha256sums) = sums.finish().map_err(|error| spool(&error))?;
        let length = list.metadata().map_err(|error| spool(&error))?.len();
        let manifest = manifest(&Totals { members, bytes, sha256sums });
        let end = || {
            let text = serde_json::to_vec_pretty(&manifest)?;
            out.add(SUMS, list, length)?;
            out.add(MANIFEST, text.as_slice(), text.len() as u64)?;
            out.tar.finish()?;
            out.tar.get_mut().flush()
        };
        end().map_err(|error| pipe_failed(&error))?;
        Ok(manifest)
    }
}

fn spool(error: &io::Error) -> Failure {
    Failure::file(Path::new(SUMS), error)
}

/// What a manifest says of the members.
pub struct Totals {
    /// How many.
    pub members: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Hash of the list.
    pub sha256sums: Digest,
}

/// Ends at a signal.
struct Stopping<'a, R> {
    inner: R,
    stop: &'a Stop,
}

impl<R: Read> Read for Stopping<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.go_on() { self.inner.read(buffer) } else { Err(io::Error::other("interrupted")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_have_a_kind() {
        let leaf = "ab".repeat(32);
        let blob = format!("{:032x}", 0x1234);
        assert_eq!(kind(&format!("blobs/00/00/{blob}/7-{leaf}")), Some(Kind::Segment));
        assert_eq!(kind("postfach.db"), Some(Kind::Database));
        assert_eq!(kind("tls/server.pem"), Some(Kind::Small));
        for other in [
            format!("blobs/00/01/{blob}/7-{leaf}"),
            format!("blobs/00/00/{blob}/07-{leaf}"),
            format!("blobs/00/00/{blob}/7-{}", leaf.to_uppercase()),
            format!("/blobs/00/00/{blob}/7-{leaf}"),
            format!("x/blobs/00/00/{blob}/7-{leaf}"),
            format!("blobs/00/00/{blob}"),
            "registrar.key".into(),
            "restored.json".into(),
            "keys/other.key".into(),
            "tls/".into(),
            "tls/a/b".into(),
            "tls/..".into(),
            "./postfach.db".into(),
            String::new(),
        ] {
            assert_eq!(kind(&other), None, "{other}");
        }
    }

    #[test]
    fn the_first_difference_of_two_lists_is_named() {
        let differs = |ours: &str, theirs: &str| {
            let found = first_difference(ours.as_bytes(), theirs.as_bytes());
            found.ok().flatten().map(|(name, _)| name)
        };
        assert_eq!(differs("1  a\n2  b\n", "1  a\n2  b\n"), None);
        assert_eq!(differs("1  a\n3  b\n", "1  a\n2  b\n").as_deref(), Some("b"));
        assert_eq!(differs("1  a\n", "1  a\n2  b\n").as_deref(), Some("b"));
        assert_eq!(differs("1  a\n2  b\n", "1  a\n").as_deref(), Some("b"));
        assert_eq!(differs("2  b\n", "1  a\n2  b\n").as_deref(), Some("a"));
    }
}
