//! Lists and streams of news that repeat, go back, bring nothing, or call for nothing without end.

use std::time::Duration;

use postfach_proto::v1;
use postfach_proto::v1::watch_delivery_events_response::Happening as Delivered;
use postfach_proto::v1::watch_response::Happening;
use postfach_tests::listener::Listener;

use super::{Scene, caught, cause};

const LIST: &str = "DeliveryService/ListDeliveryEvents";
const FOLLOW: &str = "DeliveryService/WatchDeliveryEvents";
const WATCH: &str = "MailboxService/Watch";
const SYNC: &str = "MailboxService/Sync";

type Page = v1::ListDeliveryEventsResponse;
/// What it is, the lie, and what is noticed.
type Lie = (&'static str, fn(&mut Page), &'static str);

#[test]
fn a_list_of_events_goes_on_and_ends() {
    let mut s = Scene::new();
    for number in 1..=3 {
        s.send(&s.anna, number);
    }
    s.amt.connect_to(&s.liar.url.clone());
    let list = ["authority", "events", "--json"];
    let heard = s.liar.hears::<v1::ListDeliveryEventsRequest, Page>(LIST, || {
        s.amt.postfach(&list).ok();
    });
    let mut other = s.d.authority("zweite");
    other.connect_to(&s.liar.url);
    let lies: [Lie; 6] = [
        (
            "the same page for ever",
            |page| (page.has_more, page.next_cursor) = (true, String::new()),
            "goes back",
        ),
        (
            "more, and nothing",
            |page| {
                (page.has_more, page.events, page.cursors) = (true, Vec::new(), Vec::new());
            },
            "brings nothing",
        ),
        ("turned", |page| page.events.reverse(), "goes back"),
        ("fewer cursors", |page| drop(page.cursors.pop()), "number of cursors"),
        ("an event that is not in the log", |page| page.events[0].salt[0] ^= 1, "inclusion proof"),
        ("no checkpoints", |page| page.checkpoints = None, "no checkpoints"),
    ];
    for (what, lie, why) in lies {
        s.liar.lies::<v1::ListDeliveryEventsRequest, Page>(LIST, move |_, page| lie(page));
        let run = caught(s.amt.postfach(&list));
        let last = run.json_lines().pop().unwrap();
        let said = last["error"]["details"]["cause"].as_str().unwrap_or_default();
        assert!(said.contains(why), "{what}: {}", run.stdout);
        assert!(run.stdout.lines().count() <= 4, "{what}: {}", run.stdout);
        s.liar.repents();
        assert_eq!(s.amt.postfach(&list).ok().stdout.lines().count(), 3, "{what}");
    }
    // Somebody else's events are not ours.
    let page = heard[0].clone();
    s.liar.lies::<v1::ListDeliveryEventsRequest, Page>(LIST, move |_, answer| answer.clone_from(&page));
    assert!(cause(&caught(other.postfach(&list))).contains("somebody else"));
    s.liar.repents();
    // A stream that says the same again.
    let page = v1::WatchDeliveryEventsResponse { happening: Some(Delivered::Page(heard[0].clone())) };
    s.liar.invents(FOLLOW, &[page.clone(), page], false);
    let run = caught(s.amt.postfach(&["authority", "events", "--follow", "--json"]));
    let lines = run.json_lines();
    assert!(lines.len() == 4 && lines[3].to_string().contains("goes back"), "{}", run.stdout);
}

#[test]
fn calls_for_nothing_do_not_keep_a_listener_busy() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    let news = v1::WatchResponse { happening: Some(Happening::News(v1::News {})) };
    let many = vec![news; 200];
    let none: [v1::WatchResponse; 0] = [];
    for (what, messages, ends) in
        [("news without end", &many[..], false), ("no stream lasts", &none[..], true)]
    {
        s.liar.invents(WATCH, messages, ends);
        let before = s.liar.requests::<v1::SyncRequest>(SYNC).len();
        let mut watch = Listener::start(s.anna.command().args(["watch", "--json"]));
        std::thread::sleep(Duration::from_secs(3));
        let asked = s.liar.requests::<v1::SyncRequest>(SYNC).len() - before;
        assert!((1..=8).contains(&asked), "{what}: {asked} syncs in three seconds");
        assert_eq!(watch.signal("INT"), 130, "{what}");
    }
    s.liar.repents();
    assert_eq!(s.anna.json(&["read", &id])["body"], "Geheiminhalt");
}
