//! Bad input gets a clear error with the right exit code, and loses nothing that was acknowledged.

use std::fs;

use postfach_tests::person::text;
use postfach_tests::{Authority, Citizen, Deployment, Run};

/// Requires the code and an error that says what happened and what to do.
#[track_caller]
fn refused(run: Run, code: i32) -> Run {
    let run = run.exits(code);
    let talk = run.talk();
    assert!(!talk.contains("panicked"), "{talk}");
    let error: serde_json::Value =
        talk.lines().find_map(|l| serde_json::from_str(l).ok()).unwrap_or_else(|| panic!("no JSON: {talk}"));
    assert!(error["error"]["message"].as_str().is_some_and(|m| m.len() > 5), "{talk}");
    assert!(error["error"]["hint"].as_str().is_some_and(|m| m.len() > 5), "{talk}");
    run
}

#[test]
fn activation_codes() {
    let d = Deployment::serving();
    let code = d.codes(1)[0].clone();
    let mut typo: Vec<char> = code.chars().collect();
    let at = typo.iter().rposition(char::is_ascii_digit).unwrap();
    typo[at] = if typo[at] == '7' { '8' } else { '7' };
    let typo: String = typo.into_iter().collect();
    let citizen = Citizen::at(&d, "anna");
    refused(citizen.register(&typo, &["--no-passphrase"]), 2);
    refused(citizen.register("", &["--no-passphrase"]), 2);
    citizen.register(&code, &["--no-passphrase"]).ok();
    let second = Citizen::at(&d, "berta");
    refused(second.register(&code, &["--no-passphrase"]), 9);
    let elsewhere = Deployment::serving();
    refused(second.register(&elsewhere.codes(1)[0], &["--no-passphrase"]), 3);
    let address = citizen.address();
    refused(citizen.register(&d.codes(1)[0], &["--no-passphrase"]), 9);
    assert_eq!(citizen.address(), address, "an existing profile is left alone");
}

#[test]
fn recipients_and_letters() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let address = citizen.address();
    let send = |to: &str, words: &[&str]| {
        let mut all = vec!["authority", "send", "--to", to, "--subject", "S", "--json"];
        all.extend_from_slice(words);
        amt.postfach(&all)
    };
    let unknown = postfach_domain::id::Address([5; 32]).to_string();
    refused(send(&unknown, &["--body", "x"]), 3);
    let typo = format!("{}{}", &address[..address.len() - 1], if address.ends_with('q') { "p" } else { "q" });
    refused(send(&typo, &["--body", "x"]), 2);
    let large = amt.write("large.txt", &vec![b'a'; 1024 * 1024 + 1]);
    refused(send(&address, &["--body-file", &large]), 2);
    refused(send(&address, &["--body", "x", "--attach", "no-such-file"]), 3);
    refused(send(&address, &["--body", "x", "--regime", "no-such-regime"]), 2);
    let broken = amt.write("broken.json", b"{\"body\": 7}");
    refused(send(&address, &["--letter", &broken]), 2);
    let subject = "s".repeat(1025);
    refused(
        amt.postfach(&[
            "authority",
            "send",
            "--to",
            &address,
            "--subject",
            &subject,
            "--body",
            "x",
            "--json",
        ]),
        2,
    );
    assert_eq!(citizen.inbox().len(), 0);
}

#[test]
fn empty_attachments_arrive() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let empty = amt.write("leer.txt", b"");
    let id = text(&amt.send(&citizen.address(), "Leer", "", &["--attach", &empty])["message_id"]);
    citizen.postfach(&["sync"]).ok();
    citizen.json(&["read", &id]);
    citizen.json(&["attachment", "save", &id, "-o", "out"]);
    assert_eq!(fs::read(citizen.folder().join("out/leer.txt")).unwrap(), b"");
}

#[test]
fn unknown_messages_and_other_peoples_look_alike() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let other = d.authority("kreis");
    let anna = d.citizen("anna");
    let berta = d.citizen("berta");
    let id = amt.send_plain(&anna.address(), "Nur für Anna");
    anna.postfach(&["sync"]).ok();
    berta.postfach(&["sync"]).ok();
    let unknown = "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let of = |run: Run, id: &str| {
        let mut error = run.exits(3).json();
        // Names the call, which is another one.
        error["error"]["details"]["request_id"].take();
        error.to_string().replace(id, "ID")
    };
    assert_eq!(
        of(berta.postfach(&["read", &id, "--json"]), &id),
        of(berta.postfach(&["read", unknown, "--json"]), unknown)
    );
    assert_eq!(
        of(other.postfach(&["authority", "status", &id, "--json"]), &id),
        of(other.postfach(&["authority", "status", unknown, "--json"]), unknown)
    );
    refused(anna.postfach(&["read", "not-an-id", "--json"]), 2);
}

#[test]
fn a_revoked_authority_sends_nothing_more() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let before = amt.send_plain(&citizen.address(), "Davor");
    d.revoke("stadt");
    let address = citizen.address();
    refused(
        amt.postfach(&["authority", "send", "--to", &address, "--subject", "S", "--body", "x", "--json"]),
        5,
    );
    assert_eq!(citizen.inbox().len(), 1);
    citizen.json(&["read", &before]);
    d.audit(&[]).ok();
}

#[test]
fn an_authority_that_is_not_certified_is_told_so() {
    let d = Deployment::serving();
    let citizen = d.citizen("anna");
    let amt = Authority::at(&d, "eilig");
    let card = d.card();
    let card = card.to_str().unwrap();
    amt.postfach(&[
        "authority",
        "init",
        "--service-card",
        card,
        "--id",
        "eilig",
        "--name",
        "Eil",
        "--no-passphrase",
    ])
    .ok();
    let address = citizen.address();
    let run =
        amt.postfach(&["authority", "send", "--to", &address, "--subject", "S", "--body", "x", "--json"]);
    assert!([4, 5].contains(&run.code), "{run:?}");
    let bad = Authority::at(&d, "schlecht");
    refused(
        bad.postfach(&[
            "authority",
            "init",
            "--service-card",
            card,
            "--id",
            "No Good",
            "--name",
            "X",
            "--json",
        ]),
        2,
    );
}

#[test]
fn the_server_is_away_and_comes_back() {
    let mut d = Deployment::serving();
    let amt = d.authority("stadt");
    let mut citizen = d.citizen("anna");
    let address = citizen.address();
    amt.send_plain(&address, "Davor");
    citizen.inbox();
    d.stop();
    let id = "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let words = [
        "authority",
        "send",
        "--to",
        &address,
        "--subject",
        "Trotzdem",
        "--body",
        "x",
        "--message-id",
        id,
        "--timeout",
        "1",
        "--json",
    ];
    refused(amt.postfach(&words), 6);
    refused(citizen.postfach(&["inbox", "--timeout", "1", "--json"]), 6);
    assert_eq!(citizen.json(&["inbox", "--offline"])["messages"].as_array().unwrap().len(), 1);
    d.serve();
    let mut amt = amt;
    amt.reconnect(&d);
    citizen.reconnect(&d);
    amt.postfach(&words).ok();
    assert_eq!(citizen.inbox().len(), 2);
}

#[test]
fn damaged_local_files_are_named_and_nothing_panics() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    amt.send_plain(&citizen.address(), "Da");
    citizen.inbox();
    let mut files = Vec::new();
    collect(citizen.home(), &mut files);
    assert!(!files.is_empty());
    for file in files {
        let good = fs::read(&file).unwrap();
        if good.is_empty() {
            continue;
        }
        let mut damaged = good.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        fs::write(&file, &damaged).unwrap();
        let run = citizen.postfach(&["inbox", "--json"]);
        assert!(run.code >= 0 && !run.talk().contains("panicked"), "{}: {run:?}", file.display());
        fs::write(&file, &good).unwrap();
    }
    assert_eq!(citizen.inbox().len(), 1);
}

fn collect(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

#[test]
fn no_consent_means_paper() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = Citizen::at(&d, "anna");
    citizen.register(&d.codes(1)[0], &["--no-passphrase", "--no-consent"]).ok();
    let address = citizen.address();
    let run = refused(
        amt.postfach(&["authority", "send", "--to", &address, "--subject", "S", "--body", "x", "--json"]),
        5,
    );
    assert!(run.talk().to_lowercase().contains("paper"), "{}", run.talk());
}
