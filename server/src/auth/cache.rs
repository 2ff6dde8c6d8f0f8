//! Tokens whose signature was verified, kept by their hash until they expire, so that a burst of calls pays for one
//! verification. Whether the key is still active is never cached here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use postfach_domain::hash::Digest;

use super::token::ParsedToken;

/// Tokens kept at most; beyond it the cache starts anew, which costs time and never safety.
const CAPACITY: usize = 65_536;

/// See the module.
#[derive(Default)]
pub struct TokenCache {
    verified: Mutex<HashMap<Digest, ParsedToken>>,
}

impl TokenCache {
    /// What a token says, if its signature was verified before. The caller still checks times and key.
    pub fn get(&self, token: &str) -> Option<ParsedToken> {
        let hash = Digest::of(token.as_bytes());
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned()
    }

    /// Remembers a token whose signature was verified under the key that it names.
    pub fn remember(&self, token: &str, parsed: ParsedToken, now_s: u64) {
        let hash = Digest::of(token.as_bytes());
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= CAPACITY {
            verified.retain(|_, kept| kept.expires_s.saturating_add(super::token::SKEW_S) > now_s);
        }
        if verified.len() >= CAPACITY {
            verified.clear();
        }
        verified.insert(hash, parsed);
    }
}
