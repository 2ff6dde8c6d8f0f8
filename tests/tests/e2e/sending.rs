//! Sending, as job runners do it: the same command again while the first one still runs.

use postfach_tests::person::text;
use postfach_tests::{Deployment, Run};

#[test]
fn the_same_send_at_once_is_one_delivery() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("berta");
    let file = amt.write("plan.bin", &vec![7; 3_000_000]);
    let id = "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let words = ["authority", "send", "--to", &citizen.address(), "--subject", "Einmal", "--body", "Text"];
    let send = || Run::of(amt.command().args(words).args(["--attach", &file, "--message-id", id, "--json"]));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(send)).collect();
        runs.into_iter().map(|run| run.join().unwrap().ok().json()).collect()
    });
    assert!(answers.iter().all(|answer| answer["evidence_index"] == answers[0]["evidence_index"]));
    assert_eq!(send().ok().json()["evidence_index"], answers[0]["evidence_index"]);
    let inbox = citizen.inbox();
    assert_eq!(inbox.iter().map(|m| text(&m["message_id"])).collect::<Vec<_>>(), [id]);
    assert_eq!(std::fs::read_dir(amt.home().join("outbox")).unwrap().count(), 0, "nothing is left waiting");
}

#[test]
fn what_cannot_be_sent_is_named() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("berta");
    let address = citizen.address();
    let words = ["authority", "send", "--to", &address, "--subject", "S", "--body", "B", "--json"];
    let folder = amt.folder().to_str().unwrap().to_owned();
    let run = Run::of(amt.command().args(words).args(["--attach", &folder])).exits(2);
    assert!(run.talk().contains("FILE_IS_FOLDER"), "{}", run.talk());
    let version_4 = "7b0b9f0e-4a52-4f0c-9d2a-3f6c5d1e2a3b";
    let run = Run::of(amt.command().args(words).args(["--message-id", version_4])).exits(2);
    assert!(run.talk().contains("MESSAGE_ID_MALFORMED"), "{}", run.talk());
}
