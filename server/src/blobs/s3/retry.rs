//! Trying again what may pass: bounded in time, slower each time, and not in step with the others.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::S3Blobs;
use super::trouble::Trouble;

/// The first pause, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often wrong bytes are asked for again.
const DAMAGED: u32 = 4;

/// How long we wait.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one answer.
    pub attempt: Duration,
    /// For all attempts of one call with the pauses between them.
    pub call: Duration,
}

impl Patience {
    /// For a look at the store, which nobody waits for: its outcome should not be old.
    pub(super) fn of_a_look(self) -> Self {
        let short = Duration::from_secs(5);
        Self { attempt: self.attempt.min(short), call: self.call.min(short) }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempt: Duration::from_secs(15), call: Duration::from_secs(30) }
    }
}

impl S3Blobs {
    /// Runs `attempt` until it succeeds, is refused for good, or the time is over. `name` spreads the pauses.
    pub(super) async fn attempts<T, F>(&self, name: &str, attempt: impl FnMut() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        self.attempts_within(self.0.patience, name, attempt).await
    }

    /// The same with another patience.
    pub(super) async fn attempts_within<T, F>(
        &self,
        Patience { attempt: limit, call }: Patience,
        name: &str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let end = Instant::now() + call;
        let place = timeout(call, self.0.requests.acquire()).await;
        let _place = place.map_err(|_| Trouble::Passing("too many requests wait for the S3 store".into()))?;
        let (mut pause, mut damaged) = (FIRST_PAUSE, 0);
        loop {
            let limit = limit.min(end.saturating_duration_since(Instant::now()));
            let trouble = match timeout(limit, attempt()).await {
                Ok(Err(trouble @ (Trouble::Passing(_) | Trouble::Damaged))) => trouble,
                Ok(other) => return other,
                Err(_) => Trouble::late(limit),
            };
            damaged += u32::from(trouble == Trouble::Damaged);
            let wait = pause.mul_f64(share(name));
            if damaged > DAMAGED || Instant::now() + wait >= end {
                return Err(trouble);
            }
            tracing::debug!(%trouble, wait_ms = wait.as_millis(), "S3 is tried again");
            sleep(wait).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }
}

/// Between a half and one: callers that failed at once do not come back at once. Names end with a hash.
fn share(name: &str) -> f64 {
    let spread = name.bytes().fold(0_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
    0.5 + f64::from(spread) / 512.0
}
