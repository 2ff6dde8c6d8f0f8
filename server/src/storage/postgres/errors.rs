//! What the caller can do about an error of the database, in our own words: the database's texts may quote values, and
//! values never leave it.

use sqlx::Error;
use sqlx::migrate::MigrateError;

use crate::storage::StoreError;

/// What the caller can do about an error.
#[allow(clippy::needless_pass_by_value)] // the shape that map_err takes
pub(super) fn failed(error: Error) -> StoreError {
    let text = match &error {
        Error::Database(answer) => {
            let code = answer.code().unwrap_or_default();
            if matches!(&*code, "XX001" | "XX002") {
                return StoreError::Corrupt(format!("the database reports damage (SQLSTATE {code})"));
            }
            let constraint = answer.constraint().map(|name| format!(", {name}")).unwrap_or_default();
            format!("{} (SQLSTATE {code}{constraint})", meaning(&code))
        }
        Error::ColumnDecode { index, .. } => return StoreError::Corrupt(format!("column {index}")),
        Error::Decode(_) => return StoreError::Corrupt("a column does not decode".into()),
        Error::Io(error) => format!("no connection to the database: {}", error.kind()),
        Error::Tls(_) => "no TLS with the database: check sslmode and its certificate".into(),
        Error::Protocol(_) => "the database answered out of turn".into(),
        Error::Configuration(_) => "the database's address does not parse".into(),
        _ => "the database driver failed".into(),
    };
    StoreError::Unavailable(text)
}

/// The SQLSTATEs that a caller or an operator may meet, and what they mean to him.
fn meaning(code: &str) -> &'static str {
    match code {
        "40001" => "two transactions got into each other's way",
        "40P01" => "two transactions waited for each other",
        "55P03" => "the writing turn did not come in time",
        "57014" => "a statement took too long",
        "25P03" | "57P05" => "a connection was idle for too long",
        "57P01" | "57P02" | "57P03" => "the database stops or starts",
        "57P04" | "3D000" => "there is no such database",
        "25006" => "the database only reads: a standby, or write-protected",
        "53100" => "the database's disk is full",
        "53200" => "the database is out of memory",
        "53300" => "the database takes no more connections",
        "28000" | "28P01" => "the database does not let us in",
        "42501" => "the database user may not do that",
        _ => match code.get(..2) {
            Some("08") => "the connection to the database broke",
            Some("23") => "a row contradicts another one",
            Some("53") => "the database lacks resources",
            Some("57") => "an operator of the database stepped in",
            Some("58") => "the database's file system failed",
            _ => "the database refused a statement",
        },
    }
}

/// True where the connection is of no more use: it broke, or what stands at its other end is not the primary any more.
pub(super) fn is_lost(error: &Error) -> bool {
    match error {
        Error::Database(answer) => {
            let code = answer.code().unwrap_or_default();
            matches!(&*code, "25006" | "25P03") || code.starts_with("08") || code.starts_with("57P")
        }
        Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        _ => false,
    }
}

/// Why the form of the database could not be brought up to date.
pub(super) fn unfit(error: MigrateError) -> StoreError {
    let text = match error {
        MigrateError::Execute(error) => return failed(error),
        MigrateError::ExecuteMigration(error, version) => format!("migration {version}: {}", failed(error)),
        MigrateError::VersionMissing(version) => format!(
            "the database has a newer form (migration {version}) than this version knows: start the newer postfachd"
        ),
        MigrateError::VersionMismatch(version) => {
            format!("migration {version} of the database is not the one of this version")
        }
        MigrateError::Dirty(version) => format!("migration {version} of the database was not finished"),
        _ => "the database cannot be brought up to date".into(),
    };
    StoreError::Unavailable(text)
}
