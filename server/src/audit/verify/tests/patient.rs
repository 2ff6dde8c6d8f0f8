//! A copy of a stopped deployment that can be changed by hand and put right again.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Arguments as _, AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _};
use sqlx::{SqliteConnection, TypeInfo as _, ValueRef as _};

use crate::deployment::folder::Folder;
use crate::storage::Value;

pub type Row = Vec<Value>;
/// A statement with its arguments.
pub type Statement = (String, Row);

pub struct Patient {
    _dir: tempfile::TempDir,
    pub folder: Folder,
    /// The files that are put right: their names and bytes.
    sound: Vec<(PathBuf, Vec<u8>)>,
}

impl Patient {
    pub async fn new(original: &Folder) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        let folder = Folder::at(dir.path());
        // Without a write-ahead log the file is all there is.
        connect(&folder.database()).await.close().await.unwrap();
        let kept = ["keys", "evidence"].map(|log| folder.checkpoints().join(log));
        let files = kept.into_iter().chain([folder.database()]);
        let sound = files.map(|file| (file.clone(), std::fs::read(file).unwrap())).collect();
        Self { _dir: dir, folder, sound }
    }

    pub async fn rows(&self, sql: &str) -> Vec<Row> {
        let mut connection = connect(&self.folder.database()).await;
        let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| (0..row.len()).map(|at| value(row, at)).collect()).collect()
    }

    /// False where the schema itself refuses one of the statements.
    pub async fn run(&self, statements: &[Statement]) -> bool {
        let mut connection = connect(&self.folder.database()).await;
        let mut done = true;
        for (sql, args) in statements {
            let mut bound = SqliteArguments::default();
            for arg in args.iter().cloned() {
                match arg {
                    Value::Int(arg) => bound.add(arg).unwrap(),
                    Value::Text(arg) => bound.add(arg).unwrap(),
                    Value::Blob(arg) => bound.add(arg).unwrap(),
                }
            }
            let outcome = sqlx::query_with(AssertSqlSafe(sql.clone()), bound).execute(&mut connection).await;
            done &= outcome.is_ok();
        }
        connection.close().await.unwrap();
        done
    }

    /// As it was.
    pub fn heal(&self) {
        for (file, bytes) in &self.sound {
            std::fs::write(file, bytes).unwrap();
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

async fn connect(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Delete)
        .synchronous(SqliteSynchronous::Off)
        .disable_statement_logging()
        .connect()
        .await
        .unwrap()
}

fn value(row: &sqlx::sqlite::SqliteRow, at: usize) -> Value {
    let raw = row.try_get_raw(at).unwrap();
    match raw.type_info().name() {
        "INTEGER" => Value::Int(row.try_get_unchecked(at).unwrap()),
        "TEXT" => Value::Text(row.try_get_unchecked(at).unwrap()),
        _ => Value::Blob(row.try_get_unchecked(at).unwrap()),
    }
}
