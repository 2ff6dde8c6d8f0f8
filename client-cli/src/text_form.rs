//! Identifiers and paths in JSON, by their text forms.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

/// Writes the text.
pub fn serialize<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// Reads the text.
pub fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(|_| D::Error::custom("malformed"))
}

/// Writes a path; what is not Unicode in it becomes replacement marks.
pub fn path<P: AsRef<Path>, S: Serializer>(path: &P, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&path.as_ref().display())
}

/// The same for a path that may be missing.
#[allow(clippy::ref_option)] // serde's signature
pub fn some_path<P: AsRef<Path>, S: Serializer>(path: &Option<P>, to: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => to.collect_str(&path.as_ref().display()),
        None => to.serialize_none(),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;
    use std::path::PathBuf;

    #[derive(serde::Serialize)]
    struct Saved {
        #[serde(serialize_with = "super::path")]
        path: PathBuf,
        #[serde(serialize_with = "super::some_path")]
        receipt: Option<PathBuf>,
    }

    #[test]
    fn a_path_that_is_not_unicode_is_written() {
        let odd = PathBuf::from(std::ffi::OsString::from_vec(b"out\xff".to_vec()));
        let saved = Saved { path: odd, receipt: None };
        assert_eq!(serde_json::json!(saved), serde_json::json!({ "path": "out\u{fffd}", "receipt": null }));
    }
}
