//! Where in an S3-compatible store the blobs of a deployment lie: `s3://bucket/prefix?endpoint=…&region=…`. Not how to get
//! in: no key ever stands in a URL.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use http::Uri;

/// A bucket, and the folder in it that belongs to one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Place {
    /// The bucket; it must exist.
    pub bucket: String,
    /// What all names begin with, without slashes at its ends; may be empty.
    pub prefix: String,
    /// Where the store listens, `https://HOST[:PORT]`; AWS if not given.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// A file in the form of `~/.aws/credentials`; the environment if not given.
    pub credentials: Option<PathBuf>,
    /// PEM file of the certificates that the store's certificate may come from; the system's if not given.
    pub ca: Option<PathBuf>,
}

/// Region where none is named: many stores that are not AWS take this one or any.
const REGION: &str = "us-east-1";
/// Longest prefix in bytes; a whole name has at most 1,024.
const PREFIX: usize = 512;

/// What is wrong with a URL. Never shows the URL: somebody may have put a key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    /// Of another kind.
    #[error("a place for blobs looks like s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION")]
    Scheme,
    /// Keys are not taken from here.
    #[error(
        "credentials do not belong into the URL; name a file with credentials=FILE, or use the environment"
    )]
    Credentials,
    /// Not a name that buckets have.
    #[error("a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens")]
    Bucket,
    /// Not a name that we make.
    #[error("a prefix consists of letters, digits and .-_ between single slashes")]
    Prefix,
    /// Neither http nor https, or more than a host and a port.
    #[error("an endpoint looks like https://HOST or https://HOST:PORT")]
    Endpoint,
    /// Not a name of a region.
    #[error("a region consists of letters, digits and hyphens")]
    Region,
    /// Relative to what?
    #[error("files are named by their whole path, from the first slash on")]
    File,
    /// Unknown, or given twice.
    #[error("after the question mark stand endpoint, region, credentials and ca, each at most once")]
    Word,
}

impl S3Place {
    /// False where what is sent can be read and changed on the way.
    pub fn is_encrypted(&self) -> bool {
        self.endpoint.as_deref().is_none_or(|endpoint| endpoint.starts_with("https://"))
    }

    fn set(&mut self, word: &str, value: &str) -> Result<(), BadPlace> {
        let taken = match word {
            "endpoint" => self.endpoint.replace(endpoint(value)?).is_some(),
            "region" => !std::mem::replace(&mut self.region, region(value)?).is_empty(),
            "credentials" => self.credentials.replace(file(value)?).is_some(),
            "ca" => self.ca.replace(file(value)?).is_some(),
            _ if word.contains("key") || word.contains("secret") => return Err(BadPlace::Credentials),
            _ => true,
        };
        if taken { Err(BadPlace::Word) } else { Ok(()) }
    }
}

impl FromStr for S3Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        let rest = text.strip_prefix("s3://").ok_or(BadPlace::Scheme)?;
        let (path, words) = rest.split_once('?').unwrap_or((rest, ""));
        if path.contains('@') {
            return Err(BadPlace::Credentials);
        }
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let mut place = Self {
            bucket: named(bucket, "-.", 3..=63)
                .filter(|name| !name.contains(|c: char| c.is_ascii_uppercase()))
                .ok_or(BadPlace::Bucket)?,
            prefix: self::prefix(prefix.strip_suffix('/').unwrap_or(prefix))?,
            endpoint: None,
            region: String::new(),
            credentials: None,
            ca: None,
        };
        for word in words.split('&').filter(|word| !word.is_empty()) {
            let (word, value) = word.split_once('=').ok_or(BadPlace::Word)?;
            place.set(word, value)?;
        }
        if place.region.is_empty() {
            REGION.clone_into(&mut place.region);
        }
        Ok(place)
    }
}

impl fmt::Display for S3Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        write!(f, "?region={}", self.region)?;
        if let Some(endpoint) = &self.endpoint {
            write!(f, "&endpoint={endpoint}")?;
        }
        for (word, file) in [("credentials", &self.credentials), ("ca", &self.ca)] {
            if let Some(file) = file {
                write!(f, "&{word}={}", file.display())?;
            }
        }
        Ok(())
    }
}

impl<'de> serde::Deserialize<'de> for S3Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Letters, digits and these.
fn named(text: &str, others: &str, len: std::ops::RangeInclusive<usize>) -> Option<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    (len.contains(&text.len()) && text.chars().all(good)).then(|| text.to_owned())
}

fn prefix(text: &str) -> Result<String, BadPlace> {
    let part = |part: &str| part != "." && part != ".." && named(part, "-_.", 1..=PREFIX).is_some();
    let good = text.len() <= PREFIX && (text.is_empty() || text.split('/').all(part));
    if good { Ok(text.to_owned()) } else { Err(BadPlace::Prefix) }
}

fn endpoint(text: &str) -> Result<String, BadPlace> {
    let uri = text.trim_end_matches('/').parse::<Uri>().map_err(|_| BadPlace::Endpoint)?;
    let plain =
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.path() == "/" && uri.query().is_none();
    match uri.authority() {
        Some(authority) if authority.as_str().contains('@') => Err(BadPlace::Credentials),
        Some(_) if plain => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err(BadPlace::Endpoint),
    }
}

fn region(text: &str) -> Result<String, BadPlace> {
    named(text, "-", 1..=64).ok_or(BadPlace::Region)
}

/// A file that can be written back as it was read, within quotes too.
fn file(text: &str) -> Result<PathBuf, BadPlace> {
    let plain = |c: char| !c.is_control() && !matches!(c, '"' | '\\' | '%' | '?' | '#');
    let good = Path::new(text).is_absolute() && text.chars().all(plain);
    if good { Ok(text.into()) } else { Err(BadPlace::File) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "s3://post?region=us-east-1",
            "s3://post/a/b-c_d.e?region=eu-central-1",
            "s3://post.blobs/x?region=r&endpoint=http://127.0.0.1:9000&credentials=/etc/post/s3&ca=/etc/ca.pem",
        ] {
            assert_eq!(text.parse::<S3Place>().unwrap().to_string(), text);
        }
        let short: S3Place = "s3://post/x/".parse().unwrap();
        assert_eq!((short.prefix.as_str(), short.region.as_str()), ("x", REGION));
        assert!(short.is_encrypted());
        assert!(!"s3://post?endpoint=http://s3".parse::<S3Place>().unwrap().is_encrypted());
    }

    #[test]
    fn what_is_no_place_says_why_and_shows_no_key() {
        for (text, why) in [
            ("/srv/blobs", BadPlace::Scheme),
            ("https://s3.example/post", BadPlace::Scheme),
            ("s3://AKIA:hush@post/x", BadPlace::Credentials),
            ("s3://post/x?secret_access_key=hush", BadPlace::Credentials),
            ("s3://post/x?endpoint=https://me:hush@s3.example", BadPlace::Credentials),
            ("s3://", BadPlace::Bucket),
            ("s3://Post", BadPlace::Bucket),
            ("s3://post//x", BadPlace::Prefix),
            ("s3://post/x/../y", BadPlace::Prefix),
            ("s3://post/x%20y", BadPlace::Prefix),
            ("s3://post?endpoint=ftp://x", BadPlace::Endpoint),
            ("s3://post?endpoint=https://x/y", BadPlace::Endpoint),
            ("s3://post?region=", BadPlace::Region),
            ("s3://post?credentials=s3.ini", BadPlace::File),
            ("s3://post?ca=/a\"b", BadPlace::File),
            ("s3://post?region=a&region=b", BadPlace::Word),
            ("s3://post?colour=red", BadPlace::Word),
            ("s3://post?region", BadPlace::Word),
        ] {
            let error = text.parse::<S3Place>().unwrap_err();
            assert_eq!(error, why, "{text}");
            assert!(!error.to_string().contains("hush") && !format!("{error:?}").contains("hush"));
        }
    }
}
