//! Attachments of several segments whose stream or list of hashes is cut, turned, repeated or without end, in both
//! directions.

use postfach_proto::v1;

use super::{Scene, caught, cause, message_id, sending};

const READ: &str = "AttachmentService/ReadSegments";
const CREATE: &str = "AttachmentService/CreateUpload";
const GET: &str = "AttachmentService/GetUpload";
const HASHES: &str = "AttachmentService/ListSegmentHashes";

type Segments = Vec<v1::ReadSegmentsResponse>;
type Hashes = v1::ListSegmentHashesResponse;
type Created = v1::CreateUploadResponse;
/// What it is, the lie, and what is noticed.
type Lie<T> = (&'static str, fn(&mut T), &'static str);

/// Three segments of bytes that do not repeat.
fn content() -> Vec<u8> {
    (0..9u32 << 18).flat_map(|word| word.wrapping_mul(2_654_435_761).to_be_bytes()).collect()
}

#[test]
fn segments_come_whole_in_order_and_once() {
    let s = Scene::new();
    let file = s.amt.write("geheimdatei.bin", &content());
    let sent = s.amt.send(&s.anna.address(), "Geheimbetreff", "Geheiminhalt", &["--attach", &file]);
    let id = sent["message_id"].as_str().unwrap().to_owned();
    s.anna.inbox();
    s.anna.json(&["read", &id]);
    let in_stream: [Lie<Segments>; 5] = [
        ("turned", |segments| segments.reverse(), "out of order"),
        ("one left out", |segments| drop(segments.remove(0)), "out of order"),
        ("one twice", |segments| segments.insert(1, segments[0].clone()), "out of order"),
        (
            "contents swapped",
            |segments| {
                let first = std::mem::take(&mut segments[0].data);
                segments[0].data = std::mem::replace(&mut segments[1].data, first);
            },
            "not the one that was signed",
        ),
        ("too large", |segments| segments[0].data = vec![0; 6 << 20].into(), "too large"),
    ];
    let in_hashes: [Lie<Hashes>; 4] = [
        ("hashes cut", |answer| drop(answer.leaves.pop()), "not the one that was signed"),
        ("a hash too many", |answer| answer.leaves.push(vec![1; 32]), "not the one that was signed"),
        ("hashes turned", |answer| answer.leaves.reverse(), "not the one that was signed"),
        (
            "hashes without end",
            |answer| {
                (answer.leaves, answer.next_page_token) = (Vec::new(), "more".to_owned());
            },
            "more follow",
        ),
    ];
    let save = |what: &str, why: &str| {
        let run = caught(s.anna.postfach(&["attachment", "save", &id, "-o", "saved", "--json"]));
        assert!(cause(&run).contains(why), "{what}: {}", run.stdout);
        assert!(!s.anna.folder().join("saved/geheimdatei.bin").exists(), "{what}");
        s.liar.repents();
    };
    for (what, lie, why) in in_stream {
        s.liar.lies_in_all::<v1::ReadSegmentsRequest, v1::ReadSegmentsResponse>(READ, move |_, all| lie(all));
        save(what, why);
        // What was right stays beside it, under a name of its own.
        for entry in std::fs::read_dir(s.anna.folder().join("saved")).into_iter().flatten() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
    for (what, lie, why) in in_hashes {
        s.liar.lies::<v1::ListSegmentHashesRequest, Hashes>(HASHES, move |_, answer| lie(answer));
        save(what, why);
    }
    // One too many behind the last does no harm, and neither do streams that end after each segment.
    s.liar.lies_in_all::<v1::ReadSegmentsRequest, v1::ReadSegmentsResponse>(READ, |asked, all| {
        all.truncate(1);
        if asked.first == 2 {
            all.push(v1::ReadSegmentsResponse { index: 3, data: vec![9; 1000].into() });
        }
    });
    s.anna.json(&["attachment", "save", &id, "-o", "saved", "--timeout", "5"]);
    assert!(std::fs::read(s.anna.folder().join("saved/geheimdatei.bin")).unwrap() == content());
    assert_eq!(s.stages(&id), ["ACCEPTED", "HANDED_OVER"]);
}

#[test]
fn a_server_that_never_has_enough_of_an_upload_is_not_served_without_end() {
    let mut s = Scene::new();
    let file = s.amt.write("geheimdatei.bin", &content());
    let address = s.anna.address();
    s.amt.connect_to(&s.liar.url.clone());
    let missing = |first: u64, count: u64| v1::UploadState {
        missing: vec![v1::SegmentRange { first, count }],
        ..v1::UploadState::default()
    };
    let words_of = |id: &'static str| [&sending(&address, id)[..], &["--attach", &file]].concat();
    let id: &'static str = message_id(60).leak();
    // What goes up while it is sealed asks for nothing; the look afterwards does.
    s.liar.lies::<v1::CreateUploadRequest, Created>(CREATE, move |_, answer| {
        answer.upload = Some(missing(0, 1));
    });
    s.liar.lies::<v1::GetUploadRequest, v1::GetUploadResponse>(GET, move |_, answer| {
        answer.upload = Some(missing(0, 1));
    });
    assert!(cause(&caught(s.amt.postfach(&words_of(id)))).contains("segments that it has"));
    s.liar.repents();
    s.amt.postfach(&words_of(id)).ok();
    // Stored as another one: it is noticed while the rest is sealed, and the upload stays open.
    let id: &'static str = message_id(61).leak();
    let words = words_of(id);
    s.liar.lies::<v1::WriteSegmentRequest, v1::WriteSegmentResponse>(
        "AttachmentService/WriteSegment",
        |_, answer| {
            answer.leaf[0] ^= 1;
        },
    );
    assert!(cause(&caught(s.amt.postfach(&words))).contains("another segment than was sent"));
    s.liar.repents();
    // Segments that there are not.
    for state in [missing(2, 2), missing(3, 0), missing(2, u64::MAX)] {
        s.liar.lies::<v1::CreateUploadRequest, Created>(CREATE, move |_, answer| {
            answer.upload = Some(state.clone());
        });
        assert!(cause(&caught(s.amt.postfach(&words))).contains("that there are not"));
        s.liar.repents();
    }
    // Said to be there, and not there: the honest server does not take the letter.
    s.liar.lies::<v1::CreateUploadRequest, Created>(CREATE, |_, answer| {
        answer.upload.as_mut().unwrap().committed = true;
    });
    let run = super::hidden(s.amt.postfach(&words).exits(9));
    assert_eq!(run.json()["error"]["reason"], "ATTACHMENT_NOT_READY");
    s.liar.repents();
    s.amt.postfach(&words).ok();
    assert_eq!(s.stages(id), ["ACCEPTED"]);
}
