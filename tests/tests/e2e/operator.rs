//! The operator's commands when something went wrong before: an answer that got lost, a slip in the words.

use postfach_tests::Deployment;

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
