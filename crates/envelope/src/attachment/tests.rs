//! Attachments: round trips around the borders, broken sources, broken stores, lying senders.
#![allow(clippy::unwrap_used)]

use std::io::{self, BufRead as _, Read, Write};

use postfach_domain::hash::Digest;
use postfach_domain::id::AttachmentId;
use postfach_domain::segments::{self, SEGMENT_LEN, segment_leaf};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::verifying::VerifyingReader;
use super::*;
use crate::age_file::AgeOpenError;
use crate::hybrid::HybridIdentity;

const ID: AttachmentId = AttachmentId([9; 16]);

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).unwrap() | 1).collect()
}

fn seal(plain: &[u8]) -> (Attachment, SegmentHashes, Vec<u8>) {
    let mut spool = Vec::new();
    let mut rng = StdRng::seed_from_u64(1);
    let sealed = seal_attachment(ID, plain.len() as u64, plain, &mut spool, &mut rng).unwrap();
    assert_eq!(sealed.ct_len, spool.len() as u64);
    let attachment = Attachment {
        id: ID,
        name: String::new(),
        media_type: String::new(),
        plain_len: sealed.plain_len,
        plain_sha256: sealed.plain_sha256,
        ct_len: sealed.ct_len,
        ct_root: sealed.ct_root,
        identity: sealed.identity,
    };
    let hashes = SegmentHashes::verify(&attachment, sealed.leaves).unwrap();
    (attachment, hashes, spool)
}

fn open(
    attachment: &Attachment,
    hashes: Option<&SegmentHashes>,
    file: &[u8],
) -> Result<Vec<u8>, AttachmentOpenError> {
    let mut out = Vec::new();
    open_attachment(attachment, hashes, file, &mut out).map(|()| out)
}

/// Signs whatever the file is: a lying sender, an honest server.
fn resign(attachment: &Attachment, file: &[u8]) -> Attachment {
    let leaves = file.chunks(SEGMENT_LEN).zip(0..).map(|(s, i)| segment_leaf(&attachment.id, i, s));
    Attachment { ct_len: file.len() as u64, ct_root: segments::root(leaves), ..attachment.clone() }
}

#[test]
fn lengths_around_chunks_and_segments_round_trip() {
    // 4 MiB of ciphertext hold 63 whole chunks of 65,552 bytes after the header and a bit of the 64th.
    let segment = 4 * 1024 * 1024;
    for len in [0, 1, 65_535, 65_536, 65_537, segment - 70_000, segment - 1, segment, 9_000_013] {
        let plain = content(len);
        let (attachment, hashes, file) = seal(&plain);
        assert_eq!(hashes.count(), (file.len() as u64).div_ceil(SEGMENT_LEN as u64));
        assert!(file.len() >= 65_536, "padding hides small files");
        assert_eq!(open(&attachment, Some(&hashes), &file).unwrap(), plain, "{len}");
        assert_eq!(open(&attachment, None, &file).unwrap(), plain, "{len}");
        for (segment, i) in file.chunks(SEGMENT_LEN).zip(0..) {
            hashes.check(i, segment).unwrap();
        }
    }
}

#[test]
fn segments_come_in_order_and_the_first_one_knows_the_length_of_all() {
    for len in [0, 65_537, 9_000_013] {
        let (plain, mut rng) = (content(len), StdRng::seed_from_u64(2));
        let (mut file, mut seen) = (Vec::new(), Vec::new());
        let take = |segment: SealedSegment| {
            file.extend_from_slice(&segment.bytes);
            seen.push((segment.ct_len, segment.index, segment.leaf));
            Ok(segment.bytes)
        };
        let sealed = seal_segments(ID, len as u64, &plain[..], take, &mut rng).unwrap();
        assert_eq!(sealed.ct_len, file.len() as u64);
        let leaves: Vec<_> = file
            .chunks(SEGMENT_LEN)
            .zip(0..)
            .map(|(s, i)| (sealed.ct_len, i, segment_leaf(&ID, i, s)))
            .collect();
        assert_eq!(seen, leaves, "{len}");
    }
}

#[test]
fn equal_padded_lengths_give_equal_files_but_for_the_header() {
    let header = |file: &[u8]| file.windows(5).position(|w| w == b"\n--- ").unwrap();
    let (_, _, small) = seal(b"x");
    let (_, _, other) = seal(&content(60_000));
    assert_eq!(small.len() - header(&small), other.len() - header(&other));
}

/// Gives and takes at most `step` bytes at a time.
struct Slow<T> {
    inner: T,
    step: usize,
}

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = buf.len().min(self.step);
        self.inner.read(&mut buf[..n])
    }
}

impl<W: Write> Write for Slow<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = buf.len().min(self.step);
        self.inner.write(&buf[..n])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_length_through_any_pipe(len in 0usize..300_000, step in 1usize..70_000) {
        let step = step.max(len / 1000);
        let plain = content(len);
        let mut spool = Slow { inner: Vec::new(), step };
        let source = Slow { inner: &plain[..], step };
        let mut rng = StdRng::seed_from_u64(len as u64);
        let sealed = seal_attachment(ID, len as u64, source, &mut spool, &mut rng).unwrap();
        let (mut attachment, ..) = seal(b"");
        attachment = resign(&attachment, &spool.inner);
        attachment.plain_len = len as u64;
        attachment.plain_sha256 = Digest::of(&plain);
        attachment.identity = sealed.identity;
        prop_assert_eq!(sealed.ct_root, attachment.ct_root);
        let mut out = Slow { inner: Vec::new(), step };
        open_attachment(&attachment, None, Slow { inner: &spool.inner[..], step }, &mut out).unwrap();
        prop_assert_eq!(out.inner, plain);
    }
}

#[test]
fn a_source_that_changed_is_noticed() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut seal = |len, plain: &[u8]| seal_attachment(ID, len, plain, io::sink(), &mut rng).unwrap_err();
    assert!(matches!(seal(4, b"abc"), AttachmentSealError::SourceShorter { expected: 4, got: 3 }));
    assert!(matches!(seal(2, b"abc"), AttachmentSealError::SourceLonger { expected: 2 }));
    assert!(matches!(seal(0, b"a"), AttachmentSealError::SourceLonger { expected: 0 }));
    assert!(matches!(seal((64 << 30) + 1, b""), AttachmentSealError::TooLarge { .. }));
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::PermissionDenied))
    }
}

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn broken_disks_are_neither_the_servers_nor_the_senders_fault() {
    let mut rng = StdRng::seed_from_u64(1);
    let read = seal_attachment(ID, 1, Broken, io::sink(), &mut rng).unwrap_err();
    assert!(matches!(read, AttachmentSealError::Read(_)));
    let write = seal_attachment(ID, 1, &b"a"[..], Broken, &mut rng).unwrap_err();
    assert!(matches!(write, AttachmentSealError::Write(_)));
    let (attachment, _, file) = seal(&content(5_000_000));
    let read = open_attachment(&attachment, None, Broken, io::sink()).unwrap_err();
    assert!(matches!(read, AttachmentOpenError::Read(_)));
    let later = (&file[..SEGMENT_LEN]).chain(Broken);
    let read = open_attachment(&attachment, None, later, io::sink()).unwrap_err();
    assert!(matches!(read, AttachmentOpenError::Read(_)));
    let write = open_attachment(&attachment, None, &file[..], Broken).unwrap_err();
    assert!(matches!(write, AttachmentOpenError::Write(_)) && !write.is_the_senders_fault());
}

#[test]
fn a_store_that_changes_bytes_is_caught_before_the_sender_is_blamed() {
    let (attachment, hashes, file) = seal(&content(9_000_000));
    for (at, segment) in [(30, 0), (5_000_000, 1), (file.len() - 1, 2)] {
        let mut bad = file.clone();
        bad[at] ^= 1;
        let error = open(&attachment, Some(&hashes), &bad).unwrap_err();
        assert!(matches!(error, AttachmentOpenError::Segment { index } if index == segment), "{error}");
        assert!(!error.is_the_senders_fault());
        assert!(matches!(open(&attachment, None, &bad).unwrap_err(), AttachmentOpenError::RootMismatch));
        let segments: Vec<&[u8]> = bad.chunks(SEGMENT_LEN).collect();
        assert!(hashes.check(segment, segments[usize::try_from(segment).unwrap()]).is_err());
    }
    for bad in [&file[..file.len() - 1], &file[..SEGMENT_LEN], &[&file[..], b"x"].concat()] {
        assert!(matches!(open(&attachment, None, bad).unwrap_err(), AttachmentOpenError::CiphertextLength));
    }
    assert!(open(&attachment, Some(&hashes), &file[..SEGMENT_LEN]).is_err());
    assert!(matches!(open(&attachment, None, b"").unwrap_err(), AttachmentOpenError::CiphertextLength));
    assert!(hashes.check(3, b"").is_err());
    assert!(hashes.check(u64::MAX, b"").is_err());
}

#[test]
fn a_list_of_hashes_that_is_not_under_the_root_is_refused() {
    let (attachment, _, file) = seal(&content(9_000_000));
    let leaves: Vec<Digest> =
        file.chunks(SEGMENT_LEN).zip(0..).map(|(s, i)| segment_leaf(&ID, i, s)).collect();
    assert!(SegmentHashes::verify(&attachment, leaves.clone()).is_ok());
    let refused = |leaves: Vec<Digest>| {
        let error = SegmentHashes::verify(&attachment, leaves).unwrap_err();
        assert!(matches!(error, AttachmentOpenError::SegmentHashes), "{error}");
    };
    refused(leaves[..2].to_vec());
    refused(Vec::new());
    refused(leaves.iter().rev().copied().collect());
    // An inner node in the place of two leaves has the same root and another length.
    let node = segments::root([leaves[0], leaves[1]]);
    refused(vec![node, leaves[2]]);
}

#[test]
fn a_sender_whose_letter_does_not_fit_the_file_is_named() {
    let plain = content(70_000);
    let (good, _, file) = seal(&plain);
    let fails = |attachment: &Attachment, file: &[u8]| {
        let error = open(attachment, None, file).unwrap_err();
        assert!(error.is_the_senders_fault(), "{error}");
        error
    };
    let other_key = Attachment { identity: HybridIdentity::from_seed([1; 32]), ..good.clone() };
    assert!(matches!(fails(&other_key, &file), AttachmentOpenError::CannotDecrypt(AgeOpenError::OtherKey)));
    let no_age = b"something else".repeat(9_000);
    assert!(matches!(
        fails(&resign(&good, &no_age), &no_age),
        AttachmentOpenError::CannotDecrypt(AgeOpenError::Header)
    ));
    // Cut exactly behind the first chunk: every byte is as signed, the last chunk is missing.
    let payload = file.windows(5).position(|w| w == b"\n--- ").unwrap() + 5 + 43 + 1 + 16;
    let cut = &file[..payload + 65_536 + 16];
    assert!(matches!(
        fails(&resign(&good, cut), cut),
        AttachmentOpenError::CannotDecrypt(AgeOpenError::Damaged)
    ));
    let shorter = Attachment { plain_len: 69_999, ..good.clone() };
    assert!(matches!(fails(&shorter, &file), AttachmentOpenError::NonzeroPadding));
    let longer = Attachment { plain_len: 70_001, ..good.clone() };
    assert!(matches!(fails(&longer, &file), AttachmentOpenError::PlainHash));
    for plain_len in [0, 60_000, 90_000] {
        let padded_otherwise = Attachment { plain_len, ..good.clone() };
        assert!(matches!(fails(&padded_otherwise, &file), AttachmentOpenError::BadLength));
    }
    let other_hash = Attachment { plain_sha256: Digest::ZERO, ..good.clone() };
    assert!(matches!(fails(&other_hash, &file), AttachmentOpenError::PlainHash));
    let huge = Attachment { plain_len: u64::MAX, ..good };
    assert!(matches!(fails(&huge, &file), AttachmentOpenError::TooLarge));
}

#[test]
fn a_reader_gives_nothing_of_a_segment_that_did_not_hold() {
    let (attachment, hashes, mut file) = seal(&content(9_000_000));
    file[5_000_000] ^= 1;
    let mut reader = VerifyingReader::new(&attachment, Some(&hashes), &file[..]);
    assert_eq!(reader.read(&mut vec![0; SEGMENT_LEN]).unwrap(), SEGMENT_LEN);
    reader.fill_buf().unwrap_err();
    let again = reader.fill_buf().map(<[u8]>::len);
    assert!(!again.is_ok_and(|bytes| bytes > 0), "unverified bytes");
    let mut cut = VerifyingReader::new(&attachment, None, (&file[..1000]).chain(Broken));
    cut.fill_buf().unwrap_err();
    assert!(!cut.fill_buf().map(<[u8]>::len).is_ok_and(|bytes| bytes > 0), "part of a segment");
}

/// Counts what is written without keeping it, and refuses pieces larger than its second number: nothing may gather the
/// whole.
struct Count(u64, usize);

impl Write for Count {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        assert!(buf.len() <= self.1, "{} bytes at once", buf.len());
        self.0 += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn content_passes_in_small_pieces() {
    let mut rng = StdRng::seed_from_u64(1);
    let len = 20_000_000;
    let mut count = Count(0, SEGMENT_LEN);
    let sealed = seal_attachment(ID, len, io::repeat(7).take(len), &mut count, &mut rng).unwrap();
    assert_eq!(sealed.ct_len, count.0);
    assert_eq!(sealed.leaves.len() as u64, count.0.div_ceil(SEGMENT_LEN as u64));
    let (attachment, hashes, file) = seal(&content(9_000_000));
    let mut count = Count(0, 512 * 1024);
    open_attachment(&attachment, Some(&hashes), &file[..], &mut count).unwrap();
    assert_eq!(count.0, 9_000_000);
}
