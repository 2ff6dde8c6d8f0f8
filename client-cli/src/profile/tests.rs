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

use super::mailbox::{Changes, Messages};
use super::message::Entry;
use super::message::tests::{entry, stage};
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
    let entry = Entry { accepted_index: u64::from(n), ..entry(n, subject) };
    let id = entry.message_id;
    let sync = SyncState { cursor: format!("after-{n}"), ..SyncState::default() };
    let new = vec![(entry, record(n))];
    messages.store(Changes { new, sync: Some(sync), ..Changes::default() }).unwrap();
    id
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
    let mut changed = two.get(&first).unwrap().clone();
    changed.add(stage(EventType::HandedOver, 7));
    two.store(Changes { changed: vec![changed], ..Changes::default() }).unwrap();
    assert!(two.get(&second).is_some(), "caught up");
    let third = add(&mut one, 3, "Dritte");
    for messages in [&one, &Messages::load(&unlocked).unwrap()] {
        assert_eq!(messages.entries().count(), 3);
        assert!(messages.get(&first).unwrap().has(EventType::HandedOver));
        assert_eq!(messages.sync_state().cursor, "after-3");
        for (id, n) in [(first, 1), (second, 2), (third, 3)] {
            assert_eq!(messages.record(messages.get(&id).unwrap()).unwrap(), record(n));
            assert_eq!(messages.hashes(&id).unwrap().outer.0, [n; 32]);
        }
    }
}

#[test]
fn many_changes_are_written_anew_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let mut messages = Messages::load(&unlocked).unwrap();
    let id = add(&mut messages, 1, "Oft geändert");
    let entry = messages.get(&id).unwrap().clone();
    let size =
        || fs::metadata(files(folder.path()).iter().find(|p| is(p, "messages-")).unwrap()).unwrap().len();
    messages.store(Changes { changed: vec![entry.clone(); 900], ..Changes::default() }).unwrap();
    let large = size();
    messages.store(Changes { changed: vec![entry; 200], ..Changes::default() }).unwrap();
    assert!(size() < large / 100, "one record stays");
    assert_eq!(files(folder.path()).iter().filter(|path| is(path, "messages-")).count(), 1);
    let again = Messages::load(&unlocked).unwrap();
    assert_eq!(again.record(again.get(&id).unwrap()).unwrap(), record(1));
}

fn is(path: &Path, beginning: &str) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with(beginning)
}

#[test]
fn what_the_owner_deletes_leaves_this_computer() {
    let folder = tempfile::tempdir().unwrap();
    let unlocked = create(folder.path(), None);
    let mut messages = Messages::load(&unlocked).unwrap();
    let (gone, stays) = (add(&mut messages, 1, "Weg"), add(&mut messages, 2, "Bleibt"));
    messages.store_letter(&gone, b"LETTER").unwrap();
    let before: Vec<PathBuf> = files(folder.path());
    let mut entry = messages.get(&gone).unwrap().clone();
    entry.add(stage(EventType::Deleted, 9));
    messages.store(Changes { changed: vec![entry], ..Changes::default() }).unwrap();
    messages.purge(&gone).unwrap();
    let messages = Messages::load(&unlocked).unwrap();
    assert_eq!(messages.get(&gone).unwrap().subject, "");
    assert!(messages.letter(&gone).unwrap().is_none());
    assert_eq!(messages.record(messages.get(&stays).unwrap()).unwrap(), record(2));
    let journals = |all: &[PathBuf]| all.iter().filter(|p| is(p, "covers-") || is(p, "messages-")).count();
    assert_eq!(journals(&files(folder.path())), 2);
    assert!(before.iter().filter(|p| is(p, "covers-")).all(|old| !old.exists()), "the old covers are gone");
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
            let messages = Messages::load(&unlocked)?;
            messages.record(messages.get(&id).unwrap()).map(|_| ())
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
