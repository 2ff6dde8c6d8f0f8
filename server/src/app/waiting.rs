//! What both streams of news have in common: they end with the caller's token or key and with the server, and show at
//! intervals that they live. Waiting asks the database nothing.

use std::sync::Arc;
use std::time::Duration;

use postfach_domain::limits;
use postfach_domain::time::Timestamp;
use tokio::time::{Interval, MissedTickBehavior};

use super::{App, AppError, Caller};
use crate::key_book::CallerKey;
use crate::watch::{Deaf, Listener, Topic};

/// Why a stream of news ends.
#[derive(Debug)]
pub enum WatchEnd {
    /// The caller's key is not active any more.
    KeyNotActive,
    /// The caller's token ended.
    TokenExpired,
    /// As for any call.
    App(AppError),
}

impl From<AppError> for WatchEnd {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<Deaf> for AppError {
    fn from(deaf: Deaf) -> Self {
        match deaf {
            Deaf::Full => Self::Limit("watch_streams"),
            Deaf::Closed => Self::Unavailable { retry_after_ms: 1000 },
        }
    }
}

/// Who watches, and how long the token lets them.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// The caller.
    pub caller: Caller,
    /// When the token ends, with the clocks' tolerance.
    pub until: Timestamp,
    /// How often the stream shows that it lives.
    pub heartbeat: Duration,
}

/// What ended a wait.
pub(super) enum Woken {
    /// The log goes this far for the watched party.
    News(u64),
    /// Nothing happened for a while.
    Beat,
}

/// A stream that waits.
pub(super) struct Waiting {
    pub(super) app: Arc<App>,
    watcher: Watcher,
    events: Listener,
    key: Listener,
    beat: Interval,
}

impl Waiting {
    /// Listens from now on. Read what is there already after this, so that nothing falls in between.
    pub(super) fn begin(app: &Arc<App>, watcher: Watcher, topic: Topic) -> Result<Self, AppError> {
        let events = app.hub.listen(topic, limits::WATCH_STREAMS)?;
        let key = Topic::Key(watcher.caller.party.clone(), watcher.caller.key_id);
        let key = app.hub.listen(key, usize::MAX)?;
        let mut beat = tokio::time::interval(watcher.heartbeat);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { app: Arc::clone(app), watcher, events, key, beat })
    }

    /// Who watches.
    pub(super) fn caller(&self) -> &Caller {
        &self.watcher.caller
    }

    /// Waits for news or for the time of a sign of life; the first comes at once.
    pub(super) async fn next(&mut self) -> Result<Woken, WatchEnd> {
        loop {
            let woken = tokio::select! {
                biased;
                struck = self.key.next() => {
                    struck.map_err(AppError::from)?;
                    None
                }
                end = self.events.next() => Some(Woken::News(end.map_err(AppError::from)?)),
                _ = self.beat.tick() => Some(Woken::Beat),
            };
            if matches!(woken, Some(Woken::Beat)) {
                self.may_wait().await?;
            } else {
                self.may_go_on().await?;
            }
            if let Some(woken) = woken {
                return Ok(woken);
            }
        }
    }

    /// The token lives and its key is active: asked before anything is given out.
    pub(super) async fn may_go_on(&self) -> Result<(), WatchEnd> {
        let Caller { party, key_id } = &self.watcher.caller;
        self.still(self.app.caller_key(party, key_id).await?)
    }

    /// The same as far as it is known, which costs nothing: the keys of those who wait stand in the key book.
    async fn may_wait(&self) -> Result<(), WatchEnd> {
        let Caller { party, key_id } = &self.watcher.caller;
        self.still(self.app.known_key(party, key_id).await?)
    }

    fn still(&self, key: Option<CallerKey>) -> Result<(), WatchEnd> {
        if self.app.now() >= self.watcher.until {
            return Err(WatchEnd::TokenExpired);
        }
        key.map(drop).ok_or(WatchEnd::KeyNotActive)
    }
}
