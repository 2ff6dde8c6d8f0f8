//! The caller's own chain and wraps: what a device needs to know who belongs to the mailbox and to get its keys.

use postfach_domain::head::ChainHead;
use postfach_domain::id::{Address, KeyId, Party};

use super::{App, AppError, Caller, ChainAnswer, StoredWrap, Wrap};
use crate::evidence::LogName;
use crate::storage::Ask;
use crate::storage::sql::mailboxes::{self, Mailbox};

impl App {
    /// The caller's chain.
    pub async fn get_chain(&self, caller: &Caller) -> Result<ChainAnswer, AppError> {
        let address = own_address(caller)?;
        let mailbox = self.mailbox(&address).await?.ok_or(AppError::NotFound)?;
        self.chain_answer(&mailbox).await
    }

    /// All wraps for one member of the caller's mailbox.
    pub async fn get_wraps(&self, caller: &Caller, member: KeyId) -> Result<Vec<StoredWrap>, AppError> {
        let address = own_address(caller)?;
        let mailbox = self.mailbox(&address).await?.ok_or(AppError::NotFound)?;
        let found = mailboxes::wraps(&mut Ask(&*self.store), mailbox.no, member).await?;
        let wrap = |row: mailboxes::WrapRow| StoredWrap {
            link_seq: row.link_seq,
            wrap: Wrap { member: row.member, sealed: row.sealed },
        };
        Ok(found.into_iter().map(wrap).collect())
    }

    /// A whole chain with proof and head statement.
    pub(super) async fn chain_answer(&self, mailbox: &Mailbox) -> Result<ChainAnswer, AppError> {
        let mut snapshot = self.view.newest().await?;
        let mut links = mailboxes::chain(&mut Ask(&*self.store), mailbox.no).await?;
        let newest = links.last().ok_or(AppError::Internal)?.key_index;
        if newest >= snapshot.size(LogName::Keys) {
            // Committed and not published yet: whoever asks may be the one who appended it.
            snapshot = self.view.state_with(LogName::Keys, newest).await?;
            links = self.links(mailbox.no, &snapshot).await?;
        }
        let newest = links.last().ok_or(AppError::Internal)?;
        let head = ChainHead { seq: newest.seq, link_hash: newest.link_hash };
        let head = self.signed_head(&mailbox.address, head, &snapshot);
        let chain = self.logged_chain(links, &snapshot).await?;
        Ok(ChainAnswer { chain, head, checkpoints: snapshot.checkpoints() })
    }
}

/// The mailbox that the caller speaks for; authorities have one, but their certified keys are no members of it.
pub(super) fn own_address(caller: &Caller) -> Result<Address, AppError> {
    match &caller.party {
        Party::Mailbox(address) => Ok(*address),
        Party::Authority(_) => Err(AppError::NotAllowed),
    }
}
