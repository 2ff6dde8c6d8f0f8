//! How long something is tried before the server counts as away.

use std::time::Duration;

use tokio::time::Instant;

/// Tries that a transfer has at least: to notice that a line passes nothing on takes longer than the whole timeout of a
/// client, and a line that broke once may break again.
const TRANSFER_TRIES: u32 = 4;

/// Counts failures and time. Nothing is counted before the first failure of a transfer.
#[derive(Debug)]
pub(crate) struct Patience {
    timeout: Duration,
    tries: u32,
    failures: u32,
    end: Option<Instant>,
}

impl Patience {
    /// For a call: the timeout counts from now on.
    pub(crate) fn of_call(timeout: Duration) -> Self {
        Self { timeout, tries: 0, failures: 0, end: Some(Instant::now() + timeout) }
    }

    /// For a transfer: the timeout counts from the first failure on.
    pub(crate) fn of_transfer(timeout: Duration) -> Self {
        Self { timeout, tries: TRANSFER_TRIES, failures: 0, end: None }
    }

    /// After a failure: true when it is worth another try `wait` from now.
    pub(crate) fn holds(&mut self, wait: Duration) -> bool {
        self.failures += 1;
        let end = *self.end.get_or_insert_with(|| Instant::now() + self.timeout);
        self.failures < self.tries || Instant::now() + wait < end
    }

    /// What is left of a call's timeout.
    pub(crate) fn left(&self) -> Duration {
        self.end.map_or(self.timeout, |end| end.saturating_duration_since(Instant::now()))
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
        assert_eq!(patience.left(), Duration::from_secs(6));
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
}
