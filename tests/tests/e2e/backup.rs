//! Backups: made beside a busy server, checked, restored; nothing half, nothing old by accident, nothing left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postfach_tests::process::{binary, command};
use postfach_tests::{Deployment, Run, Server, Vault, repository_root};

/// Callers that deliver at once.
const CALLERS: usize = 16;

fn write_random(path: &Path, bytes: usize) {
    let mut noise = vec![0; bytes];
    std::io::Read::read_exact(&mut fs::File::open("/dev/urandom").unwrap(), &mut noise).unwrap();
    fs::write(path, noise).unwrap();
}

/// A deployment with one message and one attachment, stopped.
fn small() -> (Deployment, Vault) {
    with_attachments(&[300_000])
}

/// A deployment with one message for each attachment of a length in bytes, stopped.
fn with_attachments(lengths: &[usize]) -> (Deployment, Vault) {
    let mut d = Deployment::serving_in_folder();
    let (amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let file = amt.folder().join("a.bin");
    for length in lengths {
        write_random(&file, *length);
        amt.send(&citizen.address(), "Eins", "Guten Tag.", &["--attach", file.to_str().unwrap()]);
    }
    d.stop();
    let vault = Vault::new(&d);
    (d, vault)
}

/// Names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_backup_of_a_busy_server_has_all_that_was_acknowledged_before_it() {
    let d = Deployment::serving_in_folder();
    let vault = Vault::new(&d);
    let (amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let address = citizen.address();
    let file = amt.folder().join("a.bin");
    write_random(&file, 5_000_000);
    let (done, acknowledged) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let (before, backup) = std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let sent =
                        amt.send(&address, "Viele", "Guten Tag.", &["--attach", file.to_str().unwrap()]);
                    acknowledged.lock().unwrap().push(sent["message_id"].as_str().unwrap().to_owned());
                }
            });
        }
        until("the first messages", || acknowledged.lock().unwrap().len() >= CALLERS);
        let before = acknowledged.lock().unwrap().clone();
        let backup = Run::of(&mut vault.create(&d.data(), "b.age"));
        done.store(true, Ordering::SeqCst);
        (before, backup)
    });
    let made = backup.ok().json();
    let verified = Run::of(&mut vault.verify("b.age")).ok().json();
    assert_eq!(verified["ok"], true);
    assert_eq!(verified["evidence_size"], made["evidence_size"]);
    assert!(verified["blobs"].as_u64().unwrap() >= 2 * before.len() as u64, "{verified}");

    // The live log goes on from where the backup stands.
    let restored = d.root().join("restored");
    let answer = Run::of(&mut vault.restore("b.age", &restored)).ok().json();
    assert_eq!((&answer["standing"], &answer["serves"]), (&"undecided".into(), &false.into()));
    for log in ["keys", "evidence"] {
        let kept = restored.join("checkpoints").join(log);
        d.audit(&["--checkpoint", kept.to_str().unwrap()]).ok();
    }
    let Err((9, log)) = Server::start(&restored) else { panic!("served without a decision") };
    assert!(log.contains("backup accept"), "{log}");
    vault.accept(&restored).ok();
    let server = Server::start(&restored).ok().unwrap();
    let mut citizen = citizen;
    citizen.connect_to(&format!("https://{}", server.listening));
    let inbox = citizen.inbox();
    let ids: Vec<_> = inbox.iter().map(|message| message["message_id"].as_str().unwrap()).collect();
    assert!(before.iter().all(|id| ids.contains(&id.as_str())), "{before:?} {ids:?}");
    citizen.json(&["read", &before[0]]);
    let saved = citizen.folder().join("saved");
    citizen.json(&["attachment", "save", &before[0], "-o", saved.to_str().unwrap()]);
    assert_eq!(fs::read(saved.join("a.bin")).unwrap(), fs::read(&file).unwrap());
    let log = server.stop();
    assert!(log.contains("restored from a backup"), "{log}");
    assert_eq!(names(&d.data()).iter().filter(|name| name.contains("backup")).count(), 0);
}

#[test]
fn a_restored_state_that_is_older_than_a_kept_checkpoint_does_not_serve_until_it_is_accepted() {
    let mut d = Deployment::serving_in_folder();
    let vault = Vault::new(&d);
    let amt = d.authority("stadt");
    let (mut anna, mut bert) = (d.citizen("anna"), d.citizen("bert"));
    amt.send_plain(&anna.address(), "Erste");
    bert.inbox();
    Run::of(&mut vault.create(&d.data(), "old.age")).ok();
    d.stop();
    let known = d.copy_data("known").join("checkpoints/evidence");
    d.serve();
    let mut amt = amt;
    amt.reconnect(&d);
    anna.reconnect(&d);
    amt.send_plain(&anna.address(), "Zweite");
    assert_eq!(anna.inbox().len(), 2);
    d.stop();

    // Older than what the old machine's own folder says; the same for verify.
    let newest = d.data().join("checkpoints/evidence");
    let data = d.root().join("older");
    let answer = Run::of(
        vault.restore("old.age", &data).arg("--checkpoint").arg(&known).arg("--checkpoint").arg(&newest),
    );
    let answer = answer.ok().json();
    assert_eq!((&answer["standing"], &answer["compared"]), (&"older".into(), &2.into()));
    let refused = Run::of(vault.verify("old.age").arg("--checkpoint").arg(&newest)).exits(8).json();
    assert_eq!(refused["ok"], false);
    let Err((8, log)) = Server::start(&data) else { panic!("an older state was served") };
    assert!(log.contains("is older") && log.contains("backup accept"), "{log}");
    let status = ["admin", "status", "--json", "--data", data.to_str().unwrap()];
    assert_eq!(d.postfachd(&status).exits(8).json()["error"]["reason"], "RESTORED_OLDER");
    vault.accept(&data).ok();
    vault.accept(&data).exits(9);
    let server = Server::start(&data).ok().unwrap();
    let status = d.postfachd(&status).ok().json();
    assert_eq!(status["restored"]["accepted"]["reason"], "the machine burnt down");
    let url = format!("https://{}", server.listening);
    anna.connect_to(&url);
    bert.connect_to(&url);
    anna.postfach(&["inbox", "--json"]).exits(8);
    assert_eq!(bert.inbox().len(), 0, "who saw no more goes on");
    drop(server);

    // Where it is what both logs' newest checkpoints say, nobody has to decide.
    let data = d.root().join("current");
    let keys = known.with_file_name("keys");
    let mut restore = vault.restore("old.age", &data);
    let answer = Run::of(restore.arg("--checkpoint").arg(&known).arg("--checkpoint").arg(&keys)).ok().json();
    assert_eq!((&answer["standing"], &answer["serves"]), (&"current".into(), &true.into()));
    let log = Server::start(&data).ok().unwrap().stop();
    assert!(log.contains("as new as the newest checkpoints of both logs"), "{log}");
    Run::of(&mut vault.restore("old.age", &data)).exits(9);
    vault.accept(&data).exits(9);
    vault.accept(&d.data()).exits(9);
}

#[test]
fn a_checkpoint_of_before_the_backup_or_of_one_log_alone_decides_nothing() {
    let mut d = Deployment::serving();
    let vault = Vault::new(&d);
    let (mut amt, anna) = (d.authority("stadt"), d.citizen("anna"));
    amt.send_plain(&anna.address(), "Erste");
    d.stop();
    let before = d.copy_data("before").join("checkpoints");
    d.serve();
    amt.reconnect(&d);
    amt.send_plain(&anna.address(), "Zweite");
    Run::of(&mut vault.create(&d.data(), "b.age")).ok();
    d.stop();
    let same = d.copy_data("same").join("checkpoints");
    d.serve();
    amt.reconnect(&d);
    // Acknowledged, and not in the backup.
    amt.send_plain(&anna.address(), "Dritte");
    d.stop();

    let cases: [(&str, &[PathBuf]); 4] = [
        ("both of before the backup", &[before.join("keys"), before.join("evidence")]),
        ("the keys log alone, which did not grow", &[d.data().join("checkpoints/keys")]),
        ("the evidence log alone", &[same.join("evidence")]),
        ("the evidence log of before, the keys log of now", &[same.join("keys"), before.join("evidence")]),
    ];
    for (case, kept) in cases {
        let data = d.root().join(case.replace(' ', "-"));
        let mut restore = vault.restore("b.age", &data);
        for file in kept {
            restore.arg("--checkpoint").arg(file);
        }
        let answer = Run::of(&mut restore).ok().json();
        assert_eq!((&answer["standing"], &answer["serves"]), (&"undecided".into(), &false.into()), "{case}");
        assert_eq!(answer["compared"], kept.len(), "{case}");
        let Err((9, log)) = Server::start(&data) else { panic!("{case}: served without a decision") };
        assert!(log.contains("whether more was logged after the backup"), "{case}: {log}");
        assert!(log.contains("backup accept"), "{case}: {log}");
    }
}

/// As many random places below a length as POSTFACH_ROUNDS says.
fn further_places(below: usize) -> Vec<usize> {
    let rounds = std::env::var("POSTFACH_ROUNDS").map_or(0, |rounds| rounds.parse().unwrap());
    let mut random = fs::File::open("/dev/urandom").unwrap();
    let mut place = || {
        let mut bytes = [0; 8];
        std::io::Read::read_exact(&mut random, &mut bytes).unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % below as u64).unwrap()
    };
    (0..rounds).map(|_| place()).collect()
}

#[test]
fn every_flipped_missing_or_added_byte_is_found_and_so_is_another_key() {
    let (d, vault) = small();
    Run::of(&mut vault.create(&d.data(), "b.age")).ok();
    let good = fs::read(vault.path("b.age")).unwrap();
    let last = good.len() - 1;
    let head = good.windows(5).position(|bytes| bytes == b"\n--- ").unwrap();
    let places = [
        0,
        30,
        200,
        head + 2,
        head + 10,
        head + 60,
        70_000,
        last / 3,
        last / 2,
        last - 70_000,
        last - 20,
        last,
    ];
    for at in places.into_iter().chain(further_places(good.len())) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(vault.path("bad.age"), bad).unwrap();
        let refused = Run::of(&mut vault.verify("bad.age"));
        // Who it is sealed to cannot be told from damage in the head.
        let code = if at < head && refused.code == 7 { 7 } else { 8 };
        let refused = refused.exits(code).json();
        assert!(
            code == 7 || refused["problem"]["row"].as_str().unwrap().contains("bad.age"),
            "{at}: {refused}"
        );
    }
    for bad in [&good[..last], &good[..good.len() / 2], &good[..100], &[&good[..], b"x"].concat(), b"", b"x"]
    {
        fs::write(vault.path("bad.age"), bad).unwrap();
        Run::of(&mut vault.verify("bad.age")).exits(8);
        Run::of(&mut vault.restore("bad.age", &vault.path("never"))).exits(8);
        assert!(!vault.path("never").exists());
    }
    let other = Vault::with(&d, "other.key", &[]);
    Run::of(&mut other.verify("b.age")).exits(7);
    Run::of(&mut other.restore("b.age", &vault.path("never"))).exits(7);
    assert!(!vault.path("never").exists());
    Run::of(&mut vault.verify("b.age")).ok();
    let left: Vec<_> = names(d.root()).into_iter().filter(|name| name.contains("scratch")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Members of a tar: name, type and bytes.
type Members = Vec<(String, u8, Vec<u8>)>;

const FILE: u8 = b'0';
const LINK: u8 = b'2';

fn members(tar: &[u8]) -> Members {
    let text =
        |bytes: &[u8]| String::from_utf8(bytes.split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap();
    let (mut members, mut at) = (Vec::new(), 0);
    while tar[at] != 0 {
        let header = &tar[at..at + 512];
        let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
        let name = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let length = usize::from_str_radix(text(&header[124..135]).trim(), 8).unwrap();
        members.push((name, header[156], tar[at + 512..at + 512 + length].to_vec()));
        at += 512 + length.next_multiple_of(512);
    }
    members
}

/// Any tar, also one that no library would write.
fn tar_of(members: &Members) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, kind, bytes) in members {
        let (prefix, name) = name.rsplit_once('/').filter(|_| name.len() > 100).unwrap_or(("", name));
        let mut header = [0; 512];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, name);
        put(100, "0000600\0");
        put(124, &format!("{:011o}\0", bytes.len()));
        put(136, "00000000000\0        ");
        put(257, "ustar\x0000");
        put(345, prefix);
        header[156] = *kind;
        if *kind == LINK {
            header[157..160].copy_from_slice(b"/x\0");
        }
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&header);
        tar.extend_from_slice(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

#[test]
fn what_was_put_together_otherwise_is_no_backup() {
    let (d, vault) = small();
    Run::of(&mut vault.create(&d.data(), "b.age")).ok();
    let good = vault.opened("b.age");
    let whole = members(&good);
    vault.seal("same.age", &tar_of(&whole));
    Run::of(&mut vault.verify("same.age")).ok();
    let at = |wanted: &str| whole.iter().position(|(name, ..)| name.starts_with(wanted)).unwrap();
    let file = |name: &str| (name.to_owned(), FILE, b"x".to_vec());
    let changed = |change: &dyn Fn(&mut Members)| {
        let mut members = whole.clone();
        change(&mut members);
        tar_of(&members)
    };
    let flipped = |name: &str| {
        let at = at(name);
        changed(&|members| *members[at].2.last_mut().unwrap() ^= 1)
    };
    let without = |name: &str| {
        let at = at(name);
        changed(&|members| drop(members.remove(at)))
    };
    let cases: [(&str, Vec<u8>, &str); 15] = [
        ("a flipped byte of the database", flipped("postfach.db"), "postfach.db"),
        ("a flipped byte of a segment", flipped("blobs/"), "blobs/"),
        ("a flipped byte of a key", flipped("keys/evidence-log.key"), "keys/evidence-log.key"),
        ("a flipped byte of the card", flipped("service-card.toml"), "service-card.toml"),
        ("a flipped byte of the list", flipped("SHA256SUMS"), "blobs/"),
        ("a missing segment", without("blobs/"), "blobs/"),
        ("a missing database", without("postfach.db"), "postfach.db"),
        ("a missing list", without("SHA256SUMS"), "manifest.json"),
        ("a missing manifest", without("manifest.json"), "manifest.json"),
        ("another member", changed(&|members| members.insert(1, file("other"))), "other"),
        ("a way out", changed(&|members| members.insert(1, file("tls/../../out"))), "tls/../../out"),
        ("a member twice", changed(&|members| members.insert(1, file("postfachd.toml"))), "postfachd.toml"),
        ("a member behind", changed(&|members| members.push(file("tls/behind"))), "tls/behind"),
        ("a link", changed(&|members| members.insert(1, ("tls/link".into(), LINK, Vec::new()))), "tls/link"),
        ("something behind the tar", [good.as_slice(), b"x"].concat(), "bad.age"),
    ];
    for (what, tar, place) in cases {
        vault.seal("bad.age", &tar);
        let refused = Run::of(&mut vault.verify("bad.age")).exits(8).json();
        let row = refused["problem"]["row"].as_str().unwrap();
        assert!(row.contains(place), "{what}: {refused}");
        Run::of(&mut vault.restore("bad.age", &vault.path("never"))).exits(8);
        assert!(!vault.path("never").exists() && !vault.path("out").exists(), "{what}");
    }
    vault.seal("bad.age", &good);
    Run::of(&mut vault.verify("bad.age")).ok();
}

#[test]
fn slips_of_the_operator_get_clear_answers_and_change_nothing() {
    let (d, vault) = small();
    let reason = |run: Run| run.json()["error"]["reason"].as_str().unwrap().to_owned();
    Run::of(&mut vault.create(&d.data(), "b.age")).ok();
    let first = fs::read(vault.path("b.age")).unwrap();
    assert_eq!(reason(Run::of(&mut vault.create(&d.data(), "b.age")).exits(9)), "FILE_EXISTS");
    assert_eq!(fs::read(vault.path("b.age")).unwrap(), first);
    Run::of(vault.create(&d.data(), "b.age").arg("--force")).ok();
    assert_ne!(fs::read(vault.path("b.age")).unwrap(), first);

    let wrong = ["age1nobody", "ssh-ed25519 AAAA", "AGE-SECRET-KEY-PQ-1X", ""];
    for recipient in wrong {
        let run = Run::of(vault.create(&d.data(), "c.age").args(["--recipient", recipient]));
        assert!(["RECIPIENT", "MIXED_RECIPIENTS"].contains(&reason(run.exits(2)).as_str()), "{recipient}");
    }
    let missing = Run::of(vault.create(&d.data(), "c.age").env("POSTFACH_VAULT", "/no/such"));
    assert_eq!(reason(missing.exits(3)), "VAULT_MISSING");
    // The sealing program may fail at its very end, when all was said.
    let late = vault.script("late", &format!("{} \"$@\"; exit 1", binary("postfach-vault").display()));
    assert_eq!(
        reason(Run::of(vault.create(&d.data(), "c.age").env("POSTFACH_VAULT", &late)).exits(1)),
        "VAULT"
    );
    assert_eq!(reason(Run::of(vault.verify("b.age").env("POSTFACH_VAULT", &late)).exits(1)), "VAULT");
    Run::of(&mut vault.create(&d.data(), "no/such/folder/c.age")).exits(3);
    Run::of(&mut vault.create(&d.root().join("none"), "c.age")).exits(3);
    let config = d.data().join("postfachd.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("tls/server.key", "/etc/keys/server.key")).unwrap();
    let made = Run::of(&mut vault.create(&d.data(), "elsewhere.age")).ok().json();
    assert_eq!(
        made["left_out"],
        serde_json::json!(["/etc/keys/server.key", "registrar.key", "tls/root.key"])
    );
    fs::write(&config, text).unwrap();
    let locked = vault.path("locked.key");
    fs::write(&locked, "age-encryption.org/v1\n-> scrypt x 18\n").unwrap();
    let protected = Vault { identity: locked, ..Vault::with(&d, "third.key", &[]) };
    assert_eq!(reason(Run::of(&mut protected.verify("b.age")).exits(2)), "IDENTITY_PROTECTED");
    let full = d.root().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine"), "mine").unwrap();
    assert_eq!(reason(Run::of(&mut vault.restore("b.age", &full)).exits(9)), "FOLDER_NOT_EMPTY");
    assert_eq!(names(&full), ["mine"]);

    // No room: first for the copy of the database, then for the sealed file.
    let database = fs::metadata(d.data().join("postfach.db")).unwrap().len() / 1024;
    for (room, reason_of) in [(database / 2, "SNAPSHOT"), (database + 100, "STDOUT")] {
        let create = vault.create(&d.data(), "c.age");
        let words: Vec<_> = create.get_args().collect();
        let script = format!("trap '' XFSZ; ulimit -f {room}; exec \"$0\" \"$@\"");
        let run = Run::of(Command::new("bash").args(["-c", &script]).arg(create.get_program()).args(words));
        assert_eq!(reason(run.exits(1)), reason_of);
    }
    assert!(!names(d.root()).iter().any(|name| name.contains("c.age")), "{:?}", names(d.root()));
    assert!(!d.data().join("backup.tmp").exists());
}

/// Starts a command and leaves it alone.
fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_killed_create_leaves_no_backup_and_no_copy_behind() {
    let (mut d, vault) = with_attachments(&[300_000, 3_000_000]);
    let (program, wait) = vault.stalling("stalling", 100_000);
    let work = d.data().join("backup.tmp");
    let stalled = |d: &Deployment| {
        let child = start(vault.create(&d.data(), "b.age").env("POSTFACH_VAULT", &program));
        until("the backup is under way", || {
            fs::metadata(vault.path("b.age.partial")).is_ok_and(|partial| partial.len() >= 100_000)
        });
        assert!(work.join("postfach.db").exists());
        child
    };
    d.serve();

    // What a backup copies is not deleted meanwhile; a second one waits; a signal ends it in order.
    let mut child = stalled(&d);
    let ids = d.operator(&["audit", "list"]).ok().json_lines();
    let id = ids[0]["message_id"].as_str().unwrap().to_owned();
    d.operator(&["admin", "erase", "--message", &id]).exits(6);
    let folder = d.data().join("blobs");
    let blobs =
        || Run::of(Command::new("find").arg(&folder).args(["-name", "*-*"])).ok().stdout.lines().count();
    assert_eq!(blobs(), 2);
    d.stop();
    d.serve();
    assert!(work.exists(), "a backup under way is left alone");
    signal(&child, "-TERM");
    fs::remove_file(&wait).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!work.exists() && !vault.path("b.age").exists() && !vault.path("b.age.partial").exists());
    d.operator(&["admin", "erase", "--message", &id]).ok();
    assert_eq!(blobs(), 1);

    fs::write(&wait, b"").unwrap();
    until("the first one's program has ended", || vault.path("stalling.wait.done").exists());
    fs::remove_file(vault.path("stalling.wait.done")).unwrap();
    let mut child = stalled(&d);
    signal(&child, "-KILL");
    child.wait().unwrap();
    fs::remove_file(&wait).unwrap();
    assert!(!vault.path("b.age").exists());
    // What the sealing program made of the cut stream is no backup under any name.
    until("the sealing program has ended", || vault.path("stalling.wait.done").exists());
    fs::rename(vault.path("b.age.partial"), vault.path("cut.age")).unwrap();
    Run::of(&mut vault.verify("cut.age")).exits(8);
    assert!(work.exists(), "the killed command could not remove it");
    d.stop();
    d.serve();
    assert!(!work.exists(), "the next start does");
    Run::of(&mut vault.create(&d.data(), "b.age")).ok();
    Run::of(&mut vault.verify("b.age")).ok();
}

#[test]
fn a_killed_restore_is_never_taken_for_a_deployment() {
    let (d, vault) = small();
    Run::of(&mut vault.create(&d.data(), "b.age")).ok();
    let (program, wait) = vault.stalling("stalling", 200_000);
    let data = d.root().join("restored");
    let mut child = start(vault.restore("b.age", &data).env("POSTFACH_VAULT", &program));
    until("the restore is under way", || data.join("postfach.db").exists());
    Run::of(&mut vault.restore("b.age", &data)).exits(9);
    signal(&child, "-KILL");
    child.wait().unwrap();
    fs::remove_file(&wait).unwrap();
    let Err((9, log)) = Server::start(&data) else { panic!("half a restore was served") };
    assert!(log.contains("has not come to its end"), "{log}");
    assert!(!data.join("keys").exists(), "keys come last");
    let mut scratch = start(vault.verify("b.age").env("POSTFACH_VAULT", &program));
    scratch.wait().unwrap();

    let answer = Run::of(&mut vault.restore("b.age", &data)).ok().json();
    assert_eq!(answer["messages"], 1);
    vault.accept(&data).ok();
    Server::start(&data).ok().unwrap().stop();
    let audit = ["audit", "verify", "--blobs", "--json", "--data", data.to_str().unwrap()];
    assert_eq!(d.postfachd(&audit).ok().json()["blobs"], 1);
}

#[test]
fn an_independent_age_implementation_and_plain_tools_open_a_backup() {
    let (d, _) = small();
    let node = repository_root().join("tests/node");
    assert!(node.join("node_modules/age-encryption").is_dir(), "run ./test, or `npm ci` in tests/node");
    for (name, words) in [("hybrid", &[][..]), ("classic", &["--x25519"][..])] {
        let vault = Vault::with(&d, &format!("{name}.key"), words);
        Run::of(&mut vault.create(&d.data(), &format!("{name}.age"))).ok();
        let identity = vault.path(&format!("{name}.txt"));
        let key = fs::read_to_string(&vault.identity).unwrap();
        fs::write(&identity, key.lines().find(|line| !line.starts_with('#')).unwrap()).unwrap();
        let out = vault.path(&format!("{name}.out"));
        fs::create_dir(&out).unwrap();
        let script = "set -o pipefail; cd \"$1\"; node \"$2\" \"$3\" \"$4\" | tar x && sha256sum -c --strict SHA256SUMS";
        let mut bash = Command::new("bash");
        bash.args(["-c", script, "-"]).arg(&out).arg(node.join("open.mjs")).arg(&identity);
        let checked = Run::of(bash.arg(vault.path(&format!("{name}.age")))).ok();
        assert!(checked.stdout.contains("postfach.db: OK"), "{}", checked.stdout);
        for same in ["service-card.toml", "keys/evidence-log.key", "tls/server.key", "postfachd.toml"] {
            assert_eq!(fs::read(out.join(same)).unwrap(), fs::read(d.data().join(same)).unwrap(), "{same}");
        }
        assert!(!out.join("registrar.key").exists() && !out.join("tls/root.key").exists());
    }
    // The program that seals is not the one that serves.
    assert!(Run::of(command("postfach-vault").args(["open", "--identity", "none"])).code == 3);
}
