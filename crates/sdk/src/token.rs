//! Tokens that the caller makes for itself (SPEC 6): a short-lived JWT signed by the caller's own key.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use postfach_domain::id::{Origin, Party};
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

/// Life of a token in seconds; the service allows no longer one.
const LIFE: u64 = 300;
/// A token is replaced when it has less left than this, in seconds.
const RENEW_BEFORE: u64 = 60;

/// Makes and keeps the token of one caller.
pub struct TokenSource {
    party: Party,
    origin: Origin,
    key: Arc<SecretKey>,
    cached: Mutex<Option<Token>>,
}

struct Token {
    text: Zeroizing<String>,
    /// Seconds since the epoch, by the clock that made it.
    issued: u64,
}

impl TokenSource {
    /// Tokens of `party`, signed by one of its active keys.
    pub fn new(origin: Origin, party: Party, key: Arc<SecretKey>) -> Self {
        Self { party, origin, key, cached: Mutex::new(None) }
    }

    /// Whose tokens these are.
    pub fn party(&self) -> &Party {
        &self.party
    }

    /// The signing key, which also signs what this caller says besides.
    pub fn key(&self) -> &SecretKey {
        &self.key
    }

    /// A token that is good for another minute at least, by the clock given.
    pub fn token(&self, now: Timestamp) -> Zeroizing<String> {
        let now = now.0 / 1000;
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some(token) if (token.issued..token.issued + LIFE - RENEW_BEFORE).contains(&now) => {
                token.text.clone()
            }
            _ => {
                let text = self.make(now);
                *cached = Some(Token { text: text.clone(), issued: now });
                text
            }
        }
    }

    /// Drops the kept token: the next one is made by the corrected clock.
    pub fn forget(&self) {
        *self.cached.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn make(&self, now: u64) -> Zeroizing<String> {
        let kid = URL_SAFE_NO_PAD.encode(self.key.key_id().as_bytes());
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid });
        let claims = json!({
            "iss": self.party.issuer(),
            "aud": self.origin.as_str(),
            "iat": now,
            "exp": now + LIFE,
        });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut text = Zeroizing::new(format!("{}.{}", part(header), part(claims)));
        let signature = self.key.expose_dalek().sign(text.as_bytes());
        text.push('.');
        text.push_str(&URL_SAFE_NO_PAD.encode(signature.to_bytes()));
        text
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSource({})", self.key.key_id())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source() -> TokenSource {
        let party = Party::Authority("finanzamt".parse().unwrap());
        TokenSource::new("post.example".parse().unwrap(), party, Arc::new(SecretKey::from_seed(&[1; 32])))
    }

    fn claims(token: &str) -> serde_json::Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_what_the_specification_says() {
        let source = source();
        let token = source.token(Timestamp(1_000_000_999));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let signature = ed25519_dalek::Signature::from_slice(&signature).unwrap();
        source.key.public().as_dalek().verify_strict(signed.as_bytes(), &signature).unwrap();
        let claims = claims(&token);
        assert_eq!(claims["iss"], "finanzamt");
        assert_eq!(claims["aud"], "post.example");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_000_000), &json!(1_000_300)));
    }

    #[test]
    fn a_token_is_kept_until_near_its_end_or_until_the_clock_goes_back() {
        let source = source();
        let first = source.token(Timestamp(1_000_000_000));
        assert_eq!(source.token(Timestamp(1_000_239_000)), first);
        assert_ne!(source.token(Timestamp(1_000_240_000)), first);
        let earlier = source.token(Timestamp(900_000_000));
        assert_eq!(claims(&earlier)["iat"], 900_000);
    }
}
