//! News as they come, on both sides, over a server that is killed and a key that is revoked.

use std::fs;
use std::time::{Duration, Instant};

use postfach_tests::listener::Listener;
use postfach_tests::person::text;
use postfach_tests::{Authority, Citizen, Deployment};

fn watch(citizen: &Citizen, words: &[&str]) -> Listener {
    Listener::start(citizen.command().args(["watch", "--json"]).args(words))
}

fn follow(authority: &Authority, cursor: &str) -> Listener {
    Listener::start(authority.command().args([
        "authority",
        "events",
        "--follow",
        "--json",
        "--after",
        cursor,
    ]))
}

#[test]
fn a_citizen_sees_messages_as_they_arrive_also_after_the_server_was_killed() {
    let mut d = Deployment::serving();
    let (amt, anna) = (d.authority("stadt"), d.citizen("anna"));
    let address = anna.address();
    amt.send_plain(&address, "Vorher");
    anna.inbox();

    let told = anna.folder().join("told.txt");
    let exec = format!("echo $POSTFACH_MESSAGE_ID $POSTFACH_SENDER $POSTFACH_KIND >> '{}'", told.display());
    let mut watch = watch(&anna, &["--exec", &exec]);
    assert!(watch.is_silent(), "what was there before is not new");
    let sent = Instant::now();
    let first = amt.send_plain(&address, "Erste");
    let (came, line) = watch.next();
    assert_eq!((text(&line["message_id"]), text(&line["subject"])), (first.clone(), "Erste".to_owned()));
    assert!(came - sent < Duration::from_secs(5), "{:?}", came - sent);

    let listening = d.server().listening.clone();
    d.kill();
    d.serve_at(&listening);
    let second = amt.send_plain(&address, "Zweite");
    assert_eq!(watch.field("message_id"), second);
    assert!(watch.is_silent());
    assert_eq!(watch.signal("INT"), 130);
    let told = fs::read_to_string(told).unwrap();
    assert_eq!(told, format!("{first} stadt notice\n{second} stadt notice\n"));
    assert_eq!(anna.inbox().len(), 3);
}

#[test]
fn an_authority_follows_its_notices_without_gap_or_repeat() {
    let mut d = Deployment::serving();
    let (amt, anna) = (d.authority("stadt"), d.citizen("anna"));
    let address = anna.address();
    let first = amt.send_plain(&address, "Erste");
    let listed = amt.postfach(&["authority", "events", "--json"]).ok().json_lines();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (text(&listed[0]["stage"]), text(&listed[0]["message_id"])),
        ("ACCEPTED".into(), first.clone())
    );
    let cursor = text(&listed[0]["cursor"]);

    let mut events = follow(&amt, &cursor);
    assert!(events.is_silent(), "nothing comes twice");
    let mut seen = Vec::new();
    anna.inbox();
    anna.json(&["read", &first]);
    seen.push(events.next().1);
    let listening = d.server().listening.clone();
    d.kill();
    d.serve_at(&listening);
    anna.json(&["confirm", &first]);
    seen.push(events.next().1);
    events.signal("KILL");
    let second = amt.send_plain(&address, "Zweite");
    anna.inbox();
    anna.json(&["read", &second]);
    let events = follow(&amt, &text(&seen[1]["cursor"]));
    seen.extend([events.next().1, events.next().1]);
    let stages: Vec<String> = seen.iter().map(|line| text(&line["stage"])).collect();
    assert_eq!(stages, ["HANDED_OVER", "CONFIRMED", "ACCEPTED", "HANDED_OVER"]);
    let listed = amt.postfach(&["authority", "events", "--json", "--after", &cursor]).ok().json_lines();
    assert_eq!(listed, seen, "what was followed is what is listed");

    let stranger = d.authority("kreis");
    assert!(stranger.postfach(&["authority", "events", "--json"]).ok().stdout.is_empty());
    amt.postfach(&["authority", "events", "--after", "nonsense"]).exits(2);
}

#[test]
fn a_revoked_authority_hears_nothing_more() {
    let d = Deployment::serving();
    let (amt, anna) = (d.authority("stadt"), d.citizen("anna"));
    amt.send_plain(&anna.address(), "Erste");
    let mut events = follow(&amt, "");
    assert_eq!(events.field("stage"), "ACCEPTED");
    d.revoke("stadt");
    let begin = Instant::now();
    let (_, last) = events.next();
    assert_eq!((events.ends(), text(&last["error"]["reason"])), (5, "KEY_NOT_ACTIVE".to_owned()));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_is_away_at_the_beginning_ends_the_command_and_stopping_takes_no_time() {
    let mut d = Deployment::serving();
    let (amt, anna) = (d.authority("stadt"), d.citizen("anna"));
    let watching = watch(&anna, &[]);
    let following = follow(&amt, "");
    assert!(watching.is_silent() && following.is_silent());
    let begin = Instant::now();
    d.stop();
    assert!(begin.elapsed() < Duration::from_secs(5), "open streams held the server: {:?}", begin.elapsed());
    anna.postfach(&["watch", "--timeout", "1"]).exits(6);
    amt.postfach(&["authority", "events", "--follow", "--timeout", "1"]).exits(6);
}
