//! What the tests of this crate share: a deployment in a temporary folder, citizens and authorities with real keys, and
//! checks of every proof that the server gives out. Envelopes are random bytes: the server cannot tell.

#![allow(clippy::unwrap_used, clippy::unused_self, missing_docs)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use postfach_domain::act::{Act, ActType, ConsentScope, MessageRef};
use postfach_domain::authority::AuthorityCert;
use postfach_domain::card::ServiceCard;
use postfach_domain::chain::{AGE_RECIPIENT_LEN, Chain, GenesisParts, make_genesis};
use postfach_domain::code::ActivationCode;
use postfach_domain::event::{Event, EventType};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::head::RecipientHead;
use postfach_domain::id::{ActId, Address, MessageId, Party};
use postfach_domain::outer::Outer;
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_domain::time::Timestamp;
use postfach_ledger::checkpoint::{Checkpoint, LogKeys};
use postfach_ledger::hash::Hash;
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::proof::verify_inclusion;
use postfach_ledger::tree::TreeEdge;
use postfach_ledger::vkey::LogSigner;
use postfach_ledger::witness::WitnessPolicy;
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};

use crate::app::{App, Caller, Deployment, Logged, OpenError, Register, RegisterAuthority, Submission, Wrap};
use crate::audit::verify::{Options, verify};
use crate::blobs::faulty::FaultyBlobs;
use crate::blobs::{BlobStore, LocalBlobs};
use crate::clock::ManualClock;
use crate::deployment::config::{Config, Storage};
use crate::deployment::folder::Folder;
use crate::evidence::{Checkpoints, LogName, LoggedEvent};
use crate::storage::faulty::FaultyStore;
use crate::storage::sql::{events, logs};
use crate::storage::{Ask, PostgresStore, SqliteStore, Store, StoreError};

pub const ORIGIN: &str = "post.example";
pub const START: Timestamp = Timestamp(1_795_000_000_000);

pub fn registrar() -> SecretKey {
    SecretKey::from_seed(&[200; 32])
}

fn signer(log: LogName) -> LogSigner {
    let (name, seed) = match log {
        LogName::Keys => (format!("{ORIGIN}/keys"), 201),
        LogName::Evidence => (format!("{ORIGIN}/evidence"), 202),
    };
    LogSigner::new(&name, SecretKey::from_seed(&[seed; 32])).unwrap()
}

pub fn log_keys(log: LogName) -> LogKeys {
    LogKeys::new(signer(log).verifier().clone(), Vec::new()).unwrap()
}

/// The card that an audit reads the keys from.
fn card() -> String {
    let vkey = |log| signer(log).verifier().vkey();
    let card = ServiceCard {
        version: 1,
        origin: ORIGIN.parse().unwrap(),
        server_url: format!("https://{ORIGIN}"),
        tls_root: None,
        registrar: registrar().public(),
        keys_log: vkey(LogName::Keys),
        evidence_log: vkey(LogName::Evidence),
        former_logs: Vec::new(),
        witness_policy: postfach_domain::card::WitnessPolicy { witnesses: Vec::new(), quorum: 0 },
    };
    card.sign(&registrar()).unwrap().text
}

/// A database as it once was.
pub enum DatabaseCopy {
    File(std::path::PathBuf),
    Server(postfach_testdb::Database),
}

/// A running deployment in a temporary folder.
pub struct World {
    pub folder: tempfile::TempDir,
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub store: Arc<FaultyStore>,
    pub rng: std::sync::Mutex<StdRng>,
    /// Where it does not live in the folder.
    pub database: Option<postfach_testdb::Database>,
}

/// Another process over the same database, as far as that can be had in one.
pub struct Node {
    pub app: Arc<App>,
    pub store: Arc<FaultyStore>,
    _folder: tempfile::TempDir,
}

/// With this in the environment worlds live in PostgreSQL; `./test` runs the suites both ways.
const ENGINE: &str = "POSTFACH_TEST_DATABASE";

/// The store of a world: where its settings say, which only worlds in a database server have.
async fn engine(folder: &Path) -> Result<Arc<dyn Store>, StoreError> {
    let folder = Folder::at(folder);
    if !folder.config().exists() {
        return Ok(Arc::new(SqliteStore::open(&folder.database(), 2).await?));
    }
    let url = Config::read(&folder).unwrap().storage.database.unwrap();
    Ok(Arc::new(PostgresStore::open(&url, 2).await?))
}

/// True where the environment asks for worlds in PostgreSQL.
fn wants_postgres() -> bool {
    let wanted = std::env::var(ENGINE).ok();
    assert!(wanted.iter().all(|name| name == "postgres"), "{ENGINE} names another engine");
    wanted.is_some()
}

/// A database of its own for a world.
fn database(folder: &Path, wanted: bool) -> Option<postfach_testdb::Database> {
    if !wanted {
        return None;
    }
    let database = postfach_testdb::Database::new();
    let storage = Storage { database: Some(database.url().parse().unwrap()), ..Storage::default() };
    let config = Config::new(ORIGIN.parse().unwrap(), "127.0.0.1:0".parse().unwrap(), storage);
    fs::write(Folder::at(folder).config(), config.text()).unwrap();
    Some(database)
}

pub async fn open(
    folder: &Path,
    clock: &Arc<ManualClock>,
) -> Result<(Arc<App>, Arc<FaultyStore>), OpenError> {
    let blobs = LocalBlobs::open(&folder.join("blobs")).unwrap();
    open_on(folder, clock, Arc::new(blobs), FaultyStore::new).await
}

async fn open_on(
    folder: &Path,
    clock: &Arc<ManualClock>,
    blobs: Arc<dyn BlobStore>,
    wrap: fn(Arc<dyn Store>) -> FaultyStore,
) -> Result<(Arc<App>, Arc<FaultyStore>), OpenError> {
    let store = Arc::new(wrap(engine(folder).await?));
    let deployment = Deployment {
        origin: ORIGIN.parse().unwrap(),
        registrar: registrar().public(),
        keys_signer: signer(LogName::Keys),
        evidence_signer: signer(LogName::Evidence),
        checkpoints: folder.join("checkpoints"),
    };
    let blobs = Arc::new(FaultyBlobs::new(blobs, store.plan()));
    let chance = Box::new(StdRng::seed_from_u64(1));
    let app = App::open(deployment, store.clone(), blobs, clock.clone(), chance).await?;
    Ok((Arc::new(app), store))
}

impl World {
    pub async fn new() -> Self {
        Self::over(wants_postgres(), FaultyStore::new).await
    }

    /// One whose node believes to be the only one, on whichever engine.
    pub async fn alone() -> Self {
        Self::over(wants_postgres(), FaultyStore::alone).await
    }

    /// One in PostgreSQL, whatever the environment asks for.
    pub async fn on_postgres() -> Self {
        Self::over(true, FaultyStore::new).await
    }

    /// With its attachments there.
    pub async fn with_blobs(blobs: Arc<dyn BlobStore>) -> Self {
        Self::on(tempfile::tempdir().unwrap(), blobs, wants_postgres(), FaultyStore::new).await
    }

    async fn over(postgres: bool, wrap: fn(Arc<dyn Store>) -> FaultyStore) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = LocalBlobs::open(&folder.path().join("blobs")).unwrap();
        Self::on(folder, Arc::new(blobs), postgres, wrap).await
    }

    async fn on(
        folder: tempfile::TempDir,
        blobs: Arc<dyn BlobStore>,
        postgres: bool,
        wrap: fn(Arc<dyn Store>) -> FaultyStore,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        fs::write(folder.path().join("service-card.toml"), card()).unwrap();
        let database = database(folder.path(), postgres);
        let (app, store) = open_on(folder.path(), &clock, blobs, wrap).await.unwrap();
        Self { folder, app, clock, store, rng: std::sync::Mutex::new(StdRng::seed_from_u64(2)), database }
    }

    /// Another node of this deployment, in a folder of its own.
    pub async fn another_node(&self) -> Node {
        let folder = tempfile::tempdir().unwrap();
        let settings = |folder: &Path| Folder::at(folder).config();
        fs::copy(settings(self.folder.path()), settings(folder.path())).unwrap();
        let (app, store) = open(folder.path(), &self.clock).await.unwrap();
        Node { app, store, _folder: folder }
    }

    /// Stops and starts again on the same folder.
    pub async fn restart(mut self) -> Self {
        self.app.close().await;
        let (app, store) = open(self.folder.path(), &self.clock).await.unwrap();
        (self.app, self.store) = (app, store);
        self
    }

    /// A copy of the database of a world that is closed.
    pub fn copy_database(&self) -> DatabaseCopy {
        if let Some(database) = &self.database {
            return DatabaseCopy::Server(database.copy());
        }
        let copy = self.folder.path().join("copy");
        fs::copy(Folder::at(self.folder.path()).database(), &copy).unwrap();
        DatabaseCopy::File(copy)
    }

    /// From now on the world is opened on the copy, and the next time on its own again.
    pub fn swap_database(&self, copy: &DatabaseCopy) {
        let folder = Folder::at(self.folder.path());
        match (copy, &self.database) {
            (DatabaseCopy::Server(copy), Some(own)) => {
                let config = fs::read_to_string(folder.config()).unwrap();
                let (own, copy) = (format!("/{}?", own.name()), format!("/{}?", copy.name()));
                let other = if config.contains(&own) { (own, copy) } else { (copy, own) };
                fs::write(folder.config(), config.replace(&other.0, &other.1)).unwrap();
            }
            (DatabaseCopy::File(copy), _) => {
                let aside = self.folder.path().join("aside");
                fs::rename(folder.database(), &aside).unwrap();
                fs::rename(copy, folder.database()).unwrap();
                fs::rename(aside, copy).unwrap();
            }
            (DatabaseCopy::Server(_), None) => unreachable!("a copy is of the world's engine"),
        }
    }

    /// The whole audit, beside the running server.
    pub async fn audit(&self, quick: bool) {
        let folder = Folder::at(self.folder.path());
        let blobs: Arc<dyn BlobStore> = Arc::new(LocalBlobs::beside(&folder.blobs()));
        let options = Options { quick, blobs: Some(blobs), ..Options::default() };
        let audited = verify(&folder, &options).await;
        if let Err(failure) = audited {
            panic!("the audit fails: {failure:?}");
        }
    }

    pub fn now(&self) -> Timestamp {
        use crate::clock::Clock as _;
        self.clock.now()
    }

    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.lock().unwrap().fill_bytes(&mut bytes);
        bytes
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.rng.lock().unwrap().fill(bytes.as_mut_slice());
        bytes
    }

    pub fn key(&self) -> SecretKey {
        SecretKey::from_seed(&self.random())
    }

    pub async fn code(&self) -> ActivationCode {
        let codes = self.app.create_codes(1, TrustLevel::Low).await.unwrap();
        codes.codes[0].parse().unwrap()
    }

    /// A mailbox with consent to all.
    pub async fn citizen(&self) -> Mailbox {
        let code = self.code().await;
        let mailbox = Mailbox::new(self);
        let request = mailbox.registration(self, &code, true);
        let answer = self.app.register(&mailbox.caller(), request).await.unwrap();
        assert_eq!(answer.trust_level, TrustLevel::Low);
        self.check_event(&answer.consent.unwrap(), &answer.checkpoints);
        mailbox
    }

    pub async fn authority(&self, id: &str) -> Authority {
        let mailbox = Mailbox::new(self);
        let key = self.key();
        let request = RegisterAuthority {
            certificate: certificate(id, &key, mailbox.address()),
            genesis: Some(mailbox.genesis.clone()),
            wraps: mailbox.wraps(),
        };
        self.app.register_authority(request).await.unwrap();
        Authority { party: Party::Authority(id.parse().unwrap()), key, mailbox }
    }

    pub fn checkpoint(&self, log: LogName, note: &[u8]) -> Checkpoint {
        log_keys(log).verify(note, &WitnessPolicy::none()).unwrap().signed.checkpoint
    }

    /// Salt and event give the commitment, and its leaf is in the log.
    pub fn check_event(&self, logged: &LoggedEvent, checkpoints: &Checkpoints) -> Event {
        let event = Event::parse(&logged.event).unwrap();
        let salt: [u8; 32] = logged.salt.as_slice().try_into().unwrap();
        let leaf = EvidenceLeaf { commitment: event.commitment(&salt) }.leaf_hash();
        self.check_leaf(LogName::Evidence, logged.index, &leaf, &logged.inclusion, &checkpoints.evidence);
        event
    }

    pub fn check_leaf(&self, log: LogName, index: u64, leaf: &Hash, proof: &[Hash], note: &[u8]) {
        let checkpoint = self.checkpoint(log, note);
        verify_inclusion(index, checkpoint.size, leaf, proof, &checkpoint.root).unwrap();
    }

    pub fn check(&self, logged: &Logged) -> Event {
        self.check_event(logged.event.as_ref().unwrap(), &logged.checkpoints)
    }

    pub async fn deliver(&self, from: &Authority, to: &Mailbox) -> (MessageId, Submission) {
        let (id, submission) = from.submission(self, to, |_| {});
        let answer = self.app.deliver(&from.caller(), submission.clone(), false).await.unwrap();
        assert_eq!(self.check(&answer).event_type, EventType::Accepted);
        (id, submission)
    }
}

pub fn certificate(id: &str, key: &SecretKey, mailbox: Address) -> Signed {
    let cert = AuthorityCert {
        origin: ORIGIN.parse().unwrap(),
        authority_id: id.parse().unwrap(),
        display_name: "Amt".to_owned(),
        ags: Some("09162000".to_owned()),
        sign_pub: key.public(),
        mailbox,
        ibans: Vec::new(),
        not_before: Timestamp(START.0 - 1000),
        not_after: None,
    };
    cert.sign(&registrar()).unwrap()
}

/// A mailbox with its keys.
pub struct Mailbox {
    pub device: SecretKey,
    pub recovery: SecretKey,
    pub genesis: Signed,
    pub chain: Chain,
}

impl Mailbox {
    pub fn new(world: &World) -> Self {
        let (device, recovery) = (world.key(), world.key());
        let recipient = || world.bytes(AGE_RECIPIENT_LEN);
        let origin = ORIGIN.parse().unwrap();
        let genesis = make_genesis(GenesisParts {
            origin: &origin,
            device_key: &device,
            device_recipient: recipient(),
            device_name_sealed: Vec::new(),
            mailbox_recipient: recipient(),
            recovery_key: &recovery,
            recovery_recipient: recipient(),
            time: world.now(),
            nonce: world.random(),
        });
        let (chain, _) = Chain::genesis(&origin, &genesis).unwrap();
        Self { device, recovery, genesis, chain }
    }

    pub fn address(&self) -> Address {
        self.chain.address()
    }

    pub fn party(&self) -> Party {
        Party::Mailbox(self.address())
    }

    pub fn caller(&self) -> Caller {
        Caller { party: self.party(), key_id: self.device.key_id() }
    }

    pub fn wraps(&self) -> Vec<Wrap> {
        self.chain.wrap_members().map(|m| Wrap { member: m.key_id, sealed: vec![1; 300] }).collect()
    }

    pub fn registration(&self, world: &World, code: &ActivationCode, consent: bool) -> Register {
        let give = || self.act(world, ActType::Consent, None, |act| act.details = ConsentScope::All.encode());
        Register {
            genesis: self.genesis.clone(),
            wraps: self.wraps(),
            code_id: code.code_id().0,
            proof: code.activation_key().proof(&self.address()),
            consent: consent.then(give),
        }
    }

    pub fn act(
        &self,
        world: &World,
        act_type: ActType,
        message: Option<MessageRef>,
        change: impl FnOnce(&mut Act),
    ) -> Signed {
        let mut act = Act {
            origin: ORIGIN.parse().unwrap(),
            act_id: ActId(world.random()),
            act_type,
            actor: self.party(),
            signer: self.device.key_id(),
            actor_head: Some(self.chain.head()),
            message,
            time: world.now(),
            reason: String::new(),
            details: Vec::new(),
        };
        change(&mut act);
        act.sign(&self.device)
    }

    pub fn recipient_head(&self) -> RecipientHead {
        RecipientHead { head: self.chain.head(), generation: self.chain.generation().generation }
    }
}

/// An authority with one certified key.
pub struct Authority {
    pub party: Party,
    pub key: SecretKey,
    pub mailbox: Mailbox,
}

impl Authority {
    pub fn caller(&self) -> Caller {
        Caller { party: self.party.clone(), key_id: self.key.key_id() }
    }

    pub fn submission(
        &self,
        world: &World,
        to: &Mailbox,
        change: impl FnOnce(&mut Outer),
    ) -> (MessageId, Submission) {
        let mut outer = outer(world, self.party.clone(), &self.key, to);
        change(&mut outer);
        (outer.message_id, submission(world, &outer, &self.key))
    }

    pub fn withdrawal(&self, world: &World, message: MessageRef) -> Signed {
        let act = Act {
            origin: ORIGIN.parse().unwrap(),
            act_id: ActId(world.random()),
            act_type: ActType::Withdrawn,
            actor: self.party.clone(),
            signer: self.key.key_id(),
            actor_head: None,
            message: Some(message),
            time: world.now(),
            reason: String::new(),
            details: Vec::new(),
        };
        act.sign(&self.key)
    }
}

pub fn outer(world: &World, sender: Party, key: &SecretKey, to: &Mailbox) -> Outer {
    Outer {
        origin: ORIGIN.parse().unwrap(),
        message_id: MessageId::new(world.now(), world.random()),
        sender,
        signer: key.key_id(),
        sender_head: None,
        recipient: to.address(),
        recipient_head: to.recipient_head(),
        created_at: world.now(),
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::Ao122a,
        min_trust_level: TrustLevel::Basic,
        confirmation_requested: false,
        not_before: None,
        in_reply_to: None,
        attachments: Vec::new(),
    }
}

pub fn submission(world: &World, outer: &Outer, key: &SecretKey) -> Submission {
    let (outer, cover, letter) = (outer.encode(), world.bytes(2900), world.bytes(5900));
    let signature = Hashes::of(&outer, &cover, &letter).sign(key);
    Submission {
        outer: outer.into(),
        cover: cover.into(),
        letter: letter.into(),
        signature: Some(signature),
        sender_copy: world.bytes(200).into(),
    }
}

pub fn message_ref(submission: &Submission) -> MessageRef {
    let outer = Outer::parse(&submission.outer).unwrap();
    MessageRef {
        message_id: outer.message_id,
        outer_hash: Digest::of(&submission.outer),
        letter_hash: Digest::of(&submission.letter),
    }
}

/// The newest signed checkpoint of a log that this node knows.
pub fn note(world: &World, log: LogName) -> Vec<u8> {
    world.app.logs().snapshot().heads.of(log).checkpoint.clone()
}

/// Leaves that a log has now.
pub fn size(world: &World, log: LogName) -> u64 {
    world.checkpoint(log, &note(world, log)).size
}

/// The store inside, for questions that the use cases do not ask.
pub fn store(world: &World) -> &dyn Store {
    &*world.store
}

/// Everything that hangs together is together: leaves, tiles, roots, chains of events, counters of pairs.
pub async fn check_whole(world: &World) -> Vec<Event> {
    let mut query = Ask(store(world));
    let heads = logs::read_heads(&mut query).await.unwrap().unwrap();
    let rows = events::range(&mut query, 0, u64::MAX, 100_000).await.unwrap();
    assert_eq!(rows.len() as u64, heads.evidence.size);
    let mut tree = TreeEdge::new();
    let leaf = |row: &events::EventRow| {
        postfach_ledger::leaf::EvidenceLeaf { commitment: row.commitment }.leaf_hash()
    };
    tree.append(rows.iter().map(leaf)).unwrap();
    assert_eq!(tree.root(), heads.evidence.root);
    let checkpoint = world.checkpoint(LogName::Evidence, &heads.evidence.checkpoint);
    assert_eq!((checkpoint.size, checkpoint.root), (heads.evidence.size, heads.evidence.root));
    let mut newest = std::collections::HashMap::new();
    let mut pairs: std::collections::HashMap<_, u64> = std::collections::HashMap::new();
    let mut parsed = Vec::new();
    let gone = rows.iter().any(|row| row.event.is_none());
    let mut last = 0;
    for row in rows {
        // An erased event leaves its commitment.
        let Some(bytes) = &row.event else { continue };
        let event = Event::parse(bytes).unwrap();
        assert_eq!(event.commitment(&row.salt.unwrap()), row.commitment);
        assert!(event.occurred_at.0 >= last);
        last = event.occurred_at.0;
        if let Some(id) = event.message_id {
            let before = newest.insert(id, row.commitment).unwrap_or(Digest::ZERO);
            // The one before an erasure is erased.
            assert!(event.event_type == EventType::Erased || event.prev_commitment == before);
        }
        if event.event_type == EventType::Accepted {
            let seq = pairs.entry((row.sender_no, row.recipient_no)).or_default();
            assert!(event.pair_seq == *seq + 1 || (gone && event.pair_seq > *seq));
            *seq = event.pair_seq;
        }
        parsed.push(event);
    }
    parsed
}
