//! Our plain values to and from PostgreSQL's binary form.

use sqlx::postgres::{PgArguments, PgRow, PgValueFormat, PgValueRef};
use sqlx::{Arguments as _, AssertSqlSafe, Row as _, SqlSafeStr as _, SqlStr, TypeInfo as _, ValueRef as _};

use super::errors::failed;
use crate::storage::{Row, Sql, StoreError, Value};

/// Fixed texts and lists of marks only: never made from data.
pub(super) fn statement(sql: Sql) -> SqlStr {
    match sql {
        Sql::Fixed(text) => text.into_sql_str(),
        Sql::Listed(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

/// Arguments with their kinds: PostgreSQL takes marks in lists for text unless it is told.
pub(super) fn bind(args: Vec<Value>) -> Result<PgArguments, StoreError> {
    let mut bound = PgArguments::default();
    bound.reserve(args.len(), args.iter().map(size).sum());
    for arg in args {
        let added = match arg {
            Value::Int(value) => bound.add(value),
            Value::Text(value) => bound.add(value),
            Value::Blob(value) => bound.add(value),
        };
        added.map_err(|_| StoreError::Unavailable("an argument cannot be bound".into()))?;
    }
    Ok(bound)
}

/// Bytes of an argument on its way, with its length.
fn size(value: &Value) -> usize {
    4 + match value {
        Value::Int(_) => 8,
        Value::Text(value) => value.as_ref().map_or(0, String::len),
        Value::Blob(value) => value.as_ref().map_or(0, Vec::len),
    }
}

/// A row of an answer.
pub(super) fn row(row: &PgRow) -> Result<Row, StoreError> {
    let cells = (0..row.len()).map(|at| value(at, &row.try_get_raw(at).map_err(failed)?));
    Ok(Row(cells.collect::<Result<_, _>>()?))
}

fn value(at: usize, cell: &PgValueRef<'_>) -> Result<Value, StoreError> {
    if cell.is_null() {
        return Ok(Value::Blob(None));
    }
    let odd = || StoreError::Corrupt(format!("column {at} does not decode"));
    let kind = cell.type_info().into_owned();
    if cell.format() != PgValueFormat::Binary {
        return Err(odd());
    }
    let bytes = cell.as_bytes().map_err(|_| odd())?;
    Ok(match kind.name() {
        "INT8" => Value::Int(Some(i64::from_be_bytes(bytes.try_into().map_err(|_| odd())?))),
        "INT4" => Value::Int(Some(i32::from_be_bytes(bytes.try_into().map_err(|_| odd())?).into())),
        "BYTEA" => Value::Blob(Some(bytes.to_vec())),
        "TEXT" => Value::Text(Some(std::str::from_utf8(bytes).map_err(|_| odd())?.to_owned())),
        other => return Err(StoreError::Corrupt(format!("column {at} has type {other}"))),
    })
}

/// A column of a row in text form, as unprepared statements answer.
pub(super) fn text(row: &PgRow, at: usize) -> Result<String, StoreError> {
    let cell = row.try_get_raw(at).map_err(failed)?;
    let text = cell.as_str().map_err(|_| StoreError::Corrupt(format!("column {at} does not decode")))?;
    Ok(text.to_owned())
}
