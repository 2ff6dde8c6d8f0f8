//! Reading: the first time with its evidence, again, and a mailbox from the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use postfach_domain::act::MessageRef;
use postfach_domain::event::EventType;
use postfach_proto::v1;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use postfach_server::clock::{Clock as _, SystemClock};

use super::verify::hashes;
use super::{Answer, Run, Tools};
use crate::acts;
use crate::report::Figure;
use crate::server::Server;

impl Run {
    /// Hand-over with its evidence; the letter comes along.
    pub async fn first_read(&self, server: &Server) -> Result<Figure> {
        self.hand_overs("first read: hand-over, with receipt", true, server).await
    }

    /// The same letters for a token alone.
    pub async fn read_again(&self, server: &Server) -> Result<Figure> {
        self.hand_overs("read again", false, server).await
    }

    /// So many readings in turn of the same letters, each on a connection of its own or on those that are open.
    pub async fn read_in_turn(&self, count: usize, server: &Server, is_own_session: bool) -> Result<Figure> {
        let (first, letters) = (self.plan.single.start, self.plan.single.len());
        let name = if is_own_session { "read again, connection of its own" } else { "read again" };
        let url = server.url();
        let figure = self.timed(name, (self.callers, count, count), server, move |mut tools, index| {
            let url = is_own_session.then(|| url.clone());
            async move {
                if let Some(url) = url {
                    let (service, within) = (&tools.world.service, Duration::from_secs(10));
                    tools.channel = postfach_sdk::channel::channel(service, Some(&url), within)?;
                }
                Ok(vec![hand_over(&tools, first + index % letters, false).await?])
            }
        });
        Self::complete(figure.await?, count)
    }

    async fn hand_overs(&self, name: &str, is_first: bool, server: &Server) -> Result<Figure> {
        let (first, count) = (self.plan.single.start, self.plan.single.len());
        let counts = (self.callers, count, count);
        let figure = self.timed(name, counts, server, move |tools, index| async move {
            Ok(vec![hand_over(&tools, first + index, is_first).await?])
        });
        Self::complete(figure.await?, count)
    }

    /// Every mailbox from the start, in pages of 500; things are messages.
    pub async fn sync(&self, server: &Server) -> Result<Figure> {
        let (found, cursors) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&self.cursors));
        let sink = Arc::clone(&found);
        let counts =
            (self.callers, self.world.readers.len(), self.plan.mixed.start + self.plan.attached.len());
        let figure = self
            .timed("sync: whole mailboxes, messages", counts, server, move |tools, reader| {
                let (sink, cursors) = (Arc::clone(&sink), Arc::clone(&cursors));
                async move {
                    let (messages, cursor) = sync(&tools, reader, String::new()).await?;
                    sink.fetch_add(messages, Ordering::Relaxed);
                    *cursors[reader].lock().map_err(|_| anyhow::anyhow!("a caller failed"))? = cursor;
                    Ok(Vec::new())
                }
            })
            .await?;
        let found = found.load(Ordering::Relaxed);
        ensure!(found == counts.2, "{} messages were delivered, and {found} came by sync", counts.2);
        Ok(figure)
    }
}

/// Reads on from a cursor to the end: messages that came, and where it ends.
pub(super) async fn sync(tools: &Tools, reader: usize, mut cursor: String) -> Result<(usize, String)> {
    let mut messages = 0;
    loop {
        let request =
            tools.world.readers[reader].caller.request(v1::SyncRequest { cursor, page_size: 500 })?;
        let page = MailboxServiceClient::new(tools.channel.clone()).sync(request).await?.into_inner();
        messages += page.items.iter().filter(|item| !item.cover_envelope.is_empty()).count();
        cursor = page.next_cursor;
        if !page.has_more {
            return Ok((messages, cursor));
        }
    }
}

/// Takes a letter, the first time with a signed act.
pub(super) async fn hand_over(tools: &Tools, index: usize, is_first: bool) -> Result<Answer> {
    let letter = &tools.letters[index];
    let reader = &tools.world.readers[letter.reader];
    let hashes = hashes(letter);
    let message =
        MessageRef { message_id: letter.message_id, outer_hash: hashes.outer, letter_hash: hashes.letter };
    let origin = &tools.world.service.origin;
    let act =
        is_first.then(|| acts::hand_over(origin, &reader.chain, &reader.key, SystemClock.now(), message));
    let body = v1::HandOverRequest { message_id: letter.message_id.to_vec(), act };
    let request = reader.caller.request(body)?;
    let answer = MailboxServiceClient::new(tools.channel.clone()).hand_over(request).await?.into_inner();
    ensure!(answer.letter_envelope == letter.submission.letter_envelope, "another letter came");
    Ok(Answer {
        letter: index,
        event_type: EventType::HandedOver,
        event: answer.event.context("no event")?,
        note: Arc::new(answer.checkpoints.context("no checkpoints")?.evidence),
    })
}
