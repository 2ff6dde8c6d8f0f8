//! What GENESIS and every later link share: which error a broken one is, how large its wraps may be, and what it writes.

use postfach_domain::chain::{Chain, LinkError};
use postfach_domain::decide::Refusal;
use postfach_domain::limits;

use super::{AppError, Wrap};
use crate::commit::WorkingSet;
use crate::storage::sql::mailboxes::{Mailbox, Member, Role, WrapRow};

/// Which limit a link passes, or which rule it breaks.
pub(super) fn link_error(rule: LinkError) -> AppError {
    match rule {
        LinkError::TooLarge => AppError::Limit("link_bytes"),
        LinkError::Full => AppError::Limit("chain_links"),
        LinkError::TooManyDevices => AppError::Limit("devices"),
        rule => AppError::Refused(Refusal::LinkInvalid { rule }),
    }
}

/// Each wrap is one age file of bounded size.
pub(super) fn check_wrap_sizes(wraps: &[Wrap]) -> Result<(), AppError> {
    if wraps.iter().any(|wrap| wrap.sealed.len() > limits::WRAP_LEN) {
        return Err(AppError::Limit("wrap_bytes"));
    }
    if wraps.iter().any(|wrap| wrap.sealed.is_empty()) {
        return Err(AppError::invalid("wraps.sealed", "empty"));
    }
    Ok(())
}

/// Writes the members of a chain as they are after its newest link.
pub(super) fn put_members(set: &mut WorkingSet, chain: &Chain, mailbox: &Mailbox) {
    let devices = chain.devices().iter().map(|d| {
        let key = &d.device;
        (key.key_id, Role::Device, key.sign_pub.to_bytes(), d.from_seq, d.revoked_seq)
    });
    let recoveries = chain.recoveries().iter().map(|r| {
        let key = &r.recovery;
        (key.key_id, Role::Recovery, key.sign_pub.to_bytes(), r.from_seq, r.replaced_seq)
    });
    let seq = chain.head().seq;
    // Only what the newest link changed.
    let changed = |added: u32, removed: Option<u32>| added == seq || removed == Some(seq);
    for (key_id, role, public, added_seq, removed_seq) in devices.chain(recoveries) {
        if changed(added_seq, removed_seq) {
            let member = Member { mailbox_no: mailbox.no, key_id, role, public, added_seq, removed_seq };
            set.members.put((mailbox.address, key_id), member);
        }
    }
}

pub(super) fn put_wraps(set: &mut WorkingSet, mailbox_no: u64, link_seq: u32, wraps: &[Wrap]) {
    let row =
        |wrap: &Wrap| WrapRow { mailbox_no, member: wrap.member, link_seq, sealed: wrap.sealed.clone() };
    set.changes.wraps.extend(wraps.iter().map(row));
}
