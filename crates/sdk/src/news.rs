//! Streams of news as a client hears them. A stream that ends with its token, or whose line breaks, is opened again by
//! whoever listens; cursors see to it that nothing is lost in between.

use std::time::Duration;

use postfach_domain::limits;
use tonic::{Response, Status, Streaming};

use crate::error::Error;
use crate::status::Failure;

/// A line on which nothing was heard for three heartbeats is dead.
const SILENCE: Duration = Duration::from_secs(3 * limits::HEARTBEAT_SECONDS);
/// What ends a stream by design: the token that opened it is too old.
const TOKEN_EXPIRED: &str = "TOKEN_EXPIRED";

/// What came over a stream.
#[derive(Debug)]
pub enum Heard<T> {
    /// Something happened.
    News(T),
    /// The stream ended in good order: open it again.
    Ended,
}

/// A message of a stream, as both services send it.
pub(crate) trait Happening {
    /// What happened.
    type News;

    /// The news in it; `None` for a heartbeat, or for what this version does not know.
    fn news(self) -> Option<Self::News>;
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct Line<T> {
    stream: Streaming<T>,
}

impl<T: Happening> Line<T> {
    pub(crate) fn new(stream: Streaming<T>) -> Self {
        Self { stream }
    }

    /// Waits for news. An error [`Error::ServerAway`] means that the line is dead, and says nothing of the news.
    pub(crate) async fn next(&mut self) -> Result<Heard<T::News>, Error> {
        loop {
            match tokio::time::timeout(SILENCE, self.stream.message()).await {
                Ok(Ok(Some(message))) => {
                    if let Some(news) = message.news() {
                        return Ok(Heard::News(news));
                    }
                }
                Ok(Ok(None)) => return Ok(Heard::Ended),
                Ok(Err(status)) => return ended(&status),
                Err(_) => return Err(away("nothing was heard for too long")),
            }
        }
    }
}

fn ended<T>(status: &Status) -> Result<Heard<T>, Error> {
    let failure = Failure::of(status);
    if failure.reason == TOKEN_EXPIRED { Ok(Heard::Ended) } else { Err(failure.into_error()) }
}

fn away(detail: &str) -> Error {
    Error::ServerAway { retry_after: None, detail: detail.to_owned() }
}

/// Takes the stream out of an answer, so that opening one is a call like others.
pub(crate) fn opened<T: Happening>(answer: Response<Streaming<T>>) -> Response<Line<T>> {
    answer.map(Line::new)
}
