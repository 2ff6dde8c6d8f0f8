//! Service cards: the file as it came, and any text that a registrar would sign.
#![no_main]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postfach_domain::card::{MAX_CARD_LEN, ServiceCard, VerifiedCard};
use postfach_domain::pae::context;
use postfach_fuzz::{bounded, keys, seeds, target, text};
use postfach_ledger::receipt::Trust;

/// A card that holds says the same when it is written anew, and its keys are read without panic.
fn check(verified: &VerifiedCard, text: &str) {
    assert_eq!(verified.text, text);
    assert!(text.len() <= MAX_CARD_LEN);
    let _ = Trust::from_card(&verified.card);
    if verified.card.registrar == keys::key(9).public() {
        let again = verified.card.sign(keys::key(9)).expect("what was read can be signed");
        assert_eq!(again.card, verified.card);
        assert!(
            verified.check_successor(&again).is_ok() == (again.text == verified.text),
            "the same version twice"
        );
    }
    assert!(verified.check_successor(verified).is_ok());
    assert!(verified.check_fingerprint(&verified.fingerprint.to_hex()).is_ok());
}

/// The text with its last line, by key 9.
fn signed(text: &str) -> String {
    let sig = keys::key(9).sign_raw(context::CARD, &[text.as_bytes()]);
    format!("{text}signature = \"{}\"\n", BASE64_STANDARD.encode(sig))
}

fn committed() -> String {
    seeds::texts(&seeds::json("card"), &["file"]).remove(0)
}

/// The committed card, without its last line too, and one whose logs have good keys.
fn start() -> Vec<Vec<u8>> {
    let card = committed();
    let unsigned = card[..card.rfind("signature = ").expect("a signature")].to_owned();
    let verified = ServiceCard::verify(card.as_bytes()).expect("the committed card");
    let mut good = verified.card;
    good.keys_log = keys::keys_log().verifier().vkey();
    good.evidence_log = keys::evidence_log().verifier().vkey();
    good.former_logs.clear();
    good.witness_policy.witnesses = vec![keys::witness(1).verifier().vkey()];
    good.witness_policy.quorum = 1;
    let good = good.sign(keys::key(9)).expect("a good card").text;
    let bare = good[..good.rfind("signature = ").expect("a signature")].to_owned();
    seeds::of_texts([card, unsigned, good, bare])
}

target!(seeds: start(), |data| {
    let text = text!(data);
    if let Ok(verified) = bounded(data.len(), 256, || ServiceCard::verify(data)) {
        check(&verified, text);
    }
    let signed = signed(text);
    if let Ok(verified) = ServiceCard::verify(signed.as_bytes()) {
        check(&verified, &signed);
        // One line less, one byte more: not what was signed.
        assert!(ServiceCard::verify(format!("{signed}\n").as_bytes()).is_err());
        assert!(ServiceCard::verify(format!("#\n{signed}").as_bytes()).is_err());
    }
});
