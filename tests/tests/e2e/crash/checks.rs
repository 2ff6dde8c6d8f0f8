//! What must hold after every crash, asked of a server that runs again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use postfach_domain::event::{Event, EventType};
use postfach_domain::id::{MessageId, Party};
use postfach_domain::segments::{SEGMENT_LEN, segment_count};
use postfach_proto::v1;
use postfach_proto::v1::attachment_service_client::AttachmentServiceClient;
use postfach_sdk::progress::quiet;
use postfach_sdk::state::{SyncState, Trust};
use postfach_sdk::token::TokenSource;
use postfach_server::clock::{Clock as _, SystemClock};
use tonic::Request;

use super::acknowledged::{Acknowledged, comes_once};
use super::burst::{keep, sync};
use super::people::{Letter, Memory, People, client};

/// How long a client tries where the server has to answer.
pub const LONG: Duration = Duration::from_secs(30);

/// Sends again what was not acknowledged, under the same ids, until it is.
pub async fn send_again(people: &mut People, letters: &[Letter], url: &str, held: &Mutex<Acknowledged>) {
    for letter in letters {
        segments_are_there(people, letter, url).await;
        let sender = people.sender(letter.sender, url, LONG);
        let known = held.lock().unwrap().accepted(letter.id);
        let sent = sender.send(letter.entry.clone(), &letter.spool, keep, &quiet()).await;
        let sent = sent.unwrap_or_else(|error| panic!("{} is not taken any more: {error:?}", letter.id));
        assert!(known.is_none_or(|index| index == sent.accepted.index), "{} moved", letter.id);
        held.lock().unwrap().hold(&sent.accepted);
        let again = sender.deliver(&letter.entry).await.unwrap();
        held.lock().unwrap().hold(&again);
        people.senders[letter.sender].trust = sender.client().trust();
    }
}

/// Segments that were acknowledged are there, so that an upload goes on where it stood.
async fn segments_are_there(people: &People, letter: &Letter, url: &str) {
    let uploaded = letter.uploaded.load(Ordering::SeqCst);
    let [attachment] = letter.entry.attachments() else { return };
    if uploaded == 0 {
        return;
    }
    let keys = &people.senders[letter.sender].keys;
    let party = Party::Authority(keys.authority_id.clone());
    let token = TokenSource::new(people.service.origin.clone(), party, keys.sign.clone());
    let bearer = format!("Bearer {}", token.token(SystemClock.now()).as_str());
    let channel = postfach_sdk::channel::channel(&people.service, Some(url), LONG).unwrap();
    let body = v1::GetUploadRequest { attachment_id: attachment.id().unwrap().to_vec() };
    let mut request = Request::new(body);
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let answer = AttachmentServiceClient::new(channel).get_upload(request).await;
    let state = answer
        .unwrap_or_else(|status| panic!("an upload of {uploaded} acknowledged bytes is gone: {status}"))
        .into_inner()
        .upload
        .unwrap();
    let missing: u64 = state.missing.iter().map(|run| run.count).sum();
    let stored = segment_count(attachment.ct_len()) - if state.committed { 0 } else { missing };
    assert!(stored * SEGMENT_LEN as u64 >= uploaded, "{stored} segments for {uploaded} acknowledged bytes");
}

/// Every event of these messages that anybody holds is there, at the same place and with the same bytes, and its
/// receipt verifies; each message was accepted once and taken at most once.
pub async fn receipts_hold(
    people: &mut People,
    messages: &[(usize, MessageId)],
    url: &str,
    held: &Mutex<Acknowledged>,
) {
    let mut held_facts: BTreeMap<MessageId, Vec<(u64, Event)>> = BTreeMap::new();
    for (index, fact) in held.lock().unwrap().facts() {
        let Some(message) = fact.message else { continue };
        held_facts.entry(message).or_default().push((*index, Event::parse(&fact.bytes).unwrap()));
    }
    for number in 0..people.senders.len() {
        let sender = people.sender(number, url, LONG);
        for (_, id) in messages.iter().filter(|(of, _)| *of == number) {
            let history = sender.history(*id).await;
            let history = history.unwrap_or_else(|error| panic!("no receipts of {id}: {error:?}"));
            assert!(history.erased.is_empty());
            for (index, event) in held_facts.get(id).into_iter().flatten() {
                let found = history.receipts.iter().find(|receipt| receipt.verified.index == *index);
                let found =
                    found.unwrap_or_else(|| panic!("{id}: event {index} was acknowledged and is gone"));
                assert_eq!(found.verified.event, *event);
            }
            let mut once = HashSet::new();
            for receipt in &history.receipts {
                let event_type = receipt.verified.event.event_type;
                assert!(
                    once.insert(event_type) || !comes_once(event_type),
                    "{id}: {event_type:?} stands there twice"
                );
            }
            assert!(once.contains(&EventType::Accepted));
        }
        people.senders[number].trust = sender.client().trust();
    }
}

/// The log extends every checkpoint that anybody saw.
pub async fn checkpoints_are_extended(people: &People, notes: Vec<Vec<u8>>, url: &str) {
    let mut trust = Trust::default();
    trust.evidence_log.unlinked = notes;
    for known in people.senders.iter().map(|s| &s.trust).chain(people.readers.iter().map(|r| &r.trust)) {
        trust.absorb(known);
    }
    let keys = &people.senders[0].keys;
    let party = Party::Authority(keys.authority_id.clone());
    let client = client(&people.service, url, LONG, trust).calling_as(party, keys.sign.clone());
    client.settle().await.unwrap_or_else(|error| panic!("the log does not extend what was seen: {error:?}"));
}

/// Every mailbox, read from its beginning, has every letter exactly once, and numbers without a gap.
pub async fn mailboxes_are_whole(
    people: &People,
    sent: &[(usize, MessageId)],
    url: &str,
    held: &Mutex<Acknowledged>,
) {
    let mut came = HashSet::new();
    for number in 0..people.readers.len() {
        let mailbox = people.mailbox(number, url, LONG);
        let mut fresh = people.readers[number].clone();
        (fresh.state, fresh.memory) = (SyncState::default(), Memory::default());
        sync(held, &mailbox, &mut fresh).await.unwrap();
        for (pair, state) in &fresh.state.pairs {
            assert_eq!(state.missing_count(), 0, "{pair} has a gap");
        }
        let numbered: u64 = fresh.state.pairs.values().map(|pair| pair.highest).sum();
        assert_eq!(numbered, fresh.memory.0.len() as u64, "numbers and letters differ");
        came.extend(fresh.memory.0.into_keys());
    }
    let sent: HashSet<MessageId> = sent.iter().map(|(_, id)| *id).collect();
    assert_eq!(came, sent, "what was sent and what came differ");
}
