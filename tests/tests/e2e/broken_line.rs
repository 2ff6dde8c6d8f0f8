//! Long transfers over a line that breaks, and clients killed in the middle: the same bytes arrive, and what was there
//! already does not travel again.

use std::fs;
use std::process::{Command, Stdio};

use postfach_tests::Deployment;
use postfach_tests::line::{Break, Line};
use postfach_tests::person::text;

const MIB: u64 = 1024 * 1024;
const LEN: u64 = 32 * MIB;
const ID: &str = "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

/// Bytes that nothing can compress, and that differ everywhere.
fn content() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.take((LEN / 8) as usize).flatten().collect()
}

/// All in the first segments, so that one segment meets each of them.
fn breaks() -> [(u64, Break); 3] {
    [(MIB, Break::Cut), (2 * MIB, Break::Corrupt), (3 * MIB, Break::Stall)]
}

/// Starts a command, kills it once so many bytes passed, and gives how many passed when the same ran to its end.
fn killed_and_repeated(line: &Line, after: u64, command: impl Fn() -> Command) -> u64 {
    let mut first = command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    line.wait_for(line.passed() + after);
    first.kill().unwrap();
    assert!(!first.wait().unwrap().success(), "it was through before it was killed");
    let before = line.passed();
    let second = command().output().unwrap();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    line.passed() - before
}

#[test]
fn a_file_goes_up_over_a_line_that_cuts_corrupts_and_stalls() {
    let d = Deployment::serving();
    let mut amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let file = amt.write("plan.bin", &content());
    let line = Line::to(&d.url());
    line.breaks(&breaks());
    amt.connect_to(&line.url());
    let id = text(&amt.send(&citizen.address(), "Plan", "", &["--attach", &file])["message_id"]);
    assert!(line.is_through());
    citizen.json(&["attachment", "save", &id, "-o", "out"]);
    assert!(fs::read(citizen.folder().join("out/plan.bin")).unwrap() == content());
    assert_eq!(citizen.inbox().len(), 1);
    d.audit(&["--blobs"]).ok();
}

#[test]
fn a_file_comes_down_over_a_line_that_cuts_corrupts_and_stalls() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let mut citizen = d.citizen("anna");
    let file = amt.write("plan.bin", &content());
    let id = text(&amt.send(&citizen.address(), "Plan", "", &["--attach", &file])["message_id"]);
    let line = Line::to(&d.url());
    line.breaks(&breaks());
    citizen.connect_to(&line.url());
    citizen.json(&["attachment", "save", &id, "-o", "out"]);
    assert!(line.is_through());
    assert!(fs::read(citizen.folder().join("out/plan.bin")).unwrap() == content());
}

#[test]
fn killed_clients_go_on_with_the_same_command() {
    let d = Deployment::serving();
    let mut amt = d.authority("stadt");
    let mut citizen = d.citizen("anna");
    let (address, file) = (citizen.address(), amt.write("plan.bin", &content()));
    let line = Line::to(&d.url());
    line.slow_down(32 * MIB);
    amt.connect_to(&line.url());
    let words = ["authority", "send", "--message-id", ID, "--to", &address, "--subject", "Plan"];
    let rest = killed_and_repeated(&line, 20 * MIB, || {
        let mut command = amt.command();
        command.args(words).args(["--body", "x", "--attach", &file, "--json"]).stdin(Stdio::null());
        command
    });
    assert!(rest < LEN - 8 * MIB, "{rest} bytes went up again");
    let inbox = citizen.inbox();
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    citizen.connect_to(&line.url());
    citizen.json(&["read", ID]);
    let rest = killed_and_repeated(&line, 20 * MIB, || {
        let mut command = citizen.command();
        command.args(["attachment", "save", ID, "-o", "out", "--json"]).stdin(Stdio::null());
        command
    });
    assert!(rest < LEN - 8 * MIB, "{rest} bytes came down again");
    let left: Vec<_> =
        fs::read_dir(citizen.folder().join("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["plan.bin"], "nothing is left beside it");
    assert!(fs::read(citizen.folder().join("out/plan.bin")).unwrap() == content());
}

/// The second command waits for the first, and finds its file; no lock and no partial file is left.
#[test]
fn two_commands_may_save_one_attachment_at_the_same_time() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let mut citizen = d.citizen("anna");
    let file = amt.write("plan.bin", &content());
    let id = text(&amt.send(&citizen.address(), "Plan", "", &["--attach", &file])["message_id"]);
    citizen.json(&["read", &id]);
    let line = Line::to(&d.url());
    line.slow_down(32 * MIB);
    citizen.connect_to(&line.url());
    let save = || {
        let mut command = citizen.command();
        command.args(["attachment", "save", &id, "-o", "out", "--timeout", "60", "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = save();
    line.wait_for(4 * MIB);
    for command in [save(), save(), first] {
        let done = command.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    }
    let left: Vec<_> =
        fs::read_dir(citizen.folder().join("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["plan.bin"], "one file, and nothing beside it");
    assert!(fs::read(citizen.folder().join("out/plan.bin")).unwrap() == content());
    assert!(line.passed() < LEN + 8 * MIB, "it came down once");
}

/// Sealing and sending go on at once. Who is killed before the sealed bytes are kept begins anew, and what went up belongs
/// to no message.
#[test]
fn a_client_killed_while_it_seals_and_sends_begins_anew_with_the_same_command() {
    let d = Deployment::serving();
    let (mut amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let file = amt.write("plan.bin", &content());
    // Long enough that the first segments are up before the last ones are sealed.
    let long = fs::File::options().write(true).open(&file).unwrap();
    long.set_len(8 * LEN).unwrap();
    let line = Line::to(&d.url());
    amt.connect_to(&line.url());
    let (address, outgoing) = (citizen.address(), amt.home().join("outbox").join(ID));
    let words = ["authority", "send", "--message-id", ID, "--to", &address, "--subject", "Plan"];
    let words = [&words[..], &["--body", "x", "--attach", &file, "--json"]].concat();
    let mut first = amt.command().args(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    line.wait_for(10 * MIB);
    first.kill().unwrap();
    assert!(!first.wait().unwrap().success(), "it was through before it was killed");
    assert!(outgoing.is_dir() && !outgoing.join("entry.sealed").exists(), "it was killed while it sealed");
    let before = line.passed();
    amt.postfach(&words).ok();
    assert!(line.passed() - before > 8 * LEN, "sealed bytes that nobody kept are made again");
    assert_eq!(citizen.inbox().len(), 1);
    citizen.json(&["attachment", "save", ID, "-o", "out"]);
    assert!(fs::read(citizen.folder().join("out/plan.bin")).unwrap() == fs::read(&file).unwrap());
    d.audit(&["--blobs"]).ok();
}
