//! What happens to everything that was sent: in pages, or as it happens. Every event is verified like a receipt.

use std::collections::HashMap;

use postfach_domain::event::{EventSigned, EventType};
use postfach_domain::id::{Address, MessageId};
use postfach_proto::v1;
use postfach_proto::v1::delivery_service_client::DeliveryServiceClient;
use postfach_proto::v1::watch_delivery_events_response::Happening as Wire;

use super::Sender;
use crate::client::{MAX_ANSWER, Pace};
use crate::error::Error;
use crate::evidence::VerifiedEvent;
use crate::evidence::follow::{Seen, check_order};
use crate::evidence::history::is_gone;
use crate::news::{Happening, Heard, Line, opened};
use crate::receipts::History;
use crate::stages::Stage;

/// Rows asked for at once.
const PAGE: u32 = 100;

/// One event of a message that was sent.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeliveryEvent {
    /// Behind this event; what comes after it is asked for with this.
    pub cursor: String,
    /// Whose event it is; `None` once everything of an account was erased.
    pub message_id: Option<MessageId>,
    /// To whom.
    pub recipient: Option<Address>,
    /// What happened, and when.
    pub stage: Stage,
}

/// A page of them, in the order of the log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeliveryEvents {
    /// Events that were erased are left out; the event that erased them is there.
    pub events: Vec<DeliveryEvent>,
    /// Continue here.
    pub next_cursor: String,
    /// Place in the evidence log behind the last event of the page and of those before it.
    pub behind: u64,
    /// True where the page is not the last.
    pub has_more: bool,
}

impl Happening for v1::WatchDeliveryEventsResponse {
    type News = v1::ListDeliveryEventsResponse;

    fn news(self) -> Option<v1::ListDeliveryEventsResponse> {
        match self.happening {
            Some(Wire::Page(page)) => Some(page),
            _ => None,
        }
    }
}

/// An open stream of pages.
pub struct DeliveryNews<'a> {
    sender: &'a Sender,
    line: Line<v1::WatchDeliveryEventsResponse>,
    behind: u64,
}

impl DeliveryNews<'_> {
    /// Waits for the next page. An error [`Error::ServerAway`] means that the line broke: open another stream with the
    /// last cursor.
    pub async fn next(&mut self) -> Result<Heard<DeliveryEvents>, Error> {
        match self.line.next().await? {
            Heard::News(page) => {
                let page = self.sender.checked_page(page, self.behind).await?;
                self.behind = page.behind;
                Ok(Heard::News(page))
            }
            Heard::Ended => Ok(Heard::Ended),
        }
    }
}

impl Sender {
    /// A page of what happened after a cursor (empty: from the start). Nothing in it may stand before `behind`, which the
    /// page before answered (0: not known).
    pub async fn events(&self, cursor: &str, behind: u64) -> Result<DeliveryEvents, Error> {
        let request = v1::ListDeliveryEventsRequest { cursor: cursor.to_owned(), page_size: PAGE };
        let answer = self
            .client
            .call(Pace::Normal, request, |channel, request| async move {
                DeliveryServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .list_delivery_events(request)
                    .await
            })
            .await?;
        self.checked_page(answer, behind).await
    }

    /// Listens for what happens after a cursor (empty: from the start), and behind a place as with [`Sender::events`].
    pub async fn watch_events(&self, cursor: &str, behind: u64) -> Result<DeliveryNews<'_>, Error> {
        let request = v1::WatchDeliveryEventsRequest { cursor: cursor.to_owned() };
        let line = self.client.call(Pace::Normal, request, |channel, request| async move {
            let mut client = DeliveryServiceClient::new(channel).max_decoding_message_size(MAX_ANSWER);
            client.watch_delivery_events(request).await.map(opened)
        });
        Ok(DeliveryNews { sender: self, line: line.await?, behind })
    }

    async fn checked_page(
        &self,
        page: v1::ListDeliveryEventsResponse,
        behind: u64,
    ) -> Result<DeliveryEvents, Error> {
        if page.cursors.len() != page.events.len() {
            return Err(Error::answer("another number of cursors than events"));
        }
        let seen = self.client.observe(page.checkpoints.as_ref())?;
        let behind = check_order(page.events.iter(), behind, page.has_more, &seen)?;
        let mut histories = HashMap::new();
        let mut events = Vec::with_capacity(page.events.len());
        for (logged, cursor) in page.events.iter().zip(page.cursors) {
            if is_gone(logged) {
                continue;
            }
            let Some(verified) = self.checked_event(logged, &seen, &mut histories).await? else { continue };
            let (message_id, recipient) = (verified.event.message_id, verified.event.recipient);
            let stage = Stage::new(&verified.event, verified.index);
            events.push(DeliveryEvent { cursor, message_id, recipient, stage });
        }
        self.client.settle().await?;
        Ok(DeliveryEvents { events, next_cursor: page.next_cursor, behind, has_more: page.has_more })
    }

    /// An event is the service's word by its place in the log; where a party acted, its signature is checked too.
    /// `None` where it was erased between two answers.
    async fn checked_event(
        &self,
        logged: &v1::LoggedEvent,
        seen: &Seen,
        histories: &mut HashMap<MessageId, History>,
    ) -> Result<Option<VerifiedEvent>, Error> {
        let verified = self.client.verify_event(logged, seen)?;
        if verified.event.sender.as_ref() != Some(&self.party) {
            return Err(verified.fault("it is about a message of somebody else"));
        }
        match (&verified.event.signed, verified.event.hashes, verified.event.message_id) {
            (Some(EventSigned::Submission(signature)), Some(hashes), _)
                if verified.event.event_type == EventType::Accepted
                    && hashes.verify(&self.key.public(), signature).is_ok() => {}
            // Another clerk's, or an act: its receipt brings the keys.
            (Some(_), _, Some(message_id)) => {
                let history = match histories.entry(message_id) {
                    std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                    std::collections::hash_map::Entry::Vacant(free) => {
                        free.insert(self.client.history(message_id).await?)
                    }
                };
                let same = history.receipts.iter().any(|receipt| {
                    receipt.verified.index == verified.index && receipt.verified.event == verified.event
                });
                if history.erased.contains(&verified.index) {
                    return Ok(None);
                }
                if !same {
                    return Err(verified.fault("its receipt is another one"));
                }
            }
            (Some(_), _, None) => return Err(verified.fault("it is signed, and about no message")),
            (None, _, _) => {}
        }
        Ok(Some(verified))
    }
}
