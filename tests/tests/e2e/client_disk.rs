//! A person's disk that is full or read-only, and files that change while they are sent: a clear error, nothing lost, and
//! the same command goes on once the disk is well.

use std::fs;
use std::process::Stdio;

use postfach_tests::line::Line;
use postfach_tests::person::{Profile, text};
use postfach_tests::process::Run;
use postfach_tests::shim::{Shim, Step, errno};
use postfach_tests::{Authority, Citizen, Deployment};

const ID: &str = "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
const MIB: u64 = 1024 * 1024;
const LEN: usize = 6 * 1024 * 1024;

fn content() -> Vec<u8> {
    (0..=250).cycle().take(LEN).collect()
}

struct Scene {
    d: Deployment,
    amt: Authority,
    anna: Citizen,
}

impl Scene {
    fn new() -> Self {
        let d = Deployment::serving();
        let (amt, anna) = (d.authority("stadt"), d.citizen("anna"));
        Self { d, amt, anna }
    }

    /// A shim below everything that a person writes.
    fn shim(&self, person: &Profile) -> Shim {
        let aside = self.d.root().join("aside");
        fs::create_dir_all(&aside).unwrap();
        Shim::new(&fs::canonicalize(person.folder()).unwrap(), &aside)
    }
}

fn on(shim: &Shim, person: &Profile, words: &[&str]) -> Run {
    Run::of(person.command().envs(shim.environment()).args(words))
}

/// The error of a full disk: exit code, and words that say so.
#[track_caller]
fn full(run: Run) {
    let run = run.exits(1);
    assert!(run.talk().contains("No space left"), "{}", run.talk());
}

#[test]
fn a_full_disk_stops_saving_and_the_same_command_goes_on() {
    let s = Scene::new();
    let file = s.amt.write("plan.bin", &content());
    let id = text(&s.amt.send(&s.anna.address(), "Plan", "", &["--attach", &file])["message_id"]);
    s.anna.json(&["read", &id]);
    let shim = s.shim(&s.anna);
    let save = ["attachment", "save", &id, "-o", "out", "--json"];
    // No lock file, no second segment, no room for the content beside the segments.
    for room in [0, 5 * 1024 * 1024, 4 * 1024 * 1024] {
        shim.room(Some(room));
        full(on(&shim, &s.anna, &save));
        assert!(!s.anna.folder().join("out/plan.bin").exists(), "{room}");
    }
    shim.mend();
    on(&shim, &s.anna, &save).ok();
    assert!(fs::read(s.anna.folder().join("out/plan.bin")).unwrap() == content());
}

#[test]
fn a_full_disk_stops_sending_and_the_same_command_sends_once() {
    let s = Scene::new();
    let file = s.amt.write("plan.bin", &content());
    let shim = s.shim(&s.amt);
    let address = s.anna.address();
    let words = ["authority", "send", "--message-id", ID, "--subject", "Plan", "--body", "x", "--json"];
    let words = [&words[..], &["--attach", &file, "--to", &address]].concat();
    // From nothing at all to just enough: it stops at every step that writes.
    let rooms = std::iter::once(0).chain((0..).map(|step| LEN as u64 - 1024 + step * 4096));
    let mut places = std::collections::BTreeSet::new();
    for room in rooms {
        shim.room(Some(room));
        let run = on(&shim, &s.amt, &words);
        if run.code == 0 {
            break;
        }
        places.insert(run.json()["error"]["message"].to_string());
        full(run);
        assert!(s.anna.inbox().len() <= 1);
    }
    for place in ["trust.sealed", ".age", "entry.sealed"] {
        assert!(places.iter().any(|message| message.contains(place)), "{place}: {places:#?}");
    }
    shim.mend();
    on(&shim, &s.amt, &words).ok();
    assert_eq!(s.anna.inbox().len(), 1);
    s.anna.json(&["attachment", "save", ID, "-o", "out"]);
    assert!(fs::read(s.anna.folder().join("out/plan.bin")).unwrap() == content());
}

#[test]
fn a_read_only_profile_is_said_and_loses_nothing() {
    let s = Scene::new();
    let id = s.amt.send_plain(&s.anna.address(), "Bescheid");
    s.anna.inbox();
    let second = s.amt.send_plain(&s.anna.address(), "Zweiter");
    let shim = s.shim(&s.anna);
    shim.fail(Step::Name, errno::READ_ONLY, None);
    shim.fail(Step::Write, errno::READ_ONLY, None);
    // What is there can be read.
    let run = on(&shim, &s.anna, &["inbox", "--offline", "--json"]);
    assert_eq!(run.ok().json()["messages"].as_array().unwrap().len(), 1);
    for words in [&["sync", "--json"][..], &["read", &id, "--json"]] {
        let run = on(&shim, &s.anna, words);
        let run = run.exits(1);
        assert!(run.talk().contains("Read-only"), "{}", run.talk());
    }
    shim.mend();
    on(&shim, &s.anna, &["sync", "--json"]).ok();
    s.anna.json(&["read", &id]);
    s.anna.json(&["read", &second]);
}

#[test]
fn a_file_that_changed_after_it_was_sealed_is_not_the_same_message() {
    let mut s = Scene::new();
    let file = s.amt.write("plan.bin", &content());
    let address = s.anna.address();
    let words = ["authority", "send", "--message-id", ID, "--subject", "Plan", "--body", "x", "--json"];
    let words = [&words[..], &["--attach", &file, "--to", &address]].concat();
    let line = Line::to(&s.d.url());
    line.slow_down(8 * MIB);
    s.amt.connect_to(&line.url());
    // Sealed, and not yet sent.
    let mut first = s.amt.command().args(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    line.wait_for(2 * MIB);
    first.kill().unwrap();
    assert!(!first.wait().unwrap().success(), "it was through before it was killed");
    line.slow_down(1024 * MIB);
    fs::write(&file, b"other").unwrap();
    let run = s.amt.postfach(&words).exits(9);
    assert_eq!(run.json()["error"]["reason"], "MESSAGE_ID_REUSED", "{}", run.stdout);
    assert!(s.anna.inbox().is_empty());
    fs::write(&file, content()).unwrap();
    s.amt.postfach(&words).ok();
    assert_eq!(s.anna.inbox().len(), 1);
    // Sent since, and still another message; what is gone is not asked for any more.
    fs::write(&file, vec![0; LEN]).unwrap();
    s.amt.postfach(&words).exits(9);
    fs::remove_file(&file).unwrap();
    s.amt.postfach(&words).ok();
    assert_eq!(s.anna.inbox().len(), 1);
}
