//! The profile folder as a whole: what is stored comes back, what is damaged is named, what other commands stored is
//! kept, and nothing lies there unsealed.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use postfach_domain::event::EventType;
use postfach_domain::id::MessageId;
use postfach_sdk::mailbox::{MailboxMemory as _, MessageRecord};
use postfach_sdk::state::{LogMemory, StoredChain, SyncState, Trust};
use serde_json::json;

use super::changes::{Change, Changes};
use super::mailbox::Messages;
use super::message::tests::{entry, stage};
use super::message::{Entry, Fault};
use super::outbox::{Outgoing, waiting};
use super::vault::Passphrase;
use super::*;

fn create(home: &Path, passphrase: Option<&Passphrase>) -> Unlocked {
    let header = Header {
        version: 1,
        kind: Kind::Citizen,
        origin: "post.example".to_owned(),
        address: "mpf1example".to_owned(),
        authority_id: None,
        registered: false,
        recovery_kit: PathBuf::from("/tmp/kit"),
    };
    let trust = Trust { own_chain: Some(StoredChain::default()), ..Trust::default() };
    let beginning = Beginning {
        header,
        card: b"card",
        keys: b"SECRET-KEYS",
        trust: &trust,
        registration: None,
        passphrase,
    };
    Unlocked::create(home, &beginning).unwrap()
}

fn open(home: &Path, passphrase: Option<&Passphrase>) -> Outcome<Unlocked> {
    Profile::find(home)?.unwrap().unlock(passphrase)
}

fn record(n: u8) -> MessageRecord {
    let text = |bytes: &[u8]| {
        // The SDK's own text form: a record is read back from what it wrote.
        serde_json::to_value(StoredChain { links: vec![bytes.to_vec()], indexes: Vec::new() }).unwrap()["links"][0]
            .clone()
    };
    serde_json::from_value(json!({
        "outer": text(&[n; 40]), "cover_envelope": text(b"COVER-ENVELOPE"), "letter_length": 9,
        "accepted_index": n, "available_at": 5, "hashes": text(&[n; 96]), "signer": text(&[n; 32]),
        "sender": {"issuer": "stadt", "display_name": "Stadt", "ags": null, "ibans": []},
    }))
    .unwrap()
}

fn add(messages: &mut Messages<'_>, n: u8, subject: &str) -> MessageId {
    let stages = vec![stage(EventType::Accepted, u64::from(n))];
    let entry = Entry { accepted_index: u64::from(n), stages, ..entry(n, subject) };
    let id = entry.message_id;
    let sync = SyncState { cursor: format!("after-{n}"), ..SyncState::default() };
    let arrived = vec![(entry, record(n))];
    messages.store(Changes { arrived, sync: Some(sync), ..Changes::default() }).unwrap();
    id
}

fn happened(messages: &mut Messages<'_>, id: MessageId, event: EventType, index: u64) {
    messages.store(Changes::of(id, Change::Stage(stage(event, index)))).unwrap();
}

fn stages(messages: &Messages<'_>, id: &MessageId) -> Vec<String> {
    messages.get(id).unwrap().stages.iter().map(|stage| stage.stage.clone()).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all
}

#[test]
fn a_profile_opens_with_its_passphrase_alone() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("p");
    assert!(Profile::find(&home).unwrap().is_none());
    let right = Passphrase::new("right").unwrap();
    create(&home, Some(&right)).set_registered().unwrap();
    assert!(Profile::find(&home).unwrap().unwrap().is_protected());
    assert_eq!(*open(&home, Some(&right)).unwrap().keys().unwrap(), b"SECRET-KEYS");
    let wrong = Passphrase::new("wrong").unwrap();
    assert_eq!(open(&home, Some(&wrong)).unwrap_err().reason, "PASSPHRASE_WRONG");
    assert!(open(&home, None).is_err());
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("diary.txt"), "mine").unwrap();
    let header = create(&folder.path().join("p"), None).profile().header().clone();
    let trust = Trust::default();
    let beginning =
        Beginning { header, card: b"", keys: b"", trust: &trust, registration: None, passphrase: None };
    assert_eq!(Unlocked::create(folder.path(), &beginning).unwrap_err().reason, "FOLDER_IN_USE");
    // What a refused registration left does not stand in the way.
    let profile = Profile::find(&folder.path().join("p")).unwrap().unwrap();
    profile.discard().unwrap();
    fs::write(folder.path().join("p/.lock"), "").unwrap();
    assert!(Unlocked::create(&folder.path().join("p"), &beginning).is_ok());
}

#[test]
fn messages_come_back_and_changes_of_others_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let mut one = Messages::load(&unlocked).unwrap();
    let first = add(&mut one, 1, "Erste");
    let mut two = Messages::load(&unlocked).unwrap();
    let second = add(&mut one, 2, "Zweite");
    // The other command does not know the second message, and changes the first.
    happened(&mut two, first, EventType::HandedOver, 7);
    assert!(two.get(&second).is_some(), "caught up");
    let third = add(&mut one, 3, "Dritte");
    for mut messages in [one, Messages::load(&unlocked).unwrap()] {
        assert_eq!(messages.entries().count(), 3);
        assert!(messages.get(&first).unwrap().has(EventType::HandedOver));
        assert_eq!(messages.sync_state().cursor, "after-3");
        for (id, n) in [(first, 1), (second, 2), (third, 3)] {
            assert_eq!(messages.record(&id).unwrap(), record(n));
            assert_eq!(messages.hashes(&id).unwrap().outer.0, [n; 32]);
        }
    }
}

#[test]
fn what_commands_found_out_at_once_is_all_kept() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let mut first = Messages::load(&unlocked).unwrap();
    let id = add(&mut first, 1, "Strittig");
    // All began before any of them stored; the log's order is not theirs.
    let mut others: Vec<_> = (0..4).map(|_| Messages::load(&unlocked).unwrap()).collect();
    happened(&mut others[0], id, EventType::Disputed, 9);
    others[1].store(Changes::of(id, Change::Fault(Fault::Sender))).unwrap();
    happened(&mut others[2], id, EventType::HandedOver, 5);
    happened(&mut others[3], id, EventType::Disputed, 9);
    let again = vec![(Entry { accepted_index: 1, ..entry(1, "Strittig") }, record(1))];
    first.store(Changes { arrived: again, ..Changes::default() }).unwrap();
    for messages in [first, Messages::load(&unlocked).unwrap()] {
        assert_eq!(stages(&messages, &id), ["ACCEPTED", "HANDED_OVER", "DISPUTED"]);
        assert_eq!(messages.get(&id).unwrap().defect, Some(Fault::Sender));
        assert_eq!(messages.sync_state().cursor, "after-1");
    }
}

#[test]
fn many_changes_are_written_anew_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let mut messages = Messages::load(&unlocked).unwrap();
    let arrived: Vec<_> = (0..200).map(|n| (entry(n, "Oft geändert"), record(n))).collect();
    let ids: Vec<MessageId> = arrived.iter().map(|(entry, _)| entry.message_id).collect();
    messages.store(Changes { arrived, ..Changes::default() }).unwrap();
    let size =
        || fs::metadata(files(folder.path()).iter().find(|p| is(p, "messages-")).unwrap()).unwrap().len();
    let mut sizes = Vec::new();
    for index in 2..=8 {
        let change = |id: &MessageId| (*id, Change::Stage(stage(EventType::Notified, index)));
        let happened = ids.iter().map(change).collect();
        messages.store(Changes { happened, ..Changes::default() }).unwrap();
        sizes.push(size());
    }
    assert!(size() < sizes[5] / 2, "one record of each stays: {sizes:?}");
    assert_eq!(files(folder.path()).iter().filter(|path| is(path, "messages-")).count(), 1);
    let mut again = Messages::load(&unlocked).unwrap();
    for (id, n) in ids.iter().zip(0..) {
        assert_eq!(stages(&again, id).len(), 8);
        assert_eq!(again.record(id).unwrap(), record(n));
    }
}

fn is(path: &Path, beginning: &str) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with(beginning)
}

/// Three letters whose middle one is gone: nothing of it lies here, and the others are as they were.
fn leaves_this_computer(reason: &str, forget: impl Fn(&mut Messages<'_>, MessageId)) {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let mut messages = Messages::load(&unlocked).unwrap();
    let ids = [1, 2, 3].map(|n| add(&mut messages, n, "Betreff"));
    let mut running = Messages::load(&unlocked).unwrap();
    for id in &ids {
        messages.store_letter(id, b"LETTER").unwrap();
    }
    let before: Vec<PathBuf> = files(folder.path());
    // What a crash left.
    fs::write(folder.path().join("covers-00.journal"), "left").unwrap();
    forget(&mut messages, ids[1]);
    let mut loaded = Messages::load(&unlocked).unwrap();
    // A command that was running before finds the others too, and what is gone as gone.
    for messages in [&mut messages, &mut loaded, &mut running] {
        for (id, n) in ids.iter().zip(1..) {
            assert_eq!(messages.hashes(id).unwrap().letter.0, [n; 32], "{n}");
            if n != 2 {
                assert_eq!(messages.record(id).unwrap(), record(n), "{n}");
                assert_eq!(*messages.letter(id).unwrap().unwrap(), b"LETTER", "{n}");
            }
        }
        assert_eq!(messages.record(&ids[1]).unwrap_err().reason, reason);
        assert!(messages.letter(&ids[1]).unwrap().is_none());
        messages.store_letter(&ids[1], b"LATE").unwrap();
        assert!(messages.letter(&ids[1]).unwrap().is_none(), "what comes late is not kept");
        let gone = messages.get(&ids[1]).unwrap();
        assert_eq!((gone.subject.as_str(), gone.cover_at), ("", None));
        assert!(gone.has(EventType::Accepted), "what happened stays");
    }
    let late = vec![(Entry { accepted_index: 2, ..entry(2, "Kommt noch einmal") }, record(2))];
    loaded.store(Changes { arrived: late, ..Changes::default() }).unwrap();
    assert_eq!(loaded.get(&ids[1]).unwrap().subject, "");
    assert_eq!(loaded.record(&ids[1]).unwrap_err().reason, reason);
    let journals = |all: &[PathBuf]| all.iter().filter(|p| is(p, "covers-") || is(p, "messages-")).count();
    assert_eq!(journals(&files(folder.path())), 2);
    assert!(before.iter().filter(|p| is(p, "covers-")).all(|old| !old.exists()), "the old covers are gone");
}

#[test]
fn what_the_owner_deletes_leaves_this_computer() {
    leaves_this_computer("DELETED", |messages, id| happened(messages, id, EventType::Deleted, 9));
}

#[test]
fn what_the_service_erases_leaves_this_computer() {
    leaves_this_computer("ERASED", |messages, id| happened(messages, id, EventType::Erased, 9));
}

#[test]
fn a_cover_of_another_message_is_not_taken_for_ours() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let mut messages = Messages::load(&unlocked).unwrap();
    let (one, two) = (add(&mut messages, 1, "Eins"), add(&mut messages, 2, "Zwei"));
    let cover_at = messages.get(&one).unwrap().cover_at;
    messages.misplace(&two, cover_at);
    assert_eq!(messages.record(&two).unwrap_err().reason, "MAILBOX_DAMAGED");
    assert_eq!(messages.record(&one).unwrap(), record(1));
}

#[test]
fn a_list_of_another_version_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let journal = |name: &str| json!({"file": name, "len": 1});
    for form in [json!(null), json!(1), json!(3)] {
        let mut manifest = json!({"messages": journal("messages-1.journal"), "covers": journal("covers-1.journal"),
            "records": 1, "sync": SyncState::default(), "form": form});
        if form.is_null() {
            manifest.as_object_mut().unwrap().remove("form");
        }
        unlocked.write_json("mailbox.sealed", &manifest).unwrap();
        let failure = Messages::load(&unlocked).map(|_| ()).unwrap_err();
        assert_eq!(failure.reason, "MAILBOX_OTHER_FORM", "{form}");
        assert!(failure.message.contains("mailbox.sealed"), "{}", failure.message);
    }
}

#[test]
fn damage_is_named_and_the_server_brings_messages_back() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let id = add(&mut Messages::load(&unlocked).unwrap(), 1, "Da");
    for path in files(folder.path()).into_iter().filter(|path| fs::metadata(path).unwrap().len() > 0) {
        let good = fs::read(&path).unwrap();
        let mut harmed = good.clone();
        let middle = harmed.len() / 2;
        harmed[middle] ^= 0xff;
        fs::write(&path, &harmed).unwrap();
        let read = || -> Outcome<()> {
            let unlocked = open(folder.path(), None)?;
            unlocked.keys()?;
            unlocked.trust()?;
            Messages::load(&unlocked)?.record(&id).map(|_| ())
        };
        if !is(&path, "service-card") {
            let failure = read().unwrap_err();
            assert!(failure.reason.ends_with("_DAMAGED"), "{}: {failure:?}", path.display());
        }
        fs::write(&path, &good).unwrap();
        read().unwrap();
    }
    fs::remove_file(folder.path().join("mailbox.sealed")).unwrap();
    let messages = Messages::load(&unlocked).unwrap();
    assert_eq!((messages.entries().count(), messages.sync_state().cursor.as_str()), (0, ""));
}

#[test]
fn what_two_commands_saw_is_kept_and_does_not_grow() {
    let note = |size: u64| format!("post.example/keys\n{size}\nroot\n\nsig\n").into_bytes();
    let saw = |size| LogMemory { largest: note(size), unlinked: Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    for size in 1..9 {
        let loaded = unlocked.trust().unwrap();
        let mut seen = loaded.clone();
        seen.keys_log = saw(size);
        unlocked.save_trust(&loaded, &seen).unwrap();
        // Another command that began at the same time, linked what was open, and saw less.
        let mut less = loaded.clone();
        less.keys_log.unlinked.clear();
        less.evidence_log = saw(size);
        unlocked.save_trust(&loaded, &less).unwrap();
    }
    let trust = unlocked.trust().unwrap();
    assert_eq!((trust.keys_log.largest, trust.evidence_log.largest), (note(8), note(8)));
    assert!(trust.keys_log.unlinked.len() <= 1, "{:?}", trust.keys_log.unlinked.len());
    assert!(trust.own_chain.is_some());
}

#[test]
fn nothing_secret_lies_in_a_protected_profile() {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = Passphrase::new("quite secret").unwrap();
    let unlocked = create(folder.path(), Some(&passphrase));
    let mut messages = Messages::load(&unlocked).unwrap();
    let id = add(&mut messages, 1, "Quastenflosser");
    messages.store_letter(&id, b"LETTER-TEXT").unwrap();
    let words: [&[u8]; 6] = [
        b"SECRET-KEYS",
        b"Quastenflosser",
        b"LETTER-TEXT",
        b"COVER-ENVELOPE",
        b"quite secret",
        b"Stadt Muster",
    ];
    for path in files(folder.path()) {
        let bytes = fs::read(&path).unwrap();
        for word in words {
            assert!(!bytes.windows(word.len()).any(|window| window == word), "{}", path.display());
        }
    }
}

#[test]
fn the_outbox_keeps_what_is_waiting_and_moves_what_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let (id, other) = (MessageId::new(postfach_domain::time::Timestamp(5), [1; 10]), MessageId([2; 16]));
    let outgoing = Outgoing::claim(&unlocked, id).unwrap();
    let spool = outgoing.fresh_spool().unwrap();
    fs::write(spool.join("a.age"), b"sealed attachment").unwrap();
    assert!(waiting(&unlocked, &other).unwrap().is_empty(), "sealing has not ended");
    let key = postfach_domain::sign::SecretKey::from_seed(&[1; 32]).public();
    assert!(outgoing.stored(&key).unwrap().is_none());
    // A crash while sealing: the next run begins with an empty folder.
    assert_eq!(fs::read_dir(outgoing.fresh_spool().unwrap()).unwrap().count(), 0);
    fs::write(spool.join("a.age"), b"sealed attachment").unwrap();
    unlocked
        .write_sealed_at(
            &format!("outbox/{id}/request.sealed"),
            &format!("outgoing/{id}/request.sealed"),
            b"d",
        )
        .unwrap();
    unlocked
        .write_sealed_at(&format!("outbox/{id}/entry.sealed"), &format!("outgoing/{id}/entry.sealed"), b"{}")
        .unwrap();
    assert_eq!(waiting(&unlocked, &other).unwrap(), [id]);
    assert!(waiting(&unlocked, &id).unwrap().is_empty());
    assert_eq!(outgoing.stored(&key).unwrap_err().reason, "PROFILE_DAMAGED", "not an entry of ours");
    outgoing.delivered().unwrap();
    assert!(waiting(&unlocked, &other).unwrap().is_empty());
    drop(outgoing);
    assert!(!folder.path().join(format!("outbox/{id}.lock")).exists());
    let sent = Outgoing::claim(&unlocked, id).unwrap();
    assert!(sent.folder().ends_with(format!("sent/{id}")));
    assert!(!sent.folder().join("a.age").exists() && sent.folder().join("entry.sealed").is_file());
    // Sealed for its id, not for its folder: what moved still opens.
    assert_eq!(sent.stored(&key).unwrap_err().reason, "PROFILE_DAMAGED");
    assert!(fs::read(sent.folder().join("entry.sealed")).unwrap().starts_with(b"MPFS"));
}
