//! What SQLite alone gives: grouped durable inserts of one message's size, in the server's settings.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

/// Rows per second, `group` rows of `size` bytes in one statement and one transaction, flushed to disk each time.
pub async fn grouped_inserts_per_second(
    folder: &Path,
    size: usize,
    group: usize,
    length: Duration,
) -> Result<f64> {
    let mut connection = SqliteConnectOptions::new()
        .filename(folder.join("limit.db"))
        .create_if_missing(true)
        .page_size(8192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .connect()
        .await?;
    sqlx::query("CREATE TABLE row (id BIGINT PRIMARY KEY, sender BIGINT, recipient BIGINT, body BLOB)")
        .execute(&mut connection)
        .await?;
    sqlx::query("CREATE INDEX row_sender ON row (sender, id)").execute(&mut connection).await?;
    sqlx::query("CREATE INDEX row_recipient ON row (recipient, id)").execute(&mut connection).await?;
    let values = vec!["(?, ?, ?, ?)"; group].join(", ");
    let statement = format!("INSERT INTO row (id, sender, recipient, body) VALUES {values}");
    let body = vec![0x5a_u8; size];
    let begin = Instant::now();
    let mut id = 0_i64;
    while begin.elapsed() < length {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement.as_str()));
        for _ in 0..group {
            query = query.bind(id).bind(id % 64).bind(id % 1000).bind(body.as_slice());
            id += 1;
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    #[allow(clippy::cast_precision_loss)] // far below 2^52
    let rate = id as f64 / begin.elapsed().as_secs_f64();
    connection.close().await?;
    Ok(rate)
}
