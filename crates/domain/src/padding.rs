//! Padmé padding: how long a plaintext becomes, so that its length says little. Only the arithmetic; the zeros are
//! written and checked where things are sealed and opened.

/// The smallest Padmé length that is at least `len` (Nikitin et al., PETS 2019). At most 12 % longer; lengths with
/// more significant bits than log2(log2(len)) + 1 are rounded up. Saturates at `u64::MAX`.
pub fn padme(len: u64) -> u64 {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let significant = exponent.ilog2() + 1;
    let mask = (1u64 << (exponent - significant)) - 1;
    len.checked_add(mask).map_or(u64::MAX, |sum| sum & !mask)
}

/// `max(floor, Padmé(len))` in bytes (SPEC 3, 4).
pub fn padded_len(len: u64, floor: u64) -> u64 {
    padme(len).max(floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        let known =
            [(0, 0), (1, 1), (2, 2), (3, 3), (9, 10), (100, 104), (1000, 1024), (1025, 1088), (4097, 4352)];
        for (len, padded) in known {
            assert_eq!(padme(len), padded, "{len}");
        }
        assert_eq!(padded_len(10, 1024), 1024);
        assert_eq!(padded_len(1 << 36, 65_536), 1 << 36);
    }

    proptest! {
        #[test]
        fn grows_by_at_most_an_eighth_and_is_idempotent(len in 2u64..1 << 50) {
            let padded = padme(len);
            prop_assert!(padded >= len);
            prop_assert!(padded - len <= len / 8 + 1);
            prop_assert_eq!(padme(padded), padded);
        }

        #[test]
        fn never_decreases(len in 0u64..1 << 40) {
            prop_assert!(padme(len) <= padme(len + 1));
        }
    }
}
