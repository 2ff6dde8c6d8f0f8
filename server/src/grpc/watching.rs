//! Streams of news: one message after the other, and a status as the end. A client that goes away ends its stream.

use std::time::Duration;

use postfach_domain::limits;
use postfach_domain::time::Timestamp;
use postfach_proto::v1;
use postfach_proto::v1::{watch_delivery_events_response as delivery, watch_response as mailbox};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status};

use super::caller;
use super::status::{Common, complete, from_app, from_auth};
use crate::app::{AppError, DeliveryNews, DeliveryWatch, MailboxNews, MailboxWatch, WatchEnd, Watcher};
use crate::auth::layer::TokenEnd;
use crate::auth::token::TokenError;
use crate::auth::verifier::AuthError;

/// The messages of a stream.
pub type Streamed<T> = ReceiverStream<Result<T, Status>>;

/// Something that is being watched.
pub trait Watched: Send + 'static {
    /// What goes over the wire.
    type Message: Send + 'static;

    /// Waits for the next message.
    fn next(&mut self) -> impl Future<Output = Result<Self::Message, WatchEnd>> + Send;

    /// The server's clock.
    fn now(&self) -> Timestamp;
}

/// The caller of a stream, with the end of the token.
pub fn watcher<T>(request: &Request<T>) -> Result<Watcher, Status> {
    let TokenEnd(until) = *request.extensions().get().ok_or_else(|| from_app(AppError::Internal))?;
    let heartbeat = Duration::from_secs(limits::HEARTBEAT_SECONDS);
    Ok(Watcher { caller: caller(request)?, until, heartbeat })
}

/// Sends what comes until the watch or the client ends. One message waits while another is on the wire.
pub fn stream<W: Watched>(mut watched: W, common: Common) -> Streamed<W::Message> {
    let (sender, messages) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                next = watched.next() => next,
                () = sender.closed() => return,
            };
            // Errors inside a stream do not pass the layer that completes the others.
            let message = next.map_err(|end| complete(&status(end, watched.now()), &common));
            let ended = message.is_err();
            if sender.send(message).await.is_err() || ended {
                return;
            }
        }
    });
    ReceiverStream::new(messages)
}

fn status(end: WatchEnd, now: Timestamp) -> Status {
    match end {
        WatchEnd::KeyNotActive => from_auth(&AuthError::Token(TokenError::KeyNotActive), now),
        WatchEnd::TokenExpired => from_auth(&AuthError::Token(TokenError::Expired), now),
        WatchEnd::App(error) => from_app(error),
    }
}

fn heartbeat(now: Timestamp) -> v1::Heartbeat {
    v1::Heartbeat { server_time: now.0 }
}

impl Watched for MailboxWatch {
    type Message = v1::WatchResponse;

    async fn next(&mut self) -> Result<v1::WatchResponse, WatchEnd> {
        let happening = match Self::next(self).await? {
            MailboxNews::News => mailbox::Happening::News(v1::News {}),
            MailboxNews::Heartbeat(now) => mailbox::Happening::Heartbeat(heartbeat(now)),
        };
        Ok(v1::WatchResponse { happening: Some(happening) })
    }

    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

impl Watched for DeliveryWatch {
    type Message = v1::WatchDeliveryEventsResponse;

    async fn next(&mut self) -> Result<v1::WatchDeliveryEventsResponse, WatchEnd> {
        let happening = match Self::next(self).await? {
            DeliveryNews::Page(page) => delivery::Happening::Page((*page).into()),
            DeliveryNews::Heartbeat(now) => delivery::Happening::Heartbeat(heartbeat(now)),
        };
        Ok(v1::WatchDeliveryEventsResponse { happening: Some(happening) })
    }

    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}
