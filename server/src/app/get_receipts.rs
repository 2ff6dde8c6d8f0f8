//! All that is needed to build the receipts of one message, for its two parties.

use std::collections::BTreeMap;

use postfach_domain::act::Act;
use postfach_domain::event::{Event, EventSigned};
use postfach_domain::head::ChainHead;
use postfach_domain::id::{Address, MessageId, Party};
use postfach_domain::outer::Outer;

use super::{App, AppError, Caller, LinkProof, Receipts, Refusal};
use crate::evidence::LogName;
use crate::logs::Snapshot;
use crate::storage::StoreError;
use crate::storage::sql::events::EventRow;
use crate::storage::sql::mailboxes::Link;
use crate::storage::sql::messages;

impl App {
    /// All that is needed for the receipts of one message of the caller's.
    pub async fn get_receipts(&self, caller: &Caller, message_id: MessageId) -> Result<Receipts, AppError> {
        self.require_member(caller).await?;
        let mut query = self.store.snapshot().await?;
        let (message, rows) = Self::message_with_events(&mut *query, message_id).await?;
        let party = message.sender == caller.party || Party::Mailbox(message.recipient) == caller.party;
        if !party {
            return Err(AppError::NotFound);
        }
        let stored = messages::outer(&mut *query, message.no).await?;
        drop(query);
        let outer = stored.map(|(outer, _)| outer).unwrap_or_default();
        let heads = heads(&rows, &outer)?;
        let snapshot = self.state_with(&rows).await?;
        let (chains, link_proofs) = self.acting_chains(heads, &snapshot).await?;
        let authorities = match message.sender {
            Party::Authority(_) => self.authority_keys([message.sender_no], &snapshot).await?,
            Party::Mailbox(_) => Vec::new(),
        };
        Ok(Receipts {
            events: self.logged_events(rows, &snapshot).await?,
            outer,
            authorities: authorities.into_iter().map(|(_, key)| key).collect(),
            chains: self.logged_chains(chains, &snapshot).await?,
            link_proofs,
            checkpoints: snapshot.checkpoints(),
        })
    }

    /// The chains of mailboxes that acted, and where the links stand that they named.
    async fn acting_chains(
        &self,
        heads: BTreeMap<Address, Vec<ChainHead>>,
        snapshot: &Snapshot,
    ) -> Result<(Vec<Vec<Link>>, Vec<LinkProof>), AppError> {
        let (mut chains, mut proofs) = (Vec::new(), Vec::new());
        for (address, heads) in heads {
            let mailbox = self.mailbox(&address).await?.ok_or(AppError::Internal)?;
            let links = self.links(mailbox.no, snapshot).await?;
            for head in heads {
                let link = links.iter().find(|link| link.seq == head.seq).ok_or(AppError::Internal)?;
                let inclusion = self.view.prove(snapshot, LogName::Keys, &[link.key_index]).await?;
                let inclusion = inclusion.into_iter().next().ok_or(Refusal::NotFound)?;
                proofs.push(LinkProof { address, head, index: link.key_index, inclusion });
            }
            chains.push(links);
        }
        Ok((chains, proofs))
    }
}

/// Which link each mailbox named in what it signed: acts, and submissions of citizens.
fn heads(rows: &[EventRow], outer: &[u8]) -> Result<BTreeMap<Address, Vec<ChainHead>>, StoreError> {
    let damaged = |what: &str| StoreError::Corrupt(format!("{what} does not parse"));
    let mut heads: BTreeMap<Address, Vec<ChainHead>> = BTreeMap::new();
    for bytes in rows.iter().filter_map(|row| row.event.as_ref()) {
        let event = Event::parse(bytes).map_err(|_| damaged("event"))?;
        let named = match event.signed {
            Some(EventSigned::Act(signed)) => {
                let act = Act::parse(&signed.body).map_err(|_| damaged("act"))?;
                (act.actor, act.actor_head)
            }
            Some(EventSigned::Submission(_)) => {
                let outer = Outer::parse(outer).map_err(|_| damaged("outer header"))?;
                (outer.sender, outer.sender_head)
            }
            None => continue,
        };
        if let (Party::Mailbox(address), Some(head)) = named {
            let known = heads.entry(address).or_default();
            if !known.contains(&head) {
                known.push(head);
            }
        }
    }
    Ok(heads)
}
