//! The rules of each operation of a chain. Each checks everything first and changes the chain only then.

use crate::chain::candidate::Candidate;
use crate::chain::link::{NewGeneration, Op, Proposed};
use crate::chain::member::{Device, verify_reverse};
use crate::chain::{
    AppliedLink, Chain, DeviceState, Generation, LinkError, PROPOSAL_AGE_MS, Proposal, RecoveryState,
};
use crate::hash::Digest;
use crate::id::KeyId;
use crate::limits;

pub(super) fn add_device(
    chain: &mut Chain,
    candidate: &Candidate<'_>,
    device: &Device,
    member: &[u8],
    reverse_sig: &[u8],
    applied: &mut AppliedLink,
) -> Result<(), LinkError> {
    check_new_key(chain, &device.key_id)?;
    if chain.active_devices().count() >= limits::DEVICES {
        return Err(LinkError::TooManyDevices);
    }
    let link = candidate.link;
    verify_reverse(&device.sign_pub, &chain.origin, link.genesis_bytes(), &link.signer, member, reverse_sig)?;
    chain.devices.push(DeviceState {
        device: device.clone(),
        from_seq: candidate.head.seq,
        revoked_seq: None,
    });
    applied.added.push(device.key_id);
    Ok(())
}

pub(super) fn revoke_device(
    chain: &mut Chain,
    candidate: &Candidate<'_>,
    key_id: &KeyId,
    mailbox: &NewGeneration,
    applied: &mut AppliedLink,
) -> Result<(), LinkError> {
    check_generation(chain, mailbox)?;
    let revoked = chain.devices.iter_mut().find(|d| d.device.key_id == *key_id && d.revoked_seq.is_none());
    revoked.ok_or(LinkError::DeviceNotActive)?.revoked_seq = Some(candidate.head.seq);
    applied.revoked.push(*key_id);
    push_generation(chain, candidate, mailbox, applied);
    Ok(())
}

pub(super) fn rotate_mailbox(
    chain: &mut Chain,
    candidate: &Candidate<'_>,
    mailbox: &NewGeneration,
    applied: &mut AppliedLink,
) -> Result<(), LinkError> {
    check_generation(chain, mailbox)?;
    push_generation(chain, candidate, mailbox, applied);
    Ok(())
}

pub(super) fn rotate_recovery(
    chain: &mut Chain,
    candidate: &Candidate<'_>,
    applied: &mut AppliedLink,
) -> Result<(), LinkError> {
    let link = candidate.link;
    let Op::RotateRecovery { recovery, mailbox, member, reverse_sig, proposal } = &link.op else {
        return Err(LinkError::UnknownOp);
    };
    check_new_key(chain, &recovery.key_id)?;
    check_generation(chain, mailbox)?;
    let what = Proposed::RotateRecovery(member.clone());
    let carried_out = check_warrant(chain, candidate, proposal.as_ref(), &what)?;
    verify_reverse(
        &recovery.sign_pub,
        &chain.origin,
        link.genesis_bytes(),
        &link.signer,
        member,
        reverse_sig,
    )?;

    if let Some(old) = chain.recoveries.last_mut() {
        old.replaced_seq = Some(candidate.head.seq);
        applied.revoked.push(old.recovery.key_id);
    }
    let from_seq = candidate.head.seq;
    chain.recoveries.push(RecoveryState { recovery: recovery.clone(), from_seq, replaced_seq: None });
    chain.proposals.retain(|proposal| Some(proposal.link.link_hash) != carried_out);
    applied.added.push(recovery.key_id);
    push_generation(chain, candidate, mailbox, applied);
    Ok(())
}

pub(super) fn close(
    chain: &mut Chain,
    candidate: &Candidate<'_>,
    proposal: Option<&Digest>,
    applied: &mut AppliedLink,
) -> Result<(), LinkError> {
    check_warrant(chain, candidate, proposal, &Proposed::Close)?;
    chain.closed = true;
    chain.proposals.clear();
    applied.closed = true;
    Ok(())
}

pub(super) fn propose(chain: &mut Chain, candidate: &Candidate<'_>, what: &Proposed) {
    let link = candidate.link;
    let proposal =
        Proposal { link: candidate.head, signer: link.signer, time: link.time, what: what.clone() };
    chain.proposals.push(proposal);
}

/// What only the recovery key does directly, and a device by a proposal that is 14 days old. Answers the link_hash of
/// the proposal that was carried out.
fn check_warrant(
    chain: &Chain,
    candidate: &Candidate<'_>,
    named: Option<&Digest>,
    what: &Proposed,
) -> Result<Option<Digest>, LinkError> {
    match (candidate.by_recovery, named) {
        (true, None) => Ok(None),
        (true, Some(_)) => Err(LinkError::ProposalNotNeeded),
        (false, None) => Err(LinkError::RecoveryOnly),
        (false, Some(hash)) => {
            let proposal = chain.proposals.iter().find(|p| p.link.link_hash == *hash && p.what == *what);
            let proposal = proposal.ok_or(LinkError::ProposalUnknown)?;
            let due = proposal.time.plus_ms(PROPOSAL_AGE_MS);
            if candidate.link.time < due { Err(LinkError::ProposalTooYoung) } else { Ok(Some(*hash)) }
        }
    }
}

/// A key enters a chain once, in one role: a revoked one never signs again.
fn check_new_key(chain: &Chain, key_id: &KeyId) -> Result<(), LinkError> {
    let known = chain.devices.iter().any(|d| d.device.key_id == *key_id)
        || chain.recoveries.iter().any(|r| r.recovery.key_id == *key_id);
    if known { Err(LinkError::KeyReused) } else { Ok(()) }
}

fn check_generation(chain: &Chain, mailbox: &NewGeneration) -> Result<(), LinkError> {
    let expected = chain.generation().generation + 1;
    let got = mailbox.generation;
    if got == expected { Ok(()) } else { Err(LinkError::Generation { expected, got }) }
}

fn push_generation(
    chain: &mut Chain,
    candidate: &Candidate<'_>,
    mailbox: &NewGeneration,
    applied: &mut AppliedLink,
) {
    let recipient = mailbox.recipient.clone();
    let generation = Generation { generation: mailbox.generation, recipient, from_seq: candidate.head.seq };
    chain.generations.push(generation);
    applied.generation = Some(mailbox.generation);
}
