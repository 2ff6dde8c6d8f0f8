//! Attachments in an S3-compatible store, through the real binaries: the whole job, a store that is away, backups.

use std::fs;
use std::time::{Duration, Instant};

use postfach_tests::person::text;
use postfach_tests::s3::{Fault, KEY};
use postfach_tests::{Deployment, Run, S3Line, S3Server, Server, Vault};

/// A bucket of its own behind a line of its own.
struct Store {
    server: &'static S3Server,
    bucket: String,
    line: S3Line,
}

impl Store {
    fn new() -> Self {
        let server = S3Server::shared();
        Self { server, bucket: server.bucket(), line: S3Line::to(server.address()) }
    }

    fn place(&self) -> String {
        S3Server::place(&self.bucket, self.line.address())
    }

    /// Segments, without what the server writes for itself.
    fn segments(&self) -> Vec<String> {
        let keys = self.server.keys(&self.bucket);
        assert!(keys.iter().all(|key| key.starts_with("mein/postfach/")), "{keys:?}");
        keys.into_iter().filter(|key| key.contains('-')).collect()
    }
}

fn content(len: usize) -> Vec<u8> {
    (0_u32..).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).take(len).collect()
}

/// What `admin status` says, waited for.
fn is_ready(d: &Deployment, expected: bool) {
    let begin = Instant::now();
    while d.operator(&["admin", "status"]).ok().json()["ready"] != expected {
        assert!(begin.elapsed() < Duration::from_secs(20), "{}", d.server().log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn attachments_do_their_whole_job_on_s3() {
    let store = Store::new();
    let mut d = Deployment::on_s3(&store.place());
    let (amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let (plan, note) = (amt.write("plan.bin", &content(9_000_000)), amt.write("note.txt", b"kurz"));
    let send = || {
        let words = ["--attach", &plan, "--attach", &note];
        text(&amt.send(&citizen.address(), "Plan", "Guten Tag.", &words)["message_id"])
    };
    let ids = [send(), send()];
    assert_eq!(store.segments().len(), 8);
    citizen.json(&["read", &ids[0]]);
    citizen.json(&["attachment", "save", &ids[0], "-o", "out"]);
    assert!(fs::read(citizen.folder().join("out/plan.bin")).unwrap() == content(9_000_000));
    assert_eq!(d.audit(&["--blobs"]).ok().json()["blobs"], 8);
    assert!(!d.data().join("blobs").exists(), "nothing lies in the folder");

    d.operator(&["admin", "erase", "--message", &ids[0]]).ok();
    assert_eq!(store.segments().len(), 4);
    assert_eq!(d.audit(&["--blobs"]).ok().json()["blobs"], 4);
    // Restarted, it goes on; and a segment that is another or gone is the first bad place.
    d.stop();
    d.serve();
    let victim = format!("/{}/{}", store.bucket, store.segments()[0]);
    let sound = store.server.call("GET", &victim, b"");
    for bad in [content(sound.len()), Vec::new()] {
        store.server.call("PUT", &victim, &bad);
        let problem = d.audit(&["--blobs"]).exits(8).json();
        assert!(problem["problem"]["row"].as_str().unwrap().starts_with("blobs/"), "{problem}");
    }
    store.server.call("DELETE", &victim, b"");
    let problem = d.audit(&["--blobs"]).exits(8).json();
    assert_eq!(problem["problem"]["what"], "the segment is missing");
    store.server.call("PUT", &victim, &sound);
    store.server.call("PUT", &format!("/{}/mein/postfach/ab/stranger", store.bucket), b"x");
    d.audit(&["--blobs"]).exits(8);
    let log = d.stop();
    assert!(!log.contains(KEY[1].1), "{log}");
}

#[test]
fn a_store_that_is_away_turns_readiness_red_and_loses_nothing() {
    let store = Store::new();
    let d = Deployment::on_s3(&store.place());
    let (amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let plan = amt.write("plan.bin", &content(9_000_000));
    let words = ["--attach", plan.as_str()];
    let first = text(&amt.send(&citizen.address(), "Erste", "x", &words)["message_id"]);
    is_ready(&d, true);

    store.line.fails("PUT", Fault::Answer(503, "SlowDown"));
    let id = "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let send = ["authority", "send", "--message-id", id, "--to", &citizen.address(), "--subject", "Zweite"];
    let send = [&send[..], &["--body", "x", "--attach", &plan, "--json", "--timeout", "2"]].concat();
    let mut sending = amt.command().args(&send).stdout(std::process::Stdio::null()).spawn().unwrap();
    is_ready(&d, false);
    // Letters go on, and what is there can be read.
    amt.send_plain(&citizen.address(), "Ohne Anlage");
    citizen.json(&["read", &first]);
    citizen.json(&["attachment", "save", &first, "-o", "out"]);
    is_ready(&d, false);
    sending.kill().unwrap();
    sending.wait().unwrap();

    store.line.mend();
    is_ready(&d, true);
    store.line.faults(&[
        ("PUT", Fault::LostAnswer),
        ("PUT", Fault::Answer(503, "SlowDown")),
        ("PUT", Fault::Reset),
    ]);
    Run::of(amt.command().args(&send)).ok();
    assert!(store.line.is_through());
    citizen.json(&["read", id]);
    store.line.faults(&[("GET", Fault::HalfAnswer), ("GET", Fault::FlippedAnswer)]);
    citizen.json(&["attachment", "save", id, "-o", "again"]);
    assert!(store.line.is_through());
    assert!(fs::read(citizen.folder().join("again/plan.bin")).unwrap() == content(9_000_000));
    assert_eq!(citizen.inbox().len(), 3);
    assert_eq!(d.audit(&["--blobs"]).ok().json()["blobs"], 6);
}

#[test]
fn init_and_serve_say_what_is_wrong_with_the_store() {
    let store = Store::new();
    let mut d = Deployment::empty();
    let place = d.with_key(&store.place());
    let reason = |run: Run| text(&run.json()["error"]["reason"]);
    let missing = place.replace(&store.bucket, "nobody-made-this");
    assert_eq!(reason(d.init(&["--blobs", &missing]).exits(3)), "S3_BUCKET");
    store.line.fails("", Fault::Answer(403, "SignatureDoesNotMatch"));
    let refused = d.init(&["--blobs", &place]).exits(5);
    assert!(!refused.talk().contains(KEY[1].1), "{}", refused.talk());
    assert_eq!(reason(refused), "S3_CREDENTIALS");
    store.line.mend();
    assert_eq!(reason(d.init(&["--blobs", &store.place()]).exits(2)), "S3_CREDENTIALS");
    assert!(!d.data().exists(), "nothing is left behind");
    d.init(&["--blobs", &place]).ok();

    store.line.fails("", Fault::Answer(403, "RequestTimeTooSkewed"));
    let Err((1, log)) = Server::start(&d.data()) else { panic!("it serves") };
    assert!(log.contains("clock"), "{log}");
    store.line.mend();
    d.serve();
    let (amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let file = amt.write("a.bin", b"a");
    amt.send(&citizen.address(), "Erste", "x", &["--attach", &file]);
    let other = Deployment::empty();
    assert_eq!(reason(other.init(&["--blobs", &other.with_key(&store.place())]).exits(9)), "S3_NOT_EMPTY");
}

#[test]
fn a_backup_takes_the_attachments_from_s3_and_restores_them_to_a_folder() {
    let store = Store::new();
    let d = Deployment::on_s3(&store.place());
    let vault = Vault::new(&d);
    let (amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let plan = amt.write("plan.bin", &content(5_000_000));
    let id = text(&amt.send(&citizen.address(), "Plan", "x", &["--attach", &plan])["message_id"]);

    // While it copies nothing is deleted, by whichever process.
    let (program, wait) = vault.stalling("stalling", 100_000);
    let mut create = vault.create(&d.data(), "b.age");
    let mut create = create.env("POSTFACH_VAULT", &program).spawn().unwrap();
    let begin = Instant::now();
    while !fs::metadata(vault.path("b.age.partial")).is_ok_and(|partial| partial.len() >= 100_000) {
        assert!(begin.elapsed() < Duration::from_secs(20), "the backup does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    d.operator(&["admin", "erase", "--message", &id]).exits(6);
    assert_eq!(store.segments().len(), 2);
    fs::remove_file(&wait).unwrap();
    assert!(create.wait().unwrap().success());
    d.operator(&["admin", "erase", "--message", &id]).ok();
    assert_eq!(store.segments().len(), 0);
    assert!(!store.server.keys(&store.bucket).iter().any(|key| key.ends_with("/hold")));

    assert_eq!(Run::of(&mut vault.verify("b.age")).ok().json()["blobs"], 2);
    let restored = d.root().join("restored");
    Run::of(&mut vault.restore("b.age", &restored)).ok();
    let config = fs::read_to_string(restored.join("postfachd.toml")).unwrap();
    assert!(config.contains("\n# blobs = \"s3://"), "{config}");
    vault.accept(&restored).ok();
    let server = Server::start(&restored).ok().unwrap();
    let mut citizen = citizen;
    citizen.connect_to(&format!("https://{}", server.listening));
    citizen.json(&["read", &id]);
    citizen.json(&["attachment", "save", &id, "-o", "out"]);
    assert!(fs::read(citizen.folder().join("out/plan.bin")).unwrap() == content(5_000_000));
    assert_eq!(store.segments().len(), 0, "the restored one has its own");
}
