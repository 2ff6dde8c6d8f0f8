//! The plaintext of an envelope (SPEC 3): `"MPFE" || 01 || u32 len || Signed || zeros`, in all
//! `max(floor, Padme(9 + len))` bytes, so that sizes tell little.

use postfach_domain::padding::padded_len;
use zeroize::Zeroizing;

/// Magic and version.
const MAGIC: &[u8; 5] = b"MPFE\x01";
/// Bytes before the content.
const HEAD: usize = MAGIC.len() + 4;

/// Padding floor of a cover's plaintext in bytes.
pub const COVER_FLOOR: u64 = 1024;
/// Padding floor of a letter's plaintext in bytes.
pub const LETTER_FLOOR: u64 = 4096;

/// Why a plaintext is no frame, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("wrong magic or version")]
    Magic,
    #[error("wrong length")]
    Length,
    #[error("padding not all zero")]
    Padding,
}

/// Total bytes of a frame around `content_len` bytes; at least `floor`.
pub(crate) fn frame_len(content_len: usize, floor: u64) -> usize {
    // Safe because content is limited to 1 MiB before it comes here, and Padme adds an eighth at most.
    usize::try_from(padded_len((HEAD + content_len) as u64, floor)).expect("small")
}

/// Puts content into a frame. The content is limited by its kind, far below 4 GiB.
pub(crate) fn frame(content: &[u8], floor: u64) -> Zeroizing<Vec<u8>> {
    let total = frame_len(content.len(), floor);
    let mut plain = Zeroizing::new(Vec::with_capacity(total));
    plain.extend_from_slice(MAGIC);
    // Safe because content is limited to 1 MiB before it comes here.
    plain.extend_from_slice(&u32::try_from(content.len()).expect("small").to_be_bytes());
    plain.extend_from_slice(content);
    plain.resize(total, 0);
    plain
}

/// Takes the content out of a frame: magic, then length, then padding.
pub(crate) fn unframe(plain: &[u8], floor: u64, max_content: usize) -> Result<&[u8], FrameError> {
    let rest = plain.strip_prefix(MAGIC).ok_or(FrameError::Magic)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or(FrameError::Length)?;
    let len = usize::try_from(u32::from_be_bytes(*len)).map_err(|_| FrameError::Length)?;
    if len > max_content || plain.len() != frame_len(len, floor) {
        return Err(FrameError::Length);
    }
    let (content, padding) = rest.split_at_checked(len).ok_or(FrameError::Length)?;
    if padding.iter().any(|b| *b != 0) {
        return Err(FrameError::Padding);
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_layout_is_the_specified_one() {
        let plain = frame(b"abc", COVER_FLOOR);
        assert_eq!(plain.len(), 1024);
        assert_eq!(&plain[..13], b"MPFE\x01\0\0\0\x03abc\0");
        assert_eq!(unframe(&plain, COVER_FLOOR, 3).unwrap(), b"abc");
    }

    #[test]
    fn every_length_near_the_borders_round_trips() {
        for len in [0, 1, 1014, 1015, 1016, 1017, 4086, 4087, 4088, 70_000] {
            for floor in [COVER_FLOOR, LETTER_FLOOR] {
                let content = vec![7; len];
                let plain = frame(&content, floor);
                assert!(plain.len() as u64 >= floor && plain.len() >= len + 9);
                assert_eq!(unframe(&plain, floor, len).unwrap(), content);
            }
        }
    }

    #[test]
    fn magic_length_and_padding_each_have_their_error() {
        let good = frame(b"abc", COVER_FLOOR);
        let changed = |at: usize, to: u8| {
            let mut bad = good.to_vec();
            bad[at] = to;
            unframe(&bad, COVER_FLOOR, 1000).unwrap_err()
        };
        assert_eq!(changed(0, b'm'), FrameError::Magic);
        assert_eq!(changed(4, 2), FrameError::Magic);
        assert_eq!(changed(5, 1), FrameError::Length);
        assert_eq!(changed(12, 1), FrameError::Padding);
        assert_eq!(changed(1023, 1), FrameError::Padding);
        // The same content in the frame of another size.
        assert_eq!(unframe(&good, LETTER_FLOOR, 1000).unwrap_err(), FrameError::Length);
        assert_eq!(unframe(&good[..1023], COVER_FLOOR, 1000).unwrap_err(), FrameError::Length);
        assert_eq!(unframe(&good, COVER_FLOOR, 2).unwrap_err(), FrameError::Length);
        assert_eq!(unframe(b"MPFE\x01\0\0", COVER_FLOOR, 1000).unwrap_err(), FrameError::Length);
        assert_eq!(unframe(b"", COVER_FLOOR, 1000).unwrap_err(), FrameError::Magic);
    }
}
