//! One connection of each node that hears what any node announced with a commit (LISTEN). Nothing is asked while nothing
//! happens, but for a sign of life: of a line that is silent nobody can tell that it is dead.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions, Postgres};
use sqlx::{Executor as _, Pool};
use tokio::time::timeout;

use super::errors::failed;
use super::session::CONNECT;
use super::url::DatabaseUrl;
use crate::storage::{Notices, StoreError, Work};

/// Told by the commit, in the order of commits. The channel belongs to the database.
pub(super) const NOTIFY: &str = "SELECT pg_notify('postfach', $1)";
const CHANNEL: &str = "postfach";
/// After so much silence the database is asked for a sign of life.
const SILENCE: Duration = Duration::from_secs(10);
/// How long that may take.
const SIGN: Duration = Duration::from_secs(5);

/// The driver's listener wants a pool. Each listener has one of its own, which never holds another connection; the newest is
/// kept to be closed.
#[derive(Debug, Default)]
pub(super) struct Listened(Mutex<Option<Pool<Postgres>>>);

impl Listened {
    fn swap(&self, pool: Option<Pool<Postgres>>) -> Option<Pool<Postgres>> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), pool)
    }

    /// Waits until the connection of whoever listened, and listens no more, is closed.
    pub(super) async fn close(&self) {
        if let Some(pool) = self.swap(None) {
            // A line that is silent does not hold anybody up.
            let _ = timeout(Duration::from_secs(1), pool.close()).await;
        }
    }
}

/// Hears from now on.
pub(super) async fn listen(url: &DatabaseUrl, listened: &Listened) -> Result<Box<dyn Notices>, StoreError> {
    let opened = async {
        let pool = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None);
        let pool = pool.connect_lazy_with(url.options().clone());
        drop(listened.swap(Some(pool.clone())));
        let mut listener = PgListener::connect_with(&pool).await?;
        // Whoever listens must know what he missed.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    };
    let late = |_| StoreError::Unavailable("no connection to the database in time".into());
    let listener = timeout(CONNECT, opened).await.map_err(late)?.map_err(failed)?;
    Ok(Box::new(Listening { listener, lost: false }))
}

/// See the module.
struct Listening {
    listener: PgListener,
    /// The driver would connect anew, and nobody would know what was missed.
    lost: bool,
}

fn gone() -> StoreError {
    StoreError::Unavailable("the connection that hears notices broke".into())
}

impl Notices for Listening {
    fn next(&mut self) -> Work<'_, String> {
        Box::pin(async move {
            if self.lost {
                return Err(gone());
            }
            loop {
                match timeout(SILENCE, self.listener.try_recv()).await {
                    Ok(Ok(Some(notice))) => return Ok(notice.payload().to_owned()),
                    Ok(lost) => {
                        self.lost = true;
                        return Err(lost.map_or_else(failed, |_| gone()));
                    }
                    Err(_) => self.sign_of_life().await?,
                }
            }
        })
    }
}

impl Listening {
    async fn sign_of_life(&mut self) -> Result<(), StoreError> {
        // Given up halfway, the connection is of no more use.
        self.lost = true;
        let answered = timeout(SIGN, self.listener.execute("SELECT 1")).await.map_err(|_| gone())?;
        answered.map_err(failed)?;
        self.lost = false;
        Ok(())
    }
}
