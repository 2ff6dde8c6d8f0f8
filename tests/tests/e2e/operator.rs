//! The operator's commands when something went wrong before: an answer that got lost, a slip in the words.

use std::fs;

use postfach_tests::{Authority, Deployment};
use serde_json::Value;

#[test]
fn a_certification_after_a_lost_answer_is_the_first_one() {
    let d = Deployment::serving();
    let request = d.root().join("request.json");
    let card = d.card();
    let words = ["authority", "init", "--id", "stadt", "--name", "Stadt", "--no-passphrase"];
    let files = ["--service-card", card.to_str().unwrap(), "--request-out", request.to_str().unwrap()];
    let amt = Authority::at(&d, "stadt");
    amt.postfach(&[&words[..], &files[..]].concat()).ok();
    let first = d.certify(&request).ok().json();
    let again = d.certify(&request).ok().json();
    assert_eq!((&first["repeated"], &again["repeated"]), (&Value::Bool(false), &Value::Bool(true)));
    for same in ["authority_id", "key_id", "certificate_index"] {
        assert_eq!(first[same], again[same], "{same}");
    }

    // The same key under another name is no repetition, and a revoked one stays revoked.
    let text = fs::read_to_string(&request).unwrap();
    let other = d.root().join("other.json");
    fs::write(&other, text.replace("\"Stadt\"", "\"Land\"")).unwrap();
    let refused = d.certify(&other).exits(9).json();
    assert_eq!(refused["error"]["reason"], "KEY_ALREADY_CERTIFIED");
    let key = d.data().join("registrar.key");
    let revoke = ["admin", "authority", "revoke", "--id", "stadt", "--reason", "lost"];
    d.operator(&[&revoke[..], &["--registrar-key", key.to_str().unwrap()]].concat()).ok();
    let refused = d.certify(&request).exits(9).json();
    assert_eq!(refused["error"]["reason"], "KEY_ALREADY_CERTIFIED");
    d.audit(&[]).ok();
}

#[test]
fn a_slip_in_init_leaves_nothing_behind() {
    let d = Deployment::new();
    let folder = d.root().join("second");
    let words = ["init", "--data", folder.to_str().unwrap(), "--origin", "second.example"];
    let refused = d.postfachd(&[&words[..], &["--public-url", "ftp://foo", "--json"]].concat()).exits(2);
    assert_eq!(refused.json()["error"]["reason"], "CARD");
    assert!(!folder.exists());
    d.postfachd(&[&words[..], &["--public-url", "https://foo"]].concat()).ok();
}

#[test]
fn a_checkpoint_file_that_is_not_there_is_not_found() {
    let d = Deployment::new();
    let missing = d.audit(&["--checkpoint", "no-such.checkpoint"]).exits(3);
    let error = &missing.json()["error"];
    assert!(error["message"].as_str().unwrap().contains("no-such.checkpoint"), "{error}");
    assert!(!error["hint"].as_str().unwrap().is_empty());
}
