//! Syncing: pages of everything that happened in the mailbox, each event proven, each new message checked.

use std::collections::HashMap;
use std::sync::Arc;

use postfach_domain::act::Act;
use postfach_domain::authority::AuthorityCert;
use postfach_domain::event::{ErasedDetails, Event, EventSigned, EventType};
use postfach_domain::id::{MessageId, Party};
use postfach_domain::outer::Outer;
use postfach_domain::submission::Hashes;
use postfach_envelope::open::OpenedCover;
use postfach_ledger::head::HeadStatement;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;

use super::scan::WITH_A_SYNC;
use super::verify::{Arrived, Checked, Reader};
use super::{Mailbox, MessageRecord};
use crate::client::{MAX_ANSWER, Pace};
use crate::error::{Error, EvidenceFault};
use crate::evidence::chain::ProvenChain;
use crate::evidence::follow::Seen;
use crate::evidence::{CertifiedKey, VerifiedEvent};
use crate::stages::Stage;
use crate::state::{SyncState, Waiting};
use crate::work::blocking;

/// Rows asked for at once.
const PAGE: u32 = 500;

/// What the application remembers of messages that came before.
pub trait MailboxMemory {
    /// Place of the message's ACCEPTED event in the evidence log, where the message is known.
    fn accepted_index(&self, id: &MessageId) -> Option<u64>;

    /// The hashes of a known message; asked for once for each later event.
    fn hashes(&self, id: &MessageId) -> Option<Hashes>;
}

/// One page, in the order of the log.
#[derive(Debug)]
#[non_exhaustive]
pub struct SyncPage {
    /// What happened. Store it together with the [`SyncState`].
    pub items: Vec<SyncItem>,
    /// What a person should know, though nothing is proven wrong.
    pub warnings: Vec<SyncWarning>,
    /// Call again.
    pub has_more: bool,
}

/// One thing that happened in the mailbox.
#[derive(Debug)]
#[non_exhaustive]
pub enum SyncItem {
    /// A new message, or one whose cover has become available.
    Message(Box<ReceivedMessage>),
    /// Something happened to a message, or to the mailbox.
    Event(Box<MailboxEvent>),
    /// An event whose content was erased; only its place is left.
    Erased {
        /// In the evidence log.
        index: u64,
    },
}

/// A message that came.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReceivedMessage {
    /// Its id.
    pub message_id: MessageId,
    /// The ACCEPTED event.
    pub accepted: VerifiedEvent,
    /// As a stage.
    pub stage: Stage,
    /// What to store of it.
    pub record: MessageRecord,
    /// Its cover, or why it is not shown.
    pub content: Content,
}

/// What may be shown of a message before it is read.
#[derive(Debug)]
pub enum Content {
    /// All checks passed.
    Opened(Box<OpenedCover>),
    /// The sender wants it to be readable later.
    NotYet,
    /// A check failed: nothing of the content is shown.
    Defect(Defect),
}

/// Which check failed, by who is to blame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// What came is not what was signed and logged: evidence against the service (exit 8).
    #[error("the service gave out something else than was accepted: {0}")]
    Server(String),
    /// The bytes are as signed, and wrong inside: the owner may reject the message.
    #[error("the sender made a message that does not hold: {0}")]
    Sender(String),
    /// This device lacks the mailbox key of that generation.
    #[error("this device does not hold generation {0} of the mailbox key")]
    NoKey(u32),
}

/// A later event.
#[derive(Debug)]
#[non_exhaustive]
pub struct MailboxEvent {
    /// About which message; `None` for consent.
    pub message_id: Option<MessageId>,
    /// The event.
    pub event: VerifiedEvent,
    /// As a stage.
    pub stage: Stage,
}

/// Something odd that is not proof of anything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncWarning {
    /// Messages of this sender did not come: their numbers are missing and no erasure explains them.
    MissingMessages {
        /// Authority id or address.
        issuer: String,
        /// How many numbers.
        count: u64,
    },
    /// A number of this sender came twice.
    RepeatedNumber {
        /// Authority id or address.
        issuer: String,
        /// Which number.
        pair_seq: u64,
    },
}

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
        self.check_head(answer.head.as_ref()).await?;
        if self.is_chain_old() || self.names_newer_head(&answer) {
            self.refresh_chain().await?;
        }
        let checked = self.check_page(&answer, &seen).await?;
        let mut next = state.clone();
        let mut page = Sorter::new(self, memory, &mut next, &first).sort(checked)?;
        next.cursor.clone_from(&answer.next_cursor);
        page.has_more = answer.has_more;
        if !page.has_more {
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

    /// The statement on our own label must be about the chain that we know, or a longer one.
    async fn check_head(&self, head: Option<&v1::SignedHead>) -> Result<(), Error> {
        let Some(head) = head else { return Ok(()) };
        let fault = |reason: String| Error::evidence(EvidenceFault::Head(reason));
        let signature = head.signature.as_ref().ok_or_else(|| fault("it is not signed".to_owned()))?;
        let statement = HeadStatement::verify(&head.statement, signature, &self.client.service().keys_log)
            .map_err(|e| fault(e.to_string()))?;
        if statement.subject != self.keys.address.label().0 {
            return Err(fault("it is about somebody else".to_owned()));
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
        let (mailbox, now) = (self.clone(), self.client.now());
        blocking(move |_| {
            let reader = Reader {
                origin: &mailbox.client.service().origin,
                keys: &mailbox.keys,
                chain: &mailbox.own_chain(),
                certificates: &all.certificates,
                senders: &all.senders,
                now,
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
            self.check_event(&verified, reader.certificates)?;
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
    fn check_event(&self, verified: &VerifiedEvent, certificates: &[CertifiedKey]) -> Result<(), Error> {
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
                let (_, act) = verified.signed_act()?;
                let fits = |cert: &AuthorityCert| {
                    act.actor == Party::Authority(cert.authority_id.clone()) && act.signer == cert.key_id()
                };
                let key = certificates
                    .iter()
                    .find(|key| fits(&key.certificate) && key.counts_at(event.keys_size, event.occurred_at));
                if event.sender.as_ref() != Some(&act.actor) {
                    return Err(verified.fault("somebody else than the sender withdrew it"));
                }
                let key = key.ok_or_else(|| verified.fault("no certificate of the key that withdrew it"))?;
                verified.check_act(&key.certificate.sign_pub).map(|_| ())
            }
            kind if kind.act_type().is_some() => self.check_act_of_ours(verified).map(|_| ()),
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
                let waited = due.iter().any(|w| w.index == accepted.index);
                if waited && !matches!(checked.content, Content::NotYet) {
                    state.waiting.retain(|w| w.index != accepted.index);
                    page.items.push(message(accepted, checked)?);
                }
            }
        }
        Ok(())
    }
}

/// A page's parts that its checks share.
struct Page {
    certificates: Vec<CertifiedKey>,
    senders: Vec<ProvenChain>,
    seen: Seen,
    items: Vec<v1::SyncItem>,
}

pub(super) enum Item {
    Message(Box<(VerifiedEvent, Checked)>),
    Event(Box<VerifiedEvent>),
    Erased(u64),
}

fn message(accepted: VerifiedEvent, checked: Checked) -> Result<SyncItem, Error> {
    let message_id = accepted.event.message_id.ok_or_else(|| accepted.fault("it names no message"))?;
    let stage = Stage::new(&accepted.event, accepted.index);
    let Checked { record, content } = checked;
    Ok(SyncItem::Message(Box::new(ReceivedMessage { message_id, accepted, stage, record, content })))
}

/// Puts checked items in relation to what came before: numbers, repeats, later events.
pub(super) struct Sorter<'a, M> {
    mailbox: &'a Mailbox,
    memory: &'a M,
    state: &'a mut SyncState,
    cursor: &'a str,
    /// Messages of this page.
    known: HashMap<MessageId, (u64, Option<Hashes>)>,
}

impl<'a, M: MailboxMemory> Sorter<'a, M> {
    /// `cursor` is where the page began.
    pub(super) fn new(
        mailbox: &'a Mailbox,
        memory: &'a M,
        state: &'a mut SyncState,
        cursor: &'a str,
    ) -> Self {
        Self { mailbox, memory, state, cursor, known: HashMap::new() }
    }

    pub(super) fn sort(mut self, items: Vec<Item>) -> Result<SyncPage, Error> {
        let mut page =
            SyncPage { items: Vec::with_capacity(items.len()), warnings: Vec::new(), has_more: false };
        let before: HashMap<String, u64> = self.missing_counts();
        for item in items {
            let sorted = match item {
                Item::Erased(index) => SyncItem::Erased { index },
                Item::Event(verified) => self.event(*verified)?,
                Item::Message(arrived) => {
                    let (accepted, checked) = *arrived;
                    self.message(accepted, checked, &mut page.warnings)?
                }
            };
            page.items.push(sorted);
        }
        for (issuer, count) in self.missing_counts() {
            let new = count.saturating_sub(before.get(&issuer).copied().unwrap_or(0));
            if new > 0 {
                page.warnings.push(SyncWarning::MissingMessages { issuer, count: new });
            }
        }
        Ok(page)
    }

    fn missing_counts(&self) -> HashMap<String, u64> {
        self.state.pairs.iter().map(|(issuer, pair)| (issuer.clone(), pair.missing_count())).collect()
    }

    fn message(
        &mut self,
        accepted: VerifiedEvent,
        mut checked: Checked,
        warnings: &mut Vec<SyncWarning>,
    ) -> Result<SyncItem, Error> {
        let id = accepted.event.message_id.ok_or_else(|| accepted.fault("it names no message"))?;
        let here = self.known.get(&id).map(|(index, _)| *index);
        match here.or_else(|| self.memory.accepted_index(&id)) {
            // The same event again, for example after a crash before the state was stored.
            Some(index) if index == accepted.index => {}
            Some(_) => {
                let what = "the id of the message was there before";
                checked.content = Content::Defect(Defect::Server(what.to_owned()));
            }
            None => self.number(&accepted, &mut checked, warnings),
        }
        self.known.insert(id, (accepted.index, accepted.event.hashes));
        if matches!(checked.content, Content::NotYet) {
            let waiting = Waiting {
                cursor: self.cursor.to_owned(),
                index: accepted.index,
                available_at: checked.record.available_at,
            };
            self.state.waiting.retain(|w| w.index != waiting.index);
            self.state.waiting.push(waiting);
        }
        message(accepted, checked)
    }

    /// `pair_seq` counts the messages of one sender without gaps.
    fn number(&mut self, accepted: &VerifiedEvent, checked: &mut Checked, warnings: &mut Vec<SyncWarning>) {
        let (issuer, number) = (checked.record.sender.issuer.clone(), accepted.event.pair_seq);
        let pair = self.state.pairs.entry(issuer.clone()).or_default();
        if number > pair.highest {
            pair.skip_to(number);
        } else if !pair.missing.remove(&number) {
            warnings.push(SyncWarning::RepeatedNumber { issuer, pair_seq: number });
            let what = "the number of the message was there before";
            checked.content = Content::Defect(Defect::Server(what.to_owned()));
        }
    }

    fn event(&mut self, verified: VerifiedEvent) -> Result<SyncItem, Error> {
        let event = &verified.event;
        if let Some(id) = event.message_id {
            let here = self.known.get(&id).and_then(|(_, hashes)| *hashes);
            let known = here.or_else(|| self.memory.hashes(&id));
            if let (Some(known), Some(named)) = (known, event.hashes)
                && known != named
            {
                return Err(verified.fault("it names other bytes than were accepted"));
            }
        }
        if event.event_type == EventType::Erased {
            self.explain_erasure(&verified);
        }
        let stage = Stage::new(event, verified.index);
        let message_id = event.message_id;
        tracing::debug!(index = verified.index, mailbox = %self.mailbox.address().label(), "event");
        Ok(SyncItem::Event(Box::new(MailboxEvent { message_id, event: verified, stage })))
    }

    /// An erased message leaves its number behind.
    fn explain_erasure(&mut self, verified: &VerifiedEvent) {
        let (Some(sender), Ok(details)) =
            (&verified.event.sender, ErasedDetails::parse(&verified.event.details))
        else {
            return;
        };
        let pair = self.state.pairs.entry(sender.issuer()).or_default();
        if details.pair_seq > pair.highest {
            pair.skip_to(details.pair_seq);
        }
        pair.missing.remove(&details.pair_seq);
    }
}
