//! What the fuzz targets share: the frame of a target, a bound on memory, keys of the committed vectors. What is parsed and
//! what must hold stands in `fuzz_targets`, one file each.

#![forbid(unsafe_code)]

pub mod age_file;
pub mod keys;
pub mod seeds;

use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes that any parser may use besides a multiple of its input: tables, error texts, a few fixed buffers.
const FIXED: usize = 256 * 1024;

/// Runs a parser, and ends the process where it held more than `FIXED` and `factor` times its input at once. A length inside
/// the input is the attacker's: it must not decide how much memory is taken.
pub fn bounded<T>(input: usize, factor: usize, parse: impl FnOnce() -> T) -> T {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let parsed = parse();
    let used = MEMORY.peak_usage().saturating_sub(before);
    assert!(used <= FIXED + factor * input, "{used} bytes of memory for {input} bytes of input");
    parsed
}

/// One target: what it starts from, and what must hold for every input.
#[macro_export]
macro_rules! target {
    (seeds: $seeds:expr, |$data:ident| $body:block) => {
        libfuzzer_sys::fuzz_target!(init: $crate::seeds::write($seeds), |$data: &[u8]| { $body });
    };
}

/// The input as text; what is no UTF-8 never reaches a parser of text.
#[macro_export]
macro_rules! text {
    ($data:ident) => {
        match std::str::from_utf8($data) {
            Ok(text) => text,
            Err(_) => return,
        }
    };
}

/// A known text with one character typed otherwise: the input's first byte says which, the rest is what stands there instead.
/// The fuzzer alone would have to hit place and length at once, behind a checksum.
pub fn retyped(known: &str, data: &[u8]) -> Option<String> {
    let (at, instead) = data.split_first()?;
    let instead = std::str::from_utf8(instead).ok()?;
    let (start, c) = known.char_indices().nth(usize::from(*at))?;
    Some([&known[..start], instead, &known[start + c.len_utf8()..]].concat())
}
