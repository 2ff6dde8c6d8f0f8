//! Pages of a sync that are cut, turned, repeated, without end or too large, and what is said beside them.

use std::time::Duration;

use postfach_proto::v1;
use postfach_tests::process::{Run, peak_kib};

use super::{Scene, caught, cause};

type Lie = Box<dyn Fn(&v1::SyncRequest, &mut v1::SyncResponse) + Send + Sync>;

const SYNC: &str = "MailboxService/Sync";

fn lie(lie: impl Fn(&v1::SyncRequest, &mut v1::SyncResponse) + Send + Sync + 'static) -> Lie {
    Box::new(lie)
}

/// A place that is said to be erased.
fn erased_at(index: u64) -> v1::SyncItem {
    let event = v1::LoggedEvent { index, ..v1::LoggedEvent::default() };
    v1::SyncItem { event: Some(event), erased: true, ..v1::SyncItem::default() }
}

impl Scene {
    /// The head statement that somebody gets with a sync.
    fn head_for(&self, who: &postfach_tests::Citizen) -> v1::SignedHead {
        let pages = self.liar.hears::<v1::SyncRequest, v1::SyncResponse>(SYNC, || {
            who.postfach(&["sync"]).ok();
        });
        pages.into_iter().find_map(|page| page.head).unwrap()
    }
}

#[test]
fn a_page_that_goes_back_or_on_without_end_or_lacks_something_is_refused() {
    let s = Scene::new();
    let ids = [s.send(&s.anna, 1), s.send(&s.anna, 2)];
    let (berts, stale) = (s.head_for(&s.bert), s.head_for(&s.twin(&s.anna, "early")));
    s.d.citizen("somebody-who-comes-later");
    let head = |head: v1::SignedHead| lie(move |_, page| page.head = Some(head.clone()));
    let lies: [(&str, Lie, &str); 11] = [
        (
            "more, and nothing",
            lie(|_, page| {
                (page.has_more, page.items) = (true, Vec::new());
            }),
            "brings nothing",
        ),
        (
            "a row twice",
            lie(|_, page| page.items.push(page.items[page.items.len() - 1].clone())),
            "goes back",
        ),
        ("rows turned", lie(|_, page| page.items.reverse()), "goes back"),
        ("a place beyond the log", lie(|_, page| page.items.push(erased_at(u64::MAX - 1))), "beyond the log"),
        ("a row without event", lie(|_, page| page.items[0].event = None), "no event"),
        ("no checkpoints", lie(|_, page| page.checkpoints = None), "no checkpoints"),
        ("no certificates", lie(|_, page| page.authorities.clear()), ""),
        ("no head", lie(|_, page| page.head = None), "no head statement"),
        ("somebody else's head", head(berts), "about somebody else"),
        ("a head from before", head(stale), "another moment"),
        ("too large", lie(|_, page| page.items[0].cover_envelope = vec![0; 6 << 20].into()), "too large"),
    ];
    for (number, (what, lie, why)) in lies.into_iter().enumerate() {
        let anna = s.twin(&s.anna, &format!("anna-{number}"));
        s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, lie);
        let run = caught(anna.postfach(&["sync", "--json"]));
        assert!(cause(&run).contains(why), "{what}: {}", run.stdout);
        caught(anna.postfach(&["read", &ids[0], "--json"]));
        s.liar.repents();
        assert_eq!(s.acts(), 0, "{what}");
        // What was not stored comes from the honest server.
        if why.is_empty() {
            continue;
        }
        let synced = anna.json(&["sync"]);
        assert_eq!((&synced["new"], &synced["faulty"]), (&2.into(), &0.into()), "{what}: {synced}");
    }
    // What is good is stored page by page; the first again is not.
    s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, |asked, page| {
        (page.has_more, page.next_cursor) = (true, asked.cursor.clone());
    });
    let run = caught(s.anna.postfach(&["sync", "--json"]));
    assert!(cause(&run).contains("goes back"), "{}", run.stdout);
    s.liar.repents();
    let synced = s.anna.json(&["sync"]);
    assert_eq!((&synced["messages"], &synced["faulty"]), (&2.into(), &0.into()), "{synced}");
    for id in &ids {
        assert_eq!(s.stages(id), ["ACCEPTED"]);
    }
}

#[test]
fn what_is_held_back_at_the_end_shows_with_the_next_message() {
    let s = Scene::new();
    s.send(&s.anna, 1);
    s.send(&s.anna, 2);
    s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, |_, page| {
        page.items.pop();
    });
    // Nothing contradicts this: the newest message can be held back.
    assert_eq!(s.anna.json(&["sync"])["new"], 1);
    s.liar.repents();
    s.send(&s.anna, 3);
    let synced = s.anna.json(&["sync"]);
    assert!(synced["new"] == 1 && synced["warnings"].to_string().contains("from stadt"), "{synced}");
}

#[test]
fn covers_that_are_left_out_are_missed_and_nothing_is_signed_for_them() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, |_, page| {
        page.items.iter_mut().for_each(|item| item.cover_envelope.clear());
    });
    let synced = s.anna.json(&["sync"]);
    assert_eq!(synced["warnings"].as_array().unwrap().len(), 1, "{synced}");
    let run = s.anna.postfach(&["read", &id, "--json"]).exits(9);
    assert_eq!(run.json()["error"]["reason"], "NOT_YET_AVAILABLE");
    assert_eq!((s.acts(), s.stages(&id)), (0, vec!["ACCEPTED".to_owned()]));
    s.liar.repents();
    assert_eq!(s.anna.inbox()[0]["subject"], "Geheimbetreff 1");
    assert_eq!(s.anna.json(&["read", &id])["body"], "Geheiminhalt");
}

#[test]
fn a_letter_stays_here_although_the_service_says_without_proof_that_it_was_erased() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    s.anna.inbox();
    s.anna.json(&["read", &id]);
    s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, |_, page| {
        for item in &mut page.items {
            *item = erased_at(item.event.as_ref().unwrap().index);
        }
    });
    s.anna.json(&["sync"]);
    assert_eq!(s.anna.json(&["read", &id])["body"], "Geheiminhalt");
    s.liar.repents();
    // With the event that says so it goes.
    s.d.operator(&["admin", "erase", "--message", &id]).ok();
    s.anna.json(&["sync"]);
    assert_eq!(s.anna.postfach(&["read", &id, "--json"]).exits(9).json()["error"]["reason"], "ERASED");
}

/// Largest memory of a command in KiB, and how it ended.
fn measured(mut command: std::process::Command) -> (u64, i32) {
    let null = std::process::Stdio::null;
    let mut child = command.stdout(null()).stderr(null()).spawn().unwrap();
    let mut peak = 0;
    loop {
        peak = peak_kib(child.id()).max(peak);
        if let Some(status) = child.try_wait().unwrap() {
            return (peak, status.code().unwrap_or(-1));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_gigantic_answer_is_refused_by_its_length() {
    let s = Scene::new();
    s.send(&s.anna, 1);
    let sync = |who: &postfach_tests::Citizen| {
        let mut command = who.command();
        command.args(["sync", "--json"]);
        command
    };
    let (usual, code) = measured(sync(&s.twin(&s.anna, "before")));
    assert_eq!(code, 0);
    let giant: bytes::Bytes = vec![7; 120 << 20].into();
    s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, move |_, page| {
        page.items[0].cover_envelope = giant.clone();
    });
    let (peak, code) = measured(sync(&s.anna));
    assert_eq!(code, 8);
    assert!(peak < usual + 48 * 1024, "{peak} KiB, usually {usual}");
    s.liar.repents();
    Run::of(&mut sync(&s.anna)).ok();
}
