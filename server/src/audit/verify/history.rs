//! What events come to in the order of the log: chains of commitments, counters, stages, consents. About 130 bytes for
//! each message stay in memory, nothing of its content.

use std::collections::{HashMap, HashSet};

use postfach_domain::event::EventType;
use postfach_domain::time::Timestamp;

use super::acts::{ActTag, ConsentAct};
use super::event::{EventFacts, Live};
use super::message::MessageFacts;
use super::problem::{Checked, Failure, bad_at};
use super::stages::{Stages, check_order, first_is_sound};
use super::tree::{LastTimes, Tree};
use crate::blobs::BlobKey;

/// A message on its way through the log.
#[derive(Debug)]
struct State {
    no: u64,
    sender: u64,
    recipient: u64,
    pair_seq: u64,
    message_id: [u8; 16],
    hashes: Option<[u8; 16]>,
    /// Commitment of its newest event so far, and of all.
    last: [u8; 16],
    wanted_last: [u8; 16],
    stages: Stages,
    wanted_stages: Stages,
    /// One bit for each type of event that stands.
    types: u32,
    erased: u32,
}

/// Everything that later tables are compared with.
#[derive(Debug, Default)]
pub struct History {
    keys_size: u64,
    states: Vec<State>,
    /// Newest counter of (sender, recipient).
    pub pairs: HashMap<(u64, u64), u64>,
    /// Acts with their events.
    pub acts: Vec<(ActTag, u64)>,
    /// Newest act of consent by mailbox and authority (`''`: all): time, given.
    pub consents: HashMap<(u64, String), (u64, bool)>,
    /// Time of the newest act of consent by mailbox.
    pub consent_times: HashMap<u64, u64>,
    /// Mailboxes whose acts of consent were erased.
    pub forgotten: HashSet<u64>,
    /// Indexes of events that are gone, ascending.
    pub erased: Vec<u64>,
    /// Indexes that ERASED events name.
    named: Vec<u64>,
    /// Messages by blob.
    pub uses: HashMap<BlobKey, u64>,
    /// Instants that the heads of the logs must fit.
    pub times: LastTimes,
    floor: Timestamp,
    keys_seen: u64,
}

/// Something is wrong with an event.
fn wrong(index: u64, what: impl std::fmt::Display) -> Failure {
    bad_at("event", format!("idx={index}"), what)
}

fn hold(index: u64, holds: bool, what: &'static str) -> Checked<()> {
    if holds { Ok(()) } else { Err(wrong(index, what)) }
}

impl History {
    /// Before the first event. `keys_size` is that of the keys log, `messages` how many rows there are.
    pub fn new(keys_size: u64, messages: u64) -> Self {
        let states = Vec::with_capacity(usize::try_from(messages).unwrap_or_default());
        Self { keys_size, states, ..Self::default() }
    }

    /// How many messages began.
    pub fn messages(&self) -> u64 {
        self.states.len() as u64
    }

    /// How many of them were erased.
    pub fn erased_messages(&self) -> u64 {
        self.states.iter().filter(|state| state.erased > 0).count() as u64
    }

    /// Takes in the next leaf.
    pub fn take(&mut self, mut facts: EventFacts, tree: &mut Tree) -> Checked<()> {
        tree.append(facts.leaf)?;
        let live = facts.live.take();
        match &live {
            Some(live) => self.move_on(facts.index, live)?,
            None => self.erased.push(facts.index),
        }
        self.times.newest_stands = live.is_some();
        if facts.message_no == Some(facts.index) {
            let message = facts.message.take();
            let message =
                message.ok_or_else(|| wrong(facts.index, "the message that begins here has no row"))?;
            self.begin(&facts, live.as_ref(), &message)?;
        } else if let Some(no) = facts.message_no {
            self.go_on(&facts, live.as_ref(), no)?;
        } else if live.is_none() {
            self.forgotten.extend(facts.numbers.recipient);
        }
        let Some(live) = live else { return Ok(()) };
        if let Some(tag) = live.act {
            self.acts.push((tag, facts.index));
        }
        if let Some(consent) = &live.consent {
            self.consent(facts.index, facts.numbers.recipient.unwrap_or_default(), consent)?;
        }
        for named in live.erased.into_iter().flat_map(|details| details.indexes) {
            hold(facts.index, named < facts.index, "the event erases one that comes after it")?;
            self.named.push(named);
        }
        Ok(())
    }

    /// Time and keys_size never go back.
    fn move_on(&mut self, index: u64, live: &Live) -> Checked<()> {
        hold(index, live.occurred_at >= self.floor, "occurred_at lies before that of an earlier event")?;
        hold(index, live.keys_size >= self.keys_seen, "keys_size is smaller than that of an earlier event")?;
        hold(index, live.keys_size <= self.keys_size, "keys_size is larger than the keys log")?;
        (self.floor, self.keys_seen) = (live.occurred_at, live.keys_size);
        self.times.newest_event = Some(live.occurred_at);
        if live.keys_size < self.keys_size {
            self.times.before_keys = Some(live.occurred_at);
        } else {
            self.times.after_keys.get_or_insert(live.occurred_at);
        }
        Ok(())
    }

    fn begin(&mut self, facts: &EventFacts, live: Option<&Live>, message: &MessageFacts) -> Checked<()> {
        let index = facts.index;
        let numbers = facts.numbers.sender.zip(facts.numbers.recipient);
        let (sender, recipient) =
            numbers.ok_or_else(|| wrong(index, "a message has no sender or recipient"))?;
        if let Some(live) = live {
            first_is_sound(live.event_type, live.prev).map_err(|what| wrong(index, what))?;
        } else {
            // Nothing signed says when it came; it must fit between its neighbours all the same.
            let row = format!("no={index}");
            if message.accepted_at < self.floor {
                return Err(bad_at("message", row, "accepted_at lies before an earlier event"));
            }
            self.floor = message.accepted_at;
        }
        if message.pair_seq > 0 {
            let newest = self.pairs.entry((sender, recipient)).or_default();
            hold(index, message.pair_seq == *newest + 1, "pair_seq does not follow the one before it")?;
            *newest = message.pair_seq;
        }
        for blob in &message.blobs {
            *self.uses.entry(*blob).or_default() += 1;
        }
        let mut state = State {
            no: index,
            sender,
            recipient,
            pair_seq: message.pair_seq,
            message_id: message.message_id,
            hashes: message.hashes,
            last: [0; 16],
            wanted_last: message.last,
            stages: Stages::default(),
            wanted_stages: message.stages,
            types: 0,
            erased: 0,
        };
        state.add(facts, live.map(|live| live.event_type));
        self.states.push(state);
        Ok(())
    }

    fn go_on(&mut self, facts: &EventFacts, live: Option<&Live>, no: u64) -> Checked<()> {
        let index = facts.index;
        let found = self.states.binary_search_by_key(&no, |state| state.no);
        let state = found.ok().and_then(|at| self.states.get_mut(at));
        let state = state.ok_or_else(|| wrong(index, "message_no names no message that began before"))?;
        let parties = (Some(state.sender), Some(state.recipient));
        let same = parties == (facts.numbers.sender, facts.numbers.recipient);
        hold(index, same, "sender or recipient is not that of the message")?;
        if let Some(live) = live {
            hold(index, live.message_id == Some(state.message_id), "the event is another message's")?;
            hold(
                index,
                live.prev == state.last,
                "prev_commitment is not that of the message's event before",
            )?;
            check_order(state.types, live.event_type).map_err(|what| wrong(index, what))?;
            if let Some(details) = &live.erased {
                let all =
                    details.indexes.iter().fold(Stages::default(), |stages, index| stages.with(None, *index));
                let sound = all == state.stages && details.pair_seq == state.pair_seq;
                hold(index, sound, "ERASED does not name exactly the events of its message")?;
            } else {
                hold(index, state.erased == 0, "an earlier event of the message is erased, no ERASED came")?;
                hold(index, live.hashes == state.hashes, "the hashes are not those of the message")?;
            }
        }
        state.add(facts, live.map(|live| live.event_type));
        Ok(())
    }

    fn consent(&mut self, index: u64, mailbox: u64, act: &ConsentAct) -> Checked<()> {
        let newest = self.consent_times.insert(mailbox, act.time);
        hold(index, newest.is_none_or(|newest| newest < act.time), "the act is older than an earlier one")?;
        for scope in act.scopes() {
            self.consents.insert((mailbox, scope), (act.time, act.granted));
        }
        Ok(())
    }

    /// After the last leaf: every message ended where its row says, and what is erased is what ERASED events name.
    pub fn finish(&mut self) -> Checked<()> {
        for state in &self.states {
            let row = || format!("no={}", state.no);
            if state.stages != state.wanted_stages {
                return Err(bad_at("message", row(), "events are not the events of the message"));
            }
            if state.last != state.wanted_last {
                return Err(bad_at("message", row(), "last_commitment is not that of its newest event"));
            }
        }
        self.named.sort_unstable();
        self.named.dedup();
        let mut named = self.named.iter().copied().peekable();
        for index in self.erased.iter().copied() {
            match named.next() {
                Some(next) if next == index => {}
                Some(next) if next < index => {
                    return Err(wrong(next, "ERASED names this event, but it is still there"));
                }
                _ => return Err(wrong(index, "the event is gone, and no ERASED names it")),
            }
        }
        match named.next() {
            None => Ok(()),
            Some(next) => Err(wrong(next, "ERASED names this event, but it is still there")),
        }
    }
}

impl State {
    fn add(&mut self, facts: &EventFacts, event_type: Option<EventType>) {
        self.last = facts.commitment;
        self.stages = self.stages.with(event_type, facts.index);
        match event_type {
            Some(event_type) => self.types |= super::stages::bit(event_type),
            None => self.erased += 1,
        }
    }
}
