//! Requests of every call: the first byte names the call, the rest is its message. What the server does with it before it asks
//! its database: decode, convert field by field, and read what is signed inside.
#![no_main]

use postfach_domain::act::Act;
use postfach_domain::authority::{AuthorityCert, AuthorityRevocation};
use postfach_domain::chain::{Chain, Link};
use postfach_domain::format::Signed;
use postfach_domain::limits;
use postfach_domain::outer::Outer;
use postfach_fuzz::{bounded, keys, seeds, target};
use postfach_proto::codec::is_dense;
use postfach_proto::{convert, v1};
use prost::Message;

/// Reads a request and hands it on.
type Call = fn(&[u8]);

/// A message that is read is written and read again as the same.
fn read<M: Message + Default + PartialEq>(data: &[u8]) -> Option<M> {
    let request =
        bounded(FREE + data.len(), MEMORY, || is_dense(data).then(|| M::decode(data).ok())).flatten()?;
    assert!(M::decode(&request.encode_to_vec()[..]).is_ok_and(|again| again == request));
    Some(request)
}

/// Memory of a request for each of its bytes at most, where the codec lets it through: an item of a list becomes a struct, and a
/// list that grows is there twice.
const MEMORY: usize = 24;
/// The codec lets a thousand short fields through, whatever the length: counted as so many bytes of input.
const FREE: usize = 32 * 1024;

fn link(signed: Signed) {
    let _ = Link::parse(&signed.body);
    let _ = Chain::genesis(&keys::origin(), &signed);
}

fn act(signed: Option<Signed>) {
    if let Ok(signed) = convert::act("act", signed) {
        assert!(!signed.body.is_empty() && signed.body.len() <= limits::ACT_LEN);
        let _ = Act::peek(&signed);
    }
}

fn wraps(given: Vec<v1::Wrap>) {
    let before = given.clone();
    let Ok(wraps) = convert::wraps("wraps", given) else { return };
    assert!(wraps.len() == before.len() && wraps.len() <= limits::DEVICES + 1);
    assert!(
        wraps.iter().zip(&before).all(|((key, sealed), wrap)| wrap.member == key.0 && wrap.sealed == *sealed)
    );
}

fn submission(given: &v1::Submission) {
    if let Ok(outer) = Outer::parse(&given.outer) {
        assert_eq!(Outer::parse(&outer.encode()).as_ref(), Ok(&outer));
    }
}

fn register(data: &[u8]) {
    let Some(request) = read::<v1::RegisterRequest>(data) else { return };
    let _ = convert::bytes32("code_id", &request.code_id);
    let _ = convert::bytes32("proof", &request.proof);
    wraps(request.wraps);
    if let Ok(Some(consent)) = convert::optional_signed("consent", request.consent) {
        act(Some(consent));
    }
    if let Ok(genesis) = convert::signed("genesis", request.genesis) {
        link(genesis);
    }
}

fn register_authority(data: &[u8]) {
    let Some(request) = read::<v1::RegisterAuthorityRequest>(data) else { return };
    if let Ok(certificate) = convert::signed("certificate", request.certificate) {
        let _ = AuthorityCert::parse(&certificate.body);
    }
    if let Ok(Some(genesis)) = convert::optional_signed("genesis", request.genesis) {
        link(genesis);
    }
    wraps(request.wraps);
}

/// Every call whose request has a field, in the order of the services.
const CALLS: &[Call] = &[
    register,
    |data| {
        let Some(request) = read::<v1::AppendLinkRequest>(data) else { return };
        wraps(request.wraps);
        if let Ok(signed) = convert::signed("link", request.link) {
            link(signed);
        }
    },
    |data| {
        let Some(request) = read::<v1::GetWrapsRequest>(data) else { return };
        let member = convert::key_id("member", &request.member);
        assert!(member.is_ok_and(|member| member.0 == *request.member) || request.member.len() != 32);
    },
    |data| {
        let Some(request) = read::<v1::HandOverRequest>(data) else { return };
        let id = convert::message_id("message_id", &request.message_id);
        assert!(id.is_ok_and(|id| id.0 == *request.message_id) || request.message_id.len() != 16);
        act(request.act);
    },
    |data| read::<v1::SubmitActRequest>(data).map_or((), |request| act(request.act)),
    |data| read::<v1::WithdrawRequest>(data).map_or((), |request| act(request.act)),
    |data| read::<v1::SyncRequest>(data).map_or((), drop),
    |data| read::<v1::WatchRequest>(data).map_or((), drop),
    |data| {
        let Some(request) = read::<v1::DeliverRequest>(data) else { return };
        if let Ok(given) = convert::required("submission", request.submission) {
            submission(&given);
        }
    },
    |data| {
        let Some(request) = read::<v1::DeliverBatchRequest>(data) else { return };
        request.submissions.iter().for_each(submission);
    },
    |data| {
        let Some(request) = read::<v1::GetDeliveryRequest>(data) else { return };
        let _ = convert::message_id("message_id", &request.message_id);
    },
    |data| read::<v1::ListDeliveryEventsRequest>(data).map_or((), drop),
    |data| read::<v1::WatchDeliveryEventsRequest>(data).map_or((), drop),
    |data| read::<v1::CreateUploadRequest>(data).map_or((), drop),
    |data| {
        let Some(request) = read::<v1::WriteSegmentRequest>(data) else { return };
        let _ = convert::attachment_id("attachment_id", &request.attachment_id);
    },
    |data| read::<v1::GetUploadRequest>(data).map_or((), drop),
    |data| {
        let Some(request) = read::<v1::CommitUploadRequest>(data) else { return };
        let _ = convert::digest("ct_root", &request.ct_root);
    },
    |data| read::<v1::ListSegmentHashesRequest>(data).map_or((), drop),
    |data| read::<v1::ReadSegmentsRequest>(data).map_or((), drop),
    |data| {
        let Some(request) = read::<v1::ResolveRecipientRequest>(data) else { return };
        let address = convert::address("address", &request.address);
        assert!(address.is_ok_and(|address| address.0 == *request.address) || request.address.len() != 32);
    },
    |data| {
        let Some(request) = read::<v1::GetAuthorityRequest>(data) else { return };
        let id = convert::authority_id("authority_id", &request.authority_id);
        assert!(id.is_err() || id.is_ok_and(|id| id.as_str() == request.authority_id));
    },
    |data| read::<v1::ListAuthoritiesRequest>(data).map_or((), drop),
    |data| read::<v1::GetReceiptsRequest>(data).map_or((), drop),
    |data| read::<v1::GetCheckpointRequest>(data).map_or((), drop),
    |data| {
        let Some(request) = read::<v1::GetConsistencyProofRequest>(data) else { return };
        if let Ok(sizes) = convert::sizes("sizes", request.sizes) {
            assert!(sizes.len() <= 100 && sizes.windows(2).all(|pair| pair[0] < pair[1]));
        }
    },
    register_authority,
    |data| {
        let Some(request) = read::<v1::RevokeAuthorityRequest>(data) else { return };
        for revocation in request.revocations {
            if let Ok(signed) = convert::signed("revocations", Some(revocation)) {
                let _ = AuthorityRevocation::parse(&signed.body);
            }
        }
    },
    |data| {
        let Some(request) = read::<v1::CreateActivationCodesRequest>(data) else { return };
        let _ = convert::trust_level("trust_level", request.trust_level);
    },
    |data| read::<v1::SuspendMailboxRequest>(data).map_or((), drop),
    |data| read::<v1::EraseRequest>(data).map_or((), drop),
    |data| read::<v1::ListDeliveriesRequest>(data).map_or((), drop),
];

/// For each call, a list of nothing under each number that a list could have: two bytes an item.
fn lists_of_nothing() -> Vec<Vec<u8>> {
    let list = |call: u8, field: u8| [vec![call], [field << 3 | 2, 0].repeat(16 * 1024)].concat();
    (0..CALLS.len())
        .flat_map(|call| (1..4).map(move |field| list(u8::try_from(call).expect("few calls"), field)))
        .collect()
}

/// A request of each kind that carries something signed, and one of every call with nothing in it.
fn start() -> Vec<Vec<u8>> {
    let call =
        |number: usize, request: Vec<u8>| [vec![u8::try_from(number).expect("few calls")], request].concat();
    let body = |name: &str, n: usize| seeds::bytes(&seeds::json(name), &["body"]).swap_remove(n);
    let sign = |ctx: &str, by: u8, body: Vec<u8>| Some(keys::key(by).sign_body(ctx, body));
    let act = || sign("mpf1/act", 1, body("act", 0));
    let wraps = || vec![v1::Wrap { member: vec![1; 32], sealed: vec![2; 40] }];
    let genesis = sign("mpf1/link", 1, body("chain", 0));
    let submission = v1::Submission {
        outer: seeds::vector("envelope", "outer.bin").into(),
        cover_envelope: b"cover envelope".as_slice().into(),
        letter_envelope: b"letter envelope".as_slice().into(),
        signature: Some(keys::key(1).sign("mpf1/submission", &[b"hashes"])),
        sender_copy: b"copy".as_slice().into(),
    };
    let mut all: Vec<Vec<u8>> = (0..CALLS.len()).map(|number| call(number, Vec::new())).collect();
    let register = v1::RegisterRequest {
        genesis: genesis.clone(),
        wraps: wraps(),
        code_id: vec![3; 32],
        proof: vec![4; 32],
        consent: sign("mpf1/act", 1, body("act", 1)),
    };
    all.push(call(0, register.encode_to_vec()));
    all.push(call(
        1,
        v1::AppendLinkRequest { link: sign("mpf1/link", 1, body("chain", 1)), wraps: wraps() }
            .encode_to_vec(),
    ));
    all.push(call(3, v1::HandOverRequest { message_id: vec![5; 16], act: act() }.encode_to_vec()));
    all.push(call(4, v1::SubmitActRequest { act: act() }.encode_to_vec()));
    let deliver = v1::DeliverRequest { submission: Some(submission.clone()), validate_only: true };
    all.push(call(8, deliver.encode_to_vec()));
    let batch = v1::DeliverBatchRequest { submissions: vec![submission; 2], validate_only: false };
    all.push(call(9, batch.encode_to_vec()));
    let certificate = sign("mpf1/authority-cert", 9, body("authority", 0));
    let authority = v1::RegisterAuthorityRequest { certificate, genesis, wraps: wraps() };
    all.push(call(25, authority.encode_to_vec()));
    let revocations = sign("mpf1/authority-revoke", 9, body("authority", 1)).into_iter().collect();
    all.push(call(26, v1::RevokeAuthorityRequest { revocations }.encode_to_vec()));
    all.extend(lists_of_nothing());
    all
}

target!(seeds: start(), |data| {
    let Some((number, message)) = data.split_first() else { return };
    if let Some(call) = CALLS.get(usize::from(*number)) {
        call(message);
    }
});
