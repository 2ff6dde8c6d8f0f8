//! What one core seals and opens: a letter of the product's smallest size to a hybrid post-quantum key.

use std::time::{Duration, Instant};

use anyhow::Result;
use postfach_envelope::hybrid::HybridIdentity;

/// (seals, opens) per second of a file of `size` bytes, one thread.
pub fn per_second(size: usize, length: Duration) -> Result<(f64, f64)> {
    let identity = HybridIdentity::generate(&mut rand::rngs::OsRng);
    let recipient = identity.to_recipient();
    let plain = vec![0x5a_u8; size];
    let mut sealed = Vec::new();
    let seals = rate(length, || {
        sealed = age::encrypt(&recipient, &plain)?;
        Ok(())
    })?;
    let opens = rate(length, || {
        age::decrypt(&identity, &sealed)?;
        Ok(())
    })?;
    Ok((seals, opens))
}

fn rate(length: Duration, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < length {
        work()?;
        count += 1;
    }
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}
