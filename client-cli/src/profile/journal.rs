//! An append-only file of sealed frames. How much of it counts is written elsewhere (the manifest) after it was made
//! durable, so that a torn tail is no damage and a missing or altered frame is.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use rand::{CryptoRng, RngCore};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::files::open_private;
use super::vault::DataKey;

const LENGTH: usize = 4;
/// A frame never is longer; a damaged length must not take all memory.
const LONGEST: usize = 64 * 1024 * 1024;

/// Why a journal cannot be read.
#[derive(Debug)]
pub enum JournalError {
    /// The file system says no.
    Io(io::Error),
    /// A frame is not what was written, or is missing.
    Damaged,
}

impl From<io::Error> for JournalError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Which file, and how many of its bytes count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent {
    /// File name in the profile folder; random, so that a frame of one file opens in no other.
    pub file: String,
    /// Bytes that count.
    pub len: u64,
}

impl Extent {
    /// An empty journal under a new name.
    pub fn empty(kind: &str, rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut random = [0; 8];
        rng.fill_bytes(&mut random);
        Self { file: format!("{kind}-{}.journal", hex::encode(random)), len: 0 }
    }

    /// True for the name of a journal of this kind.
    pub fn is_of(name: &str, kind: &str) -> bool {
        let rest = name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| rest.ends_with(".journal"))
    }
}

/// A journal in a folder.
pub struct Journal<'a> {
    path: PathBuf,
    extent: &'a Extent,
    key: &'a DataKey,
}

impl<'a> Journal<'a> {
    /// The journal of an extent. Touches no file yet.
    pub fn new(folder: &Path, extent: &'a Extent, key: &'a DataKey) -> Self {
        Self { path: folder.join(&extent.file), extent, key }
    }

    /// Every frame that counts from an offset on, in order, with its offset.
    pub fn each(
        &self,
        from: u64,
        mut frame: impl FnMut(u64, Zeroizing<Vec<u8>>),
    ) -> Result<(), JournalError> {
        if self.extent.len <= from {
            return Ok(());
        }
        let mut file = self.open()?;
        file.seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut offset = from;
        while offset < self.extent.len {
            let (plain, len) = self.read_one(&mut reader, offset)?;
            frame(offset, plain);
            offset += len;
        }
        Ok(())
    }

    /// The frame at an offset.
    pub fn at(&self, offset: u64) -> Result<Zeroizing<Vec<u8>>, JournalError> {
        let mut file = self.open()?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(self.read_one(&mut file, offset)?.0)
    }

    /// Appends frames behind what counts and makes them durable; gives their offsets and the new extent, which counts
    /// once it is written to the manifest. Only one may append at a time.
    pub fn append(
        &self,
        frames: &[Zeroizing<Vec<u8>>],
        rng: &mut (impl CryptoRng + RngCore),
    ) -> io::Result<(Vec<u64>, Extent)> {
        if frames.is_empty() {
            return Ok((Vec::new(), self.extent.clone()));
        }
        let mut file = open_private(OpenOptions::new().create(true).truncate(false).write(true), &self.path)?;
        file.set_len(self.extent.len)?;
        file.seek(SeekFrom::End(0))?;
        let mut writer = BufWriter::with_capacity(1 << 18, &file);
        let (mut offsets, mut offset) = (Vec::with_capacity(frames.len()), self.extent.len);
        for frame in frames {
            let sealed = self.key.seal(&self.place(offset), frame, rng);
            // Safe because frames are pages of at most 3.5 MiB.
            let len = u32::try_from(sealed.len()).expect("frames are pages");
            writer.write_all(&len.to_le_bytes())?;
            writer.write_all(&sealed)?;
            offsets.push(offset);
            offset += (LENGTH + sealed.len()) as u64;
        }
        writer.flush()?;
        drop(writer);
        file.sync_data()?;
        Ok((offsets, Extent { file: self.extent.file.clone(), len: offset }))
    }

    fn open(&self) -> Result<File, JournalError> {
        match File::open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(JournalError::Damaged),
            other => Ok(other?),
        }
    }

    fn read_one(
        &self,
        reader: &mut impl io::Read,
        offset: u64,
    ) -> Result<(Zeroizing<Vec<u8>>, u64), JournalError> {
        let damaged = || JournalError::Damaged;
        let mut len = [0; LENGTH];
        read_exact(reader, &mut len).map_err(|e| e.unwrap_or(damaged()))?;
        let len = u32::from_le_bytes(len) as usize;
        let end = offset + (LENGTH + len) as u64;
        if len > LONGEST || end > self.extent.len {
            return Err(damaged());
        }
        let mut sealed = vec![0; len];
        read_exact(reader, &mut sealed).map_err(|e| e.unwrap_or(damaged()))?;
        let plain = self.key.open(&self.place(offset), &sealed).map_err(|_| damaged())?;
        Ok((plain, (LENGTH + len) as u64))
    }

    /// A frame opens in this file at this offset and nowhere else.
    fn place(&self, offset: u64) -> Vec<u8> {
        [self.extent.file.as_bytes(), &offset.to_be_bytes()].concat()
    }
}

/// `None` as the error means that the file ended too early.
fn read_exact(reader: &mut impl io::Read, into: &mut [u8]) -> Result<(), Option<JournalError>> {
    reader
        .read_exact(into)
        .map_err(|e| (e.kind() != io::ErrorKind::UnexpectedEof).then_some(JournalError::Io(e)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    fn frame(text: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    fn all(folder: &Path, extent: &Extent, key: &DataKey) -> Result<Vec<String>, JournalError> {
        let mut seen = Vec::new();
        Journal::new(folder, extent, key)
            .each(0, |_, plain| seen.push(String::from_utf8(plain.to_vec()).unwrap()))?;
        Ok(seen)
    }

    #[test]
    fn frames_come_back_and_a_torn_tail_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let key = DataKey::generate(&mut rng);
        let empty = Extent::empty("messages", &mut rng);
        assert!(all(folder.path(), &empty, &key).unwrap().is_empty());
        let journal = Journal::new(folder.path(), &empty, &key);
        let (_, first) = journal.append(&[frame("a"), frame("b")], &mut rng).unwrap();
        // Written, but a crash came before the manifest: it does not count.
        Journal::new(folder.path(), &first, &key).append(&[frame("lost")], &mut rng).unwrap();
        assert_eq!(all(folder.path(), &first, &key).unwrap(), ["a", "b"]);
        let (offsets, second) =
            Journal::new(folder.path(), &first, &key).append(&[frame("c")], &mut rng).unwrap();
        assert_eq!(all(folder.path(), &second, &key).unwrap(), ["a", "b", "c"]);
        assert_eq!(*Journal::new(folder.path(), &second, &key).at(offsets[0]).unwrap(), b"c");
    }

    #[test]
    fn damage_and_loss_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let key = DataKey::generate(&mut rng);
        let empty = Extent::empty("messages", &mut rng);
        let (_, extent) =
            Journal::new(folder.path(), &empty, &key).append(&[frame("a"), frame("b")], &mut rng).unwrap();
        let path = folder.path().join(&extent.file);
        let good = std::fs::read(&path).unwrap();
        let is_damaged = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            matches!(all(folder.path(), &extent, &key), Err(JournalError::Damaged))
        };
        for at in 0..good.len() {
            let mut harmed = good.clone();
            harmed[at] ^= 0x80;
            assert!(is_damaged(&harmed), "byte {at}");
        }
        assert!(is_damaged(&good[..good.len() - 1]));
        let half = good.len() / 2;
        assert!(is_damaged(&[&good[half..], &good[..half]].concat()), "frames change places");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(all(folder.path(), &extent, &key), Err(JournalError::Damaged)));
    }
}
