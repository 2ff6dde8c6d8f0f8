//! Statements over many rows. Row counts are rounded up to powers of two and the rest is padded, so that an engine
//! prepares few statements; padding rows carry NULL in their first column and are filtered out by the statement.

use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use super::{Marks, Sql, StoreError, Tx, Value};

/// Rows of one statement at most; longer lists are cut.
const MAX_ROWS: usize = 256;
/// 1, 2, 4 … 256.
const STEPS: usize = 9;

/// Texts by number of rows, with plain and with numbered marks.
type Texts = [[OnceLock<Arc<str>>; STEPS]; 2];

const fn no_texts() -> Texts {
    [const { [const { OnceLock::new() }; STEPS] }; 2]
}

/// Rounds up to the next step.
fn step_of(rows: usize) -> (usize, usize) {
    let padded = rows.max(1).next_power_of_two().min(MAX_ROWS);
    (padded, padded.trailing_zeros() as usize)
}

/// `(VALUES ($1,$2),($3,$4)…)`
fn values(rows: usize, columns: usize, marks: Marks) -> String {
    let mut text = String::from("(VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                text.push(',');
            }
            match marks {
                Marks::Plain => text.push('?'),
                // Writing to a string cannot fail.
                Marks::Numbered => drop(write!(text, "${}", row * columns + column + 1)),
            }
        }
        text.push(')');
    }
    text.push(')');
    text
}

/// A statement that writes many rows from a list of values.
///
/// `{v}` in the template stands for the list, a table with the columns `column1`, `column2` … The template must skip
/// rows whose `column1` is NULL: those are padding.
#[derive(Debug)]
pub struct ManyRows {
    template: &'static str,
    columns: usize,
    texts: Texts,
}

impl ManyRows {
    /// A template and the number of values in each row.
    pub const fn new(template: &'static str, columns: usize) -> Self {
        Self { template, columns, texts: no_texts() }
    }

    fn text(&self, rows: usize, step: usize, marks: Marks) -> Sql {
        let make = || Arc::from(self.template.replace("{v}", &values(rows, self.columns, marks)));
        Sql::Listed(self.texts[marks as usize][step].get_or_init(make).clone())
    }

    /// Writes all rows; every row must touch exactly one row of the table, or the data is not what we think it is.
    pub async fn write(&self, tx: &mut dyn Tx, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let chunk: Vec<_> = rows.by_ref().take(MAX_ROWS).collect();
            let wanted = chunk.len();
            let (padded, step) = step_of(wanted);
            let padding: Vec<Value> = chunk[0].iter().map(Value::to_null).collect();
            let mut args = Vec::with_capacity(padded * self.columns);
            for row in chunk {
                debug_assert_eq!(row.len(), self.columns);
                args.extend(row);
            }
            for _ in wanted..padded {
                args.extend(padding.iter().cloned());
            }
            let touched = tx.execute(self.text(padded, step, tx.marks()), args).await?;
            if touched != wanted as u64 {
                let template = self.template;
                return Err(StoreError::Corrupt(format!("{touched} rows instead of {wanted}: {template}")));
            }
        }
        Ok(())
    }
}

/// A question about many keys of one column. `{in}` in the template stands for `($1,$2,…)`.
#[derive(Debug)]
pub struct InList {
    template: &'static str,
    /// Values in each row of the list; more than one makes a row value: `(a, b) IN (VALUES …)`.
    columns: usize,
    texts: Texts,
}

impl InList {
    /// A template over single values.
    pub const fn new(template: &'static str) -> Self {
        Self { template, columns: 1, texts: no_texts() }
    }

    /// A template over rows of values.
    pub const fn rows(template: &'static str, columns: usize) -> Self {
        Self { template, columns, texts: no_texts() }
    }

    fn text(&self, rows: usize, step: usize, marks: Marks) -> Sql {
        let make = || Arc::from(self.template.replace("{in}", &values(rows, self.columns, marks)));
        Sql::Listed(self.texts[marks as usize][step].get_or_init(make).clone())
    }

    /// All rows for the keys. Keys may repeat; without keys nothing is asked.
    pub async fn fetch(
        &self,
        query: &mut dyn super::Query,
        keys: Vec<Vec<Value>>,
    ) -> Result<Vec<super::Row>, StoreError> {
        let mut found = Vec::new();
        for chunk in keys.chunks(MAX_ROWS) {
            let (padded, step) = step_of(chunk.len());
            let mut args: Vec<Value> = chunk.iter().flatten().cloned().collect();
            for _ in chunk.len()..padded {
                args.extend(chunk[0].iter().map(Value::to_null));
            }
            found.extend(query.fetch(self.text(padded, step, query.marks()), args).await?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_numbered_and_padded_to_powers_of_two() {
        assert_eq!(values(2, 2, Marks::Numbered), "(VALUES ($1,$2),($3,$4))");
        assert_eq!(values(2, 2, Marks::Plain), "(VALUES (?,?),(?,?))");
        assert_eq!(step_of(0), (1, 0));
        assert_eq!(step_of(3), (4, 2));
        assert_eq!(step_of(256), (256, 8));
        let list = InList::new("SELECT x FROM t WHERE y IN {in}");
        let Sql::Listed(text) = list.text(2, 1, Marks::Numbered) else { panic!("not listed") };
        assert_eq!(&*text, "SELECT x FROM t WHERE y IN (VALUES ($1),($2))");
    }
}
