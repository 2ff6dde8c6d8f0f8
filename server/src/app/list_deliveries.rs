//! What the operator may see of deliveries: who, to whom, when, sizes and stages; never content.

use std::collections::{BTreeSet, HashMap};

use postfach_domain::event::EventType;
use postfach_domain::outer::Outer;
use postfach_domain::time::Timestamp;

use super::{App, AppError, DeliveryFilter, DeliveryRow, DeliveryStage, Page, cursor};
use crate::evidence::LogName;
use crate::storage::Ask;
use crate::storage::sql::messages::{self, Message};
use crate::storage::sql::{authorities, events};

/// Messages looked at for one page before it ends early.
const LOOK: u64 = 5000;
/// Messages read at a time.
const CHUNK: u64 = 500;

impl App {
    /// Deliveries for the operator, in the order of the log. A page may end early; go on while there is a token.
    pub async fn list_deliveries(
        &self,
        filter: &DeliveryFilter,
        page_size: u32,
        page_token: &str,
    ) -> Result<Page<DeliveryRow>, AppError> {
        let limit = usize::try_from(cursor::page_size(page_size)?).unwrap_or(usize::MAX);
        let mut from = cursor::index("page_token", page_token)?;
        let stage = match &filter.stage {
            None => None,
            Some(name) => {
                Some(EventType::from_name(name).ok_or_else(|| AppError::invalid("stage", "unknown"))?)
            }
        };
        let mut query = Ask(&*self.store);
        let sender_no = match &filter.authority {
            None => None,
            Some(id) => match authorities::by_id(&mut query, [id]).await?.first() {
                Some(authority) => Some(authority.no),
                None => return Ok(Page { items: Vec::new(), next: None }),
            },
        };
        let mut picked = Vec::new();
        let mut more = false;
        for _ in 0..LOOK / CHUNK {
            let found = messages::page(&mut query, from, sender_no, CHUNK).await?;
            more = found.len() as u64 == CHUNK;
            for message in found {
                if picked.len() == limit {
                    more = true;
                    break;
                }
                from = message.no + 1;
                let wanted = message.accepted_at >= filter.since && stage.is_none_or(|s| message.has(s));
                if wanted {
                    picked.push(message);
                }
            }
            if !more || picked.len() == limit {
                break;
            }
        }
        let items = self.rows(picked).await?;
        Ok(Page { items, next: more.then(|| cursor::of_index(from)) })
    }

    async fn rows(&self, messages: Vec<Message>) -> Result<Vec<DeliveryRow>, AppError> {
        let mut query = Ask(&*self.store);
        let outers = messages::outers(&mut query, messages.iter().map(|m| m.no)).await?;
        let outers: HashMap<u64, Vec<u8>> = outers.into_iter().collect();
        let size = self.view.newest().await?.size(LogName::Evidence);
        let indexes: BTreeSet<u64> =
            messages.iter().flat_map(|m| m.events.iter().map(|(_, index)| *index)).collect();
        let found = events::by_index(&mut query, indexes.into_iter().filter(|index| *index < size)).await?;
        let times: HashMap<u64, Timestamp> =
            found.into_iter().filter_map(|row| Some((row.index, row.occurred_at?))).collect();
        Ok(messages.into_iter().map(|message| delivery(message, &outers, &times)).collect())
    }
}

fn delivery(
    message: Message,
    outers: &HashMap<u64, Vec<u8>>,
    times: &HashMap<u64, Timestamp>,
) -> DeliveryRow {
    let outer = outers.get(&message.no).and_then(|bytes| Outer::parse(bytes).ok());
    let stage = |(event_type, index): &(Option<EventType>, u64)| {
        Some(DeliveryStage {
            stage: (*event_type)?.as_str().to_owned(),
            at: *times.get(index)?,
            evidence_index: *index,
        })
    };
    let attachments = outer.as_ref().map_or(&[][..], |outer| &outer.attachments);
    DeliveryRow {
        message_id: message.message_id,
        stages: message.events.iter().filter_map(stage).collect(),
        kind: outer.as_ref().map(|outer| outer.kind.to_string()).unwrap_or_default(),
        regime: message.regime,
        attachment_count: u32::try_from(attachments.len()).unwrap_or(u32::MAX),
        attachment_length: attachments.iter().map(|a| a.ct_len).sum(),
        sender: message.sender,
        recipient: message.recipient,
        cover_length: message.cover_length.unwrap_or_default(),
        letter_length: message.letter_length.unwrap_or_default(),
    }
}
