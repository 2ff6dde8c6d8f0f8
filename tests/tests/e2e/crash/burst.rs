//! A burst of uploads, deliveries and hand-overs by several callers at once, into which the server is killed.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use postfach_domain::id::MessageId;
use postfach_sdk::mailbox::{Content, Mailbox, MessageRecord, SyncItem};
use postfach_sdk::progress::Progress;
use postfach_sdk::sender::{OutboxEntry, Sender};
use postfach_sdk::{Error, VerifiedEvent};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::acknowledged::Acknowledged;
use super::people::{Letter, People, Reader};

/// How long a client tries before it says that the server is away.
const PATIENCE: Duration = Duration::from_millis(300);
/// Callers at once for each sender.
const CALLERS: usize = 3;

/// What all callers of a burst share.
pub struct Burst {
    pub held: Arc<Mutex<Acknowledged>>,
    /// Answers so far.
    pub answered: AtomicUsize,
    /// Calls that ended without an answer.
    pub interrupted: AtomicUsize,
    /// The server is gone, nobody need try again.
    pub over: AtomicBool,
    /// Where attachments are saved.
    folder: PathBuf,
    /// Plain attachments by message.
    attached: Mutex<Vec<(MessageId, Vec<u8>)>>,
}

/// A burst that runs.
pub struct Running {
    pub burst: Arc<Burst>,
    senders: Vec<tokio::task::JoinHandle<(usize, postfach_sdk::state::Trust, Vec<Letter>)>>,
    readers: Vec<tokio::task::JoinHandle<(usize, Reader)>>,
}

impl Burst {
    fn hold(&self, event: &VerifiedEvent) {
        self.held.lock().unwrap().hold(event);
        self.answered.fetch_add(1, Ordering::SeqCst);
    }

    /// True where the call is to be made again: the server was slow, and is still there. Whatever else a client says
    /// when a server dies is an error of the client.
    fn again(&self, error: &Error) -> bool {
        assert!(matches!(error, Error::ServerAway { .. }), "a dying server was taken for: {error:?}");
        if !self.over.load(Ordering::SeqCst) {
            return true;
        }
        self.interrupted.fetch_add(1, Ordering::SeqCst);
        false
    }
}

impl Running {
    /// Starts sending all letters, and reading what comes.
    pub fn start(
        people: &People,
        letters: Vec<Letter>,
        url: &str,
        held: &Arc<Mutex<Acknowledged>>,
        folder: &std::path::Path,
        rng: &mut StdRng,
    ) -> Self {
        Self::start_at(people, letters, &[url.to_owned()], held, folder, rng)
    }

    /// The same at several nodes, callers by turns.
    pub fn start_at(
        people: &People,
        letters: Vec<Letter>,
        urls: &[String],
        held: &Arc<Mutex<Acknowledged>>,
        folder: &std::path::Path,
        rng: &mut StdRng,
    ) -> Self {
        let attached = letters.iter().filter_map(|l| Some((l.id, l.attached.clone()?))).collect();
        let burst = Arc::new(Burst {
            held: Arc::clone(held),
            answered: AtomicUsize::new(0),
            interrupted: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            folder: folder.to_owned(),
            attached: Mutex::new(attached),
        });
        let mut queues: Vec<VecDeque<Letter>> = people.senders.iter().map(|_| VecDeque::new()).collect();
        for letter in letters {
            queues[letter.sender].push_back(letter);
        }
        let (mut senders, mut readers) = (Vec::new(), Vec::new());
        for (number, queue) in queues.into_iter().enumerate() {
            let sender = people.sender(number, &urls[number % urls.len()], PATIENCE);
            senders.push(tokio::spawn(send_all(Arc::clone(&burst), number, sender, queue)));
        }
        for (number, reader) in people.readers.iter().enumerate() {
            let mailbox = people.mailbox(number, &urls[number % urls.len()], PATIENCE);
            let rng = StdRng::from_rng(&mut *rng).unwrap();
            readers.push(tokio::spawn(read_all(Arc::clone(&burst), number, mailbox, reader.clone(), rng)));
        }
        Self { burst, senders, readers }
    }

    /// True once every letter was acknowledged.
    pub fn all_sent(&self) -> bool {
        self.senders.iter().all(tokio::task::JoinHandle::is_finished)
    }

    /// Waits until every caller has noticed; gives back the letters that were not acknowledged.
    pub async fn end(self, people: &mut People) -> Vec<Letter> {
        self.burst.over.store(true, Ordering::SeqCst);
        let mut left = Vec::new();
        for sender in self.senders {
            let (number, trust, letters) = sender.await.unwrap();
            people.senders[number].trust = trust;
            left.extend(letters);
        }
        for reader in self.readers {
            let (number, reader) = reader.await.unwrap();
            people.readers[number] = reader;
        }
        left
    }
}

/// Sends letters, a few at once, until all are acknowledged or the server is gone.
async fn send_all(
    burst: Arc<Burst>,
    number: usize,
    sender: Sender,
    queue: VecDeque<Letter>,
) -> (usize, postfach_sdk::state::Trust, Vec<Letter>) {
    let queue = Arc::new(Mutex::new(queue));
    let left = Arc::new(Mutex::new(Vec::new()));
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let (burst, sender) = (Arc::clone(&burst), sender.clone());
        let (queue, left) = (Arc::clone(&queue), Arc::clone(&left));
        callers.push(tokio::spawn(async move {
            loop {
                let Some(letter) = queue.lock().unwrap().pop_front() else { break };
                let letter = Arc::new(letter);
                let sent = send(&burst, &sender, &letter).await;
                if !sent {
                    left.lock().unwrap().extend(Arc::into_inner(letter));
                }
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    let left = std::mem::take(&mut *left.lock().unwrap());
    (number, sender.client().trust(), left)
}

/// A sealed letter stays as it is: nobody's keys change here.
pub fn keep(_: &OutboxEntry) -> std::io::Result<()> {
    Err(std::io::Error::other("sealed again"))
}

async fn send(burst: &Burst, sender: &Sender, letter: &Arc<Letter>) -> bool {
    while !burst.over.load(Ordering::SeqCst) {
        let heard = Arc::downgrade(letter);
        let progress: Progress = Arc::new(move |done, _| {
            if let Some(letter) = heard.upgrade() {
                letter.uploaded.fetch_max(done, Ordering::SeqCst);
            }
        });
        match sender.send(letter.entry.clone(), &letter.spool, keep, &progress).await {
            Ok(sent) => {
                burst.hold(&sent.accepted);
                return true;
            }
            Err(error) if burst.again(&error) => {}
            Err(_) => return false,
        }
    }
    false
}

/// Syncs, takes letters, and says something about them, until the server is gone.
async fn read_all(
    burst: Arc<Burst>,
    number: usize,
    mailbox: Mailbox,
    mut reader: Reader,
    mut rng: StdRng,
) -> (usize, Reader) {
    while !burst.over.load(Ordering::SeqCst) {
        match read_once(&burst, &mailbox, &mut reader, &mut rng).await {
            Ok(()) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => drop(burst.again(&error)),
        }
    }
    reader.trust = mailbox.client().trust();
    (number, reader)
}

async fn read_once(
    burst: &Burst,
    mailbox: &Mailbox,
    reader: &mut Reader,
    rng: &mut StdRng,
) -> Result<(), Error> {
    sync(&burst.held, mailbox, reader).await?;
    while let Some(record) = reader.unread.last().cloned() {
        take(burst, mailbox, &record).await?;
        reader.unread.pop();
        reader.read.push(record);
    }
    while let Some(record) = reader.read.last().cloned() {
        let said = match rng.gen_range(0..4) {
            0 => Some(mailbox.confirm(&record).await?),
            1 => Some(mailbox.dispute(&record).await?),
            2 => Some(mailbox.delete(&record).await?),
            _ => None,
        };
        if let Some(said) = said {
            burst.hold(&said);
        }
        reader.read.pop();
    }
    Ok(())
}

/// Reads one letter, and its attachment if it has one.
async fn take(burst: &Burst, mailbox: &Mailbox, record: &MessageRecord) -> Result<(), Error> {
    let read = mailbox.read(record, false).await?;
    burst.hold(&read.handed_over);
    let id = record.message_id()?;
    for attachment in read.message.letter.attachments() {
        let target = burst.folder.join(format!("{id}.saved"));
        // The same letter may have been read before the server was killed.
        if !target.exists() {
            mailbox.save_attachment(record, attachment, &target, &postfach_sdk::progress::quiet()).await?;
        }
        let saved = fs::read(&target).unwrap();
        let known = burst.attached.lock().unwrap();
        let plain = known.iter().find(|(of, _)| *of == id).map(|(_, plain)| plain);
        assert!(plain.is_none_or(|plain| *plain == saved), "another attachment came with {id}");
    }
    Ok(())
}

/// Syncs to the end. Numbers must have no gap, and nothing may come twice.
pub async fn sync(held: &Mutex<Acknowledged>, mailbox: &Mailbox, reader: &mut Reader) -> Result<(), Error> {
    loop {
        let page = mailbox.sync_page(&mut reader.state, &reader.memory).await?;
        assert!(page.warnings.is_empty(), "{:?}", page.warnings);
        let mut held = held.lock().unwrap();
        for item in page.items {
            match item {
                SyncItem::Message(message) => {
                    held.hold(&message.accepted);
                    assert!(!matches!(message.content, Content::Defect(_)), "{:?}", message.content);
                    let known = (message.accepted.index, message.record.hashes());
                    let before = reader.memory.0.insert(message.message_id, known);
                    assert!(before.is_none(), "{} came twice", message.message_id);
                    reader.unread.push(message.record);
                }
                SyncItem::Event(event) => held.hold(&event.event),
                SyncItem::Erased { index } => panic!("nobody erased {index}"),
                other => panic!("{other:?}"),
            }
        }
        if !page.has_more {
            return Ok(());
        }
    }
}
