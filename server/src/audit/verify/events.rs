//! The evidence log from first to last leaf, with everything that hangs on it: read in ranges of leaves, checked on all
//! cores, put together in order.

use std::collections::VecDeque;

use super::event::{EventFacts, check_event};
use super::facts::{Context, Keys};
use super::history::History;
use super::message::{First, MessageRows, check_message};
use super::pipeline::in_order;
use super::problem::{Checked, bad, bad_at};
use super::report::Counts;
use super::tree::Tree;
use crate::storage::Query;
use crate::storage::audit::{
    CONTENT, CONTENT_LENGTHS, EVENT, MESSAGE, MESSAGE_ATTACHMENT, Pager, Record, Table, USED_ATTACHMENT,
};

/// Leaves of one unit of work at most.
const LEAVES: u64 = 512;
/// Bytes of content of one unit of work, unless one message alone is larger.
const BYTES: u64 = 2 << 20;

/// The rows of a range of leaves.
struct Unit {
    from: u64,
    to: u64,
    events: Vec<Record>,
    messages: Vec<Record>,
    contents: Vec<Record>,
    uses: Vec<Record>,
}

/// Where reading stands.
struct Source {
    next: u64,
    size: u64,
    messages: u64,
    contents: u64,
    uses: u64,
}

/// Checks all events, messages and contents, and builds the tree.
pub async fn check_events(
    query: &mut dyn Query,
    context: &Context,
    keys: &Keys,
    tree: &mut Tree,
    counts: &mut Counts,
) -> Checked<History> {
    let messages = MESSAGE.count(query).await?;
    let mut history = History::new(keys.size, messages);
    let size = leaves(query).await?;
    let mut source = Source { next: 0, size, messages: 0, contents: 0, uses: 0 };
    let work = |unit| check_unit(context, keys, unit);
    let signatures = u64::from(context.signatures);
    let sink = |facts: Vec<EventFacts>| {
        for facts in facts {
            let begins = facts.message.as_ref().is_some_and(|message| message.hashes.is_some());
            let acts = facts.live.as_ref().is_some_and(|live| live.act.is_some());
            counts.signatures += signatures * (u64::from(begins) + u64::from(acts));
            counts.acts += u64::from(acts);
            history.take(facts, tree)?;
        }
        Ok(())
    };
    in_order(async || source.unit(query).await, work, sink)?;
    tree.finish()?;
    history.finish()?;
    source.nothing_else(query).await?;
    counts.messages = history.messages();
    counts.erased_messages = history.erased_messages();
    counts.erased_events = history.erased.len() as u64;
    Ok(history)
}

/// How many leaves there should be: one more than the highest index.
async fn leaves(query: &mut dyn Query) -> Checked<u64> {
    let sql = "SELECT coalesce(max(idx), -1) + 1 FROM event";
    let rows = query.fetch(sql.into(), Vec::new()).await?;
    let size = rows.into_iter().next().map(|mut row| row.unsigned(0)).transpose()?.unwrap_or_default();
    beyond(query, &EVENT, size).await?;
    Ok(size)
}

/// No row of a table stands outside `0..size`.
async fn beyond(query: &mut dyn Query, table: &'static Table, size: u64) -> Checked<()> {
    let first = Pager::new(table, 1).next(query).await?;
    if let Some(row) = first.iter().find(|row| row.first_key().is_none_or(|key| key < 0)) {
        return Err(bad(row, "there is no such leaf"));
    }
    match table.range(query, size, u64::MAX).await?.first() {
        Some(row) => Err(bad(row, "there is no such leaf")),
        None => Ok(()),
    }
}

impl Source {
    async fn unit(&mut self, query: &mut dyn Query) -> Checked<Option<Unit>> {
        if self.next >= self.size {
            return Ok(None);
        }
        let from = self.next;
        let to = cut(query, from, (from + LEAVES).min(self.size)).await?;
        let unit = Unit {
            from,
            to,
            events: EVENT.range(query, from, to).await?,
            messages: MESSAGE.range(query, from, to).await?,
            contents: CONTENT.range(query, from, to).await?,
            uses: USED_ATTACHMENT.range(query, from, to).await?,
        };
        self.next = to;
        self.messages += unit.messages.len() as u64;
        self.contents += unit.contents.len() as u64;
        self.uses += unit.uses.len() as u64;
        Ok(Some(unit))
    }

    /// No row was left out because it hangs on no leaf.
    async fn nothing_else(&self, query: &mut dyn Query) -> Checked<()> {
        let tables = [(&MESSAGE, self.messages), (&CONTENT, self.contents), (&MESSAGE_ATTACHMENT, self.uses)];
        for (table, seen) in tables {
            beyond(query, table, self.size).await?;
            let count = table.count(query).await?;
            if count != seen {
                return Err(bad_at(table.name, "", format!("{count} rows, {seen} of them hang on a leaf")));
            }
        }
        Ok(())
    }
}

/// The end of a range that begins at `from` and holds not too many bytes.
async fn cut(query: &mut dyn Query, from: u64, to: u64) -> Checked<u64> {
    let mut bytes = 0u64;
    for mut row in query.fetch(CONTENT_LENGTHS.into(), vec![from.into(), to.into()]).await? {
        let (no, length) = (row.unsigned(0)?, row.unsigned(1)?);
        if bytes > 0 && bytes.saturating_add(length) > BYTES {
            return Ok(no);
        }
        bytes = bytes.saturating_add(length);
    }
    Ok(to)
}

/// The rows at the front of a list that have this number.
fn take(rows: &mut VecDeque<Record>, no: u64) -> Vec<Record> {
    let mut taken = Vec::new();
    let wanted = i64::try_from(no).ok();
    while rows.front().is_some_and(|row| row.first_key() == wanted) {
        taken.extend(rows.pop_front());
    }
    taken
}

fn check_unit(context: &Context, keys: &Keys, unit: Unit) -> Checked<Vec<EventFacts>> {
    let Unit { from, to, events, messages, contents, uses } = unit;
    let (mut messages, mut contents, mut uses) =
        (VecDeque::from(messages), VecDeque::from(contents), VecDeque::from(uses));
    let mut checked = Vec::with_capacity(events.len());
    for (index, mut row) in (from..).zip(events) {
        let (mut facts, event) = check_event(context, keys, &mut row, index)?;
        let message = take(&mut messages, index).into_iter().next();
        let content = take(&mut contents, index).into_iter().next();
        let uses = take(&mut uses, index);
        if let Some(message) = message {
            if facts.message_no != Some(index) {
                return Err(bad(&message, "no message begins with that event"));
            }
            let first = First { index, event: event.as_ref(), numbers: facts.numbers };
            let rows = MessageRows { message, content, uses };
            facts.message = Some(check_message(context, keys, rows, first)?);
        } else if let Some(row) = content.iter().chain(&uses).next() {
            return Err(bad(row, "there is no such message"));
        }
        checked.push(facts);
    }
    if let Some(0) = (to - from).checked_sub(checked.len() as u64) {
        Ok(checked)
    } else {
        let index = from + checked.len() as u64;
        Err(bad_at("event", format!("idx={index}"), "the leaf is missing"))
    }
}
