//! What the rules of one operation see of a link. The common rules are in `apply`, those of each operation in `ops`.

use crate::chain::link::Link;
use crate::head::ChainHead;

/// A link whose common rules hold, on its way into the chain.
pub(super) struct Candidate<'a> {
    pub(super) link: &'a Link,
    pub(super) head: ChainHead,
    pub(super) by_recovery: bool,
}
