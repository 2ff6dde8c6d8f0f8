//! A mailbox's public chain for a sender who knows the address. There is no search; citizens see authorities only.

use postfach_domain::id::{Address, Party};

use super::deliver::recipient_state;
use super::{App, AppError, Caller, Resolved};
use crate::storage::sql::mailboxes::{self, Consent, Mailbox};
use crate::storage::{Ask, StoreError};

impl App {
    /// A mailbox's public chain, for whoever knows the address.
    pub async fn resolve_recipient(&self, caller: &Caller, address: Address) -> Result<Resolved, AppError> {
        self.require_member(caller).await?;
        let mailbox = self.mailbox(&address).await?.ok_or(AppError::NotFound)?;
        let own = caller.party == Party::Mailbox(address);
        let citizen_asks = matches!(caller.party, Party::Mailbox(_));
        if citizen_asks && mailbox.authority_no.is_none() && !own {
            return Err(AppError::NotFound);
        }
        let consents = self.consents(&mailbox, &caller.party).await?;
        let accepts = recipient_state(&mailbox, consents).accepts();
        Ok(Resolved { answer: self.chain_answer(&mailbox).await?, accepts })
    }

    /// Of the two newest consent acts that concern this sender, for all and for this one, the newer decides.
    async fn consents(&self, mailbox: &Mailbox, sender: &Party) -> Result<bool, StoreError> {
        let Party::Authority(id) = sender else { return Ok(false) };
        let keys = [(mailbox.no, None), (mailbox.no, Some(id.clone()))];
        let found: Vec<Consent> = mailboxes::consents(&mut Ask(&*self.store), keys).await?;
        Ok(found.iter().max_by_key(|consent| consent.time).is_some_and(|consent| consent.granted))
    }
}
