//! Acts: the body, and the signed form under a key. A signature changes nothing of what may stand in a body, and holds for no
//! other body than the committed ones.
#![no_main]

use postfach_domain::act::{Act, TIME_WINDOW_MS};
use postfach_domain::format::Signed;
use postfach_domain::limits;
use postfach_domain::pae::context;
use postfach_domain::time::Timestamp;
use postfach_fuzz::{bounded, keys, seeds, target};
use prost::Message as _;

/// A body: what is read is what is written, within the limits; signed, it is the same.
fn body(data: &[u8]) {
    let parsed = bounded(data.len(), 64, || Act::parse(data));
    let me = keys::key(1);
    let signed = me.sign_body(context::ACT, data.to_vec());
    let Ok(act) = parsed else {
        assert!(Act::verify(&signed, &me.public()).is_err(), "a signature makes no act");
        return;
    };
    assert!(data.len() <= limits::ACT_LEN && act.details.len() <= limits::ACT_DETAILS_LEN);
    assert_eq!(act.actor_head.is_some(), matches!(act.actor, postfach_domain::id::Party::Mailbox(_)));
    assert_eq!(act.message.is_some(), act.act_type.needs_message());
    assert_eq!(Act::parse(&act.encode()).as_ref(), Ok(&act));
    let mine = act.signer == me.key_id();
    assert_eq!(Act::verify(&signed, &me.public()).is_ok(), mine);
    assert_eq!(Act::peek(&signed).is_ok(), mine);
    assert!(!act.time_fits(Timestamp(act.time.0 + TIME_WINDOW_MS + 1)));
}

/// Nobody but the vectors' maker has the key.
fn forged(data: &[u8]) {
    let Ok(signed) = Signed::decode(data) else { return };
    if Act::verify(&signed, &keys::key(1).public()).is_ok() {
        let known = seeds::bytes(&seeds::json("act"), &["body"]);
        assert!(known.contains(&signed.body), "an act that nobody signed");
    }
}

fn start() -> Vec<Vec<u8>> {
    let bodies = seeds::bytes(&seeds::json("act"), &["body"]);
    let signed = bodies.iter().map(|body| keys::key(1).sign_body(context::ACT, body.clone()).encode_to_vec());
    bodies.iter().cloned().chain(signed).collect()
}

target!(seeds: start(), |data| {
    body(data);
    forged(data);
});
