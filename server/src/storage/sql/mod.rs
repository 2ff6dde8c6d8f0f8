//! Every SQL text of the server, once, by group of tables. Each function is one statement (or one over a list): it
//! binds, runs and reads rows into plain structs, and decides nothing.

pub mod attachments;
pub mod authorities;
pub mod events;
pub mod logs;
pub mod mailboxes;
pub mod messages;

use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, Party};

use super::{Row, StoreError};

/// Something stored does not parse.
fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} does not parse"))
}

fn digest(row: &mut Row, at: usize) -> Result<Digest, StoreError> {
    row.array(at).map(Digest)
}

/// A party from two columns, of which one is NULL: authority id and address.
fn party(row: &mut Row, authority: usize, address: usize) -> Result<Party, StoreError> {
    if let Some(id) = row.opt_text(authority)? {
        return Ok(Party::Authority(id.parse().map_err(|_| corrupt("authority id"))?));
    }
    row.array(address).map(|bytes| Party::Mailbox(Address(bytes)))
}
