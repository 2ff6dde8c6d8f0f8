//! Stores many sealed messages of one sender in one call. Each is judged for itself, as by a call of its own, and they
//! share their commits: the price of a call and of a flush is paid once for all.

use postfach_domain::limits;

use super::deliver::Deliver;
use super::{App, AppError, Caller, Logged, Submission};

/// What became of one submission of a batch.
pub type BatchResult = Result<Logged, AppError>;

impl App {
    /// Stores sealed messages with their evidence; one result each, in their order. With `validate_only` checks everything
    /// and writes nothing. An error of the whole is about the batch as such: empty, or too large.
    pub async fn deliver_batch(
        &self,
        caller: &Caller,
        submissions: Vec<Submission>,
        validate_only: bool,
    ) -> Result<Vec<BatchResult>, AppError> {
        check_batch(&submissions)?;
        let mut checked = Vec::with_capacity(submissions.len());
        for submission in submissions {
            checked.push(self.checked(caller, submission).await);
            // Signatures cost; other calls on this thread go on in between.
            tokio::task::yield_now().await;
        }
        if validate_only { Ok(self.validate_all(checked).await) } else { Ok(self.deliver_all(checked).await) }
    }

    async fn validate_all(&self, checked: Vec<Result<Deliver, AppError>>) -> Vec<BatchResult> {
        let mut results = Vec::with_capacity(checked.len());
        for operation in checked {
            results.push(match operation {
                Ok(operation) => self.validate(&operation).await,
                Err(error) => Err(error),
            });
        }
        results
    }

    async fn deliver_all(&self, checked: Vec<Result<Deliver, AppError>>) -> Vec<BatchResult> {
        let mut good = Vec::with_capacity(checked.len());
        let failed: Vec<Option<AppError>> =
            checked.into_iter().map(|one| one.map(|operation| good.push(operation)).err()).collect();
        let mut outcomes = self.committer.submit_all(good).await.into_iter();
        let mut results = Vec::with_capacity(failed.len());
        for error in failed {
            let outcome = match error {
                Some(error) => Err(error),
                None => outcomes.next().ok_or(AppError::Internal).and_then(|outcome| Ok(outcome?)),
            };
            results.push(match outcome {
                Ok(outcome) => self.one_event(outcome).await.map(Logged::from),
                Err(error) => Err(error),
            });
        }
        results
    }
}

/// The limits of a batch as such.
fn check_batch(submissions: &[Submission]) -> Result<(), AppError> {
    if submissions.is_empty() {
        return Err(AppError::invalid("submissions", "empty"));
    }
    if submissions.len() > limits::BATCH_MAX {
        return Err(AppError::Limit("batch_items"));
    }
    if submissions.iter().map(Submission::len).sum::<usize>() > limits::BATCH_LEN {
        return Err(AppError::Limit("batch_bytes"));
    }
    Ok(())
}
