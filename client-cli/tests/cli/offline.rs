//! What `postfach` answers without a server: pairs, JSON, exit codes, languages.

use serde_json::Value;

use crate::{postfach, stderr, stdout};

#[test]
fn errors_are_pairs_on_standard_error_or_json_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    for (words, code) in [
        (&["inbox"][..], 4),
        (&["authority", "status", "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"], 4),
        (&["read", "nothing"], 2),
        (&["verify", "no-such-file"], 3),
        (&["frobnicate"], 2),
        (&["init", "--service-card", "x", "--activation-code", "secret-word", "--no-passphrase"], 2),
    ] {
        let output = postfach(folder.path(), words);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", stderr(&output));
        assert_eq!(stdout(&output), "", "{words:?}");
        assert!(stderr(&output).lines().count() >= 2, "{words:?}: what happened, what to do");
        assert!(!stderr(&output).contains("secret-word"));

        let output = postfach(folder.path(), &[words, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(answer["error"]["code"], code);
        for part in ["reason", "message", "hint"] {
            assert!(answer["error"][part].as_str().is_some_and(|text| text.len() > 3), "{words:?} {part}");
        }
    }
}

#[test]
fn the_language_is_chosen_by_flag_or_locale() {
    let folder = tempfile::tempdir().unwrap();
    let english = stderr(&postfach(folder.path(), &["inbox"]));
    let german = stderr(&postfach(folder.path(), &["inbox", "--lang", "de"]));
    assert!(english.contains("There is no mailbox"), "{english}");
    assert!(german.contains("gibt es kein Postfach"), "{german}");
}

#[test]
fn text_from_the_command_line_cannot_control_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let nasty = "a\u{1b}[31m\u{202e}b";
    for words in [&["verify", nasty][..], &["verify", nasty, "--json"], &["--home", nasty, "inbox"], &[nasty]]
    {
        let output = postfach(folder.path(), words);
        let said = stdout(&output) + &stderr(&output);
        assert!(said.len() > 20 && !said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
}

#[test]
fn a_folder_that_is_no_profile_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    std::fs::write(home.join("profile.toml"), b"\xff\xfe not text").unwrap();
    let output = postfach(folder.path(), &["--home", home.to_str().unwrap(), "address", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("PROFILE_DAMAGED"), "{}", stdout(&output));
    assert_eq!(std::fs::read_dir(&home).unwrap().count(), 1);
}
