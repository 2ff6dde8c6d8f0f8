//! Answers of the use cases as the wire carries them: field by field, no decisions.

use postfach_domain::id::Party;
use postfach_domain::outer::LegalRegime;
use postfach_ledger::hash::Hash;
use postfach_proto::v1;

use crate::{app, evidence};

fn hashes(path: Vec<Hash>) -> Vec<Vec<u8>> {
    path.into_iter().map(|hash| hash.as_bytes().to_vec()).collect()
}

/// A list of anything that has a conversion.
pub fn list<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

/// Wraps that the edge has checked.
pub fn wraps(wraps: Vec<(postfach_domain::id::KeyId, Vec<u8>)>) -> Vec<app::Wrap> {
    wraps.into_iter().map(|(member, sealed)| app::Wrap { member, sealed }).collect()
}

macro_rules! answer {
    ($from:ty => $to:ty, |$value:ident| $body:expr) => {
        impl From<$from> for $to {
            fn from($value: $from) -> Self {
                $body
            }
        }
    };
}

// `From` between two foreign types is not ours to write, but every source below is our own.
answer!(evidence::Checkpoints => v1::Checkpoints, |c| Self { keys: c.keys, evidence: c.evidence });
answer!(evidence::LoggedEvent => v1::LoggedEvent, |e| Self {
    event: e.event,
    salt: e.salt,
    index: e.index,
    inclusion: hashes(e.inclusion),
});
answer!(app::LoggedStatement => v1::LoggedStatement, |s| Self {
    statement: Some(s.statement),
    index: s.index,
    inclusion: hashes(s.inclusion),
});
answer!(app::LoggedChain => v1::LoggedChain, |c| Self {
    links: c.links,
    head_index: c.head_index,
    head_inclusion: hashes(c.head_inclusion),
    indexes: c.indexes,
});
answer!(app::SignedHead => v1::SignedHead, |h| Self {
    statement: h.statement,
    signature: Some(h.signature),
});
answer!(app::AuthorityKey => v1::AuthorityKey, |k| Self {
    certificate: Some(k.certificate.into()),
    revocation: k.revocation.map(Into::into),
});
answer!(app::AuthorityEntry => v1::AuthorityEntry, |e| Self {
    authority_id: e.id.to_string(),
    certificate: Some(e.certificate.into()),
});
answer!(app::Wrap => v1::Wrap, |w| Self { member: w.member.to_vec(), sealed: w.sealed });
answer!(app::StoredWrap => v1::StoredWrap, |w| Self {
    link_seq: w.link_seq,
    wrap: Some(w.wrap.into()),
});
answer!(app::Registered => v1::RegisterResponse, |r| Self {
    chain: Some(r.chain.into()),
    consent: r.consent.map(Into::into),
    checkpoints: Some(r.checkpoints.into()),
    trust_level: r.trust_level.to_wire(),
});
answer!(app::ChainAnswer => v1::AppendLinkResponse, |a| Self {
    chain: Some(a.chain.into()),
    checkpoints: Some(a.checkpoints.into()),
});
answer!(app::ChainAnswer => v1::GetChainResponse, |a| Self {
    chain: Some(a.chain.into()),
    head: Some(a.head.into()),
    checkpoints: Some(a.checkpoints.into()),
});
answer!(app::Resolved => v1::ResolveRecipientResponse, |r| Self {
    chain: Some(r.answer.chain.into()),
    head: Some(r.answer.head.into()),
    checkpoints: Some(r.answer.checkpoints.into()),
    accepts: r.accepts,
    refusal: if r.accepts { String::new() } else { "paper_required".to_owned() },
});
answer!(app::Submission => v1::Submission, |s| Self {
    outer: s.outer,
    cover_envelope: s.cover,
    letter_envelope: s.letter,
    signature: s.signature,
    sender_copy: s.sender_copy,
});
answer!(v1::Submission => app::Submission, |s| Self {
    outer: s.outer,
    cover: s.cover_envelope,
    letter: s.letter_envelope,
    signature: s.signature,
    sender_copy: s.sender_copy,
});
answer!(app::Logged => v1::DeliverResponse, |l| Self {
    event: l.event.map(Into::into),
    checkpoints: Some(l.checkpoints.into()),
});
answer!(app::Logged => v1::WithdrawResponse, |l| Self {
    event: l.event.map(Into::into),
    checkpoints: Some(l.checkpoints.into()),
});
answer!(app::Logged => v1::SubmitActResponse, |l| Self {
    event: l.event.map(Into::into),
    checkpoints: Some(l.checkpoints.into()),
});
answer!(app::Delivery => v1::GetDeliveryResponse, |d| Self {
    events: list(d.events),
    submission: d.submission.map(Into::into),
    checkpoints: Some(d.checkpoints.into()),
});
answer!(app::DeliveryEvents => v1::ListDeliveryEventsResponse, |e| Self {
    events: list(e.events),
    cursors: e.cursors,
    next_cursor: e.next_cursor,
    has_more: e.has_more,
    checkpoints: Some(e.checkpoints.into()),
});
answer!(app::SyncItem => v1::SyncItem, |i| Self {
    event: Some(i.event.into()),
    outer: i.outer,
    cover_envelope: i.cover,
    sender_copy: i.sender_copy,
    letter_length: i.letter_length,
    erased: i.erased,
});
answer!(app::SyncPage => v1::SyncResponse, |p| Self {
    items: list(p.items),
    next_cursor: p.next_cursor,
    has_more: p.has_more,
    authorities: list(p.authorities),
    senders: list(p.senders),
    head: p.head.map(Into::into),
    checkpoints: Some(p.checkpoints.into()),
});
answer!(app::HandedOver => v1::HandOverResponse, |h| Self {
    letter_envelope: h.letter,
    event: Some(h.event.into()),
    checkpoints: Some(h.checkpoints.into()),
});
answer!(app::LinkProof => v1::LinkProof, |p| Self {
    address: p.address.to_vec(),
    head: Some(p.head.into()),
    index: p.index,
    inclusion: hashes(p.inclusion),
});
answer!(app::Receipts => v1::GetReceiptsResponse, |r| Self {
    events: list(r.events),
    outer: r.outer,
    authorities: list(r.authorities),
    chains: list(r.chains),
    checkpoints: Some(r.checkpoints.into()),
    link_proofs: list(r.link_proofs),
});
answer!(app::ConsistencyProof => v1::ConsistencyProof, |p| Self {
    old_size: p.old_size,
    new_size: p.new_size,
    hashes: hashes(p.hashes),
});
answer!(app::Consistency => v1::GetConsistencyProofResponse, |c| Self {
    proofs: list(c.proofs),
    checkpoint: c.checkpoint,
});
answer!(app::SegmentRange => v1::SegmentRange, |r| Self { first: r.first, count: r.count });
answer!(app::UploadState => v1::UploadState, |u| Self {
    attachment_id: u.attachment_id.to_vec(),
    ct_len: u.ct_len,
    segment_count: u.segment_count,
    missing: list(u.missing),
    committed: u.committed,
    expires_at: u.expires_at.0,
});
answer!(app::Codes => v1::CreateActivationCodesResponse, |c| Self {
    codes: c.codes,
    expires_at: c.expires_at.0,
});
answer!(app::AuthorityRegistered => v1::RegisterAuthorityResponse, |a| Self {
    authority_id: a.authority_id.to_string(),
    certificate_index: a.certificate_index,
});
answer!(app::Erased => v1::EraseResponse, |e| Self {
    evidence_index: e.evidence_index,
    erased_indexes: e.erased_indexes,
});
answer!(app::DeliveryStage => v1::DeliveryStage, |s| Self {
    stage: s.stage,
    at: s.at.0,
    evidence_index: s.evidence_index,
});
answer!(app::DeliveryRow => v1::Delivery, |d| {
    let (authority_id, sender_address) = match d.sender {
        Party::Authority(id) => (id.to_string(), Vec::new()),
        Party::Mailbox(address) => (String::new(), address.to_vec()),
    };
    Self {
        message_id: d.message_id.to_vec(),
        authority_id,
        sender_address,
        recipient: d.recipient.to_vec(),
        kind: d.kind,
        regime: d.regime.map_or(0, LegalRegime::to_wire),
        stages: list(d.stages),
        cover_length: d.cover_length,
        letter_length: d.letter_length,
        attachment_count: d.attachment_count,
        attachment_length: d.attachment_length,
    }
});
