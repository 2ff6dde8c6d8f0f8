//! The moment in which a citizen has signed and the server has not yet given: whatever comes instead, she can have the
//! letter later, and nothing else is signed.

use std::collections::HashMap;

use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::time::Timestamp;
use postfach_proto::v1;
use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use super::forge::Forge;
use super::{Scene, caught, cause, hidden};

const HAND_OVER: &str = "MailboxService/HandOver";
const DAY: u64 = 86_400_000;

type Lie = fn(&mut v1::HandOverResponse, &v1::HandOverResponse);

impl Scene {
    /// Acts beside hand-overs.
    fn submitted(&self) -> usize {
        self.liar.requests::<v1::SubmitActRequest>("MailboxService/SubmitAct").len()
    }

    /// Anna gets her letter from the honest server, and nothing but the hand-over stands.
    #[track_caller]
    fn gets_it_later(&self, id: &str, what: &str) {
        self.liar.repents();
        assert_eq!(self.anna.json(&["read", id])["body"], "Geheiminhalt", "{what}");
        assert_eq!(self.stages(id), ["ACCEPTED", "HANDED_OVER"], "{what}");
        assert_eq!(self.submitted(), 0, "{what}");
    }
}

#[test]
fn a_hand_over_without_its_proof_shows_nothing_and_is_not_lost() {
    let s = Scene::new();
    let first = s.send(&s.anna, 0);
    s.anna.inbox();
    let heard = s.liar.hears::<v1::HandOverRequest, v1::HandOverResponse>(HAND_OVER, || {
        s.anna.json(&["read", &first]);
    });
    let lies: [(&str, Lie, &str); 4] = [
        ("nothing at all", |answer, _| *answer = v1::HandOverResponse::default(), "no checkpoints"),
        ("no event", |answer, _| answer.event = None, "no event"),
        ("another message's", |answer, other| answer.clone_from(other), "not the event that was asked for"),
        (
            "an event that is not in the log",
            |answer, _| answer.event.as_mut().unwrap().salt[0] ^= 1,
            "inclusion proof",
        ),
    ];
    for (what, lie, why) in lies {
        let id = s.send(&s.anna, 1);
        s.anna.inbox();
        let other = heard[0].clone();
        s.liar.lies::<v1::HandOverRequest, v1::HandOverResponse>(HAND_OVER, move |_, answer| {
            lie(answer, &other);
        });
        let run = caught(s.anna.postfach(&["read", &id, "--json"]));
        assert!(cause(&run).contains(why), "{what}: {}", run.stdout);
        s.gets_it_later(&id, what);
    }
}

#[test]
fn an_answer_that_never_comes_or_denies_everything_ends_with_its_own_code() {
    let s = Scene::new();
    let failures: [(&str, Option<Status>, i32); 4] = [
        ("the line breaks", None, 6),
        ("away", Some(Status::unavailable("away")), 6),
        ("unknown", Some(Status::not_found("no such message")), 3),
        ("forbidden", Some(Status::permission_denied("not yours")), 5),
    ];
    for (what, status, code) in failures {
        let id = s.send(&s.anna, 1);
        s.anna.inbox();
        match status {
            Some(status) => s.liar.fails(HAND_OVER, status),
            None => s.liar.breaks(HAND_OVER),
        }
        hidden(s.anna.postfach(&["read", &id, "--json", "--timeout", "1"]).exits(code));
        // She signed once, however often the call was tried.
        let asked = s.liar.requests::<v1::HandOverRequest>(HAND_OVER);
        let last = asked.last().unwrap();
        let tries = asked.iter().filter(|request| request.message_id == last.message_id);
        assert!(tries.into_iter().all(|request| request.act == last.act), "{what}");
        s.gets_it_later(&id, what);
    }
}

#[test]
fn a_false_clock_is_told_and_not_remembered() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    s.anna.inbox();
    let said = HashMap::from([("server_time".to_owned(), "1995000000000".to_owned())]);
    let details = ErrorDetails::with_error_info("ACT_TIME_OFF", "postfach.example", said);
    s.liar.fails(HAND_OVER, Status::with_error_details(tonic::Code::FailedPrecondition, "clock", details));
    let run = hidden(s.anna.postfach(&["read", &id, "--json"]).exits(9));
    assert!(run.stderr.contains("clock"), "{}", run.stderr);
    let asked = s.liar.requests::<v1::HandOverRequest>(HAND_OVER);
    assert_eq!(asked.len(), 2, "signed once more, and not again");
    s.gets_it_later(&id, "clock");
}

#[test]
fn a_hand_over_may_not_be_logged_under_another_date() {
    for shift in [-1, 1] {
        let s = Scene::new();
        let id = s.send(&s.anna, 1);
        let item = s.first_message();
        let logged = item.event.clone().unwrap();
        let accepted = Event::parse(&logged.event).unwrap();
        let before = accepted.commitment(&logged.salt.as_slice().try_into().unwrap());
        let forge = Forge::of(&s.d);
        s.liar.lies::<v1::HandOverRequest, v1::HandOverResponse>(HAND_OVER, move |asked, answer| {
            let mut forge = forge.clone();
            let event = Event {
                event_type: EventType::HandedOver,
                occurred_at: Timestamp(
                    accepted.occurred_at.0.saturating_add_signed(shift * DAY.cast_signed()),
                ),
                pair_seq: 0,
                signed: asked.act.clone().map(EventSigned::Act),
                prev_commitment: before,
                ..accepted.clone()
            };
            let mut logged = forge.log(&event);
            forge.prove(&mut logged);
            answer.event = Some(logged);
            answer.checkpoints.as_mut().unwrap().evidence = forge.note();
        });
        let run = caught(s.anna.postfach(&["read", &id, "--json"]));
        // Back, it lies before what she saw; ahead, the act says another time.
        let why = if shift < 0 { "dated before" } else { "another time" };
        assert!(cause(&run).contains(why), "{}", run.stdout);
        assert_eq!(s.submitted(), 0);
        assert_eq!(s.stages(&id), ["ACCEPTED", "HANDED_OVER"]);
    }
}
