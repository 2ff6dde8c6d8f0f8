//! Events as logged, and the details of an erasure.
#![no_main]

use postfach_domain::event::{ErasedDetails, Event};
use postfach_fuzz::{bounded, seeds, target};

fn start() -> Vec<Vec<u8>> {
    let events = seeds::bytes(&seeds::json("event"), &["event"]);
    let details = events.iter().filter_map(|event| Event::parse(event).ok()).map(|event| event.details);
    let details: Vec<Vec<u8>> = details.collect();
    events.into_iter().chain(details).collect()
}

target!(seeds: start(), |data| {
    if let Ok(event) = bounded(data.len(), 64, || Event::parse(data)) {
        assert_eq!(Event::parse(&event.encode()).as_ref(), Ok(&event));
    }
    if let Ok(details) = bounded(data.len(), 64, || ErasedDetails::parse(data)) {
        assert!(details.indexes.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(ErasedDetails::parse(&details.encode()).as_ref(), Ok(&details));
    }
});
