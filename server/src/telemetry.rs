//! What the server says about itself on stderr. Ids, sizes, durations and codes only; never content, names,
//! addresses, tokens or keys, at any level.

use std::str::FromStr as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{Directive, LevelFilter};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Libraries that would print headers, statements or messages at finer levels: held at these, whatever is asked.
const HELD: &[&str] = &[
    "h2=warn",
    "hyper=warn",
    "hyper_util=warn",
    "rustls=warn",
    "sqlx=warn",
    "tonic=warn",
    "tower=warn",
    "axum=warn",
    "tokio_rustls=warn",
    "tonic_web=warn",
];

/// Starts logging to stderr. `filter` is in the form of RUST_LOG; a bad one counts as "info". Only the first call
/// has an effect.
pub fn start(format: Format, filter: &str) {
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(env_filter(filter));
    // An error means that logging is running already.
    let _ = match format {
        Format::Text => lines.with_ansi(false).try_init(),
        Format::Json => lines.json().try_init(),
    };
}

fn env_filter(filter: &str) -> EnvFilter {
    let chosen = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new(LevelFilter::INFO.to_string()));
    HELD.iter().filter_map(|held| Directive::from_str(held).ok()).fold(chosen, EnvFilter::add_directive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chatty_libraries_are_held_whatever_is_asked() {
        for asked in ["trace", "h2=trace", "debug,hyper=trace,sqlx=debug", "this is no filter ==="] {
            let text = env_filter(asked).to_string();
            for held in HELD {
                assert!(text.contains(held), "{asked}: {text}");
            }
            assert!(!text.contains("h2=trace") && !text.contains("sqlx=debug"), "{text}");
        }
    }
}
