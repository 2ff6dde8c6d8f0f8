//! Damages every value of every row of every table, one at a time, and requires that the audit sees it. What it cannot
//! see stands in `FREE`, each with its reason; a reason that no longer holds fails the test too.

use super::patient::{Patient, Row, Statement};
use super::scenario;
use crate::audit::verify::{Failure, Options, verify};
use crate::storage::Value;
use std::collections::BTreeSet;

/// What is done to a value or row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A number grows by one.
    Plus,
    /// A bit of the first, middle or last byte flips; a letter changes.
    Flip,
    /// A byte more or less.
    Length,
    /// A value becomes NULL.
    Null,
    /// NULL becomes a value.
    Fill,
    /// The value of another row.
    Swap,
    /// The row is gone.
    Gone,
    /// The row stands twice, the second time under a new key.
    Twice,
    /// Everything but the key changes places with the next row.
    Rows,
}

const VALUES: &[Kind] = &[Kind::Plus, Kind::Flip, Kind::Length, Kind::Swap];
const ROWS: &[Kind] = &[Kind::Gone, Kind::Twice, Kind::Rows];

/// What nothing signed or logged says.
struct Free {
    table: &'static str,
    /// A column; `*` for damage to whole rows.
    column: &'static str,
    kinds: &'static [Kind],
    /// Which rows, in SQL.
    rows: &'static str,
    /// Why nobody can know.
    #[allow(dead_code)]
    why: &'static str,
}

/// Codes lie in the order of their random hashes: the neighbour may have another trust level, and then the swap is seen.
const BY_CHANCE: (&str, &str) = ("activation_code", "mailbox_no");

const UNUSED: &str = "mailbox_no IS NULL";
const BODY_GONE: &str = "event_idx IN (SELECT idx FROM event WHERE event IS NULL)
    OR (event_idx IS NULL AND NOT EXISTS (SELECT 1 FROM setting WHERE instr(setting.signed, act.act_id) > 0))";

#[rustfmt::skip]
const FREE: &[Free] = &[
    Free { table: "log_head", column: "last_time", kinds: &[Kind::Plus], rows: "log = 0",
        why: "no leaf says when the keys log grew; it must lie between the events around it" },
    Free { table: "mailbox", column: "suspended_at", kinds: &[Kind::Plus, Kind::Null, Kind::Fill, Kind::Swap], rows: "1",
        why: "the operator's switch, unsigned; every refusal that follows from it is logged" },
    Free { table: "mailbox", column: "closed_at", kinds: &[Kind::Plus], rows: "1",
        why: "the server's clock when CLOSE was stored; it must lie near the time of the link" },
    Free { table: "wrap", column: "sealed", kinds: VALUES, rows: "1",
        why: "sealed for a member, who compares what it opens with the chain" },
    Free { table: "wrap", column: "*", kinds: &[Kind::Rows], rows: "1",
        why: "sealed for a member, who compares what it opens with the chain" },
    Free { table: "activation_code", column: "code_hash", kinds: VALUES, rows: "1",
        why: "codes are secret and unsigned: whoever has one finds it by its hash" },
    Free { table: "activation_code", column: "activation_key", kinds: VALUES, rows: UNUSED,
        why: "only the holder of the code could tell" },
    Free { table: "activation_code", column: "trust_level", kinds: &[Kind::Plus, Kind::Swap], rows: UNUSED,
        why: "the operator's word, for which nobody has signed yet" },
    Free { table: "activation_code", column: "mailbox_no", kinds: &[Kind::Swap], rows: "mailbox_no IS NOT NULL",
        why: "which of two codes of one level opened which mailbox stands nowhere else" },
    Free { table: "activation_code", column: "expires_at", kinds: VALUES, rows: "1",
        why: "the operator's word, unsigned" },
    Free { table: "activation_code", column: "*", kinds: &[Kind::Gone, Kind::Twice], rows: UNUSED,
        why: "codes are made without a trace, so that they cannot be told from outside" },
    Free { table: "activation_code", column: "*", kinds: &[Kind::Rows], rows: "1",
        why: "codes are secret and unsigned: whoever has one finds it by its hash" },
    Free { table: "message", column: "available_at", kinds: &[Kind::Plus, Kind::Swap], rows: "outer_hash IS NULL",
        why: "erased with its event; it must not lie before accepted_at" },
    Free { table: "message", column: "cover_length", kinds: &[Kind::Plus, Kind::Swap],
        rows: "no IN (SELECT message_no FROM content WHERE cover IS NULL)",
        why: "the envelopes of a refused message are not kept" },
    Free { table: "message", column: "letter_length", kinds: &[Kind::Plus, Kind::Swap],
        rows: "no IN (SELECT message_no FROM content WHERE cover IS NULL)",
        why: "the envelopes of a refused message are not kept" },
    Free { table: "content", column: "sender_copy", kinds: &[Kind::Flip, Kind::Length, Kind::Null, Kind::Fill, Kind::Swap], rows: "1",
        why: "unsigned: a wrong copy opens nothing, and only its sender has the key" },
    Free { table: "act", column: "act_id", kinds: VALUES, rows: BODY_GONE,
        why: "the act itself was erased, or replaced by newer settings" },
    Free { table: "act", column: "actor_no", kinds: &[Kind::Plus, Kind::Swap], rows: BODY_GONE,
        why: "the act itself was erased, or replaced by newer settings" },
    Free { table: "act", column: "body_hash", kinds: VALUES, rows: BODY_GONE,
        why: "the act itself was erased, or replaced by newer settings" },
    Free { table: "act", column: "event_idx", kinds: &[Kind::Plus, Kind::Swap, Kind::Null, Kind::Fill], rows: BODY_GONE,
        why: "the act itself was erased, or replaced by newer settings" },
    Free { table: "act", column: "*", kinds: ROWS, rows: BODY_GONE,
        why: "the act itself was erased, or replaced by newer settings" },
    Free { table: "act", column: "*", kinds: &[Kind::Twice], rows: "event_idx IS NULL",
        why: "one more row looks like settings that were replaced; it only uses up an id" },
    Free { table: "attachment", column: "sender_no", kinds: &[Kind::Plus], rows: "refs = 0",
        why: "nobody has signed for an upload that no message uses" },
    Free { table: "attachment", column: "ct_root", kinds: &[Kind::Null], rows: "refs = 0",
        why: "nobody has signed for an upload that no message uses" },
    Free { table: "segment", column: "*", kinds: &[Kind::Gone], rows: "blob IN (SELECT blob FROM attachment WHERE ct_root IS NULL)",
        why: "an upload that is still open may lack any segment" },
    Free { table: "garbage", column: "*", kinds: &[Kind::Twice], rows: "1",
        why: "one more row asks to delete what is not there" },
    Free { table: "attachment", column: "expires_at", kinds: VALUES, rows: "1",
        why: "when an unused upload goes is housekeeping" },
];

/// The schema as SQLite tells it.
#[derive(Debug)]
struct Columns {
    table: String,
    names: Vec<String>,
    types: Vec<String>,
    /// Positions of the key.
    key: Vec<usize>,
}

/// Which audit saw a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Already that without signatures.
    Quick,
    /// The one with signatures.
    Signatures,
    /// Neither.
    Nothing,
}

/// Damages, asks the audit, puts right again; `None` where the schema itself refuses the damage.
async fn after(patient: &Patient, statements: &[Statement], blobs: bool) -> Option<Seen> {
    let done = patient.run(statements).await;
    let mut seen = Seen::Nothing;
    for (quick, by) in [(true, Seen::Quick), (false, Seen::Signatures)] {
        if done && seen == Seen::Nothing {
            let options = Options {
                quick,
                blobs: blobs.then(|| super::world::blobs(&patient.folder)),
                ..Options::default()
            };
            seen = match verify(&patient.folder, &options).await {
                Ok(_) => Seen::Nothing,
                Err(Failure::Bad(_)) => by,
                Err(other) => panic!("{other}"),
            };
        }
    }
    patient.heal();
    done.then_some(seen)
}

async fn schema(patient: &Patient) -> Vec<Columns> {
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx%'";
    let mut all = Vec::new();
    for mut row in patient.rows(tables).await {
        let Value::Text(Some(table)) = row.remove(0) else { panic!("no name") };
        let sql = format!("SELECT name, type, pk FROM pragma_table_info('{table}') ORDER BY cid");
        let mut columns = Columns { table, names: Vec::new(), types: Vec::new(), key: Vec::new() };
        let mut key = Vec::new();
        for (at, row) in patient.rows(&sql).await.into_iter().enumerate() {
            let [Value::Text(Some(name)), Value::Text(Some(kind)), Value::Int(Some(pk))] = row.as_slice()
            else {
                panic!("{row:?}")
            };
            columns.names.push(name.clone());
            columns.types.push(kind.clone());
            if *pk > 0 {
                key.push((*pk, at));
            }
        }
        key.sort_unstable();
        columns.key = key.into_iter().map(|(_, at)| at).collect();
        all.push(columns);
    }
    all
}

impl Columns {
    fn matches_key(&self) -> String {
        let equal = |(n, at): (usize, &usize)| format!("{} IS ${}", self.names[*at], n + 1);
        self.key.iter().enumerate().map(equal).collect::<Vec<_>>().join(" AND ")
    }

    fn key_of(&self, row: &Row) -> Row {
        self.key.iter().map(|at| row[*at].clone()).collect()
    }

    fn set(&self, row: &Row, at: usize, value: Value) -> Statement {
        let (table, name, key) = (&self.table, &self.names[at], self.matches_key());
        let sql = format!("UPDATE {table} SET {name} = ${} WHERE {key}", self.key.len() + 1);
        (sql, self.key_of(row).into_iter().chain([value]).collect())
    }

    fn delete(&self, row: &Row) -> Statement {
        (format!("DELETE FROM {} WHERE {}", self.table, self.matches_key()), self.key_of(row))
    }

    fn insert(&self, row: &Row) -> Statement {
        let marks = (1..=row.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ");
        (format!("INSERT INTO {} VALUES ({marks})", self.table), row.clone())
    }
}

/// Other values in place of this one.
fn spoiled(value: &Value, fill: &Value) -> Vec<(Kind, Value)> {
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1;
        (Kind::Flip, Value::Blob(Some(bytes)))
    };
    match value {
        Value::Int(Some(number)) => vec![
            (Kind::Plus, Value::Int(Some(number + 1))),
            (Kind::Null, Value::Int(None)),
            // Of another type.
            (Kind::Length, Value::Text(Some("x".into()))),
        ],
        Value::Text(Some(text)) => {
            let mut other = text.clone();
            let last = other.pop();
            other.push(if last == Some('a') { 'b' } else { 'a' });
            vec![
                (Kind::Flip, Value::Text(Some(other))),
                (Kind::Length, Value::Text(Some(format!("{text}a")))),
                (Kind::Null, Value::Text(None)),
            ]
        }
        Value::Blob(Some(bytes)) => {
            let mut all = vec![(Kind::Null, Value::Blob(None))];
            let longer = [bytes.as_slice(), &[0]].concat();
            all.push((Kind::Length, Value::Blob(Some(longer))));
            if !bytes.is_empty() {
                all.push((Kind::Length, Value::Blob(Some(bytes[..bytes.len() - 1].to_vec()))));
                let mut places = vec![0, bytes.len() / 2, bytes.len() - 1];
                places.dedup();
                all.extend(places.into_iter().map(|at| flip(bytes, at)));
            }
            all
        }
        Value::Int(None) | Value::Text(None) | Value::Blob(None) => vec![(Kind::Fill, fill.clone())],
    }
}

/// One damage: what, to which rows (positions), by which statements.
struct Case {
    kind: Kind,
    column: String,
    rows: Vec<usize>,
    statements: Vec<Statement>,
}

fn value_cases(columns: &Columns, rows: &[Row], cases: &mut Vec<Case>) {
    for (column, name) in columns.names.iter().enumerate() {
        let kind = columns.types[column].as_str();
        let default = match kind {
            "TEXT" => Value::Text(Some("a".into())),
            "BLOB" => Value::Blob(Some(vec![7])),
            _ => Value::Int(Some(7)),
        };
        let fill = rows.iter().map(|row| &row[column]).find(|value| !value.is_null()).unwrap_or(&default);
        for (at, row) in rows.iter().enumerate() {
            for (kind, value) in spoiled(&row[column], fill) {
                let statements = vec![columns.set(row, column, value)];
                cases.push(Case { kind, column: name.clone(), rows: vec![at], statements });
            }
            // Rows that have something else there: all of a short table, else the next one.
            let others = (at + 1..rows.len()).filter(|other| rows[*other][column] != row[column]);
            let most = if rows.len() <= 6 { rows.len() } else { 1 };
            for other in others.take(most).filter(|_| !columns.key.contains(&column)) {
                let statements = vec![
                    columns.set(row, column, rows[other][column].clone()),
                    columns.set(&rows[other], column, row[column].clone()),
                ];
                cases.push(Case {
                    kind: Kind::Swap,
                    column: name.clone(),
                    rows: vec![at, other],
                    statements,
                });
            }
        }
    }
}

fn row_cases(columns: &Columns, rows: &[Row], cases: &mut Vec<Case>) {
    for (at, row) in rows.iter().enumerate() {
        let case = |kind, rows: Vec<usize>, statements| Case { kind, column: "*".into(), rows, statements };
        cases.push(case(Kind::Gone, vec![at], vec![columns.delete(row)]));
        // Once under the highest number there is, once under a neighbour's, else under other bytes.
        let mut twice = row.clone();
        for key in &columns.key {
            twice[*key] = match &row[*key] {
                Value::Int(_) => {
                    let highest = rows.iter().filter_map(|row| match row[*key] {
                        Value::Int(number) => number,
                        _ => None,
                    });
                    Value::Int(highest.max().map(|number| number + 1))
                }
                Value::Blob(Some(bytes)) => {
                    let mut bytes = bytes.clone();
                    for byte in &mut bytes {
                        *byte ^= 0x55;
                    }
                    Value::Blob(Some(bytes))
                }
                Value::Text(text) => Value::Text(text.as_ref().map(|text| format!("{text}x"))),
                Value::Blob(None) => Value::Blob(None),
            };
            cases.push(case(Kind::Twice, vec![at], vec![columns.insert(&twice)]));
        }
        let Some(other) = rows.get(at + 1) else { continue };
        let mut exchanged = (row.clone(), other.clone());
        for key in &columns.key {
            std::mem::swap(&mut exchanged.0[*key], &mut exchanged.1[*key]);
        }
        if exchanged.0 != *other {
            let statements = vec![
                columns.delete(row),
                columns.delete(other),
                columns.insert(&exchanged.0),
                columns.insert(&exchanged.1),
            ];
            cases.push(case(Kind::Rows, vec![at, at + 1], statements));
        }
    }
}

async fn free_rows(patient: &Patient, columns: &Columns, rows: &[Row], free: &Free) -> Vec<usize> {
    let sql = format!("SELECT * FROM {} WHERE {}", free.table, free.rows);
    let found = patient.rows(&sql).await;
    (0..rows.len()).filter(|at| columns.key.is_empty() || found.contains(&rows[*at])).collect()
}

const OF_KEYS: &[&str] =
    &["key_leaf", "mailbox", "link", "member", "wrap", "setting", "authority", "authority_key"];
const OF_EVENTS: &[&str] = &["event", "message", "content"];

// Three tests, so that they run at the same time.

#[tokio::test(flavor = "multi_thread")]
async fn no_damage_to_keys_goes_unseen() {
    no_damage_goes_unseen(|table| OF_KEYS.contains(&table), &["setting.signed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_damage_to_events_goes_unseen() {
    no_damage_goes_unseen(|table| OF_EVENTS.contains(&table), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_damage_goes_unseen() {
    no_damage_goes_unseen(|table| !OF_KEYS.contains(&table) && !OF_EVENTS.contains(&table), &[]).await;
}

/// `by_signature`: what `--quick` does not see, because no leaf is bound to it.
async fn no_damage_goes_unseen(chosen: fn(&str) -> bool, by_signature: &[&str]) {
    let world = scenario::everything().await;
    world.app.close().await;
    scenario::add_garbage(&world.folder.database(), &world.folder.blobs()).await;
    let patient = Patient::new(&world.folder).await;
    assert_eq!(after(&patient, &[], true).await, Some(Seen::Nothing));
    let mut found = Found::default();
    for columns in schema(&patient).await.into_iter().filter(|columns| chosen(&columns.table)) {
        damage_table(&patient, &columns, &mut found).await;
    }
    let Found { seen, holes, used, slow } = found;
    assert!(holes.is_empty(), "{seen} damages seen, unseen:\n{}", holes.join("\n"));
    let stale = |(at, free): (usize, &Free)| {
        let name = (free.table, free.column);
        (chosen(free.table) && name != BY_CHANCE && !used.contains(&at)).then_some(name)
    };
    let stale: Vec<_> = FREE.iter().enumerate().filter_map(stale).collect();
    assert!(stale.is_empty(), "seen after all: {stale:?}");
    assert_eq!(slow.into_iter().collect::<Vec<_>>(), by_signature);
    assert!(seen > 500, "only {seen} damages were tried");
}

/// What came of all damages.
#[derive(Default)]
struct Found {
    seen: usize,
    /// Unseen, without an entry in `FREE`.
    holes: Vec<String>,
    /// Entries of `FREE` that were needed.
    used: BTreeSet<usize>,
    /// Columns whose damage only signatures show.
    slow: BTreeSet<String>,
}

async fn damage_table(patient: &Patient, columns: &Columns, found: &mut Found) {
    let table = columns.table.as_str();
    let rows = patient.rows(&format!("SELECT * FROM {table}")).await;
    assert!(!rows.is_empty(), "nothing in {table} to damage");
    let mut free = Vec::new();
    for (at, entry) in FREE.iter().enumerate().filter(|(_, entry)| entry.table == table) {
        free.push((at, entry, free_rows(patient, columns, &rows, entry).await));
    }
    let blobs = ["attachment", "segment", "garbage"].contains(&table);
    let mut cases = Vec::new();
    value_cases(columns, &rows, &mut cases);
    row_cases(columns, &rows, &mut cases);
    for case in cases {
        match after(patient, &case.statements, blobs).await {
            None => {}
            Some(Seen::Quick) => found.seen += 1,
            Some(Seen::Signatures) => {
                found.seen += 1;
                found.slow.insert(format!("{table}.{}", case.column));
            }
            Some(Seen::Nothing) => {
                let allowed = free.iter().find(|(_, entry, rows)| {
                    entry.column == case.column
                        && entry.kinds.contains(&case.kind)
                        && case.rows.iter().all(|row| rows.contains(row))
                });
                match allowed {
                    Some((at, ..)) => _ = found.used.insert(*at),
                    None => {
                        found.holes.push(format!("{table}.{} {:?} {:?}", case.column, case.kind, case.rows));
                    }
                }
            }
        }
    }
}
