//! Appends one link to the caller's chain (SPEC 2). The chain is verified whole before the committer is asked; inside,
//! only one question is left: is its head still the newest?

use postfach_domain::act::time_fits;
use postfach_domain::chain::{AppliedLink, Chain, Link as ParsedLink};
use postfach_domain::decide::{Appended, Refusal, decide_append_link};
use postfach_domain::format::Signed;
use postfach_domain::head::ChainHead;
use postfach_domain::id::Address;
use postfach_domain::keylog::link_leaf;
use postfach_domain::time::Timestamp;

use super::get_chain::own_address;
use super::links::{check_wrap_sizes, link_error, put_members, put_wraps};
use super::{App, AppError, Caller, ChainAnswer, Wrap};
use crate::commit::{Applied, Needs, Operation, WorkingSet};
use crate::storage::Ask;
use crate::storage::sql::mailboxes::{self, Link, Mailbox};

impl App {
    /// Appends one link with its wraps to the caller's chain. The same link again gives the same answer.
    pub async fn append_link(
        &self,
        caller: &Caller,
        link: Signed,
        wraps: Vec<Wrap>,
    ) -> Result<ChainAnswer, AppError> {
        let address = own_address(caller)?;
        let mailbox = self.mailbox(&address).await?.ok_or(AppError::NotFound)?;
        check_wrap_sizes(&wraps)?;
        let stored = mailboxes::chain(&mut Ask(&*self.store), mailbox.no).await?;
        let links = stored.into_iter().map(|link| link.signed).collect();
        if let Some(operation) = self.checked_link(address, links, link, wraps).await? {
            self.submit(operation).await?;
        }
        self.chain_answer(&mailbox).await
    }

    /// Verifies the stored chain and the new link; up to a thousand signatures, so off the network's threads. `None`
    /// where the link stands already.
    async fn checked_link(
        &self,
        address: Address,
        stored: Vec<Signed>,
        link: Signed,
        wraps: Vec<Wrap>,
    ) -> Result<Option<AppendLink>, AppError> {
        let (origin, now) = (self.origin.clone(), self.now());
        let verify = move || {
            let chain = Chain::verify_for(&origin, &address, &stored).map_err(|error| {
                tracing::error!(%error, "a stored chain does not verify");
                AppError::Internal
            })?;
            let time = ParsedLink::parse(&link.body).map_err(link_error)?.time;
            let members: Vec<_> = wraps.iter().map(|wrap| wrap.member).collect();
            let decided =
                decide_append_link(&chain, &link, &members, now).map_err(|refusal| match refusal {
                    Refusal::LinkInvalid { rule } => link_error(rule),
                    other => other.into(),
                })?;
            let before = chain.head();
            Ok(match decided {
                Appended::Again => None,
                Appended::Append { chain, applied } => {
                    Some(AppendLink { address, before, chain, applied, link, time, wraps })
                }
            })
        };
        tokio::task::spawn_blocking(verify).await.map_err(|_| AppError::Internal)?
    }
}

/// A verified link on its way.
#[derive(Debug)]
struct AppendLink {
    address: Address,
    /// The head that it follows.
    before: ChainHead,
    /// The chain with the link.
    chain: Box<Chain>,
    applied: AppliedLink,
    link: Signed,
    time: Timestamp,
    wraps: Vec<Wrap>,
}

impl Operation for AppendLink {
    fn extends_keys(&self) -> bool {
        true
    }

    fn weight(&self) -> usize {
        8 * 1024 * (1 + self.wraps.len())
    }

    fn needs(&self, needs: &mut Needs) {
        needs.mailboxes.insert(self.address);
        needs.links.insert((self.address, self.applied.head.seq));
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let mailbox = set.mailboxes.get(&self.address).cloned().ok_or(Refusal::NotFound)?;
        let head = self.applied.head;
        if let Some((standing, _)) = set.links.get(&(self.address, head.seq)) {
            let newest = ChainHead { seq: mailbox.head_seq, link_hash: mailbox.head_hash };
            let same = *standing == head.link_hash;
            return if same { Ok(Applied::Known(None)) } else { Err(Refusal::LinkConflict { head: newest }) };
        }
        let newest = ChainHead { seq: mailbox.head_seq, link_hash: mailbox.head_hash };
        if newest != self.before {
            return Err(Refusal::LinkConflict { head: newest });
        }
        if !time_fits(self.time, set.now()) {
            return Err(Refusal::ActTimeOff { server_time: set.now() });
        }
        let index = set.log_key(link_leaf(&self.address.label(), head.seq, &head.link_hash));
        set.links.put((self.address, head.seq), (head.link_hash, index));
        set.changes.links.push(Link {
            mailbox_no: mailbox.no,
            seq: head.seq,
            signed: self.link.clone(),
            link_hash: head.link_hash,
            key_index: index,
        });
        let changed = Mailbox {
            head_seq: head.seq,
            head_hash: head.link_hash,
            generation: self.chain.generation().generation,
            closed_at: mailbox.closed_at.or(self.applied.closed.then(|| set.now())),
            ..mailbox
        };
        put_members(set, &self.chain, &changed);
        put_wraps(set, changed.no, head.seq, &self.wraps);
        set.mailboxes.put(self.address, changed);
        Ok(Applied::Logged { keys: vec![index], events: Vec::new() })
    }
}
