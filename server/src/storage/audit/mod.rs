//! Reading everything that is stored, table by table, for `audit verify`: every row and every column, whatever it
//! holds. Nothing here writes, and nothing here knows what a value should be.

mod record;
mod source;
mod sqlite;
mod tables;

pub use record::{Misread, Pager, Record, Table};
pub use source::Source;
pub use sqlite::{ReadOnlyStore, open_read_only};
pub use tables::*;
