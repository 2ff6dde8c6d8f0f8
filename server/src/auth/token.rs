//! The bearer token of SPEC 6: a compact JWS signed by the caller's own Ed25519 key. Pure: no clock, no key store.
//!
//! Read by our own few lines and not by a general JWT library: one algorithm, strict signature verification as
//! everywhere else in the system, and time as an argument.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postfach_domain::id::{KeyId, Origin, Party};
use postfach_domain::sign::{PublicKey, SecretKey};
use postfach_domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest life of a token, seconds (SPEC 6).
pub const MAX_LIFE_S: u64 = 300;
/// How far the caller's clock may be off, seconds (SPEC 6).
pub const SKEW_S: u64 = 300;
/// Longest token that is looked at, bytes.
const MAX_LENGTH: usize = 2048;

/// Why a token does not admit its bearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No `authorization: Bearer …`.
    #[error("no bearer token")]
    Missing,
    /// Not a compact JWS with the header and claims of SPEC 6, or another algorithm than EdDSA.
    #[error("malformed token")]
    Malformed,
    /// Made for another service.
    #[error("token for another audience")]
    WrongAudience,
    /// A life longer than [`MAX_LIFE_S`].
    #[error("token lives too long")]
    TooLong,
    /// Expired, the skew included.
    #[error("token expired")]
    Expired,
    /// Issued in the future, the skew included.
    #[error("token from the future")]
    FromTheFuture,
    /// The key is not active for the issuer: unknown, of somebody else, revoked or not for this call.
    #[error("key not active")]
    KeyNotActive,
    /// The signature does not fit.
    #[error("wrong token signature")]
    WrongSignature,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    typ: Option<String>,
    /// Extensions that must be understood (RFC 7515, 4.1.11): none are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crit: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: u64,
    exp: u64,
}

/// What a token says, before anybody checked its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedToken {
    /// Who claims to call.
    pub issuer: Party,
    /// The key that is said to have signed.
    pub key_id: KeyId,
    /// When the token ends, seconds since the Unix epoch.
    pub expires_s: u64,
    issued_s: u64,
    audience: String,
}

impl ParsedToken {
    /// Reads a token's text.
    pub fn parse(token: &str) -> Result<Self, TokenError> {
        let (signing_input, _) = split(token)?;
        let (header, claims) = signing_input.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = json(header)?;
        let claims: Claims = json(claims)?;
        let is_jwt = header.typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("jwt"));
        if header.alg != "EdDSA" || header.crit.is_some() || !is_jwt {
            return Err(TokenError::Malformed);
        }
        let key_id = URL_SAFE_NO_PAD.decode(&header.kid).map_err(|_| TokenError::Malformed)?;
        Ok(Self {
            issuer: Party::from_issuer(&claims.iss).map_err(|_| TokenError::Malformed)?,
            key_id: KeyId::try_from(key_id.as_slice()).map_err(|_| TokenError::Malformed)?,
            expires_s: claims.exp,
            issued_s: claims.iat,
            audience: claims.aud,
        })
    }

    /// When it ends, with the clocks' tolerance.
    pub fn ends_at(&self) -> Timestamp {
        Timestamp(self.expires_s.saturating_add(SKEW_S).saturating_mul(1000))
    }

    /// Checks audience and times against the service's name and clock.
    pub fn check(&self, origin: &Origin, now: Timestamp) -> Result<(), TokenError> {
        let now_s = now.0 / 1000;
        if self.audience != origin.as_str() {
            return Err(TokenError::WrongAudience);
        }
        if self.expires_s <= self.issued_s || self.expires_s - self.issued_s > MAX_LIFE_S {
            return Err(TokenError::TooLong);
        }
        if self.issued_s > now_s.saturating_add(SKEW_S) {
            return Err(TokenError::FromTheFuture);
        }
        if self.expires_s.saturating_add(SKEW_S) <= now_s {
            return Err(TokenError::Expired);
        }
        Ok(())
    }
}

/// Verifies the signature of a token's text, strictly.
pub fn verify_signature(token: &str, key: &PublicKey) -> Result<(), TokenError> {
    let (signing_input, signature) = split(token)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
    let signature =
        ed25519_dalek::Signature::from_slice(&signature).map_err(|_| TokenError::WrongSignature)?;
    key.as_dalek().verify_strict(signing_input.as_bytes(), &signature).map_err(|_| TokenError::WrongSignature)
}

/// Makes a token as a client does; the server itself needs it in tests and tools only.
pub fn make(
    key: &SecretKey,
    issuer: &Party,
    origin: &Origin,
    at: Timestamp,
    life_s: u64,
) -> Result<String, serde_json::Error> {
    use ed25519_dalek::Signer as _;
    let header = Header {
        alg: "EdDSA".into(),
        kid: URL_SAFE_NO_PAD.encode(key.key_id().as_bytes()),
        typ: Some("JWT".into()),
        crit: None,
    };
    let issued_s = at.0 / 1000;
    let claims =
        Claims { iss: issuer.issuer(), aud: origin.to_string(), iat: issued_s, exp: issued_s + life_s };
    let encode = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
    let input = format!("{}.{}", encode(serde_json::to_vec(&header)?), encode(serde_json::to_vec(&claims)?));
    let signature = key.expose_dalek().sign(input.as_bytes());
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
}

/// Signing input and signature.
fn split(token: &str) -> Result<(&str, &str), TokenError> {
    if token.len() > MAX_LENGTH {
        return Err(TokenError::Malformed);
    }
    token.rsplit_once('.').ok_or(TokenError::Malformed)
}

fn json<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn origin() -> Origin {
        "post.example".parse().unwrap()
    }

    fn key() -> SecretKey {
        SecretKey::from_seed(&[4; 32])
    }

    fn token_at(issued: Timestamp, life_s: u64) -> String {
        make(&key(), &Party::Authority("amt".parse().unwrap()), &origin(), issued, life_s).unwrap()
    }

    fn checked(token: &str) -> Result<(), TokenError> {
        ParsedToken::parse(token)?.check(&origin(), NOW)?;
        verify_signature(token, &key().public())
    }

    fn forged(header: &str, claims: &str) -> String {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!("{}.{}.", encode(header), encode(claims))
    }

    #[test]
    fn a_good_token_passes_up_to_the_skew() {
        assert_eq!(checked(&token_at(NOW, 300)), Ok(()));
        assert_eq!(checked(&token_at(NOW.plus_ms(300_000), 60)), Ok(()));
        assert_eq!(checked(&token_at(Timestamp(NOW.0 - 599_000), 300)), Ok(()));
    }

    #[test]
    fn times_are_checked() {
        assert_eq!(checked(&token_at(Timestamp(NOW.0 - 600_000), 300)), Err(TokenError::Expired));
        assert_eq!(checked(&token_at(NOW.plus_ms(301_000), 300)), Err(TokenError::FromTheFuture));
        assert_eq!(checked(&token_at(NOW, 301)), Err(TokenError::TooLong));
        assert_eq!(checked(&token_at(NOW, 0)), Err(TokenError::TooLong));
    }

    #[test]
    fn audience_and_signature_are_checked() {
        let issuer = Party::Authority("amt".parse().unwrap());
        let other = make(&key(), &issuer, &"other.example".parse().unwrap(), NOW, 60).unwrap();
        assert_eq!(checked(&other), Err(TokenError::WrongAudience));
        let token = token_at(NOW, 60);
        let stranger = SecretKey::from_seed(&[5; 32]).public();
        assert_eq!(verify_signature(&token, &stranger), Err(TokenError::WrongSignature));
        let (input, _) = token.rsplit_once('.').unwrap();
        assert_eq!(checked(&format!("{input}.")), Err(TokenError::WrongSignature));
        assert_eq!(checked(input), Err(TokenError::Malformed));
    }

    #[test]
    fn only_eddsa_without_extensions() {
        let kid = URL_SAFE_NO_PAD.encode([1; 32]);
        let claims = r#"{"iss":"amt","aud":"post.example","iat":1795000000,"exp":1795000060}"#;
        let parse = |header: String| ParsedToken::parse(&forged(&header, claims)).map(|_| ());
        assert_eq!(parse(format!(r#"{{"alg":"EdDSA","kid":"{kid}"}}"#)), Ok(()));
        for header in [
            format!(r#"{{"alg":"none","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","crit":["x"]}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt"}}"#),
            r#"{"alg":"EdDSA","kid":"AAAA"}"#.to_owned(),
            r#"{"alg":"EdDSA"}"#.to_owned(),
        ] {
            assert_eq!(parse(header.clone()), Err(TokenError::Malformed), "{header}");
        }
        assert_eq!(ParsedToken::parse(&"a".repeat(MAX_LENGTH + 1)), Err(TokenError::Malformed));
        assert_eq!(ParsedToken::parse(""), Err(TokenError::Malformed));
    }
}
