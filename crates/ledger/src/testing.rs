//! What several unit tests share: damaging bytes in every small way.

/// Calls `check` with the bytes cut by one, with one flipped (each bit of it) and with one added, at every place.
pub(crate) fn each_damage(good: &[u8], mut check: impl FnMut(&[u8])) {
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << bit;
            check(&bad);
        }
        let mut bad = good.to_vec();
        bad.remove(at);
        check(&bad);
    }
    for at in 0..=good.len() {
        for byte in [0, b'\n', b'A', 0xff] {
            let mut bad = good.to_vec();
            bad.insert(at, byte);
            check(&bad);
        }
    }
}
