//! Calls that no client of ours makes: malformed, oversized, slow, unauthenticated, replayed and mis-addressed ones. Each
//! kind has one answer, and after each the server lives, stores nothing, grows by nothing and tells no secret.

mod connection;
mod http;
mod messages;
mod repeated;
mod slow;
mod tokens;
mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postfach_domain::format;
use postfach_domain::id::{Origin, Party};
use postfach_domain::sign::SecretKey;
use postfach_proto::v1;
use postfach_server::auth::token;
use postfach_server::clock::{Clock as _, SystemClock};
use postfach_tests::deployment::ORIGIN;
use postfach_tests::{Deployment, repository_root};
use prost::Message as _;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::crash::people::{Letter, People};
use wire::{Answer, Call, Wire};

/// A bad call and its answer, one row of the table in docs/testing.md.
pub struct Kind {
    /// What the caller does.
    pub what: &'static str,
    /// In the words of [`Answer::text`].
    pub answer: &'static str,
    /// Does it.
    pub call: fn(&Scene) -> Answer,
}

/// All kinds, by what is wrong with them.
pub const GROUPS: &[(&str, &[Kind])] = &[
    ("connection", connection::KINDS),
    ("HTTP", http::KINDS),
    ("message", messages::KINDS),
    ("token", tokens::KINDS),
    ("repeated or for somebody else", repeated::KINDS),
    ("slow", slow::KINDS),
];

/// What the server's memory may grow by, over all kinds of one group, in KiB.
const GROWTH: u64 = 96 * 1024;

/// Two authorities and two citizens; one letter with two segments of attachment is delivered to the first citizen.
pub struct Scene {
    pub d: Deployment,
    pub wire: Wire,
    pub people: People,
    /// The delivered one, and others that are not.
    pub letters: Vec<Letter>,
    runtime: tokio::runtime::Runtime,
}

impl Scene {
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let d = Deployment::serving();
        let wire = Wire::to(&d);
        let (people, letters) = runtime.block_on(async {
            let people = People::register(&d, 2, 2).await;
            let mut letters = people.seal(6, &d.url(), d.root(), &mut StdRng::seed_from_u64(7)).await;
            letters.sort_by_key(|letter| {
                letter.attached.as_ref().map_or(usize::MAX, |file| usize::MAX - 1 - file.len())
            });
            let first = &letters[0];
            let sender = people.sender(first.sender, &d.url(), Duration::from_secs(20));
            let quiet = postfach_sdk::progress::quiet();
            sender.send(first.entry.clone(), &first.spool, |_| Ok(()), &quiet).await.unwrap();
            (people, letters)
        });
        Self { d, wire, people, letters, runtime }
    }

    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// One call on a connection of its own.
    pub fn call(&self, call: Call) -> Answer {
        self.run(self.wire.call(call))
    }

    /// Who sent a letter, and an authority that did not.
    pub fn authority(&self, number: usize) -> (Party, &SecretKey) {
        let keys = &self.people.senders[number].keys;
        (Party::Authority(keys.authority_id.clone()), &keys.sign)
    }

    pub fn sender(&self) -> (Party, &SecretKey) {
        self.authority(self.letters[0].sender)
    }

    pub fn other_authority(&self) -> (Party, &SecretKey) {
        self.authority(1 - self.letters[0].sender)
    }

    /// Whom the delivered letter is for, and somebody else.
    pub fn reader(&self, theirs: bool) -> (Party, &SecretKey) {
        let recipient = self.letters[0].entry.recipient().unwrap();
        let found = self.people.readers.iter().find(|reader| (reader.keys.address == recipient) == theirs);
        let keys = &found.unwrap().keys;
        (Party::Mailbox(keys.address), &keys.device.sign)
    }

    /// A letter without attachments that is not delivered.
    pub fn fresh(&self) -> usize {
        self.letters.iter().position(|letter| letter.attached.is_none()).unwrap()
    }

    /// A letter as it goes over the wire.
    pub fn submission(&self, number: usize) -> v1::Submission {
        let stored = serde_json::to_value(&self.letters[number].entry).unwrap();
        let bytes = |name: &str| STANDARD.decode(stored[name].as_str().unwrap()).unwrap();
        v1::Submission {
            outer: bytes("outer").into(),
            cover_envelope: bytes("cover_envelope").into(),
            letter_envelope: bytes("letter_envelope").into(),
            signature: Some(format::Signature::decode(bytes("signature").as_slice()).unwrap()),
            sender_copy: bytes("sender_copy").into(),
        }
    }

    /// Runs every kind of a group, and looks after the server each time.
    fn suffers(&self, kinds: &[Kind]) {
        // The first calls fill caches.
        self.lives("warm");
        let (rows, memory) = (self.rows(), self.memory());
        let mut wrong = BTreeMap::new();
        for Kind { what, answer, call } in kinds {
            let began = Instant::now();
            let came = call(self);
            if came.text != *answer {
                wrong.insert(*what, format!("{:?} in {:?} ({})", came.text, began.elapsed(), came.said));
            }
            self.lives(what);
            let grown = self.memory().saturating_sub(memory);
            assert!(grown < GROWTH, "{what}: the server grew by {grown} KiB");
            assert_eq!(self.rows(), rows, "{what}: something was stored");
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        self.d.audit(&[]).ok();
        let log = self.d.server().log();
        for secret in ["panicked", "Bearer", "eyJ", "ERROR", "\"level\":\"ERROR"] {
            assert!(!log.contains(secret), "{secret} stands in the log:\n{log}");
        }
    }

    /// A good call is answered within a second.
    #[track_caller]
    fn lives(&self, after: &str) {
        let began = Instant::now();
        let chain = Call::to("MailboxService/GetChain", &v1::GetChainRequest {});
        let good = self.call(chain.token(&token_of(self.reader(true))));
        assert_eq!(good.text, "Ok", "after {after}: {good:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "after {after}: {:?}", began.elapsed());
    }

    /// What stands in the database, by table.
    fn rows(&self) -> BTreeMap<String, i64> {
        if let Some(database) = self.d.database() {
            let names = database.sql(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
            );
            let counts = names.lines().map(|name| format!("SELECT '{name}', count(*) FROM {name}"));
            let counts = database.sql(&counts.collect::<Vec<_>>().join(" UNION ALL "));
            let count = |line: &str| {
                line.split_once('|').map(|(name, rows)| (name.to_owned(), rows.parse().unwrap()))
            };
            return counts.lines().map(|line| count(line).unwrap()).collect();
        }
        let database = rusqlite::Connection::open(self.d.data().join("postfach.db")).unwrap();
        let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
        let mut names = database.prepare(names).unwrap();
        let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        let count = |name: String| {
            let rows = database.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0));
            (name, rows.unwrap())
        };
        names.into_iter().map(count).collect()
    }

    /// Resident memory of the server, in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.d.server().pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// A good token.
pub fn token_of((party, key): (Party, &SecretKey)) -> String {
    token::make(key, &party, &origin(), SystemClock.now(), 60).unwrap()
}

pub fn origin() -> Origin {
    ORIGIN.parse().unwrap()
}

/// Where the table stands in docs/testing.md.
const BEGIN: &str = "<!-- bad calls: made from tests/tests/e2e/bad_calls, a test compares -->\n";
const END: &str = "<!-- end of bad calls -->\n";

fn table() -> String {
    let mut table = String::from("| what is wrong | what the caller does | answer |\n|---|---|---|\n");
    for (group, kinds) in GROUPS {
        for Kind { what, answer, .. } in *kinds {
            writeln!(table, "| {group} | {what} | `{answer}` |").unwrap();
        }
    }
    table
}

#[test]
fn the_table_in_the_documentation_is_this_one() {
    let path = repository_root().join("docs/testing.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("POSTFACH_WRITE_DOCS").is_some() {
        fs::write(&path, [before, BEGIN, &table(), END, after].concat()).unwrap();
    } else {
        assert_eq!(written, table(), "docs/testing.md is stale: run this test with POSTFACH_WRITE_DOCS=1");
    }
}

#[test]
fn bytes_and_frames_that_are_not_http2() {
    Scene::new().suffers(connection::KINDS);
}

#[test]
fn requests_that_are_no_calls() {
    Scene::new().suffers(http::KINDS);
}

#[test]
fn messages_that_cannot_be_read_or_are_too_large() {
    Scene::new().suffers(messages::KINDS);
}

#[test]
fn callers_who_may_not() {
    let scene = Scene::new();
    scene.d.revoke(&scene.other_authority().0.issuer());
    scene.suffers(tokens::KINDS);
}

#[test]
fn calls_that_came_before_or_are_about_somebody_else() {
    Scene::new().suffers(repeated::KINDS);
}

#[test]
fn callers_who_take_their_time() {
    Scene::new().suffers(slow::KINDS);
}

#[test]
fn there_are_many_kinds_and_none_twice() {
    let all: Vec<&str> = GROUPS.iter().flat_map(|(_, kinds)| kinds.iter().map(|kind| kind.what)).collect();
    let different: std::collections::BTreeSet<&str> = all.iter().copied().collect();
    assert!(all.len() >= 60 && all.len() == different.len(), "{}", all.len());
}
