//! Why a link or chain is refused: one case for each rule of SPEC 2.

use crate::sign::SignatureError;

/// Which rule a link breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Longer than the limit.
    #[error("the link is too large")]
    TooLarge,
    /// Not a protobuf message, or a member in it is none.
    #[error("the link is not well formed")]
    Malformed,
    /// A field, by its name in the format.
    #[error("field {0} of the link is wrong")]
    Field(&'static str),
    /// An operation that this version does not know.
    #[error("the link has no operation, or an unknown one")]
    UnknownOp,
    /// The chain belongs to another deployment.
    #[error("the link belongs to another deployment")]
    Origin,
    /// The link belongs to another chain.
    #[error("the link belongs to another chain")]
    Genesis,
    /// Not the next number.
    #[error("the link has number {got}, {expected} was due")]
    Seq {
        /// The next number.
        expected: u32,
        /// The number in the link.
        got: u32,
    },
    /// prev_hash is not the hash of the link before.
    #[error("the link does not follow the one before it")]
    PrevHash,
    /// The time is before the previous link's.
    #[error("the time of the link is before the previous one's")]
    TimeDecreases,
    /// The time is more than 5 minutes from the server's.
    #[error("the time of the link is off")]
    TimeOff,
    /// Link 0 is not GENESIS, or a later one is.
    #[error("GENESIS stands at number 0 and nowhere else")]
    GenesisPlace,
    /// The signer was not active before the link.
    #[error("the signer of the link is not an active key of the chain")]
    SignerNotActive,
    /// The signature of the link.
    #[error("the signature of the link: {0}")]
    Signature(SignatureError),
    /// The new member has not signed for itself.
    #[error("the new key's own signature: {0}")]
    ReverseSignature(SignatureError),
    /// A weak or malformed key.
    #[error("a key in the link is weak or malformed")]
    WeakKey,
    /// A key that is, or was, a member already.
    #[error("a key in the link was used in this chain before")]
    KeyReused,
    /// 17th device.
    #[error("a mailbox has at most 16 active devices")]
    TooManyDevices,
    /// REVOKE_DEVICE of a key that is no active device.
    #[error("the device to revoke is not active")]
    DeviceNotActive,
    /// Not the next generation.
    #[error("the link brings generation {got}, {expected} was due")]
    Generation {
        /// The next generation.
        expected: u32,
        /// The generation in the link.
        got: u32,
    },
    /// ROTATE_RECOVERY or CLOSE by a device without a proposal.
    #[error("this needs the recovery key, or a proposal 14 days old")]
    RecoveryOnly,
    /// The named proposal does not exist, is for something else, or the recovery key has signed since.
    #[error("the named proposal does not stand")]
    ProposalUnknown,
    /// The named proposal is younger than 14 days.
    #[error("the named proposal is younger than 14 days")]
    ProposalTooYoung,
    /// The recovery key names a proposal, which it does not need.
    #[error("the recovery key names no proposal")]
    ProposalNotNeeded,
    /// Links 968 to 999 are for the recovery key alone.
    #[error("the last links of a chain are for the recovery key alone")]
    ReservedForRecovery,
    /// 1,000 links.
    #[error("the chain is full")]
    Full,
    /// A link after CLOSE.
    #[error("the chain is closed")]
    Closed,
}

/// Why a whole chain is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No links.
    #[error("the chain is empty")]
    Empty,
    /// The chain is another address's.
    #[error("the chain belongs to another address")]
    Address,
    /// A link breaks a rule.
    #[error("link {seq}: {error}")]
    Link {
        /// Its place in the list, from 0.
        seq: u32,
        /// The rule.
        error: LinkError,
    },
}
