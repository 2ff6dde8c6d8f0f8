//! One profile over time: what its owner deletes or the operator erases leaves it and harms nothing else, and commands
//! that run at once lose nothing of each other.

use std::fs;
use std::process::{Child, Stdio};

use postfach_tests::person::{Citizen, text};
use postfach_tests::{Authority, Deployment};

/// A deployment with letters in one mailbox, oldest first.
fn mailbox_with(count: usize) -> (Deployment, Authority, Citizen, Vec<String>) {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let address = citizen.address();
    let ids = (1..=count).map(|n| amt.send_plain(&address, &format!("Brief {n}"))).collect();
    (d, amt, citizen, ids)
}

/// Message ids of `inbox`, newest first.
#[track_caller]
fn listed(citizen: &Citizen) -> Vec<String> {
    citizen.inbox().iter().map(|message| text(&message["message_id"])).collect()
}

/// Requires a refusal with this exit code and reason.
#[track_caller]
fn refused(citizen: &Citizen, words: &[&str], code: i32, reason: &str) {
    let mut all = words.to_vec();
    all.push("--json");
    let run = citizen.postfach(&all).exits(code);
    assert_eq!(run.json()["error"]["reason"], reason, "{words:?}: {}", run.talk());
}

fn journals(citizen: &Citizen) -> usize {
    let names = fs::read_dir(citizen.home()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(".journal")).count()
}

#[test]
fn whatever_is_deleted_the_mailbox_goes_on() {
    let (_d, amt, citizen, ids) = mailbox_with(6);
    assert_eq!(listed(&citizen).len(), 6);
    let mut left: Vec<String> = ids.iter().rev().cloned().collect();
    for gone in [0, 3, 5] {
        citizen.json(&["delete", &ids[gone]]);
        left.retain(|id| *id != ids[gone]);
        assert_eq!(listed(&citizen), left, "letter {gone} was deleted");
    }
    for id in &left {
        let letter = citizen.json(&["read", id]);
        let n = ids.iter().position(|known| known == id).unwrap() + 1;
        assert_eq!(letter["subject"], format!("Brief {n}"));
        citizen.json(&["confirm", id]);
        assert_eq!(amt.stages(id), ["ACCEPTED", "HANDED_OVER", "CONFIRMED"]);
    }
    assert_eq!(listed(&citizen), left);
    assert_eq!(journals(&citizen), 2, "what was deleted lies in no journal");
}

#[test]
fn what_is_erased_leaves_the_profile_and_the_mailbox_goes_on() {
    let (d, _amt, citizen, ids) = mailbox_with(6);
    citizen.inbox();
    for id in &ids[..4] {
        citizen.json(&["read", id]);
    }
    let erase = |id: &str| d.operator(&["admin", "erase", "--message", id]).ok();
    let letter = |id: &str| citizen.home().join(format!("letters/{id}.sealed"));
    erase(&ids[0]);
    assert_eq!(citizen.inbox().len(), 6);
    citizen.json(&["delete", &ids[1]]);
    assert_eq!(citizen.inbox().len(), 5);
    erase(&ids[4]);
    erase(&ids[1]);
    citizen.json(&["delete", &ids[5]]);
    assert_eq!(citizen.inbox().len(), 4);
    citizen.json(&["delete", &ids[2]]);
    let inbox = citizen.inbox();
    let shown: Vec<_> = inbox.iter().map(|m| (text(&m["subject"]), m["erased"] == true)).collect();
    let none = String::new();
    assert_eq!(shown, [(none.clone(), true), ("Brief 4".to_owned(), false), (none, true)]);
    assert_eq!(journals(&citizen), 2, "what is gone lies in no journal");
    let kept: Vec<_> = ids.iter().filter(|id| letter(id).exists()).collect();
    assert_eq!(kept, [&ids[3]]);
    for id in [&ids[0], &ids[4]] {
        refused(&citizen, &["read", id], 9, "ERASED");
        refused(&citizen, &["raw", id, "-o", "out"], 9, "ERASED");
        refused(&citizen, &["file-key", id], 9, "ERASED");
        refused(&citizen, &["confirm", id], 9, "ERASED");
    }
    assert!(!citizen.folder().join("out").exists());
    citizen.json(&["raw", &ids[3], "-o", "out"]);
    citizen.json(&["confirm", &ids[3]]);
}

#[test]
fn deleting_again_answers_what_stands() {
    let (_d, _amt, citizen, ids) = mailbox_with(2);
    citizen.inbox();
    let first = citizen.json(&["delete", &ids[0]]);
    assert_eq!((&first["stage"], &first["repeated"]), (&"DELETED".into(), &false.into()));
    let stands = |when: &str| {
        let again = citizen.json(&["delete", &ids[0]]);
        for field in ["message_id", "stage", "at", "evidence_index"] {
            assert_eq!(again[field], first[field], "{field} {when}");
        }
        assert_eq!(again["repeated"], true, "{when}");
    };
    stands("at once");
    citizen.postfach(&["sync"]).ok();
    stands("after the sync that brought the event");
    refused(&citizen, &["read", &ids[0]], 3, "DELETED");
    refused(&citizen, &["confirm", &ids[0]], 3, "DELETED");
    refused(&citizen, &["delete", "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"], 3, "MESSAGE_UNKNOWN");
}

/// Starts a command and leaves it running.
fn start(citizen: &Citizen, words: &[&str]) -> Child {
    let mut command = citizen.command();
    command.args(words).arg("--json").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[track_caller]
fn all_succeed(running: Vec<(String, Child)>) {
    for (words, child) in running {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{words}: {}", String::from_utf8_lossy(&ended.stdout));
    }
}

#[test]
fn commands_at_once_keep_each_others_stages() {
    let (_d, _amt, citizen, ids) = mailbox_with(6);
    for id in &ids {
        citizen.json(&["read", id]);
    }
    let mut running = Vec::new();
    for id in &ids {
        for words in [&["confirm", id][..], &["dispute", id], &["inbox"]] {
            running.push((format!("{words:?}"), start(&citizen, words)));
        }
    }
    all_succeed(running);
    let inbox = citizen.inbox();
    assert_eq!(inbox.len(), 6);
    for message in &inbox {
        assert_eq!((&message["confirmed"], &message["disputed"]), (&true.into(), &true.into()), "{message}");
    }
}

#[test]
fn deleting_stops_no_other_command() {
    let (_d, _amt, citizen, ids) = mailbox_with(10);
    citizen.inbox();
    let mut running = Vec::new();
    let (gone, stay) = ids.split_at(5);
    for (gone, stays) in gone.iter().zip(stay) {
        for words in [&["delete", gone][..], &["read", stays], &["inbox"], &["delete", gone]] {
            running.push((format!("{words:?}"), start(&citizen, words)));
        }
    }
    all_succeed(running);
    let left: Vec<String> = stay.iter().rev().cloned().collect();
    assert_eq!(listed(&citizen), left);
    assert!(citizen.inbox().iter().all(|message| message["unread"] == false));
    for id in stay {
        citizen.json(&["raw", id, "-o", &format!("out-{id}")]);
    }
    assert_eq!(journals(&citizen), 2);
}
