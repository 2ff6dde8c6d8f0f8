//! The events of one message as a whole: each names the one before it, and only what an ERASED event of the message names
//! may be missing.

use std::collections::HashSet;

use postfach_domain::event::{ErasedDetails, EventSigned, EventType};
use postfach_domain::hash::Digest;
use postfach_ledger::checkpoint::SignedCheckpoint;
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_proto::v1;

use super::VerifiedEvent;
use super::follow::check_inclusion;
use crate::error::{Error, EvidenceFault};

/// One place in the history of a message.
#[derive(Debug)]
pub(crate) enum Place<'a> {
    /// An event of the message, verified by itself.
    Event(Box<VerifiedEvent>),
    /// Event and salt are gone: what is left is where it stood, and the proof of a leaf that shows nothing.
    Gone(&'a v1::LoggedEvent),
}

impl Place<'_> {
    fn index(&self) -> u64 {
        match self {
            Self::Event(event) => event.index,
            Self::Gone(logged) => logged.index,
        }
    }

    fn fault(&self, reason: &str) -> Error {
        match self {
            Self::Event(event) => event.fault(reason),
            Self::Gone(logged) => {
                Error::evidence(EvidenceFault::Event { index: logged.index, reason: reason.to_owned() })
            }
        }
    }
}

/// True where the service says that event and salt were erased.
pub(crate) fn is_gone(logged: &v1::LoggedEvent) -> bool {
    logged.event.is_empty() && logged.salt.is_empty()
}

/// Checks the history of one message, in the order of the log; answers which places were erased.
pub(crate) fn check_history(places: &[Place<'_>], under: &SignedCheckpoint) -> Result<Vec<u64>, Error> {
    let (mut gone, mut acts) = (Vec::new(), HashSet::new());
    let mut explained = true;
    let mut before: Option<&Place<'_>> = None;
    for place in places {
        if before.is_some_and(|before| before.index() >= place.index()) {
            return Err(place.fault("it does not stand behind the event before it"));
        }
        match place {
            Place::Gone(logged) => {
                gone.push(logged.index);
                explained = false;
            }
            Place::Event(event) => {
                if event.event.event_type == EventType::Erased {
                    let details = ErasedDetails::parse(&event.event.details).map_err(|e| event.fault(e))?;
                    if details.indexes != gone {
                        return Err(event.fault("it does not name exactly the events that are gone"));
                    }
                    explained = true;
                }
                if !explained {
                    return Err(event.fault("events before it are gone, and no erasure explains it"));
                }
                check_link(event, before, under)?;
                let is_first = matches!(event.event.event_type, EventType::Accepted | EventType::Refused);
                if is_first != before.is_none() {
                    return Err(event.fault("a message begins with ACCEPTED or REFUSED, and only once"));
                }
                if let Some(EventSigned::Act(act)) = &event.event.signed
                    && !acts.insert(&act.body)
                {
                    return Err(event.fault("its act was logged before"));
                }
            }
        }
        before = Some(place);
    }
    match before {
        None => Err(Error::answer("no event of the message")),
        Some(last) if !explained => Err(last.fault("it is gone, and no erasure explains it")),
        _ => Ok(gone),
    }
}

/// An event names the commitment of the one before. Where that one is gone, the name is what its leaf is proven by.
fn check_link(
    event: &VerifiedEvent,
    before: Option<&Place<'_>>,
    under: &SignedCheckpoint,
) -> Result<(), Error> {
    let named = event.event.prev_commitment;
    let follows = match before {
        None => named == Digest::ZERO,
        Some(Place::Event(before)) => named == before.commitment(),
        Some(Place::Gone(logged)) => {
            let leaf = EvidenceLeaf { commitment: named }.leaf_hash();
            let what = format!("the erased event {}", logged.index);
            check_inclusion(&what, &leaf, logged.index, &logged.inclusion, under)?;
            true
        }
    };
    if follows { Ok(()) } else { Err(event.fault("it does not follow the event before it")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::event::{Event, commitment};
    use postfach_domain::format::Signed;

    use super::*;
    use crate::testing::World;

    /// A message with its events in the log, each naming the one before.
    struct Message {
        world: World,
        template: Event,
        logged: Vec<v1::LoggedEvent>,
    }

    impl Message {
        fn new() -> Self {
            let mut world = World::new();
            // Somebody else's, so that places do not begin at 0.
            world.arrive(&world.seal("other"), 1);
            let template = world.accepted(&world.seal("Bescheid"), 1);
            let mut message = Self { world, template, logged: Vec::new() };
            message.log(EventType::Accepted, |_| {});
            message
        }

        fn log(&mut self, event_type: EventType, change: impl FnOnce(&mut Event)) -> &mut Self {
            let prev = self.logged.last().map_or(Digest::ZERO, |last| {
                commitment(last.salt.as_slice().try_into().unwrap(), &last.event)
            });
            let mut event = Event { event_type, prev_commitment: prev, ..self.template.clone() };
            if event_type != EventType::Accepted {
                event.signed = None;
            }
            change(&mut event);
            let logged = self.world.log(&event);
            self.logged.push(logged);
            self
        }

        fn erased(&mut self, indexes: &[u64]) -> &mut Self {
            let details = ErasedDetails { indexes: indexes.to_vec(), pair_seq: 1 }.encode();
            self.log(EventType::Erased, |event| (event.hashes, event.details) = (None, details))
        }

        /// The answer, in which the events at these places are gone, and what the check says.
        fn check(
            &self,
            gone: &[u64],
            change: impl FnOnce(&mut Vec<v1::LoggedEvent>),
        ) -> Result<Vec<u64>, Error> {
            let row = |logged: &v1::LoggedEvent| v1::SyncItem {
                event: Some(logged.clone()),
                ..v1::SyncItem::default()
            };
            let page = self.world.page(self.logged.iter().map(row).collect());
            let mut events: Vec<_> = page.items.iter().filter_map(|item| item.event.clone()).collect();
            for event in events.iter_mut().filter(|event| gone.contains(&event.index)) {
                (event.event, event.salt) = (Vec::new(), Vec::new());
            }
            change(&mut events);
            let client = self.world.client();
            let seen = client.observe(page.checkpoints.as_ref())?;
            let place = |logged| {
                if is_gone(logged) {
                    return Ok(Place::Gone(logged));
                }
                Ok(Place::Event(Box::new(client.verify_event(logged, &seen)?)))
            };
            let places = events.iter().map(place).collect::<Result<Vec<_>, Error>>()?;
            check_history(&places, seen.evidence()?)
        }
    }

    fn why(result: Result<Vec<u64>, Error>) -> String {
        match result {
            Err(Error::Evidence(error)) => error.what.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn what_an_erasure_names_may_be_gone() {
        let mut message = Message::new();
        assert_eq!(message.check(&[], |_| {}).unwrap(), [0; 0]);
        message.log(EventType::HandedOver, |_| {}).log(EventType::Confirmed, |_| {});
        assert_eq!(message.check(&[], |_| {}).unwrap(), [0; 0]);
        message.erased(&[1, 2, 3]);
        assert_eq!(message.check(&[1, 2, 3], |_| {}).unwrap(), [1, 2, 3]);
    }

    #[tokio::test]
    async fn nothing_else_may_be_gone() {
        let mut message = Message::new();
        message.log(EventType::HandedOver, |_| {});
        assert!(why(message.check(&[1], |_| {})).contains("no erasure explains it"));
        assert!(why(message.check(&[2], |_| {})).contains("no erasure explains it"));
        assert!(why(message.check(&[1, 2], |_| {})).contains("no erasure explains it"));
        let left_out = message.check(&[], |events| drop(events.remove(0)));
        assert!(why(left_out).contains("does not follow"));
        let swapped = message.check(&[], |events| events.reverse());
        assert!(why(swapped).contains("does not"));

        // One that ERASED does not name, one that it names and that is there, one left out without a place.
        message.erased(&[1, 2]);
        assert!(message.check(&[1, 2], |_| {}).is_ok());
        assert!(why(message.check(&[], |_| {})).contains("not name exactly"));
        assert!(why(message.check(&[2], |_| {})).contains("not name exactly"));
        assert!(why(message.check(&[1], |_| {})).contains("no erasure explains it"));
        let left_out = message.check(&[1, 2], |events| drop(events.remove(0)));
        assert!(why(left_out).contains("not name exactly"));
        let alone = message.check(&[1, 2], |events| drop(events.drain(..2)));
        assert!(why(alone).contains("not name exactly"));
    }

    #[tokio::test]
    async fn a_message_begins_once_and_no_act_is_logged_twice() {
        let message = Message::new();
        assert!(why(message.check(&[], Vec::clear)).contains("no event of the message"));

        let mut headless = Message::new();
        headless.logged.clear();
        headless.log(EventType::Lapsed, |_| {});
        assert!(why(headless.check(&[], |_| {})).contains("begins with ACCEPTED"));

        let mut twice = Message::new();
        twice.log(EventType::Accepted, |_| {});
        assert!(why(twice.check(&[], |_| {})).contains("only once"));

        let signed = |body: u8| Some(EventSigned::Act(Signed { body: vec![body], signature: None }));
        let mut said = Message::new();
        said.log(EventType::Confirmed, |event| event.signed = signed(1));
        said.log(EventType::Disputed, |event| event.signed = signed(2));
        assert!(said.check(&[], |_| {}).is_ok());
        said.log(EventType::Confirmed, |event| event.signed = signed(1));
        assert!(why(said.check(&[], |_| {})).contains("logged before"));
    }

    #[tokio::test]
    async fn lists_and_proofs_of_an_erasure_are_checked() {
        let mut unordered = Message::new();
        unordered.log(EventType::HandedOver, |_| {}).erased(&[2, 1]);
        assert!(why(unordered.check(&[1, 2], |_| {})).contains("details"));

        let mut message = Message::new();
        message.log(EventType::HandedOver, |_| {}).erased(&[1, 2]);
        let unproven = message.check(&[1, 2], |events| events[1].inclusion[0][0] ^= 1);
        assert!(why(unproven).contains("the erased event 2"));

        let mut foreign = Message::new();
        foreign.log(EventType::HandedOver, |_| {});
        let details = ErasedDetails { indexes: vec![1, 2], pair_seq: 1 }.encode();
        foreign.log(EventType::Erased, |event| {
            (event.hashes, event.details, event.prev_commitment) = (None, details, Digest([7; 32]));
        });
        assert!(why(foreign.check(&[1, 2], |_| {})).contains("the erased event 2"));
    }
}
