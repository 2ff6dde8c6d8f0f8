//! May this activation code open this mailbox? One code admits one chain (SPEC 6).

use super::Refusal;
use crate::id::Address;
use crate::time::Timestamp;

/// A code as the database knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeState {
    /// Never made here.
    Unknown,
    /// Waiting for its mailbox; the proof was checked against its key.
    Open {
        /// End of its life.
        expires_at: Timestamp,
        /// The proof fits code and address.
        proof_fits: bool,
    },
    /// Used for this mailbox.
    Redeemed(Address),
}

/// The decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Redeem the code and open the mailbox.
    Open,
    /// The same code opened the same mailbox before: give the same answer.
    Again,
}

/// Decides on a registration. A wrong proof is answered like an unknown code.
pub fn decide_register(
    code: CodeState,
    address: Address,
    mailbox_exists: bool,
    now: Timestamp,
) -> Result<Registration, Refusal> {
    match code {
        CodeState::Unknown | CodeState::Open { proof_fits: false, .. } => Err(Refusal::CodeUnknown),
        CodeState::Redeemed(by) if by == address => Ok(Registration::Again),
        CodeState::Redeemed(_) => Err(Refusal::CodeUsed),
        CodeState::Open { expires_at, .. } if now > expires_at => Err(Refusal::CodeExpired),
        CodeState::Open { .. } if mailbox_exists => Err(Refusal::MailboxExists),
        CodeState::Open { .. } => Ok(Registration::Open),
    }
}
