//! How long something is tried before the server counts as away.

use std::time::Duration;

use tokio::time::Instant;

/// Tries that a transfer has at least: to notice that a line passes nothing on takes longer than the whole timeout of a
/// client, and a line that broke once may break again.
const TRANSFER_TRIES: u32 = 4;
/// What a transfer of up to one segment may take on a slow line: two at once need 28 KB/s. A dead line is noticed sooner,
/// by the connection's probes. Later than this after its beginning it is not tried again, so that it ends after twice
/// as long whatever a server does.
pub(crate) const TRANSFER_LIMIT: Duration = Duration::from_mins(5);
/// Longer than anybody waits, and short enough to count with.
const LONGEST: Duration = Duration::from_hours(24 * 365);

/// Counts failures and time. The timeout of a transfer is not counted before its first failure.
#[derive(Debug)]
pub(crate) struct Patience {
    timeout: Duration,
    begin: Instant,
    failures: u32,
    /// Between two tries, all together.
    waited: Duration,
    /// When the timeout is over, once it runs.
    end: Option<Instant>,
    transfer: bool,
}

impl Patience {
    /// For a call: the timeout counts from now on.
    pub(crate) fn of_call(timeout: Duration) -> Self {
        let patience = Self::of_transfer(timeout);
        Self { end: Some(patience.begin + patience.timeout), transfer: false, ..patience }
    }

    /// For a transfer: the timeout counts from the first failure on, and a few tries may outlast it.
    pub(crate) fn of_transfer(timeout: Duration) -> Self {
        let timeout = timeout.min(LONGEST);
        Self {
            timeout,
            begin: Instant::now(),
            failures: 0,
            waited: Duration::ZERO,
            end: None,
            transfer: true,
        }
    }

    /// After a failure: true when it is worth another try `wait` from now. A server that asks for a wait beyond the
    /// timeout is not waited for.
    pub(crate) fn holds(&mut self, wait: Duration) -> bool {
        self.failures += 1;
        let now = Instant::now();
        let end = *self.end.get_or_insert(now + self.timeout);
        let next = now + wait.min(LONGEST);
        if !self.transfer {
            return next < end;
        }
        self.waited = self.waited.saturating_add(wait);
        let outlasts = self.failures < TRANSFER_TRIES && self.waited < self.timeout;
        (next < end || outlasts) && next < self.begin + self.transfer_limit()
    }

    /// How long the next try may take.
    pub(crate) fn limit(&self) -> Duration {
        match self.end {
            Some(end) if !self.transfer => end.saturating_duration_since(Instant::now()),
            _ => self.transfer_limit(),
        }
    }

    fn transfer_limit(&self) -> Duration {
        self.timeout.max(TRANSFER_LIMIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);
    const PAUSE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_with_its_timeout() {
        let mut patience = Patience::of_call(TIMEOUT);
        assert!(patience.holds(PAUSE));
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(patience.limit(), Duration::from_secs(6));
        assert!(patience.holds(PAUSE) && !patience.holds(Duration::from_secs(6)));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!Patience::of_call(Duration::ZERO).holds(PAUSE) && !patience.holds(PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_outlives_stalls_that_take_longer_than_the_timeout() {
        let mut patience = Patience::of_transfer(TIMEOUT);
        for stall in 1..TRANSFER_TRIES {
            tokio::time::advance(Duration::from_secs(30)).await;
            assert!(patience.holds(PAUSE), "stall {stall}");
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(!patience.holds(PAUSE), "a line that always stalls is given up");

        let mut patience = Patience::of_transfer(TIMEOUT);
        let quick = (0..).take_while(|_| patience.holds(PAUSE)).take(100).count();
        assert_eq!(quick, 100, "quick failures have the whole timeout");
    }

    #[tokio::test(start_paused = true)]
    async fn a_transfer_that_is_silent_for_as_long_as_it_may_is_not_tried_again() {
        let mut patience = Patience::of_transfer(TIMEOUT);
        tokio::time::advance(patience.limit()).await;
        assert!(!patience.holds(PAUSE));
        let mut patience = Patience::of_transfer(TIMEOUT);
        tokio::time::advance(TRANSFER_LIMIT.saturating_sub(2 * PAUSE)).await;
        assert!(patience.holds(PAUSE) && !patience.holds(2 * PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_longer_than_the_timeout() {
        let kinds = [Patience::of_call, Patience::of_transfer];
        for wait in [TIMEOUT, Duration::from_mins(1), Duration::from_secs(1_000_000_000), Duration::MAX] {
            for (n, kind) in kinds.iter().enumerate() {
                assert!(!kind(TIMEOUT).holds(wait), "{n}: {wait:?}");
            }
        }
        for kind in kinds {
            assert!(kind(Duration::MAX).holds(PAUSE));
            assert!(!kind(Duration::MAX).holds(Duration::MAX));
        }
        // Many waits together are not longer either.
        let mut patience = Patience::of_transfer(TIMEOUT);
        let (wait, mut waited) = (Duration::from_secs(9), Duration::ZERO);
        while patience.holds(wait) {
            tokio::time::advance(wait).await;
            waited += wait;
        }
        assert!(waited < TIMEOUT, "{waited:?}");
    }
}
