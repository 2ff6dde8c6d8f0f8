//! The request file of `postfach authority init`: what an authority asks the registrar to certify. Nothing in it is
//! secret; the registrar's clerk compares name, AGS and IBANs with what is known of the authority.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postfach_domain::format::Signed;
use postfach_domain::id::{AuthorityId, KeyId, Origin};
use postfach_domain::sign::PublicKey;
use prost::Message as _;
use serde::Deserialize;

use crate::failure::{Exit, Failure, Outcome};

/// The only version.
const VERSION: u32 = 1;
/// Longest file that is read, bytes.
const MAX_LEN: u64 = 2 * 1024 * 1024;

/// A request whose every field was read.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorityRequest {
    /// The deployment that it is for.
    pub origin: Origin,
    /// The id that the authority wants or has.
    pub authority_id: AuthorityId,
    /// The name that citizens will see.
    pub display_name: String,
    /// Amtlicher Gemeindeschlüssel, eight digits.
    pub ags: Option<String>,
    /// Accounts that payment requests may name.
    pub ibans: Vec<String>,
    /// The key to certify.
    pub sign_pub: PublicKey,
    /// GENESIS of the authority's mailbox; absent for a further key of a known id.
    pub genesis: Option<Signed>,
    /// Seeds for the mailbox's members.
    pub wraps: Vec<(KeyId, Vec<u8>)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    origin: String,
    authority_id: String,
    display_name: String,
    #[serde(default)]
    ags: Option<String>,
    #[serde(default)]
    ibans: Vec<String>,
    sign_pub: String,
    #[serde(default)]
    genesis: Option<String>,
    #[serde(default)]
    wraps: Vec<FileWrap>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWrap {
    member: String,
    sealed: String,
}

impl AuthorityRequest {
    /// Reads a request file.
    pub fn read(path: &Path) -> Outcome<Self> {
        let metadata = std::fs::metadata(path).map_err(|error| Failure::file(path, &error))?;
        if metadata.len() > MAX_LEN {
            return Err(malformed(path, "is too long"));
        }
        let bytes = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
        let file: File =
            serde_json::from_slice(&bytes).map_err(|error| malformed(path, &error.to_string()))?;
        Self::from_file(file).map_err(|field| malformed(path, &format!("field {field} is wrong")))
    }

    fn from_file(file: File) -> Result<Self, &'static str> {
        if file.version != VERSION {
            return Err("version");
        }
        let sign_pub = STANDARD.decode(&file.sign_pub).map_err(|_| "sign_pub")?;
        let genesis = file.genesis.filter(|text| !text.is_empty()).map(|text| {
            let bytes = STANDARD.decode(text).ok()?;
            Signed::decode(bytes.as_slice()).ok()
        });
        let genesis = match genesis {
            Some(None) => return Err("genesis"),
            Some(Some(genesis)) => Some(genesis),
            None => None,
        };
        Ok(Self {
            origin: file.origin.parse().map_err(|_| "origin")?,
            authority_id: file.authority_id.parse().map_err(|_| "authority_id")?,
            display_name: file.display_name,
            ags: file.ags.filter(|ags| !ags.is_empty()),
            ibans: file.ibans,
            sign_pub: PublicKey::from_bytes(&sign_pub).map_err(|_| "sign_pub")?,
            genesis,
            wraps: file.wraps.iter().map(wrap).collect::<Option<_>>().ok_or("wraps")?,
        })
    }
}

/// `member` is a key id in hexadecimal, as everywhere in text, or its bytes in base64.
fn wrap(wrap: &FileWrap) -> Option<(KeyId, Vec<u8>)> {
    let member = match wrap.member.parse::<KeyId>() {
        Ok(member) => member,
        Err(_) => KeyId::try_from(STANDARD.decode(&wrap.member).ok()?.as_slice()).ok()?,
    };
    Some((member, STANDARD.decode(&wrap.sealed).ok()?))
}

fn malformed(path: &Path, problem: &str) -> Failure {
    Failure::new(
        Exit::Usage,
        "REQUEST_MALFORMED",
        format!("{}: {problem}.", path.display()),
        "Ask the authority for the file that `postfach authority init` wrote, unchanged.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use postfach_domain::sign::SecretKey;

    fn written(change: impl FnOnce(&mut serde_json::Value)) -> Outcome<AuthorityRequest> {
        let key = SecretKey::from_seed(&[1; 32]).public();
        let genesis = Signed { body: vec![1], signature: None };
        let mut json = serde_json::json!({
            "version": 1,
            "origin": "post.example",
            "authority_id": "amt",
            "display_name": "Amt",
            "ags": "09162000",
            "ibans": ["DE89370400440532013000"],
            "sign_pub": STANDARD.encode(key.to_bytes()),
            "genesis": STANDARD.encode(genesis.encode_to_vec()),
            "wraps": [{"member": key.key_id().to_string(), "sealed": STANDARD.encode("x")}],
        });
        change(&mut json);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), json.to_string()).unwrap();
        AuthorityRequest::read(file.path())
    }

    #[test]
    fn a_request_is_read_whole() {
        let request = written(|_| ()).unwrap();
        assert_eq!(request.authority_id.as_str(), "amt");
        assert_eq!(request.genesis.unwrap().body, vec![1]);
        assert_eq!(request.wraps[0].1, b"x");
        let further = written(|json| {
            json["genesis"].take();
            json["ags"].take();
        })
        .unwrap();
        assert!(further.genesis.is_none() && further.ags.is_none());
    }

    #[test]
    fn every_bad_field_is_named() {
        for (field, value) in [
            ("version", serde_json::json!(2)),
            ("origin", "No Host".into()),
            ("authority_id", "No Good".into()),
            ("sign_pub", "AAAA".into()),
            ("genesis", "!".into()),
            ("wraps", serde_json::json!([{"member": "x", "sealed": ""}])),
        ] {
            let failure = written(|json| json[field] = value).unwrap_err();
            assert!(failure.message.contains(field), "{}", failure.message);
        }
        assert!(written(|json| json["surprise"] = 1.into()).is_err());
    }
}
