//! Where a database is: a URL as libpq takes it. It may carry a password, so it cannot be printed.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// Prepared statements kept for each connection.
const STATEMENTS: usize = 1024;
/// Parameters that may stand in a URL.
const PARAMETERS: [&str; 10] = [
    "host",
    "port",
    "user",
    "dbname",
    "password",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "application_name",
];

/// Why a URL is none of a database. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Another scheme.
    #[error("it does not begin with postgres://")]
    Scheme,
    /// Something in it does not parse.
    #[error("it is not of the form postgres://user@host:port/database?sslmode=verify-full")]
    Form,
    /// A parameter that means nothing here.
    #[error(
        "it has a parameter other than host, port, user, dbname, password, sslmode, sslrootcert, sslcert, sslkey, application_name"
    )]
    Parameter,
    /// No database is named.
    #[error("it names no database")]
    NoDatabase,
}

/// Where a database is and how to get in. What the URL leaves out comes from libpq's variables (`PGPASSFILE`, `PGUSER`
/// …) and files (`~/.pgpass`). A host that is not this machine must show a certificate for its name, unless `sslmode`
/// says otherwise.
#[derive(Clone)]
pub struct DatabaseUrl {
    options: Arc<PgConnectOptions>,
    text: String,
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for DatabaseUrl {}

impl DatabaseUrl {
    /// The way out, with the password.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// As it was given, for the settings file alone.
    pub fn reveal_with_password(&self) -> &str {
        &self.text
    }
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(UrlError::Scheme);
        }
        let parameters = text.split_once('?').map_or("", |(_, parameters)| parameters);
        let names =
            || parameters.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split('=').next());
        // The driver would log what it does not know, with its value.
        if !names().all(|name| name.is_some_and(|name| PARAMETERS.contains(&name))) {
            return Err(UrlError::Parameter);
        }
        let mut options: PgConnectOptions = text.parse().map_err(|_| UrlError::Form)?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(UrlError::NoDatabase);
        }
        if !names().any(|name| name == Some("sslmode")) {
            let near = options.get_socket().is_some() || is_near(options.get_host());
            options = options.ssl_mode(if near { PgSslMode::Prefer } else { PgSslMode::VerifyFull });
        }
        if options.get_application_name().is_none() {
            options = options.application_name("postfachd");
        }
        let options = options.statement_cache_capacity(STATEMENTS).disable_statement_logging();
        Ok(Self { options: Arc::new(options), text: text.to_owned() })
    }
}

/// A host on this machine, or the folder of a socket.
fn is_near(host: &str) -> bool {
    Path::new(host).is_absolute()
        || host == "localhost"
        || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Host and database, which may stand in a log.
impl std::fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let database = self.options.get_database().unwrap_or_default();
        match self.options.get_socket() {
            Some(folder) => write!(f, "PostgreSQL {database} at {}", folder.display()),
            None => {
                write!(f, "PostgreSQL {database} at {}:{}", self.options.get_host(), self.options.get_port())
            }
        }
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let url: DatabaseUrl = "postgres://post:geheim@db.example/mail?sslmode=require".parse().unwrap();
        assert_eq!(
            format!("{url} {url:?}"),
            "PostgreSQL mail at db.example:5432 DatabaseUrl(PostgreSQL mail at db.example:5432)"
        );
        for bad in [
            "mysql://post:geheim@db/mail",
            "postgres://post:geheim@db:x/mail",
            "postgres://post:geheim@db/mail?pasword=geheim",
            "postgres://post:geheim@db",
        ] {
            let error = bad.parse::<DatabaseUrl>().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("geheim"), "{bad}");
        }
    }

    #[test]
    fn a_far_host_must_show_its_certificate() {
        let mode = |url: &str| url.parse::<DatabaseUrl>().unwrap().options.get_ssl_mode();
        assert!(matches!(mode("postgres://db.example/mail"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://db.example/mail?sslmode=require"), PgSslMode::Require));
        for near in [
            "postgres://localhost/mail",
            "postgres://127.0.0.1:1/mail",
            "postgres:///mail?host=/run/postgresql",
        ] {
            assert!(matches!(mode(near), PgSslMode::Prefer), "{near}");
        }
    }
}
