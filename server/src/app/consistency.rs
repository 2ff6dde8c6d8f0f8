//! Checkpoints, and proofs that an older tree is a prefix of a newer one.

use super::{App, AppError, Consistency, ConsistencyProof};
use crate::evidence::LogName;

/// Sizes of one question.
const SIZES: usize = 100;

impl App {
    /// The newest signed checkpoint of a log.
    pub async fn newest_checkpoint(&self, log: LogName) -> Result<Vec<u8>, AppError> {
        Ok(self.view.newest().await?.heads.of(log).checkpoint.clone())
    }

    /// Links ascending sizes (1 to 100 of them) to each other and to the newest checkpoint.
    pub async fn consistency(&self, log: LogName, sizes: &[u64]) -> Result<Consistency, AppError> {
        let snapshot = self.view.newest().await?;
        let newest = snapshot.size(log);
        if sizes.is_empty() || sizes.len() > SIZES {
            return Err(AppError::invalid("sizes", "1 to 100 are needed"));
        }
        if !sizes.is_sorted() {
            return Err(AppError::invalid("sizes", "not ascending"));
        }
        if sizes.last().is_some_and(|last| *last > newest) {
            return Err(AppError::invalid("sizes", "beyond the log"));
        }
        let ends = sizes[1..].iter().copied().chain(std::iter::once(newest));
        let mut proofs = Vec::with_capacity(sizes.len());
        for (old_size, new_size) in sizes.iter().copied().zip(ends) {
            let hashes = self.view.prove_consistency(&snapshot, log, old_size, new_size).await?;
            proofs.push(ConsistencyProof { old_size, new_size, hashes });
        }
        Ok(Consistency { proofs, checkpoint: snapshot.heads.of(log).checkpoint.clone() })
    }
}
