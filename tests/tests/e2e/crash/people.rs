//! Who sends and reads while the server is killed: typed clients in this process, over TLS. Each keeps what it saw of
//! the logs over every restart, so it would notice a log that was set back.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use postfach_domain::card::ServiceCard;
use postfach_domain::id::{AuthorityId, MessageId};
use postfach_domain::submission::Hashes;
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_envelope::sealed::BodyType;
use postfach_sdk::authority_request::{AuthorityProfile, create_authority};
use postfach_sdk::directory::Recipient;
use postfach_sdk::keys::{AuthorityKeys, MailboxKeys};
use postfach_sdk::mailbox::{Mailbox, MailboxMemory, MessageRecord, create_mailbox, register};
use postfach_sdk::progress::quiet;
use postfach_sdk::sender::{FileToSend, NewMessage, OutboxEntry, Sender};
use postfach_sdk::state::{SyncState, Trust};
use postfach_sdk::{Client, ConnectOptions, Environment, Service};
use postfach_server::clock::{Clock as _, SystemClock};
use postfach_tests::Deployment;
use rand::rngs::{OsRng, StdRng};
use rand::{Rng as _, RngCore as _};

/// An authority that sends.
pub struct Authority {
    pub keys: AuthorityKeys,
    pub trust: Trust,
}

/// A citizen who reads.
#[derive(Clone)]
pub struct Reader {
    pub keys: MailboxKeys,
    pub trust: Trust,
    /// How far the mailbox was read.
    pub state: SyncState,
    pub memory: Memory,
    /// Letters that are still to be taken.
    pub unread: Vec<MessageRecord>,
    /// Letters to say something about.
    pub read: Vec<MessageRecord>,
}

/// What a reader remembers of the messages that came.
#[derive(Clone, Default)]
pub struct Memory(pub HashMap<MessageId, (u64, Hashes)>);

impl MailboxMemory for Memory {
    fn accepted_index(&self, id: &MessageId) -> Option<u64> {
        self.0.get(id).map(|(index, _)| *index)
    }

    fn hashes(&self, id: &MessageId) -> Option<Hashes> {
        self.0.get(id).map(|(_, hashes)| *hashes)
    }
}

/// A sealed letter: the same bytes go out however often the server dies.
pub struct Letter {
    pub id: MessageId,
    pub entry: OutboxEntry,
    /// Index into the senders.
    pub sender: usize,
    pub spool: PathBuf,
    /// What was attached, if anything.
    pub attached: Option<Vec<u8>>,
    /// Bytes of sealed attachment that the server acknowledged.
    pub uploaded: AtomicU64,
}

/// Everybody, and what clients pin.
pub struct People {
    pub service: Arc<Service>,
    pub senders: Vec<Authority>,
    pub readers: Vec<Reader>,
}

/// A client of a running server, that goes on from what was seen before.
pub fn client(service: &Arc<Service>, url: &str, timeout: Duration, trust: Trust) -> Client {
    let environment = Environment::new(|| SystemClock.now(), OsRng);
    let options = ConnectOptions { url: Some(url.to_owned()), timeout };
    Client::new(Arc::clone(service), environment, &options, trust).unwrap()
}

impl People {
    /// Registers everybody at a running server.
    pub async fn register(d: &Deployment, senders: usize, readers: usize) -> Self {
        let card = ServiceCard::verify(&fs::read(d.card()).unwrap()).unwrap();
        let service = Arc::new(Service::from_card(&card.card).unwrap());
        let mut people = Self { service, senders: Vec::new(), readers: Vec::new() };
        for number in 0..senders {
            people.add_sender(d, number);
        }
        for code in d.codes(readers) {
            let client = client(&people.service, &d.url(), Duration::from_secs(20), Trust::default());
            let new = create_mailbox(&people.service, client.environment()).unwrap();
            register(&client, &new.keys, &new.registration, &code.parse().unwrap(), true).await.unwrap();
            people.readers.push(Reader {
                keys: new.keys,
                trust: client.trust(),
                state: SyncState::default(),
                memory: Memory::default(),
                unread: Vec::new(),
                read: Vec::new(),
            });
        }
        people
    }

    fn add_sender(&mut self, d: &Deployment, number: usize) {
        let environment = Environment::new(|| SystemClock.now(), OsRng);
        let authority_id: AuthorityId = format!("amt-{number}").parse().unwrap();
        let display_name = format!("Amt {number}");
        let profile = AuthorityProfile { authority_id, display_name, ags: None, ibans: Vec::new() };
        let new = create_authority(&self.service, &environment, &profile).unwrap();
        let file = d.root().join(format!("amt-{number}.request.json"));
        fs::write(&file, new.request.to_json()).unwrap();
        d.certify(&file).ok();
        self.senders.push(Authority { keys: new.keys, trust: Trust::default() });
    }

    /// Who sends, connected.
    pub fn sender(&self, number: usize, url: &str, timeout: Duration) -> Sender {
        let Authority { keys, trust } = &self.senders[number];
        Sender::authority(&client(&self.service, url, timeout, trust.clone()), keys)
    }

    /// A mailbox, connected.
    pub fn mailbox(&self, number: usize, url: &str, timeout: Duration) -> Mailbox {
        let Reader { keys, trust, .. } = &self.readers[number];
        Mailbox::open(&client(&self.service, url, timeout, trust.clone()), keys).unwrap()
    }

    /// Seals distinct letters from random senders to random readers; some have a file, one of two segments.
    pub async fn seal(&self, count: usize, url: &str, folder: &Path, rng: &mut StdRng) -> Vec<Letter> {
        let timeout = Duration::from_secs(20);
        let senders: Vec<Sender> = (0..self.senders.len()).map(|n| self.sender(n, url, timeout)).collect();
        let mut recipients: Vec<Recipient> = Vec::new();
        for reader in &self.readers {
            recipients.push(senders[0].client().resolve(reader.keys.address).await.unwrap());
        }
        let mut tasks = Vec::new();
        for number in 0..count {
            let (sender, reader) = (rng.gen_range(0..senders.len()), rng.gen_range(0..recipients.len()));
            let attached = match number {
                0 => Some(bytes(rng, 4 * 1024 * 1024 + 1000)),
                1 | 2 => Some(bytes(rng, 20_000)),
                _ => None,
            };
            let spool = folder.join(format!("{:016x}", rng.next_u64()));
            fs::create_dir_all(&spool).unwrap();
            let (from, to) = (senders[sender].clone(), recipients[reader].clone());
            tasks.push(tokio::spawn(async move {
                let message = message(number, &spool, attached.as_deref());
                let entry = from.prepare(message, &to, &spool, &quiet()).await.unwrap();
                let (id, uploaded) = (entry.message_id().unwrap(), AtomicU64::new(0));
                Letter { id, entry, sender, spool, attached, uploaded }
            }));
        }
        let mut letters = Vec::new();
        for task in tasks {
            letters.push(task.await.unwrap());
        }
        letters
    }
}

fn message(number: usize, spool: &Path, attached: Option<&[u8]>) -> NewMessage {
    let file = |content: &[u8]| {
        let path = spool.join("plain");
        fs::write(&path, content).unwrap();
        FileToSend { path, name: "Anlage.bin".to_owned(), media_type: "application/octet-stream".to_owned() }
    };
    NewMessage {
        message_id: None,
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::Ao122a,
        min_trust_level: TrustLevel::Basic,
        confirmation_requested: true,
        not_before: None,
        in_reply_to: None,
        subject: format!("Bescheid {number}"),
        kind_detail: String::new(),
        body: "Bitte lesen Sie diesen Bescheid. ".repeat(20),
        body_type: BodyType::TextPlain,
        legal: None,
        payments: Vec::new(),
        actions: Vec::new(),
        attachments: attached.map(file).into_iter().collect(),
    }
}

fn bytes(rng: &mut StdRng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}
