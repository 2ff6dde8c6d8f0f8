//! The service card: the one file that a client pins (SPEC 1). Text in, text out; vkeys stay text (the ledger reads
//! them), files are read and written by callers.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use crate::hash::Digest;
use crate::id::Origin;
use crate::pae::context;
use crate::sign::{PublicKey, SecretKey, SignatureError};

/// Bytes of a card.
pub const MAX_CARD_LEN: usize = 256 * 1024;
/// The format that this program reads and writes.
pub const CARD_FORMAT: u32 = 1;

/// A log that was replaced: receipts under its key hold up to its last size.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormerLog {
    /// C2SP vkey; its name says which log it was.
    pub vkey: String,
    /// Number of leaves when it ended.
    pub final_size: u64,
}

/// Which witnesses have to cosign checkpoints.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WitnessPolicy {
    /// C2SP vkeys in card order.
    pub witnesses: Vec<String>,
    /// How many of them are needed; 0 means that none is.
    pub quorum: u32,
}

/// The content of a card.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceCard {
    /// Grows with each card of one deployment, from 1.
    pub version: u64,
    /// The deployment.
    pub origin: Origin,
    /// Where clients dial, `https://host[:port]`.
    pub server_url: String,
    /// Certificate that the server's certificate chains to, PEM; `None` means public roots.
    pub tls_root: Option<String>,
    /// The registrar root.
    pub registrar: PublicKey,
    /// vkey named `<origin>/keys`.
    pub keys_log: String,
    /// vkey named `<origin>/evidence`.
    pub evidence_log: String,
    /// Replaced logs.
    pub former_logs: Vec<FormerLog>,
    /// Witness policy.
    pub witness_policy: WitnessPolicy,
}

/// A card whose signature held, with the bytes it came as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedCard {
    /// The content.
    pub card: ServiceCard,
    /// H(file bytes), printed on the activation letter.
    pub fingerprint: Digest,
    /// The file as it was read, to keep.
    pub text: String,
}

/// Why a card is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// Longer than the limit or not UTF-8.
    #[error("the service card is too large or not text")]
    NotText,
    /// The last line is not `signature = "…"`.
    #[error("the last line of the service card is not its signature")]
    NoSignature,
    /// Not the TOML that a card is.
    #[error("the service card is malformed: {0}")]
    Malformed(String),
    /// A format that this program does not know.
    #[error("the service card has format {0}, this program reads {CARD_FORMAT}")]
    Format(u32),
    /// A field whose value cannot be.
    #[error("field {0} of the service card is wrong")]
    Field(&'static str),
    /// The registrar's signature does not hold.
    #[error("the signature of the service card: {0}")]
    Signature(#[from] SignatureError),
    /// A fingerprint was asked for and another one came.
    #[error("the service card has another fingerprint than expected")]
    Fingerprint,
    /// Another deployment or registrar, or not a higher version.
    #[error("the service card does not follow the one in use")]
    NotASuccessor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CardFile {
    format: u32,
    version: u64,
    origin: String,
    server_url: String,
    tls_root: Option<String>,
    registrar: String,
    keys_log: String,
    evidence_log: String,
    #[serde(default)]
    former_logs: Vec<FormerLog>,
    #[serde(default)]
    witnesses: Vec<String>,
    #[serde(default)]
    witness_quorum: u32,
    signature: String,
}

impl ServiceCard {
    /// The file, signed by the registrar root. Fields are checked as a reader does.
    pub fn sign(&self, registrar: &SecretKey) -> Result<VerifiedCard, CardError> {
        let mut text = self.unsigned();
        let sig = registrar.sign_raw(context::CARD, &[text.as_bytes()]);
        text.push_str(&signature_line(&BASE64_STANDARD.encode(sig)));
        Self::verify(text.as_bytes())
    }

    /// Reads a file and verifies it against the registrar that it names. Who reads a card for the first time compares
    /// the fingerprint; later cards go through [`VerifiedCard::check_successor`].
    pub fn verify(bytes: &[u8]) -> Result<VerifiedCard, CardError> {
        let text =
            std::str::from_utf8(bytes).ok().filter(|t| t.len() <= MAX_CARD_LEN).ok_or(CardError::NotText)?;
        let (signed, signature) = split_signature(text)?;
        let file: CardFile =
            toml::from_str(text).map_err(|e| CardError::Malformed(e.message().to_owned()))?;
        if file.format != CARD_FORMAT {
            return Err(CardError::Format(file.format));
        }
        if file.signature != signature {
            return Err(CardError::NoSignature);
        }
        let sig = BASE64_STANDARD.decode(&file.signature).map_err(|_| SignatureError::Malformed)?;
        let card = Self::from_file(file)?;
        card.registrar.verify_raw(context::CARD, &[signed.as_bytes()], &sig)?;
        Ok(VerifiedCard { card, fingerprint: Digest::of(bytes), text: text.to_owned() })
    }

    fn from_file(file: CardFile) -> Result<Self, CardError> {
        let field = CardError::Field;
        let origin: Origin = file.origin.parse().map_err(|_| field("origin"))?;
        let registrar = BASE64_STANDARD.decode(&file.registrar).map_err(|_| field("registrar"))?;
        let registrar = PublicKey::from_bytes(&registrar).map_err(|_| field("registrar"))?;
        if file.version == 0 {
            return Err(field("version"));
        }
        let url_ok = file.server_url.strip_prefix("https://").is_some_and(|rest| {
            !rest.is_empty()
                && rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\' | b'<' | b'>'))
        });
        if !url_ok {
            return Err(field("server_url"));
        }
        if !is_vkey(&file.keys_log, &origin.keys_log()) {
            return Err(field("keys_log"));
        }
        if !is_vkey(&file.evidence_log, &origin.evidence_log()) {
            return Err(field("evidence_log"));
        }
        let former_ok = |log: &FormerLog| {
            is_vkey(&log.vkey, &origin.keys_log()) || is_vkey(&log.vkey, &origin.evidence_log())
        };
        if !file.former_logs.iter().all(former_ok) {
            return Err(field("former_logs"));
        }
        if file.witness_quorum as usize > file.witnesses.len() {
            return Err(field("witness_quorum"));
        }
        Ok(Self {
            version: file.version,
            origin,
            server_url: file.server_url,
            tls_root: file.tls_root,
            registrar,
            keys_log: file.keys_log,
            evidence_log: file.evidence_log,
            former_logs: file.former_logs,
            witness_policy: WitnessPolicy { witnesses: file.witnesses, quorum: file.witness_quorum },
        })
    }

    fn unsigned(&self) -> String {
        let mut text =
            String::from("# Service card of Mein Postfach: what a client pins. Signed; do not edit.\n");
        let mut line = |name: &str, value: String| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name} = {value}");
        };
        line("format", CARD_FORMAT.to_string());
        line("version", self.version.to_string());
        line("origin", quoted(self.origin.as_str()));
        line("server_url", quoted(&self.server_url));
        line("registrar", quoted(&BASE64_STANDARD.encode(self.registrar.to_bytes())));
        line("keys_log", quoted(&self.keys_log));
        line("evidence_log", quoted(&self.evidence_log));
        let former =
            |log: &FormerLog| format!("{{ vkey = {}, final_size = {} }}", quoted(&log.vkey), log.final_size);
        line("former_logs", list(self.former_logs.iter().map(former)));
        line("witnesses", list(self.witness_policy.witnesses.iter().map(|w| quoted(w))));
        line("witness_quorum", self.witness_policy.quorum.to_string());
        if let Some(root) = &self.tls_root {
            line("tls_root", quoted(root));
        }
        text
    }
}

impl VerifiedCard {
    /// Compares with the fingerprint that the citizen typed or scanned: hexadecimal, spaces and colons ignored.
    pub fn check_fingerprint(&self, expected: &str) -> Result<(), CardError> {
        let expected: String = expected.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
        let same = expected.eq_ignore_ascii_case(&self.fingerprint.to_hex());
        if same { Ok(()) } else { Err(CardError::Fingerprint) }
    }

    /// True news: same origin, same registrar, higher version. The same bytes again are no error either.
    pub fn check_successor(&self, newer: &Self) -> Result<(), CardError> {
        if newer.fingerprint == self.fingerprint {
            return Ok(());
        }
        let follows = newer.card.origin == self.card.origin
            && newer.card.registrar == self.card.registrar
            && newer.card.version > self.card.version;
        if follows { Ok(()) } else { Err(CardError::NotASuccessor) }
    }
}

fn signature_line(signature: &str) -> String {
    format!("signature = \"{signature}\"\n")
}

/// Everything before the last line, and the signature in it. The line has one spelling, so that no byte is free.
fn split_signature(text: &str) -> Result<(&str, &str), CardError> {
    let body = text.strip_suffix('\n').ok_or(CardError::NoSignature)?;
    let start = body.rfind('\n').map_or(0, |at| at + 1);
    let signature = text[start..].strip_prefix("signature = \"").and_then(|rest| rest.strip_suffix("\"\n"));
    signature.map(|signature| (&text[..start], signature)).ok_or(CardError::NoSignature)
}

/// Form `name+hash+key` with the expected name; the ledger reads the rest.
fn is_vkey(vkey: &str, name: &str) -> bool {
    let mut parts = vkey.splitn(3, '+');
    parts.next() == Some(name)
        && parts.next().is_some_and(|hash| hash.len() == 8)
        && parts.next().is_some_and(|key| BASE64_STANDARD.decode(key).is_ok())
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sample(registrar: &SecretKey) -> ServiceCard {
        let vkey = |name: &str| format!("post.example/{name}+0badcafe+{}", BASE64_STANDARD.encode([1; 33]));
        ServiceCard {
            version: 3,
            origin: "post.example".parse().unwrap(),
            server_url: "https://127.0.0.1:8443".into(),
            tls_root: Some("-----BEGIN CERTIFICATE-----\nMIIB\"\\\n-----END CERTIFICATE-----\n".into()),
            registrar: registrar.public(),
            keys_log: vkey("keys"),
            evidence_log: vkey("evidence"),
            former_logs: vec![FormerLog { vkey: vkey("keys"), final_size: 77 }],
            witness_policy: WitnessPolicy { witnesses: vec!["w+00000000+AQ==".into()], quorum: 1 },
        }
    }

    #[test]
    fn round_trips() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let verified = sample(&registrar).sign(&registrar).unwrap();
        assert_eq!(verified.card, sample(&registrar));
        assert_eq!(ServiceCard::verify(verified.text.as_bytes()).unwrap(), verified);
        assert!(verified.text.lines().last().unwrap().starts_with("signature = \""));
        verified.check_fingerprint(&verified.fingerprint.to_hex().to_uppercase()).unwrap();
        assert_eq!(verified.check_fingerprint("00"), Err(CardError::Fingerprint));
        let mut no_root = sample(&registrar);
        no_root.tls_root = None;
        assert_eq!(no_root.sign(&registrar).unwrap().card, no_root);
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let text = sample(&registrar).sign(&registrar).unwrap().text.into_bytes();
        for i in 0..text.len() {
            let mut bad = text.clone();
            bad[i] ^= 1;
            assert!(ServiceCard::verify(&bad).is_err(), "byte {i}");
            bad.remove(i);
            assert!(ServiceCard::verify(&bad).is_err(), "without byte {i}");
        }
        let more = [text.as_slice(), b"\n"].concat();
        assert_eq!(ServiceCard::verify(&more), Err(CardError::NoSignature));
    }

    #[test]
    fn only_a_higher_version_of_the_same_registrar_follows() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let now = sample(&registrar).sign(&registrar).unwrap();
        let mut card = sample(&registrar);
        card.version = 4;
        let newer = card.sign(&registrar).unwrap();
        assert_eq!(now.check_successor(&newer), Ok(()));
        assert_eq!(now.check_successor(&now), Ok(()));
        assert_eq!(newer.check_successor(&now), Err(CardError::NotASuccessor));
        let stranger = SecretKey::from_seed(&[8; 32]);
        card.registrar = stranger.public();
        assert_eq!(now.check_successor(&card.sign(&stranger).unwrap()), Err(CardError::NotASuccessor));
    }

    #[test]
    fn a_card_signed_by_somebody_else_is_refused() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let stranger = SecretKey::from_seed(&[8; 32]);
        assert_eq!(sample(&registrar).sign(&stranger), Err(SignatureError::Invalid.into()));
    }

    #[test]
    fn impossible_fields_are_named() {
        let registrar = SecretKey::from_seed(&[7; 32]);
        let mut card = sample(&registrar);
        card.server_url = "http://x".into();
        assert_eq!(card.sign(&registrar), Err(CardError::Field("server_url")));
        let mut card = sample(&registrar);
        card.witness_policy.quorum = 2;
        assert_eq!(card.sign(&registrar), Err(CardError::Field("witness_quorum")));
        let mut card = sample(&registrar);
        card.keys_log = card.evidence_log.clone();
        assert_eq!(card.sign(&registrar), Err(CardError::Field("keys_log")));
    }
}
