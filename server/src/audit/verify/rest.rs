//! Tables that only repeat what events and chains say: counters, acts, consents, activation codes.

use std::collections::{HashMap, HashSet};

use postfach_domain::hash::Digest;
use postfach_domain::id::{ActId, AuthorityId};
use postfach_domain::terms::TrustLevel;

use super::acts::{ActTag, act_tag};
use super::facts::Keys;
use super::history::History;
use super::problem::{Checked, bad, bad_at, hold};
use crate::storage::Query;
use crate::storage::audit::{ACT, ACTIVATION_CODE, CONSENT, PAIR, Pager, Record, Table};

/// Rows of a page.
const PAGE: u64 = 4096;

/// All rows of a table, one by one.
async fn each(
    query: &mut dyn Query,
    table: &'static Table,
    mut check: impl FnMut(Record) -> Checked<()>,
) -> Checked<u64> {
    let mut pager = Pager::new(table, PAGE);
    let mut rows = 0;
    loop {
        let page = pager.next(query).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        for row in page {
            rows += 1;
            check(row)?;
        }
    }
}

/// Each pair has its newest counter.
pub async fn check_pairs(query: &mut dyn Query, history: &History) -> Checked<()> {
    let rows = each(query, &PAIR, |mut row| {
        let (pair, seq) = ((row.unsigned()?, row.unsigned()?), row.unsigned()?);
        hold(&row, history.pairs.get(&pair) == Some(&seq), "seq is not the newest pair_seq of these two")
    })
    .await?;
    // Keys of rows differ and each was found.
    if rows == history.pairs.len() as u64 {
        return Ok(());
    }
    Err(bad_at("pair", "", format!("{rows} rows instead of {}", history.pairs.len())))
}

/// Each act in an event has its row, and each row its act. Of settings that were replaced, and of events that were
/// erased, only the row is left.
pub async fn check_acts(
    query: &mut dyn Query,
    history: &History,
    settings: &HashMap<u64, ActTag>,
) -> Checked<()> {
    let mut wanted: Vec<(ActTag, Option<u64>)> =
        history.acts.iter().map(|(tag, index)| (*tag, Some(*index))).collect();
    wanted.extend(settings.values().map(|tag| (*tag, None)));
    wanted.sort_unstable();
    if let Some([_, (_, Some(index))]) = wanted.array_windows().find(|[a, b]| a.0 == b.0) {
        return Err(bad_at("event", format!("idx={index}"), "the act was used before"));
    }
    let mut found = vec![false; wanted.len()];
    each(query, &ACT, |mut row| {
        let act_id = ActId(row.array()?);
        let actor_no = row.unsigned()?;
        let body_hash = Digest(row.array()?);
        let event = row.opt_unsigned()?;
        let tag = act_tag(&act_id, actor_no, &body_hash, event);
        match (wanted.binary_search_by_key(&tag, |(tag, _)| *tag), event) {
            (Ok(at), _) => {
                found[at] = true;
                Ok(())
            }
            (Err(_), None) => hold(&row, settings.contains_key(&actor_no), "the actor has no settings"),
            (Err(_), Some(index)) => {
                let gone = history.erased.binary_search(&index).is_ok();
                hold(&row, gone, "the event does not carry this act of this actor")
            }
        }
    })
    .await?;
    let missing = wanted.iter().zip(&found).filter(|(_, found)| !**found).map(|(wanted, _)| wanted.1).min();
    match missing {
        None => Ok(()),
        Some(Some(index)) => Err(bad_at("act", "", format!("the act of event {index} has no row"))),
        Some(None) => Err(bad_at("act", "", "the act of a mailbox's settings has no row")),
    }
}

/// Consents are what the acts of consent came to.
pub async fn check_consents(query: &mut dyn Query, keys: &Keys, history: &History) -> Checked<()> {
    let mut known = 0;
    each(query, &CONSENT, |mut row| {
        let mailbox = row.unsigned()?;
        let scope = row.text()?;
        let wellformed = scope.is_empty() || scope.parse::<AuthorityId>().is_ok();
        hold(&row, wellformed, "authority_id is malformed")?;
        let times = (row.opt_unsigned()?, row.opt_unsigned()?);
        let wanted = history
            .consents
            .get(&(mailbox, scope))
            .map(|(time, granted)| if *granted { (Some(*time), None) } else { (None, Some(*time)) });
        known += usize::from(wanted.is_some());
        match wanted {
            None if history.forgotten.contains(&mailbox) => Ok(()),
            wanted => hold(&row, wanted == Some(times), "no act of the mailbox says this"),
        }
    })
    .await?;
    if known != history.consents.len() {
        let what = format!("{known} rows stand for acts, {} should", history.consents.len());
        return Err(bad_at("consent", "", what));
    }
    for mailbox in &keys.mailboxes {
        let newest = history.consent_times.get(&mailbox.no).copied();
        if newest != mailbox.consent_time && !history.forgotten.contains(&mailbox.no) {
            let row = format!("no={}", mailbox.no);
            return Err(bad_at("mailbox", row, "consent_time is not that of its newest act of consent"));
        }
    }
    Ok(())
}

/// Every citizen's mailbox was opened with one code, whose level it has; authorities' mailboxes without.
pub async fn check_codes(query: &mut dyn Query, keys: &Keys) -> Checked<()> {
    let mut opened = HashSet::new();
    each(query, &ACTIVATION_CODE, |mut row| {
        let _: [u8; 32] = row.array()?;
        let key: Option<[u8; 32]> = row.opt_array()?;
        let level = row.small()?;
        hold(&row, is_level(level), "trust_level is none")?;
        row.unsigned()?;
        let redeemed = row.opt_unsigned()?;
        hold(&row, key.is_some() != redeemed.is_some(), "activation_key and mailbox_no do not fit together")?;
        let Some(no) = redeemed else { return Ok(()) };
        let mailbox = keys.mailbox(no).filter(|mailbox| mailbox.authority_no.is_none());
        let mailbox = mailbox.ok_or_else(|| bad(&row, "mailbox_no names no citizen's mailbox"))?;
        hold(&row, mailbox.trust_level == level, "the mailbox has another trust level")?;
        hold(&row, opened.insert(no), "the mailbox was opened with another code")
    })
    .await?;
    for mailbox in &keys.mailboxes {
        let row = || format!("no={}", mailbox.no);
        if mailbox.authority_no.is_none() && !opened.contains(&mailbox.no) {
            return Err(bad_at("mailbox", row(), "no activation code was redeemed for it"));
        }
        let high = u32::try_from(TrustLevel::High.to_wire()).ok();
        if mailbox.authority_no.is_some() && Some(mailbox.trust_level) != high {
            return Err(bad_at("mailbox", row(), "an authority's mailbox has not the highest trust level"));
        }
    }
    Ok(())
}

fn is_level(number: u32) -> bool {
    i32::try_from(number).ok().and_then(TrustLevel::from_wire).is_some()
}
