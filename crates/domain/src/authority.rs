//! What the registrar signs about authorities: certificates and revocations (SPEC 2). Which of them counts at an event
//! is a question of positions in the key log, which callers answer.

use prost::Message as _;

use crate::format;
use crate::hash::Digest;
use crate::id::{Address, AuthorityId, KeyId, Origin};
use crate::pae::context;
use crate::sign::{PublicKey, SecretKey, SignatureError, signature_of};
use crate::time::Timestamp;

/// Characters of a display name or a reason.
pub const TEXT_CHARS: usize = 200;
/// IBANs of one certificate.
pub const MAX_IBANS: usize = 100;
/// Bytes of a certificate or revocation that are read: twice what the largest one has.
const MAX_LEN: usize = 16 * 1024;

/// One key of an authority, certified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthorityCert {
    /// The deployment.
    pub origin: Origin,
    /// The authority.
    pub authority_id: AuthorityId,
    /// The name that citizens see.
    pub display_name: String,
    /// Amtlicher Gemeindeschlüssel, eight digits.
    pub ags: Option<String>,
    /// The certified key.
    pub sign_pub: PublicKey,
    /// The authority's own mailbox.
    pub mailbox: Address,
    /// Registered IBANs, electronic form.
    pub ibans: Vec<String>,
    /// First instant.
    pub not_before: Timestamp,
    /// Last instant; `None` means no end.
    pub not_after: Option<Timestamp>,
}

/// One key of an authority, revoked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthorityRevocation {
    /// The deployment.
    pub origin: Origin,
    /// The authority.
    pub authority_id: AuthorityId,
    /// The revoked key.
    pub key_id: KeyId,
    /// Information only; the position in the key log counts.
    pub revoked_at: Timestamp,
    /// Why, for people.
    pub reason: String,
}

/// What is wrong with a certificate or revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Not a protobuf message.
    #[error("the certificate or revocation is not well formed")]
    Malformed,
    /// A field, by its name in the format.
    #[error("field {0} is wrong")]
    Field(&'static str),
    /// Not signed by the registrar.
    #[error("the registrar's signature: {0}")]
    Signature(#[from] SignatureError),
}

/// `H(PAE("mpf1/authority-cert", body, sig(64)))`, made like link_hash: what the key log shows of a certificate.
pub fn cert_hash(cert: &format::Signed) -> Digest {
    signed_hash(context::AUTHORITY_CERT, cert)
}

/// `H(PAE("mpf1/authority-revoke", body, sig(64)))`: what the key log shows of a revocation.
pub fn revocation_hash(revocation: &format::Signed) -> Digest {
    signed_hash(context::AUTHORITY_REVOKE, revocation)
}

/// `H(PAE(ctx, body, sig))` of a signed body. A missing signature counts as empty.
pub(crate) fn signed_hash(ctx: &str, signed: &format::Signed) -> Digest {
    let sig = signed.signature.as_ref().map_or(&[][..], |s| s.sig.as_slice());
    Digest::of_pae(ctx, &[&signed.body, sig])
}

impl AuthorityCert {
    /// Checks the fields, encodes and signs with the registrar root.
    pub fn sign(&self, registrar: &SecretKey) -> Result<format::Signed, AuthorityError> {
        let wire = format::AuthorityCert::from(self);
        Self::try_from(&wire)?;
        Ok(registrar.sign_body(context::AUTHORITY_CERT, wire.encode_to_vec()))
    }

    /// Verifies the registrar's signature over the body as transported, then reads it.
    pub fn verify(signed: &format::Signed, registrar: &PublicKey) -> Result<Self, AuthorityError> {
        registrar.verify(context::AUTHORITY_CERT, &[&signed.body], signature_of(signed)?)?;
        Self::parse(&signed.body)
    }

    /// Reads a body without checking a signature.
    pub fn parse(body: &[u8]) -> Result<Self, AuthorityError> {
        let body = Some(body).filter(|body| body.len() <= MAX_LEN).ok_or(AuthorityError::Malformed)?;
        let wire = format::AuthorityCert::decode(body).map_err(|_| AuthorityError::Malformed)?;
        Self::try_from(&wire)
    }

    /// key_id of the certified key.
    pub fn key_id(&self) -> KeyId {
        self.sign_pub.key_id()
    }

    /// True between `not_before` and `not_after`, both inclusive.
    pub fn valid_at(&self, at: Timestamp) -> bool {
        at >= self.not_before && self.not_after.is_none_or(|end| at <= end)
    }
}

impl TryFrom<&format::AuthorityCert> for AuthorityCert {
    type Error = AuthorityError;

    fn try_from(wire: &format::AuthorityCert) -> Result<Self, AuthorityError> {
        let field = AuthorityError::Field;
        let time = |ms, name| Timestamp::checked(ms).ok_or(field(name));
        if !is_name(&wire.display_name) {
            return Err(field("display_name"));
        }
        if !(wire.ags.is_empty() || is_ags(&wire.ags)) {
            return Err(field("ags"));
        }
        // Counted first: looking for repetition takes the square of the number.
        let few = wire.ibans.len() <= MAX_IBANS && wire.ibans.iter().all(|iban| is_iban(iban));
        if !few || (1..wire.ibans.len()).any(|i| wire.ibans[..i].contains(&wire.ibans[i])) {
            return Err(field("ibans"));
        }
        if wire.not_after != 0 && wire.not_after < wire.not_before {
            return Err(field("not_after"));
        }
        Ok(Self {
            origin: wire.origin.parse().map_err(|_| field("origin"))?,
            authority_id: wire.authority_id.parse().map_err(|_| field("authority_id"))?,
            display_name: wire.display_name.clone(),
            ags: Some(wire.ags.clone()).filter(|ags| !ags.is_empty()),
            sign_pub: PublicKey::from_bytes(&wire.sign_pub).map_err(|_| field("sign_pub"))?,
            mailbox: Address::try_from(wire.mailbox_address.as_slice())
                .map_err(|_| field("mailbox_address"))?,
            ibans: wire.ibans.clone(),
            not_before: time(wire.not_before, "not_before")?,
            not_after: Some(time(wire.not_after, "not_after")?).filter(|at| at.0 != 0),
        })
    }
}

impl From<&AuthorityCert> for format::AuthorityCert {
    fn from(cert: &AuthorityCert) -> Self {
        Self {
            origin: cert.origin.to_string(),
            authority_id: cert.authority_id.to_string(),
            display_name: cert.display_name.clone(),
            ags: cert.ags.clone().unwrap_or_default(),
            sign_pub: cert.sign_pub.to_bytes().to_vec(),
            mailbox_address: cert.mailbox.to_vec(),
            ibans: cert.ibans.clone(),
            not_before: cert.not_before.0,
            not_after: cert.not_after.map_or(0, |at| at.0),
        }
    }
}

impl AuthorityRevocation {
    /// Checks the fields, encodes and signs with the registrar root.
    pub fn sign(&self, registrar: &SecretKey) -> Result<format::Signed, AuthorityError> {
        let wire = format::AuthorityRevocation::from(self);
        Self::try_from(&wire)?;
        Ok(registrar.sign_body(context::AUTHORITY_REVOKE, wire.encode_to_vec()))
    }

    /// Verifies the registrar's signature over the body as transported, then reads it.
    pub fn verify(signed: &format::Signed, registrar: &PublicKey) -> Result<Self, AuthorityError> {
        registrar.verify(context::AUTHORITY_REVOKE, &[&signed.body], signature_of(signed)?)?;
        Self::parse(&signed.body)
    }

    /// Reads a body without checking a signature.
    pub fn parse(body: &[u8]) -> Result<Self, AuthorityError> {
        let body = Some(body).filter(|body| body.len() <= MAX_LEN).ok_or(AuthorityError::Malformed)?;
        let wire = format::AuthorityRevocation::decode(body).map_err(|_| AuthorityError::Malformed)?;
        Self::try_from(&wire)
    }
}

impl TryFrom<&format::AuthorityRevocation> for AuthorityRevocation {
    type Error = AuthorityError;

    fn try_from(wire: &format::AuthorityRevocation) -> Result<Self, AuthorityError> {
        let field = AuthorityError::Field;
        if !is_name(&wire.reason) {
            return Err(field("reason"));
        }
        Ok(Self {
            origin: wire.origin.parse().map_err(|_| field("origin"))?,
            authority_id: wire.authority_id.parse().map_err(|_| field("authority_id"))?,
            key_id: KeyId::try_from(wire.key_id.as_slice()).map_err(|_| field("key_id"))?,
            revoked_at: Timestamp::checked(wire.revoked_at).ok_or(field("revoked_at"))?,
            reason: wire.reason.clone(),
        })
    }
}

impl From<&AuthorityRevocation> for format::AuthorityRevocation {
    fn from(revocation: &AuthorityRevocation) -> Self {
        Self {
            origin: revocation.origin.to_string(),
            authority_id: revocation.authority_id.to_string(),
            key_id: revocation.key_id.to_vec(),
            revoked_at: revocation.revoked_at.0,
            reason: revocation.reason.clone(),
        }
    }
}

/// 1 to 200 characters, none of which controls a terminal or the direction of text, no space at either end.
pub fn is_name(text: &str) -> bool {
    (1..=TEXT_CHARS).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(crate::cleaning::is_unsafe)
}

/// Eight digits.
pub fn is_ags(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit())
}

/// An IBAN in electronic form (ISO 13616): upper case, no spaces, its check digits fit.
pub fn is_iban(text: &str) -> bool {
    let bytes = text.as_bytes();
    let form = (15..=34).contains(&bytes.len())
        && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && bytes[..2].iter().all(u8::is_ascii_uppercase)
        && bytes[2..4].iter().all(u8::is_ascii_digit);
    if !form || (text.starts_with("DE") && bytes.len() != 22) {
        return false;
    }
    let rest = bytes[4..].iter().chain(&bytes[..4]).fold(0u32, |rest, b| match b {
        b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
        letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample() -> AuthorityCert {
        AuthorityCert {
            origin: "post.example".parse().unwrap(),
            authority_id: "finanzamt".parse().unwrap(),
            display_name: "Finanzamt München".into(),
            ags: Some("09162000".into()),
            sign_pub: SecretKey::from_seed(&[1; 32]).public(),
            mailbox: Address([2; 32]),
            ibans: vec!["DE02120300000000202051".into()],
            not_before: Timestamp(5),
            not_after: Some(Timestamp(9)),
        }
    }

    #[test]
    fn a_certificate_holds_only_as_the_registrar_signed_it() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let signed = sample().sign(&registrar).unwrap();
        assert_eq!(AuthorityCert::verify(&signed, &registrar.public()).unwrap(), sample());
        for i in 0..signed.body.len() {
            let mut bad = signed.clone();
            bad.body[i] ^= 1;
            assert!(AuthorityCert::verify(&bad, &registrar.public()).is_err());
            assert_ne!(cert_hash(&bad), cert_hash(&signed));
        }
        let other = SecretKey::from_seed(&[8; 32]);
        assert!(AuthorityCert::verify(&signed, &other.public()).is_err());
        assert!(AuthorityRevocation::verify(&signed, &registrar.public()).is_err());
        assert!(sample().valid_at(Timestamp(5)) && sample().valid_at(Timestamp(9)));
        assert!(!sample().valid_at(Timestamp(4)) && !sample().valid_at(Timestamp(10)));
    }

    #[test]
    fn a_revocation_round_trips() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let revocation = AuthorityRevocation {
            origin: "post.example".parse().unwrap(),
            authority_id: "finanzamt".parse().unwrap(),
            key_id: KeyId([3; 32]),
            revoked_at: Timestamp(5),
            reason: "lost".into(),
        };
        let signed = revocation.sign(&registrar).unwrap();
        assert_eq!(AuthorityRevocation::verify(&signed, &registrar.public()).unwrap(), revocation);
        let mut nameless = revocation;
        nameless.reason.clear();
        assert_eq!(nameless.sign(&registrar), Err(AuthorityError::Field("reason")));
    }

    #[test]
    fn bad_fields_are_named() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let mut cert = sample();
        cert.display_name = "Amt\u{202e}".into();
        assert_eq!(cert.sign(&registrar), Err(AuthorityError::Field("display_name")));
        let mut cert = sample();
        cert.display_name = "ä".repeat(201);
        assert_eq!(cert.sign(&registrar), Err(AuthorityError::Field("display_name")));
        let mut cert = sample();
        cert.ags = Some("9162000".into());
        assert_eq!(cert.sign(&registrar), Err(AuthorityError::Field("ags")));
        let mut cert = sample();
        cert.not_after = Some(Timestamp(4));
        assert_eq!(cert.sign(&registrar), Err(AuthorityError::Field("not_after")));
    }

    #[test]
    fn large_and_repeated_certificates_are_refused() {
        let wire = |ibans: Vec<String>| format::AuthorityCert { ibans, ..(&sample()).into() }.encode_to_vec();
        let one = sample().ibans[0].clone();
        assert_eq!(AuthorityCert::parse(&wire(vec![one.clone(); 2])), Err(AuthorityError::Field("ibans")));
        let many: Vec<String> = (0..60_000).map(|i| i.to_string()).collect();
        assert_eq!(AuthorityCert::parse(&wire(many)), Err(AuthorityError::Malformed));
        assert_eq!(AuthorityRevocation::parse(&vec![0; MAX_LEN + 1]), Err(AuthorityError::Malformed));
        // The largest one that the fields allow.
        let largest = AuthorityCert {
            origin: [63, 63, 63, 61].map(|n| "o".repeat(n)).join(".").parse().unwrap(),
            authority_id: "a".repeat(63).parse().unwrap(),
            display_name: "\u{1f3e4}".repeat(TEXT_CHARS),
            ..sample()
        };
        let mut wire = format::AuthorityCert::from(&largest);
        wire.ibans = vec!["X".repeat(34); MAX_IBANS];
        assert!(wire.encoded_len() <= MAX_LEN / 2);
    }

    #[test]
    fn ibans() {
        for good in [
            "DE02120300000000202051",
            "AT611904300234573201",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert!(is_iban(good), "{good}");
        }
        for bad in [
            "DE02120300000000202052",
            "de02120300000000202051",
            "DE0212030000000020205",
            "",
            "DE02 1203 0000 0000 2020 51",
        ] {
            assert!(!is_iban(bad), "{bad}");
        }
    }
}
