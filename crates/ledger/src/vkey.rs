//! Names, keys and key ids of C2SP signed notes: the log's own keys. Witness keys differ in one byte and live in
//! `witness`; what a note says lives in `checkpoint`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postfach_domain::sign::{PublicKey, SecretKey};

/// Signature type of a log's Ed25519 key (C2SP signed-note).
pub(crate) const TYPE_ED25519: u8 = 0x01;
/// Signature type of a witness's timestamped Ed25519 cosignature (C2SP tlog-cosignature).
pub(crate) const TYPE_COSIGNATURE: u8 = 0x04;

/// Why a verifier key or key name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VkeyError {
    /// Not `<name>+<id>+<key>` in its one canonical spelling, or a name with spaces, plus signs or controls.
    #[error("malformed verifier key")]
    Malformed,
    /// A signature type that is not the expected one.
    #[error("verifier key has another signature type")]
    Type,
    /// The id is not the one of this name and key.
    #[error("verifier key id does not belong to name and key")]
    Id,
    /// The public key is malformed or of small order.
    #[error("verifier key is weak or malformed")]
    WeakKey,
}

/// A named public key as it stands in a verifier key text: what log and witness keys have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedKey {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) key: PublicKey,
    sig_type: u8,
}

impl NamedKey {
    pub(crate) fn new(name: &str, key: PublicKey, sig_type: u8) -> Result<Self, VkeyError> {
        if !signed_note::is_key_name_valid(name) || name.chars().any(char::is_control) {
            return Err(VkeyError::Malformed);
        }
        let id = signed_note::key_id(name, &key_material(sig_type, &key));
        Ok(Self { name: name.to_owned(), id, key, sig_type })
    }

    pub(crate) fn parse(text: &str, sig_type: u8) -> Result<Self, VkeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(VkeyError::Malformed);
        };
        let material = STANDARD.decode(key).map_err(|_| VkeyError::Malformed)?;
        let (found_type, key) = material.split_first().ok_or(VkeyError::Malformed)?;
        if *found_type != sig_type {
            return Err(VkeyError::Type);
        }
        let key = PublicKey::from_bytes(key).map_err(|_| VkeyError::WeakKey)?;
        let named = Self::new(name, key, sig_type)?;
        if u32::from_str_radix(id, 16) != Ok(named.id) {
            return Err(VkeyError::Id);
        }
        if named.to_text() == text { Ok(named) } else { Err(VkeyError::Malformed) }
    }

    pub(crate) fn to_text(&self) -> String {
        let key = STANDARD.encode(key_material(self.sig_type, &self.key));
        format!("{}+{:08x}+{key}", self.name, self.id)
    }
}

fn key_material(sig_type: u8, key: &PublicKey) -> [u8; 33] {
    let mut material = [sig_type; 33];
    material[1..].copy_from_slice(&key.to_bytes());
    material
}

/// The public key of a log, pinned by clients as C2SP vkey text on the service card. Checks signatures strictly.
#[derive(Clone, PartialEq, Eq)]
pub struct LogVerifier(NamedKey);

impl LogVerifier {
    /// A verifier for the log of that name (`<origin>/keys` or `<origin>/evidence`).
    pub fn new(name: &str, key: PublicKey) -> Result<Self, VkeyError> {
        NamedKey::new(name, key, TYPE_ED25519).map(Self)
    }

    /// Reads vkey text; refuses other spellings, other signature types and weak keys.
    pub fn from_vkey(text: &str) -> Result<Self, VkeyError> {
        NamedKey::parse(text, TYPE_ED25519).map(Self)
    }

    /// `<name>+<id, 8 hex digits>+<base64(01 || public key)>`
    pub fn vkey(&self) -> String {
        self.0.to_text()
    }

    /// The log's name, which is also the origin line of its checkpoints.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Key id of signed notes: the first four bytes of `H(name || 0A || 01 || public key)`.
    pub fn note_key_id(&self) -> u32 {
        self.0.id
    }

    /// The bare public key, for head statements.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.key
    }

    /// True if `sig` (64 bytes) is the log's signature over `text`, strictly.
    pub fn verify_text(&self, text: &[u8], sig: &[u8]) -> bool {
        verify_strict(&self.0.key, text, sig)
    }
}

impl fmt::Debug for LogVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogVerifier({})", self.vkey())
    }
}

/// Lets code written for the `signed_note` crate check our notes as strictly as we do.
impl signed_note::Verifier for LogVerifier {
    fn name(&self) -> &str {
        self.name()
    }

    fn key_id(&self) -> u32 {
        self.note_key_id()
    }

    fn verify(&self, msg: &[u8], sig: &[u8]) -> bool {
        self.verify_text(msg, sig)
    }
}

/// The private key of a log. Cannot be printed or compared; wiped when dropped.
pub struct LogSigner {
    key: SecretKey,
    verifier: LogVerifier,
}

impl LogSigner {
    /// Signs as the log of that name (`<origin>/keys` or `<origin>/evidence`).
    pub fn new(name: &str, key: SecretKey) -> Result<Self, VkeyError> {
        let verifier = LogVerifier::new(name, key.public())?;
        Ok(Self { key, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &LogVerifier {
        &self.verifier
    }

    /// The bare key, for head statements and for sealing at rest.
    pub fn expose_key(&self) -> &SecretKey {
        &self.key
    }

    /// 64 bytes over the text of a note.
    pub(crate) fn sign_text(&self, text: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer as _;
        self.key.expose_dalek().sign(text).to_bytes()
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogSigner({})", self.verifier.vkey())
    }
}

/// Ed25519 without the cofactor tolerance that would let one note carry many signatures.
pub(crate) fn verify_strict(key: &PublicKey, message: &[u8], sig: &[u8]) -> bool {
    sig.try_into().is_ok_and(|sig: &[u8; 64]| {
        key.as_dalek().verify_strict(message, &ed25519_dalek::Signature::from_bytes(sig)).is_ok()
    })
}

/// One signature line of a note, with its newline.
pub(crate) fn signature_line(name: &str, id: u32, sig: &[u8]) -> String {
    format!("\u{2014} {name} {}\n", STANDARD.encode([&id.to_be_bytes(), sig].concat()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn verifier() -> LogVerifier {
        LogVerifier::new("post.example/keys", SecretKey::from_seed(&[1; 32]).public()).unwrap()
    }

    #[test]
    fn vkey_round_trip_and_the_same_as_the_other_implementation() {
        let text = verifier().vkey();
        assert_eq!(LogVerifier::from_vkey(&text), Ok(verifier()));
        let key = verifier();
        assert_eq!(text, signed_note::new_ed25519_verifier_key(key.name(), key.public_key().as_dalek()));
        assert!(signed_note::StandardVerifier::new(&text).is_ok());
    }

    #[test]
    fn other_spellings_of_a_vkey_are_refused() {
        let text = verifier().vkey();
        let (name_id, key) = text.rsplit_once('+').unwrap();
        let (name, id) = name_id.split_once('+').unwrap();
        assert_ne!(id, id.to_uppercase());
        let upper = format!("{name}+{}+{key}", id.to_uppercase());
        assert_eq!(LogVerifier::from_vkey(&upper), Err(VkeyError::Malformed));
        assert_eq!(LogVerifier::from_vkey(&format!("{name}+00000000+{key}")), Err(VkeyError::Id));
        assert_eq!(LogVerifier::from_vkey(&format!("{name}+0{id}+{key}")), Err(VkeyError::Malformed));
        assert_eq!(LogVerifier::from_vkey(&format!("other+{id}+{key}")), Err(VkeyError::Id));
        assert_eq!(LogVerifier::from_vkey(&format!("{text}=")), Err(VkeyError::Malformed));
        assert_eq!(LogVerifier::from_vkey(&format!(" {text}")), Err(VkeyError::Malformed));
        assert_eq!(LogVerifier::from_vkey(name_id), Err(VkeyError::Malformed));
        assert_eq!(NamedKey::parse(&text, TYPE_COSIGNATURE), Err(VkeyError::Type));
    }

    #[test]
    fn weak_keys_and_odd_names_do_not_enter() {
        let mut material = vec![TYPE_ED25519; 33];
        material[1..].fill(0);
        let id = signed_note::key_id("a", &material);
        let weak = format!("a+{id:08x}+{}", STANDARD.encode(&material));
        assert!(signed_note::StandardVerifier::new(&weak).is_ok(), "the crate's own verifier takes it");
        assert_eq!(LogVerifier::from_vkey(&weak), Err(VkeyError::WeakKey));
        for name in ["", "a b", "a+b", "a\nb", "a\u{7}b", "a\u{a0}b"] {
            let key = SecretKey::from_seed(&[1; 32]).public();
            assert_eq!(LogVerifier::new(name, key), Err(VkeyError::Malformed), "{name:?}");
        }
    }

    #[test]
    fn a_signer_does_not_show_its_key() {
        let signer = LogSigner::new("post.example/keys", SecretKey::from_seed(&[1; 32])).unwrap();
        assert_eq!(format!("{signer:?}"), format!("LogSigner({})", verifier().vkey()));
    }
}
