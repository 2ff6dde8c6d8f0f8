//! Suspends a mailbox for senders, or lifts that.

use postfach_domain::decide::Refusal;
use postfach_domain::id::Address;

use super::{App, AppError};
use crate::commit::{Applied, Needs, Operation, WorkingSet};
use crate::storage::sql::mailboxes::Mailbox;

impl App {
    /// Suspends a mailbox or lifts the suspension.
    pub async fn suspend_mailbox(&self, address: Address, suspended: bool) -> Result<(), AppError> {
        self.submit(Suspend { address, suspended }).await.map(drop)
    }
}

/// A suspension on its way. Not logged: it is the operator's switch, and every refusal that follows is.
#[derive(Debug)]
struct Suspend {
    address: Address,
    suspended: bool,
}

impl Operation for Suspend {
    fn needs(&self, needs: &mut Needs) {
        needs.mailboxes.insert(self.address);
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let mailbox = set.mailboxes.get(&self.address).cloned().ok_or(Refusal::NotFound)?;
        let suspended_at = self.suspended.then(|| mailbox.suspended_at.unwrap_or(set.now()));
        set.mailboxes.put(self.address, Mailbox { suspended_at, ..mailbox });
        Ok(Applied::Stored)
    }
}
