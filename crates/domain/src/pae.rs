//! Pre-authentication encoding (SPEC 1): what is signed or hashed can be read in one way only.

/// Context strings, one for each use (SPEC 1).
pub mod context {
    /// A link of a mailbox chain.
    pub const LINK: &str = "mpf1/link";
    /// A new member's consent to a link.
    pub const LINK_REVERSE: &str = "mpf1/link-reverse";
    /// The cover inside its envelope.
    pub const COVER: &str = "mpf1/cover";
    /// The letter inside its envelope.
    pub const LETTER: &str = "mpf1/letter";
    /// The sender's signature over the three hashes of a submission.
    pub const SUBMISSION: &str = "mpf1/submission";
    /// Everything a party does besides sending.
    pub const ACT: &str = "mpf1/act";
    /// The salted commitment of an event.
    pub const EVENT: &str = "mpf1/event";
    /// The registrar's certificate for an authority's key.
    pub const AUTHORITY_CERT: &str = "mpf1/authority-cert";
    /// The registrar's revocation of an authority's key.
    pub const AUTHORITY_REVOKE: &str = "mpf1/authority-revoke";
    /// An authority's statement about the person behind an address.
    pub const BINDING: &str = "mpf1/binding";
    /// The service's statement about the head of a chain.
    pub const HEAD: &str = "mpf1/head";
    /// The registrar's signature over a service card.
    pub const CARD: &str = "mpf1/card";
    /// Pairing of a new device.
    pub const PAIR: &str = "mpf1/pair";
}

/// `"MPF1" || 00 || u8(len ctx) || ctx || u8(n) || (u64(len p) || p)*`, integers big endian.
///
/// Contexts are our own constants under 256 bytes, and no use has 256 parts or more.
pub fn pae(ctx: &str, parts: &[&[u8]]) -> Vec<u8> {
    debug_assert!(ctx.len() < 256 && parts.len() < 256);
    let size = 7 + ctx.len() + parts.iter().map(|p| 8 + p.len()).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(b"MPF1\0");
    #[allow(clippy::cast_possible_truncation)] // bounded above
    out.push(ctx.len() as u8);
    out.extend_from_slice(ctx.as_bytes());
    #[allow(clippy::cast_possible_truncation)] // bounded above
    out.push(parts.len() as u8);
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_is_the_specified_one() {
        assert_eq!(pae("ab", &[b"x", b""]), b"MPF1\0\x02ab\x02\0\0\0\0\0\0\0\x01x\0\0\0\0\0\0\0\0");
    }
}
