//! The key that opens a bucket, from a file or from the environment. It is never printed: these types have no `Debug` that
//! shows it, and errors name files and variables only.

use std::path::Path;
use std::sync::Arc;

use object_store::StaticCredentialProvider;
use object_store::aws::{AwsCredential, AwsCredentialProvider};
use zeroize::Zeroizing;

/// Names in the environment: key id, secret, and the token of a key for a time.
pub const VARIABLES: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Why there is no key.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoCredentials {
    /// The file that was named cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, String),
    /// It can, and has no key in it.
    #[error("{0} has no aws_access_key_id and aws_secret_access_key under [default]")]
    Incomplete(String),
    /// No file was named, and the environment has none.
    #[error(
        "neither is a file named by credentials=FILE, nor are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY set"
    )]
    Nowhere,
}

/// The key in the file, or that of the environment, which `variable` reads.
pub fn find(
    file: Option<&Path>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<AwsCredentialProvider, NoCredentials> {
    let found = match file {
        None => key(VARIABLES.map(variable)).ok_or(NoCredentials::Nowhere)?,
        Some(path) => {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(path).map(Zeroizing::new);
            let text = text.map_err(|error| NoCredentials::Unreadable(shown.clone(), error.to_string()))?;
            let words = VARIABLES.map(|name| setting(&text, &name.to_ascii_lowercase()));
            key(words).ok_or(NoCredentials::Incomplete(shown))?
        }
    };
    Ok(Arc::new(StaticCredentialProvider::new(found)))
}

fn key([key_id, secret_key, token]: [Option<String>; 3]) -> Option<AwsCredential> {
    let full = |text: &String| !text.is_empty();
    Some(AwsCredential {
        key_id: key_id.filter(full)?,
        secret_key: secret_key.filter(full)?,
        token: token.filter(full),
    })
}

/// A setting of the section `[default]`, as in `~/.aws/credentials`.
fn setting(text: &str, name: &str) -> Option<String> {
    let mut ours = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            ours = line == "[default]";
        } else if ours
            && !line.starts_with('#')
            && let Some((left, right)) = line.split_once('=')
            && left.trim() == name
        {
            return Some(right.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const FILE: &str = "# ours\n[other]\naws_access_key_id = wrong\n[default]\naws_access_key_id = AKIA\n\
        aws_secret_access_key=hu=sh\n#aws_session_token = x\n";

    async fn found(
        file: Option<&Path>,
        set: &[(&str, &str)],
    ) -> Result<(String, String, Option<String>), NoCredentials> {
        let variable =
            |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let key = find(file, variable)?.get_credential().await.unwrap();
        Ok((key.key_id.clone(), key.secret_key.clone(), key.token.clone()))
    }

    #[tokio::test]
    async fn a_named_file_goes_before_the_environment() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s3");
        std::fs::write(&file, FILE).unwrap();
        let set = [("AWS_ACCESS_KEY_ID", "E"), ("AWS_SECRET_ACCESS_KEY", "S"), ("AWS_SESSION_TOKEN", "T")];
        let own = |text: &str| text.to_owned();
        assert_eq!(found(Some(&file), &set).await.unwrap(), (own("AKIA"), own("hu=sh"), None));
        assert_eq!(found(None, &set).await.unwrap(), (own("E"), own("S"), Some(own("T"))));
        assert_eq!(found(None, &set[..1]).await.unwrap_err(), NoCredentials::Nowhere);
        assert_eq!(
            found(None, &[set[0], ("AWS_SECRET_ACCESS_KEY", "")]).await.unwrap_err(),
            NoCredentials::Nowhere
        );
    }

    #[tokio::test]
    async fn errors_and_debug_show_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s3");
        let missing = found(Some(&file), &[]).await.unwrap_err();
        assert!(matches!(missing, NoCredentials::Unreadable(..)), "{missing}");
        std::fs::write(&file, FILE.replace("aws_access", "aws_excess")).unwrap();
        let error = found(Some(&file), &[]).await.unwrap_err();
        assert!(
            matches!(error, NoCredentials::Incomplete(_)) && !format!("{error} {error:?}").contains("hu=sh")
        );
        std::fs::write(&file, FILE).unwrap();
        let shown = format!("{:?}", find(Some(&file), |_| None).unwrap());
        assert!(!shown.contains("hu=sh"), "{shown}");
    }
}
