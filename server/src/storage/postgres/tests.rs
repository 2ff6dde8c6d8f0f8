//! The contract on PostgreSQL, and what only this engine has: a schema that must agree with SQLite's, other nodes, and a
//! database that goes away.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postfach_testdb::Database;

use super::*;
use crate::storage::sql::{logs, mailboxes};
use crate::storage::{Ask, contract};

async fn open(database: &Database, readers: usize) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(&database.url().parse().unwrap(), readers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_contract() {
    let database = Database::new();
    contract::check(Arc::new(open(&database, 2).await.unwrap())).await;
    let again = open(&database, 1).await.unwrap();
    assert_eq!(logs::read_heads(&mut Ask(&again)).await.unwrap().unwrap().evidence.size, 3);
    again.close().await.unwrap();
}

/// Two stores are two nodes.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_take_turns() {
    let database = Database::new();
    let nodes = [open(&database, 1).await.unwrap(), open(&database, 1).await.unwrap()];
    let mut first = nodes[0].begin().await.unwrap();
    let started = Instant::now();
    let second = async {
        let tx = nodes[1].begin().await.unwrap();
        (started.elapsed(), tx)
    };
    let done = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        mailboxes::count(&mut *first).await.unwrap();
        first.commit().await.unwrap();
    };
    let ((waited, tx), ()) = tokio::join!(second, done);
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    tx.rollback().await.unwrap();
}

/// Nodes that start at once bring a new database up to date once.
#[tokio::test(flavor = "multi_thread")]
async fn many_may_start_at_once() {
    let database = Database::new();
    let url: DatabaseUrl = database.url().parse().unwrap();
    let starts: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { PostgresStore::open(&url, 1).await })
        })
        .collect();
    for start in starts {
        start.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_newer_or_changed_form_is_refused() {
    let database = Database::new();
    open(&database, 1).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', true, 'x', 0)";
    database.sql(newer);
    let refused = open(&database, 1).await.unwrap_err().to_string();
    assert!(
        refused.contains("newer form (migration 9999)") && refused.contains("start the newer"),
        "{refused}"
    );
    database
        .sql("DELETE FROM _sqlx_migrations WHERE version = 9999; UPDATE _sqlx_migrations SET checksum = 'x'");
    let refused = open(&database, 1).await.unwrap_err().to_string();
    assert!(refused.contains("migration 1 of the database is not the one of this version"), "{refused}");
}

#[tokio::test]
async fn what_the_database_says_never_leaves_with_values() {
    let database = Database::new();
    let store = open(&database, 1).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    let sql = "INSERT INTO consent (mailbox_no, authority_id) VALUES (1, $1)";
    tx.execute(sql.into(), vec!["geheim".into()]).await.unwrap();
    let error = tx.execute(sql.into(), vec!["geheim".into()]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "storage not available: a row contradicts another one (SQLSTATE 23505, consent_pkey)"
    );
    let error = store.ask("SELECT CAST($1 AS BIGINT)".into(), vec!["geheim".into()]).await.unwrap_err();
    assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
}

/// A restart of the database costs those who were under way an error, and nobody after them.
#[tokio::test(flavor = "multi_thread")]
async fn a_kept_connection_that_died_is_replaced() {
    let database = Database::new();
    let store = open(&database, 2).await.unwrap();
    let kill = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
        database.name()
    );
    for _ in 0..3 {
        store.begin().await.unwrap().commit().await.unwrap();
        let asked = tokio::join!(store.ask(NOW.into(), vec![]), store.ask(NOW.into(), vec![]));
        assert!(asked.0.is_ok() && asked.1.is_ok(), "{asked:?}");
        let under_way = store.begin().await.unwrap();
        database.sql(&kill);
        let lost = under_way.commit().await;
        assert!(matches!(lost, Err(StoreError::Unavailable(_))), "{lost:?}");
        store.begin().await.unwrap().commit().await.unwrap();
        let asked = tokio::join!(store.ask(NOW.into(), vec![]), store.ask(NOW.into(), vec![]));
        assert!(asked.0.is_ok() && asked.1.is_ok(), "{asked:?}");
        let look = store.snapshot().await.unwrap();
        drop(look);
        database.sql(&kill);
        drop(store.snapshot().await.unwrap());
    }
}

#[tokio::test]
async fn an_absent_database_is_an_error_at_once() {
    let database = Database::new();
    for (url, problem) in [
        (database.url().replace(database.name(), "absent"), "no such database (SQLSTATE 3D000)"),
        (database.url().replace("host=", "host=/nowhere"), "no connection to the database"),
        ("postgres://post@127.0.0.1:1/mail".to_owned(), "no connection to the database"),
    ] {
        let started = Instant::now();
        let error = PostgresStore::open(&url.parse().unwrap(), 1).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
        assert!(started.elapsed() < Duration::from_secs(6));
    }
}

/// One column: table, name, type, may it be NULL, place in the primary key (0 for none).
type Column = (String, String, String, bool, i64);
/// One index: table, is it unique, columns.
type Index = (String, bool, Vec<String>);

/// Both engines have the same tables.
#[tokio::test]
async fn both_schemas_agree() {
    let names = |engine: &str| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(engine);
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
    };
    assert_eq!(names("sqlite"), names("postgres"));
    let (ours, ids, our_indexes) = sqlite_schema().await;
    let database = Database::new();
    open(&database, 1).await.unwrap();
    let (theirs, their_indexes) = postgres_schema(&database);
    assert_eq!(ours, theirs);
    // At the end of every SQLite index of a table with a number as its key stands that number.
    let with_id = |(table, unique, mut columns): Index| {
        if !unique && let Some(id) = ids.get(&table) {
            columns.push(id.clone());
        }
        (table, unique, columns)
    };
    assert_eq!(our_indexes.into_iter().map(with_id).collect::<BTreeSet<_>>(), their_indexes);
    let text = "SELECT count(*) FROM information_schema.columns
                WHERE table_schema = 'public' AND data_type = 'text' AND table_name <> '_sqlx_migrations'
                AND collation_name IS DISTINCT FROM 'C'";
    assert_eq!(database.sql(text), "0", "text is compared byte by byte");
}

/// Columns, keys that are row numbers, and indexes besides primary keys.
async fn sqlite_schema() -> (BTreeSet<Column>, BTreeMap<String, String>, BTreeSet<Index>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("schema.db");
    crate::storage::SqliteStore::open(&path, 1).await.unwrap().close().await.unwrap();
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    let (mut columns, mut ids) = (BTreeSet::new(), BTreeMap::new());
    let mut query = sqlite
        .prepare(
            "SELECT t.name, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_master AS t, pragma_table_info(t.name) AS c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%' AND t.name <> '_sqlx_migrations'",
        )
        .unwrap();
    let mut rows = query.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (table, name, kind): (String, String, String) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        let (not_null, key): (bool, i64) = (row.get(3).unwrap(), row.get(4).unwrap());
        if kind == "INTEGER" && key == 1 {
            ids.insert(table.clone(), name.clone());
        }
        let kind = match &*kind {
            "INTEGER" | "BIGINT" => "bigint",
            "BLOB" => "bytea",
            "TEXT" => "text",
            other => panic!("{table}.{name} has type {other}"),
        };
        columns.insert((table, name, kind.to_owned(), !not_null && key == 0, key));
    }
    let mut indexes = BTreeSet::new();
    let mut query = sqlite
        .prepare(
            "SELECT t.name, i.\"unique\", (SELECT group_concat(name) FROM pragma_index_info(i.name))
             FROM sqlite_master AS t, pragma_index_list(t.name) AS i
             WHERE t.type = 'table' AND t.name <> '_sqlx_migrations' AND i.origin <> 'pk'",
        )
        .unwrap();
    let mut rows = query.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let columns: String = row.get(2).unwrap();
        let columns = columns.split(',').map(str::to_owned).collect();
        indexes.insert((row.get(0).unwrap(), row.get(1).unwrap(), columns));
    }
    (columns, ids, indexes)
}

fn postgres_schema(database: &Database) -> (BTreeSet<Column>, BTreeSet<Index>) {
    let columns = database.sql(
        "SELECT c.relname, a.attname, format_type(a.atttypid, -1), NOT a.attnotnull,
                coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)
         FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> '_sqlx_migrations'",
    );
    let column = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let own = |at: usize| cells[at].to_owned();
        (own(0), own(1), own(2), cells[3] == "t", cells[4].parse().unwrap())
    };
    let indexes = database.sql(
        "SELECT t.relname, i.indisunique, (SELECT string_agg(a.attname, ',' ORDER BY array_position(i.indkey, a.attnum))
             FROM pg_attribute AS a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey))
         FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid
         WHERE t.relnamespace = 'public'::regnamespace AND t.relname <> '_sqlx_migrations' AND NOT i.indisprimary",
    );
    let index = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let columns = cells[2].split(',').map(str::to_owned).collect();
        (cells[0].to_owned(), cells[1] == "t", columns)
    };
    (columns.lines().map(column).collect(), indexes.lines().map(index).collect())
}

/// What audits compare a database with is what the migrations make. After a migration: the file is what `found` says.
#[tokio::test]
async fn the_described_schema_is_that_of_the_migrations() {
    let database = Database::new();
    let store = open(&database, 1).await.unwrap();
    let found = schema::describe(&mut *store.snapshot().await.unwrap()).await.unwrap();
    let found: Vec<String> = found.into_iter().collect();
    let wanted = include_str!("../../../../migrations/postgres.schema");
    assert!(found.join("\n") == wanted.trim_end(), "found:\n{}", found.join("\n"));
}

#[tokio::test]
async fn an_audit_reads_one_instant_and_notices_another_schema() {
    let database = Database::new();
    let url: DatabaseUrl = database.url().parse().unwrap();
    let fresh = open_read_only(&url).await.err().unwrap().to_string();
    assert!(fresh.contains("SQLSTATE 42P01"), "an empty database has no migrations: {fresh}");
    let store = open(&database, 1).await.unwrap();
    let mut audit = open_read_only(&url).await.unwrap();
    let written = audit.fetch("DELETE FROM garbage".into(), Vec::new()).await;
    assert!(written.is_err(), "an audit changes nothing");
    let mut audit = open_read_only(&url).await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.execute("INSERT INTO garbage VALUES ($1)".into(), vec![(&[1u8; 16]).into()]).await.unwrap();
    tx.commit().await.unwrap();
    let count = audit.fetch("SELECT count(*) FROM garbage".into(), Vec::new()).await.unwrap();
    assert_eq!(count, [Row(vec![0i64.into()])]);
    for (change, back) in [
        ("ALTER TABLE event ADD COLUMN extra BIGINT", "ALTER TABLE event DROP COLUMN extra"),
        ("DROP INDEX event_sender", "CREATE INDEX event_sender ON event (sender_no, idx)"),
        ("CREATE RULE r AS ON DELETE TO event DO INSTEAD NOTHING", "DROP RULE r ON event"),
        ("ALTER TABLE event ENABLE ROW LEVEL SECURITY", "ALTER TABLE event DISABLE ROW LEVEL SECURITY"),
        (
            "ALTER TABLE event ALTER COLUMN salt SET NOT NULL",
            "ALTER TABLE event ALTER COLUMN salt DROP NOT NULL",
        ),
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
             CREATE TRIGGER t BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION f()",
            "DROP TRIGGER t ON event",
        ),
        ("CREATE SCHEMA postgres CREATE TABLE event (idx BIGINT)", "DROP SCHEMA postgres CASCADE"),
    ] {
        database.sql(change);
        let noticed = open_read_only(&url).await.err().unwrap_or_else(|| panic!("not noticed: {change}"));
        assert!(
            matches!(&noticed, StoreError::Corrupt(what) if what.contains("schema of event")),
            "{noticed}"
        );
        database.sql(back);
        open_read_only(&url).await.unwrap();
    }
}
