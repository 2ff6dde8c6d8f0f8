//! Syncing: pages of everything that happened in the mailbox, each event proven, each new message checked.

use std::sync::Arc;

use postfach_domain::act::{Act, ActType};
use postfach_domain::authority::AuthorityCert;
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::id::Party;
use postfach_domain::outer::Outer;
use postfach_domain::sign::PublicKey;
use postfach_ledger::head::HeadStatement;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;

use super::Mailbox;
use super::page::{Content, MailboxMemory, SyncPage, SyncWarning};
use super::scan::WITH_A_SYNC;
use super::sort::{Item, Sorter, message, tell_missing};
use super::verify::{Arrived, Reader};
use crate::client::{MAX_ANSWER, Pace};
use crate::error::{Error, EvidenceFault};
use crate::evidence::chain::ProvenChain;
use crate::evidence::follow::{Seen, check_order};
use crate::evidence::{CertifiedKey, VerifiedEvent};
use crate::state::{SyncState, Waiting};
use crate::work::blocking;

/// Rows asked for at once.
const PAGE: u32 = 500;

impl Mailbox {
    /// Fetches and checks the next page after `state`, and moves `state` on. Store items and state together; after an
    /// error, store nothing.
    pub async fn sync_page(
        &self,
        state: &mut SyncState,
        memory: &impl MailboxMemory,
    ) -> Result<SyncPage, Error> {
        let first = state.cursor.clone();
        let answer = self.fetch(&first, PAGE).await?;
        let seen = self.client.observe(answer.checkpoints.as_ref())?;
        self.client.settle().await?;
        let events = answer.items.iter().filter_map(|item| item.event.as_ref());
        let behind = check_order(events, state.behind, answer.has_more, &seen)?;
        if !answer.has_more {
            self.check_head(answer.head.as_ref(), &seen).await?;
        }
        if self.is_chain_old() || self.names_newer_head(&answer) {
            self.refresh_chain().await?;
        }
        let checked = self.check_page(&answer, &seen).await?;
        let mut next = state.clone();
        let mut page = Sorter::new(memory, &mut next, &first).sort(checked)?;
        next.cursor.clone_from(&answer.next_cursor);
        next.behind = behind;
        page.has_more = answer.has_more;
        if !page.has_more {
            tell_missing(&mut next, &mut page.warnings);
            self.fetch_waiting(&mut next, &mut page).await?;
            self.scan_with_sync().await?;
        }
        *state = next;
        Ok(page)
    }

    /// Reads on in the log of keys. Only proof of fraud stops a sync; everything else is tried again with the next.
    async fn scan_with_sync(&self) -> Result<(), Error> {
        match self.scan_keys(WITH_A_SYNC).await {
            Err(error @ Error::Evidence(_)) => Err(error),
            Err(error) => {
                tracing::debug!(%error, "the log of keys was not read on");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    async fn fetch(&self, cursor: &str, page_size: u32) -> Result<v1::SyncResponse, Error> {
        let request = v1::SyncRequest { cursor: cursor.to_owned(), page_size };
        self.client
            .call(Pace::Normal, request, |channel, request| async move {
                MailboxServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER).sync(request).await
            })
            .await
    }

    /// True where an event names a link of ours that we have not seen: another device made it.
    fn names_newer_head(&self, answer: &v1::SyncResponse) -> bool {
        let own = self.own_chain().chain.head().seq;
        answer.items.iter().any(|item| {
            let outer = Outer::parse(&item.outer).ok();
            let sealed_for = outer.map(|outer| outer.recipient_head.head.seq);
            let event = item.event.as_ref().and_then(|logged| Event::parse(&logged.event).ok());
            let acted_under = event.and_then(|event| match event.signed {
                Some(EventSigned::Act(act)) => Some(Act::peek(&act).ok()?.actor_head?.seq),
                _ => None,
            });
            sealed_for.max(acted_under).is_some_and(|seq| seq > own)
        })
    }

    /// The statement on our own label must be of this moment, and about the chain that we know or a longer one.
    async fn check_head(&self, head: Option<&v1::SignedHead>, seen: &Seen) -> Result<(), Error> {
        let head = head.ok_or_else(|| Error::answer("no head statement"))?;
        let fault = |reason: String| Error::evidence(EvidenceFault::Head(reason));
        let signature = head.signature.as_ref().ok_or_else(|| fault("it is not signed".to_owned()))?;
        let statement = HeadStatement::verify(&head.statement, signature, &self.client.service().keys_log)
            .map_err(|e| fault(e.to_string()))?;
        if statement.subject != self.keys.address.label().0 {
            return Err(fault("it is about somebody else".to_owned()));
        }
        if statement.tree_size != seen.keys()?.checkpoint.size {
            return Err(fault("it is from another moment than the answer".to_owned()));
        }
        let own = self.own_chain();
        if own.chain.link_hash_at(statement.seq) == Some(statement.hash)
            && own.chain.head().seq == statement.seq
        {
            return Ok(());
        }
        // Another device of ours made a link; or the service lies, which the chain itself will show.
        self.refresh_chain().await?;
        let own = self.own_chain();
        if own.chain.link_hash_at(statement.seq) == Some(statement.hash) {
            return Ok(());
        }
        Err(fault("it names a link that our chain does not have".to_owned()))
    }

    /// Verifies all events of a page, and checks its messages on all processors.
    pub(super) async fn check_page(
        &self,
        answer: &v1::SyncResponse,
        seen: &Seen,
    ) -> Result<Vec<Item>, Error> {
        let certificates: Vec<CertifiedKey> = answer
            .authorities
            .iter()
            .map(|key| self.client.verify_authority_key(key, seen))
            .collect::<Result<_, _>>()?;
        let sender = |chain: &v1::LoggedChain| {
            let genesis = chain.links.first().ok_or_else(|| Error::answer("an empty chain"))?;
            let address = postfach_domain::chain::address_of(genesis);
            self.client.verify_chain(&address, Some(chain), seen)
        };
        let senders = answer.senders.iter().map(sender).collect::<Result<Vec<_>, _>>()?;
        let all = Arc::new(Page { certificates, senders, seen: seen.clone(), items: answer.items.clone() });
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let size = all.items.len().div_ceil(count).max(1);
        let mailbox = self.clone();
        blocking(move |_| {
            let reader = Reader {
                origin: &mailbox.client.service().origin,
                keys: &mailbox.keys,
                chain: &mailbox.own_chain(),
                certificates: &all.certificates,
                senders: &all.senders,
            };
            let check = |part: &[v1::SyncItem]| -> Result<Vec<Item>, Error> {
                part.iter().map(|item| mailbox.check_item(item, &reader, &all.seen)).collect()
            };
            std::thread::scope(|scope| {
                let parts: Vec<_> = all.items.chunks(size).map(|part| scope.spawn(|| check(part))).collect();
                let mut items = Vec::with_capacity(all.items.len());
                for part in parts {
                    match part.join() {
                        Ok(checked) => items.extend(checked?),
                        Err(panic) => std::panic::resume_unwind(panic),
                    }
                }
                Ok(items)
            })
        })
        .await
    }

    fn check_item(&self, item: &v1::SyncItem, reader: &Reader<'_>, seen: &Seen) -> Result<Item, Error> {
        let logged = item.event.as_ref().ok_or_else(|| Error::answer("no event"))?;
        if item.erased {
            return Ok(Item::Erased(logged.index));
        }
        let verified = self.client.verify_event(logged, seen)?;
        if verified.event.event_type != EventType::Accepted {
            self.check_event(&verified, reader)?;
            return Ok(Item::Event(Box::new(verified)));
        }
        let arrived = Arrived {
            accepted: &verified,
            outer: &item.outer,
            cover_envelope: &item.cover_envelope,
            letter_length: item.letter_length,
        };
        let checked = reader.check(&arrived)?;
        Ok(Item::Message(Box::new((verified, checked))))
    }

    /// Checks who acted in a later event.
    fn check_event(&self, verified: &VerifiedEvent, reader: &Reader<'_>) -> Result<(), Error> {
        let event = &verified.event;
        let ours = match event.event_type {
            EventType::Consent | EventType::ConsentRevoked => true,
            _ => event.recipient == Some(self.keys.address),
        };
        if !ours {
            return Err(verified.fault("it is in another mailbox"));
        }
        match event.event_type {
            EventType::Withdrawn => {
                let sender = event.sender.as_ref().ok_or_else(|| verified.fault("it names no sender"))?;
                let act = verified.act_by(sender, &self.client.service().origin)?;
                let key = key_that_withdrew(verified, &act, reader)?;
                verified.check_act(&key).map(|_| ())
            }
            kind if ActType::of_event(kind).is_some() => self.check_act_of_ours(verified).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// Messages whose cover was not available when they came.
    async fn fetch_waiting(&self, state: &mut SyncState, page: &mut SyncPage) -> Result<(), Error> {
        let now = self.client.now().0;
        let due: Vec<Waiting> = state.waiting.iter().filter(|w| w.available_at <= now).cloned().collect();
        let mut cursors: Vec<&str> = due.iter().map(|w| w.cursor.as_str()).collect();
        cursors.sort_unstable();
        cursors.dedup();
        for cursor in cursors {
            let answer = self.fetch(cursor, PAGE).await?;
            let seen = self.client.observe(answer.checkpoints.as_ref())?;
            self.client.settle().await?;
            for item in self.check_page(&answer, &seen).await? {
                let Item::Message(arrived) = item else { continue };
                let (accepted, checked) = *arrived;
                if !due.iter().any(|w| w.index == accepted.index) {
                    continue;
                }
                if let (Content::NotYet, Some(message_id)) = (&checked.content, accepted.event.message_id) {
                    page.warnings.push(SyncWarning::CoverMissing { message_id });
                    continue;
                }
                state.waiting.retain(|w| w.index != accepted.index);
                page.items.push(message(accepted, checked)?);
            }
        }
        Ok(())
    }
}

/// The sender's key, certified or in the chain, that signed the withdrawal.
fn key_that_withdrew(verified: &VerifiedEvent, act: &Act, reader: &Reader<'_>) -> Result<PublicKey, Error> {
    let event = &verified.event;
    match &act.actor {
        Party::Authority(id) => {
            let fits = |cert: &AuthorityCert| cert.authority_id == *id && act.signer == cert.key_id();
            let key = reader
                .certificates
                .iter()
                .find(|key| fits(&key.certificate) && key.counts_at(event.keys_size, event.occurred_at));
            let key = key.ok_or_else(|| verified.fault("no certificate of the key that withdrew it"))?;
            Ok(key.certificate.sign_pub)
        }
        Party::Mailbox(address) => {
            let head = act.actor_head.ok_or_else(|| verified.fault("its act names no head"))?;
            let chain = reader.senders.iter().find(|c| c.chain.address() == *address);
            let chain = chain.filter(|c| c.chain.contains(&head));
            let key = chain.and_then(|c| c.chain.active_key_at(&act.signer, head.seq));
            key.copied().ok_or_else(|| verified.fault("no chain of the sender with the key that withdrew it"))
        }
    }
}

/// A page's parts that its checks share.
struct Page {
    certificates: Vec<CertifiedKey>,
    senders: Vec<ProvenChain>,
    seen: Seen,
    items: Vec<v1::SyncItem>,
}
