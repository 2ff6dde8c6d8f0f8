//! The walls hold: no word of a letter on the server's side, nothing unsealed in a protected profile.

use std::fs;
use std::path::Path;

use postfach_tests::Deployment;
use postfach_tests::person::text;

const SUBJECT: &str = "Xylophonbescheid";
const BODY: &str = "Quastenflosserklausel";
const FILE_NAME: &str = "zwergmispelgutachten.txt";
const CONTENT: &str = "Kieferngallwespenprotokoll";

/// Fails when a word stands in any file of a folder, in UTF-8, UTF-16, base64 or hexadecimal.
fn assert_nowhere(folder: &Path, words: &[&str], seen: &mut usize) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere(&path, words, seen);
        } else if path.is_file() {
            *seen += 1;
            assert_absent(&fs::read(&path).unwrap(), words, &path.display().to_string());
        }
    }
}

fn assert_absent(bytes: &[u8], words: &[&str], place: &str) {
    for word in words {
        let utf16: Vec<u8> = word.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for needle in [word.as_bytes().to_vec(), utf16, hex::encode(word).into_bytes()] {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{word} stands in {place}");
        }
    }
}

#[test]
fn no_word_of_a_letter_stands_on_the_server_side() {
    let mut d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let file = amt.write(FILE_NAME, CONTENT.repeat(40).as_bytes());
    let id = text(&amt.send(&citizen.address(), SUBJECT, BODY, &["--attach", &file])["message_id"]);
    citizen.postfach(&["sync"]).ok();
    citizen.json(&["read", &id]);
    citizen.postfach(&["attachment", "save", &id, "-o", "out"]).ok();
    citizen.json(&["confirm", &id]);
    let words = [SUBJECT, BODY, FILE_NAME, CONTENT];
    let mut seen = 0;
    assert_nowhere(&d.data(), &words, &mut seen);
    assert!(seen > 5, "database, write-ahead log and blobs were looked at");
    let export = d.operator(&["audit", "list"]).ok();
    assert_absent(export.stdout.as_bytes(), &words, "audit list");
    let log = d.stop();
    assert!(!log.is_empty(), "the log was looked at");
    assert_absent(log.as_bytes(), &words, "the server's log");
    assert!(!log.contains(&citizen.address()), "an address stands in the log");
    assert_nowhere(&d.data(), &words, &mut seen);
}

#[test]
fn no_key_and_no_subject_stands_unsealed_in_a_protected_profile() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = postfach_tests::Citizen::at(&d, "anna");
    let passphrase = citizen.write("passphrase", b"correct horse battery staple\n");
    let unlock = ["--passphrase-file", passphrase.as_str()];
    citizen.register(&d.codes(1)[0], &unlock).ok();
    let with = |words: &[&str]| citizen.postfach(&[words, &unlock[..], &["--json"]].concat());
    let address = text(&with(&["address"]).ok().json()["address"]);
    let id = text(&amt.send(&address, SUBJECT, BODY, &[])["message_id"]);
    with(&["inbox"]).ok();
    with(&["read", &id]).ok();
    let identity = with(&["keys", "export", "--age-identity", "--yes"]).ok();
    assert!(identity.stdout.contains("AGE-SECRET-KEY-PQ-1"), "{}", identity.talk());
    let mut seen = 0;
    assert_nowhere(citizen.home(), &[SUBJECT, BODY, "AGE-SECRET-KEY"], &mut seen);
    assert!(seen > 2, "the profile was looked at");

    citizen.postfach(&["inbox", "--no-input", "--json"]).exits(4);
    let wrong = citizen.write("wrong", b"not it\n");
    let run = citizen.postfach(&["inbox", "--passphrase-file", &wrong, "--json"]).exits(4);
    assert!(!run.talk().contains("not it"));
}
