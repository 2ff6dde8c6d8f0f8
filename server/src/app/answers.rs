//! Building blocks of answers: events, chains, certificates and statements with their proofs, all under one state of the
//! logs. Rows younger than that state are left out, since their proofs would not hold; where an answer must not be without
//! them, it waits for a state that has them.

use std::sync::Arc;

use bytes::Bytes;
use postfach_domain::decide::Refusal;
use postfach_domain::format::Signature;
use postfach_domain::head::ChainHead;
use postfach_domain::id::{Address, MessageId};
use postfach_domain::sign::PublicKey;
use postfach_domain::submission::Hashes;
use postfach_ledger::head::HeadStatement;

use super::{App, AppError, AuthorityKey, Logged, LoggedChain, LoggedStatement, SignedHead};
use crate::blobs::BlobError;
use crate::commit::{Operation, Outcome, Rejected};
use crate::evidence::{Checkpoints, LogName, LoggedEvent};
use crate::logs::Snapshot;
use crate::storage::sql::authorities::Statements;
use crate::storage::sql::events::EventRow;
use crate::storage::sql::mailboxes::{self, Link, Mailbox};
use crate::storage::sql::messages::{self, Message};
use crate::storage::sql::{authorities, events};
use crate::storage::{Ask, Query, StoreError};

impl From<Rejected> for AppError {
    fn from(rejected: Rejected) -> Self {
        match rejected {
            Rejected::Refused(refusal) => refusal.into(),
            Rejected::ClockBehind(now) => Self::ClockBehind { now },
            Rejected::Failed(error) => error.into(),
            Rejected::Closed => Self::Unavailable { retry_after_ms: 1000 },
        }
    }
}

impl From<BlobError> for AppError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotFound => Self::NotFound,
            BlobError::Damaged => {
                tracing::error!("blob store: other bytes than were stored");
                Self::Unavailable { retry_after_ms: 1000 }
            }
            BlobError::Unavailable(detail) => {
                tracing::error!(detail, "blob store");
                Self::Unavailable { retry_after_ms: 1000 }
            }
        }
    }
}

/// What an operation that adds at most one event came to.
pub(super) enum Step {
    /// The event, new or found again.
    Event(LoggedEvent, Checkpoints),
    /// Nothing logged.
    Stored,
}

impl From<Step> for Logged {
    fn from(step: Step) -> Self {
        match step {
            Step::Event(event, checkpoints) => Self { event: Some(event), checkpoints },
            Step::Stored => Self { event: None, checkpoints: Checkpoints::default() },
        }
    }
}

impl App {
    /// Hands an operation to the committer.
    pub(super) async fn submit(&self, operation: impl Operation) -> Result<Outcome, AppError> {
        self.committer.submit(operation).await.map_err(AppError::from)
    }

    /// Does an operation that adds at most one event; an event that stands already gets a fresh proof.
    pub(super) async fn step(&self, operation: impl Operation) -> Result<Step, AppError> {
        let outcome = self.submit(operation).await?;
        self.one_event(outcome).await
    }

    /// The event of an outcome that has at most one; an event that stood already gets a fresh proof.
    pub(super) async fn one_event(&self, outcome: Outcome) -> Result<Step, AppError> {
        match outcome {
            Outcome::Logged { events, checkpoints, .. } => {
                let event = events.into_iter().next().ok_or(AppError::Internal)?;
                Ok(Step::Event(event, checkpoints))
            }
            Outcome::Known(Some(index)) => {
                let (event, checkpoints) = self.event_at(index).await?;
                Ok(Step::Event(event, checkpoints))
            }
            Outcome::Known(None) | Outcome::Stored => Ok(Step::Stored),
        }
    }

    /// One event with a fresh proof.
    pub(super) async fn event_at(&self, index: u64) -> Result<(LoggedEvent, Checkpoints), AppError> {
        let snapshot = self.view.state_with(LogName::Evidence, index).await?;
        let rows = events::by_index(&mut Ask(&*self.store), [index]).await?;
        if rows.iter().any(|row| row.event.is_none()) {
            return Err(Refusal::Erased.into());
        }
        let events = self.logged_events(rows, &snapshot).await?;
        let event = events.into_iter().next().ok_or(AppError::Internal)?;
        Ok((event, snapshot.checkpoints()))
    }

    /// A message with all its events. Ask for both at one instant: an erasure in between would leave gaps that no ERASED
    /// event explains.
    pub(super) async fn message_with_events(
        query: &mut dyn Query,
        message_id: MessageId,
    ) -> Result<(Message, Vec<EventRow>), AppError> {
        let found = messages::by_id(query, [&message_id]).await?;
        let message = found.into_iter().next().ok_or(AppError::NotFound)?;
        let rows = events::by_index(query, message.events.iter().map(|(_, index)| *index)).await?;
        Ok((message, rows))
    }

    /// A state of the logs that has all these events, which are ascending.
    pub(super) async fn state_with(&self, rows: &[EventRow]) -> Result<Arc<Snapshot>, StoreError> {
        match rows.last() {
            Some(newest) => self.view.state_with(LogName::Evidence, newest.index).await,
            None => self.view.newest().await,
        }
    }

    /// Events with their proofs. Of erased ones the place and the proof are left.
    pub(super) async fn logged_events(
        &self,
        mut rows: Vec<EventRow>,
        snapshot: &Snapshot,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        rows.retain(|row| row.index < snapshot.size(LogName::Evidence));
        let indexes: Vec<u64> = rows.iter().map(|row| row.index).collect();
        let proofs = self.view.prove(snapshot, LogName::Evidence, &indexes).await?;
        let event = |(row, inclusion): (EventRow, _)| LoggedEvent {
            event: row.event.unwrap_or_default(),
            salt: row.salt.map(Vec::from).unwrap_or_default(),
            index: row.index,
            inclusion,
        };
        Ok(rows.into_iter().zip(proofs).map(event).collect())
    }

    /// The mailbox of an address.
    pub(super) async fn mailbox(&self, address: &Address) -> Result<Option<Mailbox>, StoreError> {
        Ok(mailboxes::by_address(&mut Ask(&*self.store), [address]).await?.into_iter().next())
    }

    /// A whole chain under a state of the logs.
    pub(super) async fn links(&self, mailbox_no: u64, snapshot: &Snapshot) -> Result<Vec<Link>, StoreError> {
        let mut links = mailboxes::chain(&mut Ask(&*self.store), mailbox_no).await?;
        links.retain(|link| link.key_index < snapshot.size(LogName::Keys));
        Ok(links)
    }

    /// Chains with the proofs of their newest links.
    pub(super) async fn logged_chains(
        &self,
        chains: Vec<Vec<Link>>,
        snapshot: &Snapshot,
    ) -> Result<Vec<LoggedChain>, StoreError> {
        let head = |links: &Vec<Link>| {
            links.last().map(|link| link.key_index).ok_or_else(|| StoreError::Corrupt("empty chain".into()))
        };
        let heads = chains.iter().map(head).collect::<Result<Vec<_>, _>>()?;
        let proofs = self.view.prove(snapshot, LogName::Keys, &heads).await?;
        let chain = |((links, head_index), head_inclusion): ((Vec<Link>, u64), _)| LoggedChain {
            indexes: links.iter().map(|link| link.key_index).collect(),
            links: links.into_iter().map(|link| link.signed).collect(),
            head_index,
            head_inclusion,
        };
        Ok(chains.into_iter().zip(heads).zip(proofs).map(chain).collect())
    }

    /// One chain with its proof.
    pub(super) async fn logged_chain(
        &self,
        links: Vec<Link>,
        snapshot: &Snapshot,
    ) -> Result<LoggedChain, StoreError> {
        let chains = self.logged_chains(vec![links], snapshot).await?;
        chains.into_iter().next().ok_or_else(|| StoreError::Corrupt("empty chain".into()))
    }

    /// The service's statement on the head of a chain, at the size of the state.
    pub(super) fn signed_head(&self, address: &Address, head: ChainHead, snapshot: &Snapshot) -> SignedHead {
        let statement = HeadStatement {
            subject: address.label().0,
            seq: head.seq,
            hash: head.link_hash,
            tree_size: snapshot.size(LogName::Keys),
            time: self.now(),
        };
        SignedHead { statement: statement.encode(), signature: statement.sign(&self.keys_signer) }
    }

    /// Certificates and revocations of these authorities with their proofs, in the order of the log.
    pub(super) async fn authority_keys(
        &self,
        authority_nos: impl IntoIterator<Item = u64>,
        snapshot: &Snapshot,
    ) -> Result<Vec<(u64, AuthorityKey)>, StoreError> {
        let size = snapshot.size(LogName::Keys);
        let mut found = authorities::statements(&mut Ask(&*self.store), authority_nos).await?;
        found.retain(|key| key.certificate.1 < size);
        for key in &mut found {
            key.revocation = key.revocation.take().filter(|(_, index)| *index < size);
        }
        let revocation = |key: &Statements| key.revocation.as_ref().map(|(_, index)| *index);
        let indexes: Vec<u64> =
            found.iter().flat_map(|key| std::iter::once(key.certificate.1).chain(revocation(key))).collect();
        let mut proofs = self.view.prove(snapshot, LogName::Keys, &indexes).await?.into_iter();
        let mut logged = |(statement, index)| LoggedStatement {
            statement,
            index,
            inclusion: proofs.next().unwrap_or_default(),
        };
        let key = |key: Statements| {
            let certificate = logged(key.certificate);
            (key.authority_no, AuthorityKey { certificate, revocation: key.revocation.map(&mut logged) })
        };
        Ok(found.into_iter().map(key).collect())
    }
}

/// Checks a submission signature: over the three hashes, by the key that the outer header names.
pub(super) fn check_submission(
    hashes: &Hashes,
    key: &PublicKey,
    signature: &Signature,
) -> Result<(), AppError> {
    hashes.verify(key, signature).map_err(|error| AppError::invalid("submission.signature", error))
}

/// Bytes of a stored column.
pub(super) fn bytes(column: Option<Vec<u8>>) -> Bytes {
    column.map(Bytes::from).unwrap_or_default()
}
