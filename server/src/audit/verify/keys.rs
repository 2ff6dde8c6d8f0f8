//! Everything of the keys log but its tree: mailboxes with their chains, authorities with their certificates, and that
//! each leaf is what one of them demands.

use std::collections::{HashMap, VecDeque};

use postfach_domain::keylog::KeyLeaf;

use super::acts::ActTag;
use super::authorities;
use super::chain::{CheckedMailbox, MailboxRows, check_mailbox, orphan};
use super::facts::{Context, Keys};
use super::pipeline::in_order;
use super::problem::{Checked, bad, bad_at};
use super::report::Counts;
use super::tree::Tree;
use crate::storage::Query;
use crate::storage::audit::{KEY_LEAF, LINK, MAILBOX, MEMBER, Pager, Record, SETTING, Table, WRAP};

/// Rows of a page.
const PAGE: u64 = 256;
/// Links that go to another thread at once.
const LINKS: usize = 128;

/// What the keys log comes to.
#[derive(Debug, Default)]
pub struct KeysLog {
    /// For later checks.
    pub keys: Keys,
    /// The acts of all settings, by mailbox.
    pub settings: HashMap<u64, ActTag>,
}

/// Checks all mailboxes, authorities and leaves, and builds the tree.
pub async fn check_keys(
    query: &mut dyn Query,
    context: &Context,
    tree: &mut Tree,
    counts: &mut Counts,
) -> Checked<KeysLog> {
    let mut log = KeysLog::default();
    let mut leaves = Vec::new();
    check_mailboxes(query, context, &mut log, &mut leaves, counts)?;
    authorities::check(query, context, &mut log.keys, &mut leaves, counts).await?;
    leaves.sort_unstable_by_key(|(index, _)| *index);
    log.keys.size = check_leaves(query, &leaves, tree).await?;
    Ok(log)
}

fn check_mailboxes(
    query: &mut dyn Query,
    context: &Context,
    log: &mut KeysLog,
    leaves: &mut Vec<(u64, KeyLeaf)>,
    counts: &mut Counts,
) -> Checked<()> {
    let mut rows = Rows::new();
    let work = |batch: Vec<MailboxRows>| {
        batch.into_iter().map(|rows| check_mailbox(context, rows)).collect::<Checked<Vec<_>>>()
    };
    let sink = |checked: Vec<CheckedMailbox>| {
        for mailbox in checked {
            counts.mailboxes += 1;
            counts.links += mailbox.facts.links.len() as u64;
            counts.wraps += mailbox.wraps;
            counts.signatures += mailbox.signatures;
            leaves.extend(mailbox.leaves);
            log.settings.extend(mailbox.settings.map(|tag| (mailbox.facts.no, tag)));
            log.keys.mailboxes.push(mailbox.facts);
        }
        Ok(())
    };
    in_order(async || rows.batch(query).await, work, sink)
}

/// Every leaf is what a link, certificate or revocation demands, and each of those has its leaf.
async fn check_leaves(query: &mut dyn Query, wanted: &[(u64, KeyLeaf)], tree: &mut Tree) -> Checked<u64> {
    let mut pager = Pager::new(&KEY_LEAF, 4096);
    let mut wanted = wanted.iter();
    let mut size = 0;
    loop {
        let page = pager.next(query).await?;
        if page.is_empty() {
            break;
        }
        for mut row in page {
            if row.unsigned()? != size {
                return Err(bad(&row, format!("leaf {size} is missing")));
            }
            let leaf: KeyLeaf = row.array()?;
            let due = wanted.next().filter(|(index, _)| *index == size);
            match due {
                None => return Err(bad(&row, "no link, certificate or revocation has this leaf")),
                Some((_, due)) if *due != leaf => {
                    return Err(bad(&row, "the leaf is not that of its link, certificate or revocation"));
                }
                Some(_) => tree.append(postfach_ledger::hash::leaf_hash(&leaf))?,
            }
            size += 1;
        }
    }
    match wanted.next() {
        None => Ok(size),
        Some((index, _)) => {
            Err(bad_at("key_leaf", format!("idx={index}"), "the leaf is missing, or two things claim it"))
        }
    }
}

/// A table read ahead.
struct Stream {
    pager: Pager,
    rows: VecDeque<Record>,
}

impl Stream {
    fn new(table: &'static Table) -> Self {
        Self { pager: Pager::new(table, PAGE), rows: VecDeque::new() }
    }

    /// The number of the mailbox that the next row belongs to.
    async fn peek(&mut self, query: &mut dyn Query) -> Checked<Option<i64>> {
        if self.rows.is_empty() {
            self.rows = self.pager.next(query).await?.into();
        }
        let number = |row: &Record| row.first_key().ok_or_else(|| bad(row, "the key is not a number"));
        self.rows.front().map(number).transpose()
    }

    /// All rows of one mailbox.
    async fn of(&mut self, query: &mut dyn Query, no: i64) -> Checked<Vec<Record>> {
        let mut rows = Vec::new();
        while let Some(next) = self.peek(query).await? {
            if next < no {
                return Err(self.rows.front().map_or_else(|| bad_at("mailbox", "", "missing"), orphan));
            }
            if next > no {
                break;
            }
            rows.extend(self.rows.pop_front());
        }
        Ok(rows)
    }
}

/// The tables of mailboxes, side by side.
struct Rows {
    mailboxes: Stream,
    parts: [Stream; 4],
}

impl Rows {
    fn new() -> Self {
        let parts = [&LINK, &MEMBER, &WRAP, &SETTING].map(Stream::new);
        Self { mailboxes: Stream::new(&MAILBOX), parts }
    }

    /// The rows of some mailboxes; `None` at the end.
    async fn batch(&mut self, query: &mut dyn Query) -> Checked<Option<Vec<MailboxRows>>> {
        let mut batch = Vec::new();
        let mut links = 0;
        while links < LINKS
            && let Some(no) = self.mailboxes.peek(query).await?
        {
            let Some(mailbox) = self.mailboxes.rows.pop_front() else { break };
            let mut parts = [const { Vec::new() }; 4];
            for (part, stream) in parts.iter_mut().zip(&mut self.parts) {
                *part = stream.of(query, no).await?;
            }
            let [chain, members, wraps, settings] = parts;
            links += chain.len();
            batch.push(MailboxRows { mailbox, links: chain, members, wraps, settings });
        }
        if !batch.is_empty() {
            return Ok(Some(batch));
        }
        for stream in &mut self.parts {
            if stream.peek(query).await?.is_some() {
                return Err(stream.rows.front().map_or_else(|| bad_at("mailbox", "", "missing"), orphan));
            }
        }
        Ok(None)
    }
}
