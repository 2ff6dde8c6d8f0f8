//! News of other nodes: one task hears what their commits announced and passes it on to who listens here. What a notice
//! says is a hint; what happened is read from the database. Not here: what is told (`notice`) and how it travels (the
//! engine's `announce` and `notices`).

mod notice;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::evidence::LogName;
use crate::key_book::KeyBook;
use crate::logs::LogView;
use crate::storage::{Notices, Store, StoreError};
use crate::watch::{Hub, Topic};
pub(crate) use notice::{Concerned, Notice};

/// How soon after a notice the state of the logs is read, once for all that come in the meantime. Whoever needs it sooner
/// reads it himself.
const LAG: Duration = Duration::from_millis(500);
/// How long a lost connection is left alone, at first and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// What listens to other nodes.
pub(crate) struct Follower {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) view: Arc<LogView>,
    pub(crate) hub: Arc<Hub>,
    pub(crate) keys: Arc<KeyBook>,
}

impl Follower {
    /// Listens until it is aborted. While it cannot, no key is remembered.
    pub(crate) async fn run(self) {
        let mut pause = PAUSE.0;
        loop {
            let error = match self.store.notices().await {
                Ok(mut notices) => {
                    pause = PAUSE.0;
                    self.follow(&mut *notices).await
                }
                Err(error) => error,
            };
            self.keys.forget(true);
            tracing::warn!(%error, "nothing is heard of other nodes; trying again");
            sleep(pause).await;
            pause = PAUSE.1.min(2 * pause);
        }
    }

    /// Passes on what comes until nothing comes any more.
    async fn follow(&self, notices: &mut dyn Notices) -> StoreError {
        if let Err(error) = self.catch_up().await {
            return error;
        }
        let (mut due, mut told) = (None, (0, 0));
        loop {
            let refreshed = tokio::select! {
                biased;
                heard = notices.next() => match heard.map(|text| Notice::decode(&text)) {
                    Ok(Some(notice)) => {
                        told = (notice.keys_size, notice.evidence_size);
                        self.pass_on(notice);
                        due.get_or_insert_with(|| Instant::now() + LAG);
                        Ok(())
                    }
                    Ok(None) => self.catch_up().await,
                    Err(error) => Err(error),
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    due = None;
                    self.view.at_least(told.0, told.1).await.map(drop)
                }
            };
            if let Err(error) = refreshed {
                return error;
            }
        }
    }

    /// Anything may have happened: everybody looks for himself. Called once notices come in, so that nothing falls in
    /// between.
    async fn catch_up(&self) -> Result<(), StoreError> {
        self.keys.forget(false);
        self.hub.tell_all_keys();
        let state = self.view.newest().await?;
        self.hub.tell_all(state.size(LogName::Evidence));
        Ok(())
    }

    /// Wakes whom a commit concerns.
    fn pass_on(&self, notice: Notice) {
        let end = notice.evidence_size;
        let Some(Concerned { received, sent, struck }) = notice.concerned else {
            self.keys.forget(false);
            self.hub.tell_all_keys();
            self.hub.tell_all(end);
            return;
        };
        self.keys.strike(struck.iter().cloned());
        self.hub.tell_keys(struck);
        self.hub.tell(received.into_iter().map(|no| (Topic::Received(no), end)));
        self.hub.tell(sent.into_iter().map(|no| (Topic::Sent(no), end)));
    }
}
