//! The form of the tables as the database's catalog tells it, for audits: columns, indexes, and whatever would change what
//! statements do (triggers, rules, policies, defaults). Compared with a file that the migrations made.

use std::collections::BTreeSet;

use crate::storage::audit::ALL;
use crate::storage::{Query, StoreError};

/// What the migrations of this version make, a line for each thing; a test compares.
const WANTED: &str = include_str!("../../../../migrations/postgres.schema");

/// Table and description of everything that belongs to a table that our statements would meet.
const DESCRIBE: &str = "
    WITH met AS (SELECT c.oid, CAST(c.relname AS TEXT) AS name, c.relkind, c.relpersistence, c.relrowsecurity
                 FROM pg_class AS c WHERE pg_table_is_visible(c.oid) AND c.relkind NOT IN ('i', 'I'))
    SELECT name, 'kind ' || CAST(relkind AS TEXT) || CAST(relpersistence AS TEXT) || CAST(relrowsecurity AS TEXT) FROM met
    UNION ALL
    SELECT name, 'column ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || CASE WHEN a.atthasdef THEN ' default' ELSE '' END
        || coalesce(' ' || CAST(l.collname AS TEXT), '')
    FROM met JOIN pg_attribute AS a ON a.attrelid = met.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
    UNION ALL
    SELECT name, 'index ' || substr(pg_get_indexdef(i.indexrelid), strpos(pg_get_indexdef(i.indexrelid), ' USING ') + 7)
        || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END
    FROM met JOIN pg_index AS i ON i.indrelid = met.oid
    UNION ALL
    SELECT name, 'trigger ' || t.tgname FROM met JOIN pg_trigger AS t ON t.tgrelid = met.oid AND NOT t.tgisinternal
    UNION ALL
    SELECT name, 'rule ' || r.rulename FROM met JOIN pg_rewrite AS r ON r.ev_class = met.oid
    UNION ALL
    SELECT name, 'policy ' || p.polname FROM met JOIN pg_policy AS p ON p.polrelid = met.oid";

/// The lines of our tables.
pub(super) async fn describe(query: &mut dyn Query) -> Result<BTreeSet<String>, StoreError> {
    let mut lines = BTreeSet::new();
    for mut row in query.fetch(DESCRIBE.into(), Vec::new()).await? {
        let table = row.text(0)?;
        if ALL.iter().any(|ours| ours.name == table) && !lines.insert(format!("{table} {}", row.text(1)?)) {
            return Err(StoreError::Corrupt(format!("the schema of {table} has something twice")));
        }
    }
    Ok(lines)
}

/// Tables, indexes, and nothing else: a trigger or view would change what statements do.
pub(super) async fn check(query: &mut dyn Query) -> Result<(), StoreError> {
    let found = describe(query).await?;
    let wanted: BTreeSet<String> = WANTED.lines().map(str::to_owned).collect();
    match wanted.symmetric_difference(&found).next() {
        None => Ok(()),
        Some(line) => {
            let table = line.split(' ').next().unwrap_or_default();
            Err(StoreError::Corrupt(format!("the schema of {table} is not the one of this version")))
        }
    }
}
