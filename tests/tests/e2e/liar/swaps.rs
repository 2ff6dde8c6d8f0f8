//! Envelopes, letters and attachments that are not the signed ones.

use postfach_proto::v1;

use super::{Scene, caught};

type Lie = fn(&v1::SyncRequest, &mut v1::SyncResponse);

const SYNC: &str = "MailboxService/Sync";
const HAND_OVER: &str = "MailboxService/HandOver";

/// Places of the messages in a page.
fn messages(page: &v1::SyncResponse) -> Vec<usize> {
    (0..page.items.len()).filter(|at| !page.items[*at].cover_envelope.is_empty()).collect()
}

/// The same with one bit flipped near the end.
fn changed(bytes: &[u8]) -> bytes::Bytes {
    let mut bytes = bytes.to_vec();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    bytes.into()
}

#[test]
fn an_honest_relay_changes_nothing() {
    let s = Scene::new();
    let id = s.send(&s.anna, 1);
    let inbox = s.anna.inbox();
    assert_eq!(inbox[0]["subject"], "Geheimbetreff 1");
    assert_eq!(s.anna.json(&["read", &id])["body"], "Geheiminhalt");
    s.anna.json(&["attachment", "save", &id, "-o", "saved"]);
    assert_eq!(s.stages(&id), ["ACCEPTED", "HANDED_OVER"]);
}

#[test]
fn swapped_changed_or_cut_covers_are_not_shown() {
    let lies: [Lie; 3] = [
        |_, page| {
            let at = messages(page);
            let other = page.items[at[1]].cover_envelope.clone();
            page.items[at[0]].cover_envelope = other;
        },
        |_, page| {
            let at = messages(page)[0];
            page.items[at].cover_envelope = changed(&page.items[at].cover_envelope);
        },
        |_, page| {
            let at = messages(page)[0];
            page.items[at].cover_envelope = page.items[at].cover_envelope.slice(..500);
        },
    ];
    for lie in lies {
        let s = Scene::new();
        let (first, second) = (s.send(&s.anna, 1), s.send(&s.anna, 2));
        s.liar.lies::<v1::SyncRequest, v1::SyncResponse>(SYNC, lie);
        let run = s.anna.postfach(&["sync"]).exits(8);
        assert!(!run.talk().contains("Geheimbetreff 1"), "{}", run.talk());
        let run = s.anna.postfach(&["read", &first, "--json"]);
        caught(run);
        assert_eq!(s.acts(), 0, "a hand-over was signed for a message whose cover is wrong");
        assert_eq!(s.stages(&first), ["ACCEPTED"]);
        // The other message is not harmed.
        s.liar.repents();
        assert_eq!(s.anna.json(&["read", &second])["body"], "Geheiminhalt");
    }
}

#[test]
fn a_letter_that_is_another_one_is_disputed_and_never_rejected() {
    for what in ["other", "changed", "cut", "nothing"] {
        let s = Scene::new();
        let (first, second) = (s.send(&s.anna, 1), s.send(&s.anna, 2));
        s.anna.inbox();
        s.anna.json(&["read", &second]);
        let other = s.liar_letter(&second);
        s.liar.lies::<v1::HandOverRequest, v1::HandOverResponse>(HAND_OVER, move |_, answer| match what {
            "other" => answer.letter_envelope.clone_from(&other),
            "changed" => {
                answer.letter_envelope = changed(&answer.letter_envelope);
            }
            "cut" => answer.letter_envelope = answer.letter_envelope.slice(..1000),
            _ => answer.letter_envelope = bytes::Bytes::new(),
        });
        caught(s.anna.postfach(&["read", &first, "--json"]));
        assert_eq!(s.stages(&first), ["ACCEPTED", "HANDED_OVER", "DISPUTED"], "{what}");
        // The honest server gives the letter for a token alone.
        s.liar.repents();
        assert_eq!(s.anna.json(&["read", &first])["body"], "Geheiminhalt", "{what}");
    }
}

impl Scene {
    /// A letter's envelope as transported.
    fn liar_letter(&self, id: &str) -> bytes::Bytes {
        self.anna.postfach(&["raw", id, "-o", "raw"]).ok();
        std::fs::read(self.anna.folder().join("raw/letter.age")).unwrap().into()
    }
}

#[test]
fn attachments_that_are_not_the_signed_ones_are_not_saved() {
    const READ: &str = "AttachmentService/ReadSegments";
    const HASHES: &str = "AttachmentService/ListSegmentHashes";
    for what in ["changed", "other", "cut", "none"] {
        let s = Scene::new();
        let id = s.send(&s.anna, 1);
        s.anna.inbox();
        s.anna.json(&["read", &id]);
        s.liar.lies_in_all::<v1::ReadSegmentsRequest, v1::ReadSegmentsResponse>(READ, move |_, segments| {
            match what {
                "cut" => segments[0].data = segments[0].data.slice(..60_000),
                "none" => segments.clear(),
                _ => segments[0].data = changed(&segments[0].data),
            }
        });
        if what == "other" {
            // Whoever knows the key can seal other content, and name its hashes; the root is signed.
            s.liar.lies::<v1::ListSegmentHashesRequest, v1::ListSegmentHashesResponse>(
                HASHES,
                |_, answer| {
                    answer.leaves[0][0] ^= 1;
                },
            );
        }
        let run = s.anna.postfach(&["attachment", "save", &id, "-o", "saved", "--json"]);
        if what == "none" {
            assert!([6, 8].contains(&run.code), "{}", run.talk());
        } else {
            caught(run);
        }
        let saved = std::fs::read_dir(s.anna.folder().join("saved"));
        let names: Vec<_> = saved.into_iter().flatten().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name != "geheimdatei.txt"), "{what}: {names:?}");
        s.liar.repents();
        s.anna.json(&["attachment", "save", &id, "-o", "saved"]);
        let saved = std::fs::read_to_string(s.anna.folder().join("saved/geheimdatei.txt")).unwrap();
        assert!(saved.starts_with("Geheiminhalt 1"), "{what}");
        assert_eq!(s.stages(&id), ["ACCEPTED", "HANDED_OVER"], "the sender is not blamed");
    }
}
