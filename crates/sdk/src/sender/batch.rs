//! Delivering many messages in few calls. Each is judged for itself; what is unknown after a call is asked again.

use std::ops::Range;

use postfach_domain::limits;
use postfach_proto::v1;
use postfach_proto::v1::batch_result::Outcome;
use postfach_proto::v1::delivery_service_client::DeliveryServiceClient;
use tonic::{Code, Status};

use super::{OutboxEntry, Sender};
use crate::client::{MAX_ANSWER, Pace};
use crate::error::Error;
use crate::evidence::VerifiedEvent;
use crate::evidence::follow::Seen;
use crate::status::Failure;

impl Sender {
    /// Delivers many messages, whose attachments are uploaded, in as few calls as the limits allow, and checks every
    /// receipt. `each` learns what became of an entry by its place, as soon as that is known. An error of the whole
    /// leaves the entries that `each` was not told of unknown: the same call again is safe for all of them, and gives
    /// those that stand their first receipt.
    pub async fn deliver_batch(
        &self,
        entries: &[OutboxEntry],
        mut each: impl FnMut(usize, Result<VerifiedEvent, Error>),
    ) -> Result<(), Error> {
        for calls in split(entries.iter().map(OutboxEntry::submission_len)) {
            let first = calls.start;
            for (n, result) in self.one_batch(&entries[calls]).await?.into_iter().enumerate() {
                each(first + n, result);
            }
        }
        self.client.settle().await
    }

    async fn one_batch(&self, entries: &[OutboxEntry]) -> Result<Vec<Result<VerifiedEvent, Error>>, Error> {
        let submissions = entries.iter().map(OutboxEntry::submission).collect::<Result<_, _>>()?;
        let request = v1::DeliverBatchRequest { submissions, validate_only: false };
        let answer = self
            .client
            .call(Pace::Normal, request, |channel, request| async move {
                DeliveryServiceClient::new(channel)
                    .max_encoding_message_size(MAX_ANSWER)
                    .deliver_batch(request)
                    .await
            })
            .await?;
        if answer.results.len() != entries.len() {
            return Err(Error::answer("another number of results than submissions"));
        }
        let seen = answer.checkpoints.iter().map(|under| self.client.observe(Some(under)));
        let seen = seen.collect::<Result<Vec<Seen>, Error>>()?;
        let mut results = Vec::with_capacity(entries.len());
        for (entry, result) in entries.iter().zip(answer.results) {
            results.push(match result.outcome {
                Some(Outcome::Event(event)) => match seen.get(result.checkpoints as usize) {
                    Some(seen) => self.accepted(entry, &event, seen),
                    None => Err(Error::answer("a result without its checkpoints")),
                },
                Some(Outcome::Failure(failure)) => self.after(entry, &failure).await,
                None => Err(Error::answer("a result without outcome")),
            });
        }
        Ok(results)
    }

    /// One that the service could not take just then is tried alone, with all patience.
    async fn after(&self, entry: &OutboxEntry, failure: &v1::CallFailure) -> Result<VerifiedEvent, Error> {
        let details = failure.details.clone().into();
        let status = Status::with_details(Code::from(failure.code), failure.message.clone(), details);
        let failure = Failure::of(&status);
        if failure.is_transient() { self.deliver(entry).await } else { Err(failure.into_error()) }
    }
}

/// Cuts a list of submissions of these sizes so that every part keeps the limits of a batch.
fn split(sizes: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let (mut parts, mut begin, mut bytes, mut end) = (Vec::new(), 0, 0, 0);
    for (at, size) in sizes.enumerate() {
        if at > begin && (at - begin == limits::BATCH_MAX || bytes + size > limits::BATCH_LEN) {
            parts.push(begin..at);
            (begin, bytes) = (at, 0);
        }
        bytes += size;
        end = at + 1;
    }
    if end > begin {
        parts.push(begin..end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_both_limits_and_lose_nothing() {
        assert!(split(std::iter::empty()).is_empty());
        assert_eq!(split([10; 250].into_iter()), [0..100, 100..200, 200..250]);
        let half = limits::BATCH_LEN / 2;
        assert_eq!(split([half, half, 1, half].into_iter()), [0..2, 2..4]);
        // One that is too large on its own goes alone, and the service says what is wrong with it.
        assert_eq!(split([1, limits::BATCH_LEN + 1, 1].into_iter()), [0..1, 1..2, 2..3]);
    }
}
