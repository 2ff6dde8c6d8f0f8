//! Decides whether a token admits its bearer: reads it, asks which keys are active, and remembers signatures that
//! were verified. Pure but for the key directory; the clock is an argument.

use postfach_domain::id::{Address, KeyId, Origin, Party};
use postfach_domain::sign::PublicKey;
use postfach_domain::time::Timestamp;

use super::cache::TokenCache;
use super::token::{ParsedToken, TokenError, verify_signature};
use crate::app::{App, AppError, Caller};
use crate::key_book::{CallerKey, KeyRole};

/// Which keys are active now. Asked on every call, so that revoking a key works at once.
pub trait KeyDirectory: Send + Sync + 'static {
    /// The key, if it is active for this party, whatever its role. `None` for unknown parties, unknown keys, keys of
    /// others and revoked ones alike.
    fn caller_key(
        &self,
        party: &Party,
        key_id: &KeyId,
    ) -> impl Future<Output = Result<Option<CallerKey>, AppError>> + Send;
}

impl KeyDirectory for App {
    async fn caller_key(&self, party: &Party, key_id: &KeyId) -> Result<Option<CallerKey>, AppError> {
        Self::caller_key(self, party, key_id).await
    }
}

/// Why a caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The token itself.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Whether the key is active cannot be found out now.
    #[error(transparent)]
    App(#[from] AppError),
}

/// Who called, and how far the token goes.
#[derive(Debug)]
pub struct Admitted {
    /// The caller.
    pub caller: Caller,
    /// What the key may be used for.
    pub role: KeyRole,
    /// When the token ends, with the clocks' tolerance.
    pub until: Timestamp,
}

/// See the module.
pub struct Verifier {
    origin: Origin,
    cache: TokenCache,
}

impl Verifier {
    /// Admits tokens made for this origin.
    pub fn new(origin: Origin) -> Self {
        Self { origin, cache: TokenCache::default() }
    }

    /// The caller behind a token, and what token and key may be used for.
    pub async fn verify(
        &self,
        token: &str,
        keys: &impl KeyDirectory,
        now: Timestamp,
    ) -> Result<Admitted, AuthError> {
        let cached = self.cache.get(token);
        let verified_before = cached.is_some();
        let parsed = match cached {
            Some(parsed) => parsed,
            None => ParsedToken::parse(token)?,
        };
        parsed.check(&self.origin, now)?;
        let key = keys.caller_key(&parsed.issuer, &parsed.key_id).await?.ok_or(TokenError::KeyNotActive)?;
        if !verified_before {
            // key_id is a hash of the key: a verified token cannot come back under another key.
            verify_signature(token, &key.public)?;
            self.cache.remember(token, parsed.clone(), now.0 / 1000);
        }
        let until = parsed.ends_at();
        Ok(Admitted { caller: Caller { party: parsed.issuer, key_id: parsed.key_id }, role: key.role, until })
    }

    /// The caller of Register, whose key stands in the request itself and in no directory yet.
    pub fn verify_genesis(
        &self,
        token: &str,
        address: Address,
        device: &PublicKey,
        now: Timestamp,
    ) -> Result<Caller, AuthError> {
        let parsed = ParsedToken::parse(token)?;
        parsed.check(&self.origin, now)?;
        if parsed.issuer != Party::Mailbox(address) || parsed.key_id != device.key_id() {
            return Err(TokenError::KeyNotActive.into());
        }
        verify_signature(token, device)?;
        Ok(Caller { party: parsed.issuer, key_id: parsed.key_id })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use postfach_domain::sign::SecretKey;

    use super::*;
    use crate::auth::token::make;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    /// Active keys of a few parties.
    struct Keys(Mutex<Vec<(Party, PublicKey)>>);

    impl KeyDirectory for Keys {
        async fn caller_key(&self, party: &Party, key_id: &KeyId) -> Result<Option<CallerKey>, AppError> {
            let keys = self.0.lock().unwrap();
            let found = keys.iter().find(|(p, k)| p == party && k.key_id() == *key_id);
            Ok(found.map(|(_, key)| CallerKey { public: *key, role: KeyRole::Authority }))
        }
    }

    fn amt() -> Party {
        Party::Authority("amt".parse().unwrap())
    }

    fn kreis() -> Party {
        Party::Authority("kreis".parse().unwrap())
    }

    fn setup() -> (Verifier, Keys, SecretKey, SecretKey) {
        let (a, b) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let keys = Keys(Mutex::new(vec![(amt(), a.public()), (kreis(), b.public())]));
        (Verifier::new("post.example".parse().unwrap()), keys, a, b)
    }

    fn token(key: &SecretKey, issuer: &Party) -> String {
        make(key, issuer, &"post.example".parse().unwrap(), NOW, 300).unwrap()
    }

    async fn outcome(verifier: &Verifier, keys: &Keys, token: &str) -> Result<Party, TokenError> {
        match verifier.verify(token, keys, NOW).await {
            Ok(admitted) => Ok(admitted.caller.party),
            Err(AuthError::Token(error)) => Err(error),
            Err(AuthError::App(error)) => panic!("{error}"),
        }
    }

    #[tokio::test]
    async fn only_own_active_keys_admit() {
        let (verifier, keys, a, b) = setup();
        assert_eq!(outcome(&verifier, &keys, &token(&a, &amt())).await, Ok(amt()));
        assert_eq!(outcome(&verifier, &keys, &token(&b, &kreis())).await, Ok(kreis()));
        assert_eq!(outcome(&verifier, &keys, &token(&b, &amt())).await, Err(TokenError::KeyNotActive));
        let stranger = SecretKey::from_seed(&[3; 32]);
        assert_eq!(outcome(&verifier, &keys, &token(&stranger, &amt())).await, Err(TokenError::KeyNotActive));
    }

    #[tokio::test]
    async fn a_cached_token_ends_with_its_key_and_its_time() {
        let (verifier, keys, a, _) = setup();
        let token = token(&a, &amt());
        assert!(verifier.verify(&token, &keys, NOW).await.is_ok());
        assert!(verifier.cache.get(&token).is_some());
        let late = NOW.plus_ms(600_000);
        let expired = verifier.verify(&token, &keys, late).await;
        assert!(matches!(expired, Err(AuthError::Token(TokenError::Expired))));
        keys.0.lock().unwrap().clear();
        assert_eq!(outcome(&verifier, &keys, &token).await, Err(TokenError::KeyNotActive));
    }

    #[tokio::test]
    async fn a_signature_is_checked_even_if_the_rest_was_seen() {
        let (verifier, keys, a, _) = setup();
        let good = token(&a, &amt());
        assert!(verifier.verify(&good, &keys, NOW).await.is_ok());
        let (input, signature) = good.rsplit_once('.').unwrap();
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{input}.{flipped}{}", &signature[1..]);
        assert_eq!(outcome(&verifier, &keys, &forged).await, Err(TokenError::WrongSignature));
    }

    #[test]
    fn genesis_tokens_are_bound_to_address_and_device() {
        let (verifier, _, device, other) = setup();
        let address = Address([7; 32]);
        let token = token(&device, &Party::Mailbox(address));
        assert!(verifier.verify_genesis(&token, address, &device.public(), NOW).is_ok());
        assert!(verifier.verify_genesis(&token, Address([8; 32]), &device.public(), NOW).is_err());
        assert!(verifier.verify_genesis(&token, address, &other.public(), NOW).is_err());
    }
}
