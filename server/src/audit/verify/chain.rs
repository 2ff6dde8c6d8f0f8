//! One mailbox: its chain, and every row that repeats something of it.

use postfach_domain::act::{Act, ActType};
use postfach_domain::chain::{Chain, Link, address_of, link_hash};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, KeyId, Party};
use postfach_domain::keylog::{KeyLeaf, link_leaf};
use postfach_domain::sign::PublicKey;
use prost::Message as _;

use super::acts::{ActTag, act_tag};
use super::facts::{Context, LinkFact, MailboxFacts, MemberFact, ROLE_DEVICE};
use super::problem::{Checked, bad, bad_at, hold};
use super::replay::Replay;
use crate::storage::audit::Record;

/// All rows about one mailbox.
#[derive(Debug)]
pub struct MailboxRows {
    /// The mailbox itself.
    pub mailbox: Record,
    /// Its links in order.
    pub links: Vec<Record>,
    /// Its members, by key id.
    pub members: Vec<Record>,
    /// Its wraps, by member and link.
    pub wraps: Vec<Record>,
    /// Its settings, one row at most.
    pub settings: Vec<Record>,
}

/// What the rows of one mailbox come to.
#[derive(Debug)]
pub struct CheckedMailbox {
    /// For later checks.
    pub facts: MailboxFacts,
    /// The leaves that its links demand.
    pub leaves: Vec<(u64, KeyLeaf)>,
    /// The act of its settings.
    pub settings: Option<ActTag>,
    /// Wraps that it has.
    pub wraps: u64,
    /// Signatures that were checked.
    pub signatures: u64,
}

/// Checks one mailbox.
pub fn check_mailbox(context: &Context, rows: MailboxRows) -> Checked<CheckedMailbox> {
    let MailboxRows { mailbox, links, members, wraps, settings } = rows;
    let chain = check_links(context, &mailbox, links)?;
    let wrap_count = wraps.len() as u64;
    check_members(&mailbox, &chain.replay, members)?;
    check_wraps(&mailbox, &chain.replay, wraps)?;
    let facts = check_row(mailbox, &chain)?;
    let mut signatures = chain.signatures;
    let settings = settings.into_iter().map(|row| check_settings(context, &facts, row)).next().transpose()?;
    signatures += u64::from(settings.is_some() && context.signatures);
    let label = facts.address.label();
    let leaf = |(seq, link): (u32, &LinkFact)| (link.key_index, link_leaf(&label, seq, &link.hash));
    let leaves = (0..).zip(&*facts.links).map(leaf).collect();
    Ok(CheckedMailbox { facts, leaves, settings, wraps: wrap_count, signatures })
}

struct CheckedChain {
    address: Address,
    links: Vec<LinkFact>,
    replay: Replay,
    signatures: u64,
}

fn check_links(context: &Context, mailbox: &Record, rows: Vec<Record>) -> Checked<CheckedChain> {
    let mut signed = Vec::with_capacity(rows.len());
    let mut links: Vec<LinkFact> = Vec::with_capacity(rows.len());
    let mut replay = Replay::default();
    for (seq, mut row) in (0..).zip(rows) {
        row.skip();
        if row.small()? != seq {
            return Err(bad(&row, format!("link {seq} of the mailbox is missing")));
        }
        let link = canonical(&row.blob()?).ok_or_else(|| bad(&row, "the link is not well formed"))?;
        let hash = link_hash(&link);
        let stored = Digest(row.array()?);
        hold(&row, stored == hash, "link_hash is not the hash of the link")?;
        let key_index = row.unsigned()?;
        let follows = links.last().is_none_or(|before| before.key_index < key_index);
        hold(&row, follows, "key_index is not above that of the link before")?;
        let parsed = Link::parse(&link.body).map_err(|error| bad(&row, error))?;
        replay.check_place(context, &parsed, &link).map_err(|what| bad(&row, what))?;
        replay.apply(&parsed, hash);
        links.push(LinkFact { hash, key_index, generation: replay.generation });
        signed.push(link);
    }
    let first = signed.first().ok_or_else(|| bad(mailbox, "the mailbox has no links"))?;
    let address = address_of(first);
    let mut signatures = 0;
    if context.signatures {
        Chain::verify_for(&context.origin, &address, &signed).map_err(|error| bad(mailbox, error))?;
        signatures = replay.signatures;
    }
    Ok(CheckedChain { address, links, replay, signatures })
}

/// A signed body in the one spelling in which it is stored.
pub fn canonical(bytes: &[u8]) -> Option<Signed> {
    Signed::decode(bytes).ok().filter(|signed| signed.encode_to_vec() == bytes)
}

fn check_row(mut row: Record, chain: &CheckedChain) -> Checked<MailboxFacts> {
    let (Some(first), Some(head)) = (chain.links.first(), chain.links.last()) else {
        return Err(bad(&row, "the mailbox has no links"));
    };
    let no = row.unsigned()?;
    hold(&row, no == first.key_index, "the number is not the index of the first link")?;
    let address = Address(row.array()?);
    hold(&row, address == chain.address, "the address is not the one that the first link defines")?;
    let authority_no = row.opt_unsigned()?;
    let head_seq = row.small()?;
    hold(&row, head_seq as usize == chain.links.len() - 1, "head_seq is not that of the newest link")?;
    let head_hash = Digest(row.array()?);
    hold(&row, head_hash == head.hash, "head_hash is not that of the newest link")?;
    let generation = row.small()?;
    hold(&row, generation == head.generation, "generation is not that of the chain")?;
    let trust_level = row.small()?;
    let consent_time = row.opt_unsigned()?;
    // By the operator, unsigned; any instant may stand there.
    row.opt_unsigned()?;
    let closed = row.opt_unsigned()?;
    hold(&row, closed.is_some() == chain.replay.closed, "closed_at does not fit the chain")?;
    if let Some(at) = closed {
        let near = at.abs_diff(chain.replay.time.0) <= postfach_domain::act::TIME_WINDOW_MS;
        hold(&row, near, "closed_at is far from the time of the last link")?;
    }
    Ok(MailboxFacts {
        no,
        address,
        authority_no,
        trust_level,
        consent_time,
        links: chain.links.clone().into(),
        members: chain.replay.members.clone().into(),
    })
}

fn check_members(mailbox: &Record, replay: &Replay, rows: Vec<Record>) -> Checked<()> {
    let found = rows.len();
    for mut row in rows {
        row.skip();
        let member = MemberFact {
            key_id: KeyId(row.array()?),
            role: row.small()?,
            public: row.array()?,
            added_seq: row.small()?,
            removed_seq: row.opt_small()?,
        };
        hold(&row, replay.members.contains(&member), "the chain has no such member")?;
    }
    // Keys of rows differ, so equal numbers mean equal sets.
    hold(mailbox, found == replay.members.len(), "a member of the chain has no row in member")
}

fn check_wraps(mailbox: &Record, replay: &Replay, rows: Vec<Record>) -> Checked<()> {
    let found = rows.len();
    for mut row in rows {
        row.skip();
        let member = KeyId(row.array()?);
        let link = row.small()?;
        row.unsigned()?;
        let due = replay.wraps_at.contains(&link);
        hold(&row, due, "no wraps belong to that link")?;
        let counts = replay.members.iter().any(|m| m.key_id == member && m.counts_at(link));
        hold(&row, counts, "no such member at that link")?;
    }
    let members = |seq: &u32| replay.members.iter().filter(|member| member.counts_at(*seq)).count();
    let expected: usize = replay.wraps_at.iter().map(members).sum();
    hold(mailbox, found == expected, format!("{found} wraps instead of {expected}"))
}

fn check_settings(context: &Context, facts: &MailboxFacts, mut row: Record) -> Checked<ActTag> {
    row.skip();
    let time = row.unsigned()?;
    let signed = canonical(&row.blob()?).ok_or_else(|| bad(&row, "the act is not well formed"))?;
    let act = Act::peek(&signed).map_err(|error| bad(&row, error))?;
    hold(&row, act.act_type == ActType::Settings, "the act is not one of settings")?;
    hold(&row, act.origin == context.origin, "the act belongs to another deployment")?;
    hold(&row, act.time.0 == time, "act_time is not the time of the act")?;
    hold(&row, act.actor == Party::Mailbox(facts.address), "the act is another mailbox's")?;
    let head = act.actor_head.ok_or_else(|| bad(&row, "the act names no link"))?;
    let known = facts.links.get(head.seq as usize).is_some_and(|link| link.hash == head.link_hash);
    hold(&row, known, "the act names a link that the chain does not have")?;
    let member = facts
        .members
        .iter()
        .find(|m| m.role == ROLE_DEVICE && m.key_id == act.signer && m.counts_at(head.seq))
        .ok_or_else(|| bad(&row, "the signer was no active device at that link"))?;
    if context.signatures {
        let key = PublicKey::from_bytes(&member.public).map_err(|error| bad(&row, error))?;
        Act::verify(&signed, &key).map_err(|error| bad(&row, error))?;
    }
    Ok(act_tag(&act.act_id, facts.no, &Digest::of(&signed.body), None))
}

/// A chain without its mailbox.
pub fn orphan(row: &Record) -> super::problem::Failure {
    bad_at(row.table(), row.key(), "no mailbox has that number")
}
