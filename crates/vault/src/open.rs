//! Opens a stream and says where it is damaged. Each chunk is authentic before it is passed on; whether the stream is
//! whole is known at its end only.

use std::cell::Cell;
use std::io::{self, BufReader, Read, Write};
use std::rc::Rc;

use age::{DecryptError, Decryptor, Identity};

use crate::failure::{Exit, Failure, Outcome};
use crate::seal::CHUNK;

/// Opens all of `input`. Fails at the first byte that is not what was sealed, at a cut, and at anything behind the end.
pub fn open(identities: &[Box<dyn Identity>], input: impl Read, mut output: impl Write) -> Outcome<()> {
    let progress = Progress::default();
    let input = BufReader::with_capacity(CHUNK, Counting { inner: input, progress: progress.clone() });
    let decryptor = Decryptor::new_buffered(input).map_err(|error| refused(&error, &progress))?;
    let mut opened = decryptor
        .decrypt(identities.iter().map(AsRef::as_ref))
        .map_err(|error| refused(&error, &progress))?;
    let mut chunk = vec![0; CHUNK];
    loop {
        match opened.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => output.write_all(&chunk[..read]).map_err(|error| Failure::output(&error))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if progress.failed.get() => return Err(Failure::input(&error)),
            Err(_) => return Err(damaged(&progress)),
        }
    }
    output.flush().map_err(|error| Failure::output(&error))
}

fn refused(error: &DecryptError, progress: &Progress) -> Failure {
    match error {
        DecryptError::NoMatchingKeys => Failure::new(
            Exit::CannotDecrypt,
            "OTHER_KEY",
            "The file is sealed to another key, or its head is damaged.",
            "Name the identity that belongs to the recipient that it was sealed to.",
        ),
        DecryptError::Io(error) if progress.failed.get() => Failure::input(error),
        _ => damaged(progress),
    }
}

fn damaged(progress: &Progress) -> Failure {
    Failure::new(
        Exit::Damaged,
        "SEALED_DAMAGED",
        format!("The sealed file is not whole: it was changed or cut before byte {}.", progress.bytes.get()),
        "Use another copy of it.",
    )
}

/// How far the input was read, and whether reading itself failed.
#[derive(Clone, Default)]
struct Progress {
    bytes: Rc<Cell<u64>>,
    failed: Rc<Cell<bool>>,
}

struct Counting<R> {
    inner: R,
    progress: Progress,
}

impl<R: Read> Read for Counting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let outcome = self.inner.read(buffer);
        match &outcome {
            Ok(read) => self.progress.bytes.set(self.progress.bytes.get() + *read as u64),
            Err(error) => self.progress.failed.set(error.kind() != io::ErrorKind::Interrupted),
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use age::Recipient;
    use age::x25519;
    use postfach_envelope::hybrid::HybridIdentity;

    use super::*;
    use crate::seal::seal;

    fn sealed(to: impl Recipient + 'static, plain: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        seal(&[Box::new(to)], plain, &mut file).unwrap();
        file
    }

    fn opened(with: impl Identity + 'static, file: &[u8]) -> Outcome<Vec<u8>> {
        let mut plain = Vec::new();
        open(&[Box::new(with)], file, &mut plain).map(|()| plain)
    }

    #[test]
    fn comes_back_at_every_length_around_a_chunk() {
        let key = HybridIdentity::from_seed([7; 32]);
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK] {
            let plain = vec![3; length];
            let file = sealed(key.to_recipient(), &plain);
            assert_eq!(opened(key.clone(), &file).unwrap(), plain, "{length}");
            for added in [vec![0], vec![0; CHUNK + 16]] {
                let longer = [file.clone(), added].concat();
                assert_eq!(opened(key.clone(), &longer).unwrap_err().exit, Exit::Damaged, "{length}");
            }
            for cut in [1, 15, 16, 17] {
                let shorter = &file[..file.len() - cut];
                assert_eq!(opened(key.clone(), shorter).unwrap_err().exit, Exit::Damaged, "{length}");
            }
        }
    }

    #[test]
    fn every_flipped_byte_is_found() {
        let key = x25519::Identity::generate();
        let file = sealed(key.to_public(), &[9; 100]);
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1;
            let failure = opened(key.clone(), &bad).unwrap_err();
            assert!(matches!(failure.exit, Exit::Damaged | Exit::CannotDecrypt), "{at}: {failure:?}");
        }
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let file = sealed(HybridIdentity::from_seed([1; 32]).to_recipient(), b"x");
        assert_eq!(opened(HybridIdentity::from_seed([2; 32]), &file).unwrap_err().exit, Exit::CannotDecrypt);
        assert_eq!(opened(x25519::Identity::generate(), &file).unwrap_err().exit, Exit::CannotDecrypt);
        assert_eq!(opened(x25519::Identity::generate(), b"no age file").unwrap_err().exit, Exit::Damaged);
    }
}
