//! What the committer answers and use cases pass on: which log, its newest checkpoints, an event with its proof. How they
//! are made is in `commit` and `logs`.

use postfach_ledger::hash::Hash;

/// Which of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogName {
    /// `<origin>/keys`: links, certificates, revocations.
    Keys,
    /// `<origin>/evidence`: commitments of events.
    Evidence,
}

/// The newest signed checkpoints (C2SP signed notes); every proof of one answer is under these.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Checkpoints {
    /// Of the keys log.
    pub keys: Vec<u8>,
    /// Of the evidence log.
    pub evidence: Vec<u8>,
}

/// One event with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// Encoded event; empty when erased.
    pub event: Vec<u8>,
    /// 32 bytes; empty when erased.
    pub salt: Vec<u8>,
    /// Position in the evidence log.
    pub index: u64,
    /// Audit path under the answer's evidence checkpoint.
    pub inclusion: Vec<Hash>,
}
