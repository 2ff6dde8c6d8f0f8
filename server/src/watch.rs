//! Who waits for news of what. The committer tells what it added; nobody is asked, nothing is queried, and a listener that
//! is slow hears of the newest only. What the news are, listeners read from the logs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postfach_domain::id::{KeyId, Party};
use tokio::sync::watch;

/// What one may listen to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// Events of messages to a mailbox, and of its own acts; by the mailbox's number.
    Received(u64),
    /// Events of messages that a party sent; by the party's number.
    Sent(u64),
    /// The end of a key.
    Key(Party, KeyId),
}

/// Why nobody can listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deaf {
    /// As many as are allowed listen to this already.
    Full,
    /// The server stops.
    Closed,
}

/// Topics somebody listens to; `None` once closed.
type Topics = Option<HashMap<Topic, watch::Sender<u64>>>;

/// Passes news on. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Hub {
    topics: Mutex<Topics>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { topics: Mutex::new(Some(HashMap::new())) }
    }
}

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens to a topic from now on; at most `limit` may.
    pub fn listen(self: &Arc<Self>, topic: Topic, limit: usize) -> Result<Listener, Deaf> {
        let mut topics = self.lock();
        let topics = topics.as_mut().ok_or(Deaf::Closed)?;
        let sender = topics.entry(topic.clone()).or_insert_with(|| watch::Sender::new(0));
        if sender.receiver_count() >= limit {
            return Err(Deaf::Full);
        }
        let news = Some(sender.subscribe());
        Ok(Listener { hub: Arc::clone(self), topic, news })
    }

    /// Tells how far each topic's log goes now: one more than the index of its newest event.
    pub fn tell(&self, news: impl IntoIterator<Item = (Topic, u64)>) {
        let topics = self.lock();
        let Some(topics) = topics.as_ref().filter(|topics| !topics.is_empty()) else { return };
        for (topic, end) in news {
            if let Some(sender) = topics.get(&topic) {
                raise(sender, end);
            }
        }
    }

    /// Tells of keys that may have ended.
    pub fn tell_keys(&self, keys: impl IntoIterator<Item = (Party, KeyId)>) {
        let topics = self.lock();
        let Some(topics) = topics.as_ref().filter(|topics| !topics.is_empty()) else { return };
        for (party, key) in keys {
            if let Some(sender) = topics.get(&Topic::Key(party, key)) {
                sender.send_modify(|told| *told += 1);
            }
        }
    }

    /// Tells everybody to look whether his key has ended, where it is not known which did.
    pub fn tell_all_keys(&self) {
        let topics = self.lock();
        for (topic, sender) in topics.iter().flatten() {
            if matches!(topic, Topic::Key(..)) {
                sender.send_modify(|told| *told += 1);
            }
        }
    }

    /// Tells everybody who waits for events, where it is not known whom they concern.
    pub fn tell_all(&self, end: u64) {
        let topics = self.lock();
        for (topic, sender) in topics.iter().flatten() {
            if !matches!(topic, Topic::Key(..)) {
                raise(sender, end);
            }
        }
    }

    /// Ends all listening, now and later.
    pub fn close(&self) {
        self.lock().take();
    }

    /// Topics somebody listens to.
    #[cfg(test)]
    pub(crate) fn topics(&self) -> usize {
        self.lock().as_ref().map_or(0, HashMap::len)
    }
}

/// Wakes nobody who knows of it: what this node committed its own notice tells again.
fn raise(sender: &watch::Sender<u64>, end: u64) {
    sender.send_if_modified(|known| {
        let newer = end > *known;
        *known = end.max(*known);
        newer
    });
}

/// Hears of one topic.
#[derive(Debug)]
pub struct Listener {
    hub: Arc<Hub>,
    topic: Topic,
    /// Gone only while it is dropped.
    news: Option<watch::Receiver<u64>>,
}

impl Listener {
    /// Waits for the next news: how far the log goes. What came while nobody waited is not lost.
    pub async fn next(&mut self) -> Result<u64, Deaf> {
        let news = self.news.as_mut().ok_or(Deaf::Closed)?;
        news.changed().await.map_err(|_| Deaf::Closed)?;
        Ok(*news.borrow_and_update())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut topics = self.hub.lock();
        self.news.take();
        let Some(topics) = topics.as_mut() else { return };
        if topics.get(&self.topic).is_some_and(|sender| sender.receiver_count() == 0) {
            topics.remove(&self.topic);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    async fn is_silent(listener: &mut Listener) -> bool {
        tokio::time::timeout(Duration::from_millis(20), listener.next()).await.is_err()
    }

    #[tokio::test]
    async fn news_reach_those_concerned_and_nobody_else() {
        let hub = Arc::new(Hub::default());
        let (mut anna, mut bert) =
            (hub.listen(Topic::Received(1), 9).unwrap(), hub.listen(Topic::Received(2), 9).unwrap());
        let mut sender = hub.listen(Topic::Sent(1), 9).unwrap();
        // Told before she waits: not lost; told twice: the newest.
        hub.tell([(Topic::Received(1), 4), (Topic::Received(7), 4)]);
        hub.tell([(Topic::Received(1), 6)]);
        assert_eq!(anna.next().await, Ok(6));
        assert!(is_silent(&mut anna).await && is_silent(&mut bert).await && is_silent(&mut sender).await);
        // What is known already wakes nobody.
        hub.tell([(Topic::Received(1), 6)]);
        assert!(is_silent(&mut anna).await);
        hub.tell_all(9);
        assert_eq!((anna.next().await, bert.next().await, sender.next().await), (Ok(9), Ok(9), Ok(9)));
    }

    #[tokio::test]
    async fn listeners_are_counted_and_leave_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let first = hub.listen(Topic::Sent(1), 2).unwrap();
        let mut second = hub.listen(Topic::Sent(1), 2).unwrap();
        assert_eq!(hub.listen(Topic::Sent(1), 2).unwrap_err(), Deaf::Full);
        drop(first);
        assert!(hub.listen(Topic::Sent(1), 2).is_ok());
        assert_eq!(hub.topics(), 1);
        hub.close();
        assert_eq!(second.next().await, Err(Deaf::Closed));
        assert_eq!(hub.listen(Topic::Sent(1), 2).unwrap_err(), Deaf::Closed);
        drop(second);
        let hub = Arc::new(Hub::default());
        drop(hub.listen(Topic::Sent(1), 2).unwrap());
        assert_eq!(hub.topics(), 0);
    }
}
