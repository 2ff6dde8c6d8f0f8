//! After an erasure every question is answered that the content is gone: never by an error, and never as if it were fraud.

use std::fs;

use postfach_tests::{Authority, Citizen, Deployment, Profile};
use serde_json::{Value, json};

/// Saves the receipts with these words, verifies every file, and gives the answer.
fn saved(who: &Profile, words: &[&str], id: &str) -> Value {
    let folder = who.folder().join(id);
    let mut all = words.to_vec();
    all.extend([id, "-o", folder.to_str().unwrap()]);
    let answer = who.json(&all);
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        assert_eq!(who.json(&["verify", file.to_str().unwrap()])["ok"], true);
    }
    answer
}

/// Messages that were only accepted, read and confirmed, and withdrawn, with how many events each has.
fn messages(amt: &Authority, citizen: &Citizen) -> [(String, usize); 3] {
    let accepted = amt.send_plain(&citizen.address(), "Nur angenommen");
    let confirmed = amt.send_plain(&citizen.address(), "Bestätigt");
    citizen.json(&["read", &confirmed]);
    citizen.json(&["confirm", &confirmed]);
    let withdrawn = amt.send_plain(&citizen.address(), "Zurückgenommen");
    amt.json(&["authority", "withdraw", &withdrawn]);
    [(accepted, 1), (confirmed, 3), (withdrawn, 2)]
}

#[test]
fn whoever_asks_about_an_erased_message_learns_that_it_was_erased() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("emil");
    let messages = messages(&amt, &citizen);
    for (id, events) in &messages {
        let erased = d.operator(&["admin", "erase", "--message", id]).ok().json();
        let gone = &erased["erased_indexes"];
        assert_eq!(gone.as_array().unwrap().len(), *events);

        let status = amt.json(&["authority", "status", id]);
        assert_eq!((&status["erased"], &status["kind"]), (gone, &Value::Null));
        assert_eq!(amt.stages(id), ["ERASED"]);
        for answer in [saved(&amt, &["authority", "receipts"], id), saved(&citizen, &["receipt", "save"], id)]
        {
            assert_eq!(&answer["erased"], gone);
            let receipts = answer["receipts"].as_array().unwrap();
            assert_eq!(receipts.len(), 1, "{answer}");
            assert_eq!(receipts[0]["stage"], "ERASED");
            assert_eq!(receipts[0]["evidence_index"], erased["evidence_index"]);
        }
        let refused = amt.postfach(&["authority", "withdraw", id, "--json"]).exits(9).json();
        assert_eq!(refused["error"]["reason"], "ERASED");
    }
    citizen.postfach(&["sync"]).ok();
    let listed = d.operator(&["audit", "list"]).ok().json_lines();
    let stages = |row: &Value| row["stages"].as_array().unwrap().iter().map(|s| s["stage"].clone()).collect();
    let stages: Vec<Vec<Value>> = listed.iter().map(stages).collect();
    assert_eq!(stages, vec![vec![json!("ERASED")]; messages.len()]);
    d.audit(&["--blobs"]).ok();
}
