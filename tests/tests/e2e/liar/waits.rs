//! A server that asks for patience without end, or stays silent: clients end by their own clock, and keep what is sealed.

use std::time::{Duration, Instant};

use postfach_proto::v1;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{Scene, hidden, message_id, sending};

const DELIVER: &str = "DeliveryService/Deliver";
const SEGMENT: &str = "AttachmentService/WriteSegment";
const SYNC: &str = "MailboxService/Sync";

fn busy_for(wait: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(wait));
    Status::with_error_details(Code::Unavailable, "busy", details)
}

#[test]
fn nobody_waits_longer_than_the_own_patience() {
    let mut s = Scene::new();
    let address = s.anna.address();
    s.amt.connect_to(&s.liar.url.clone());
    let file = s.amt.write("geheimdatei.txt", &b"geheim ".repeat(9000));
    let patience = ["--timeout", "2"];
    for (number, method, wait) in [
        (80, DELIVER, Duration::from_mins(1)),
        (81, DELIVER, Duration::MAX),
        (82, SEGMENT, Duration::from_mins(1)),
        (83, SEGMENT, Duration::MAX),
    ] {
        let id = message_id(number);
        let words = [&sending(&address, &id)[..], &["--attach", &file]].concat();
        s.liar.fails(method, busy_for(wait));
        let begin = Instant::now();
        let run = hidden(s.amt.postfach(&[&words[..], &patience].concat()).exits(6));
        assert!(begin.elapsed() < Duration::from_secs(20), "{method} {wait:?}: {:?}", begin.elapsed());
        assert_eq!(run.json()["error"]["reason"], "SERVER_AWAY");
        s.liar.repents();
        s.amt.postfach(&words).ok();
        assert_eq!(s.stages(&id), ["ACCEPTED"]);
    }
    s.liar.fails(SYNC, busy_for(Duration::MAX));
    let begin = Instant::now();
    s.anna.postfach(&[&["sync", "--json"][..], &patience].concat()).exits(6);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn a_delivery_that_stays_without_an_answer_ends_with_the_timeout() {
    let mut s = Scene::new();
    let address = s.anna.address();
    s.amt.connect_to(&s.liar.url.clone());
    s.liar.invents::<v1::DeliverResponse>(DELIVER, &[], false);
    let id = message_id(84);
    let begin = Instant::now();
    hidden(s.amt.postfach(&[&sending(&address, &id)[..], &["--timeout", "2"]].concat()).exits(6));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    s.liar.repents();
    s.amt.postfach(&sending(&address, &id)).ok();
    assert_eq!(s.stages(&id), ["ACCEPTED"]);
}
