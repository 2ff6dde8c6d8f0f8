//! An operator who owns the keys of both logs writes false history: commitments, trees and checkpoints are all made
//! anew. What then gives it away are the rules of the log and the parties' signatures.

use postfach_domain::authority::cert_hash;
use postfach_domain::chain::link_hash;
use postfach_domain::event::{ErasedDetails, Event, EventSigned, EventType, commitment};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, KeyId};
use postfach_domain::keylog::{KeyLeaf, cert_leaf, link_leaf};
use postfach_domain::sign::SecretKey;
use postfach_ledger::checkpoint::Checkpoint;
use postfach_ledger::hash::{Hash, leaf_hash};
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::tree::TreeEdge;
use postfach_ledger::vkey::LogSigner;
use prost::Message as _;

use super::patient::{Patient, Row, Statement};
use super::scenario;
use crate::audit::verify::{Failure, Options, verify};
use crate::deployment::keyfile;
use crate::storage::Value;

const NAME: &str = "post.example";

/// What the audit says with and without signatures: the first bad place, or nothing.
async fn verdicts(patient: &Patient) -> [Option<String>; 2] {
    let mut verdicts = [None, None];
    for (verdict, quick) in verdicts.iter_mut().zip([false, true]) {
        let options = Options { quick, ..Options::default() };
        *verdict = match verify(&patient.folder, &options).await {
            Ok(_) => None,
            Err(Failure::Bad(problem)) => Some(problem.to_string()),
            Err(other) => panic!("{other}"),
        };
    }
    verdicts
}

fn int(value: &Value) -> i64 {
    let Value::Int(Some(number)) = value else { panic!("{value:?}") };
    *number
}

fn blob(value: &Value) -> Vec<u8> {
    let Value::Blob(Some(bytes)) = value else { panic!("{value:?}") };
    bytes.clone()
}

/// Replaces head, tiles and checkpoints of a log.
fn rebuild(patient: &Patient, log: u32, leaves: Vec<Hash>, last_time: Option<u64>) -> Vec<Statement> {
    let (name, path) = match log {
        0 => ("keys", patient.folder.keys_log_key()),
        _ => ("evidence", patient.folder.evidence_log_key()),
    };
    let key: SecretKey = keyfile::read(&path).unwrap();
    let signer = LogSigner::new(&format!("{NAME}/{name}"), key).unwrap();
    let mut tree = TreeEdge::new();
    tree.append(leaves).unwrap();
    let note = Checkpoint::sign(&signer, tree.size(), tree.root()).note;
    std::fs::write(patient.folder.checkpoints().join(name), &note).unwrap();
    let mut statements = vec![
        (
            "UPDATE log_head SET root = $2, checkpoint = $3, last_time = coalesce($4, last_time) WHERE log = $1".into(),
            vec![log.into(), tree.root().as_bytes().into(), note.into(), last_time.into()],
        ),
        ("DELETE FROM log_tile WHERE log = $1".into(), vec![log.into()]),
    ];
    for (coord, data) in tree.dirty_tiles() {
        statements.push((
            "INSERT INTO log_tile (log, level, idx, hashes) VALUES ($1, $2, $3, $4)".into(),
            vec![log.into(), u32::from(coord.level()).into(), coord.index().into(), data.into_bytes().into()],
        ));
    }
    statements
}

/// One line of false history. Erased ones keep their commitment.
struct Line {
    index: u64,
    message_no: Option<u64>,
    salt: [u8; 32],
    event: Option<Event>,
    commitment: Digest,
    /// The commitment before it is left as it is.
    unchained: bool,
}

/// Rewrites the evidence log: `change` alters events, everything that follows from them is made to fit.
async fn rewrite(patient: &Patient, change: impl FnOnce(&mut [Line])) {
    let rows = patient.rows("SELECT idx, commitment, salt, event, message_no FROM event ORDER BY idx").await;
    let mut lines: Vec<Line> = rows.iter().map(line).collect();
    change(&mut lines);
    let mut statements = Vec::new();
    let mut newest: std::collections::HashMap<u64, Digest> = std::collections::HashMap::new();
    for line in &mut lines {
        if let Some(event) = &mut line.event {
            let before = line.message_no.and_then(|no| newest.get(&no).copied()).unwrap_or(Digest::ZERO);
            if !line.unchained {
                event.prev_commitment = before;
            }
            line.commitment = commitment(&line.salt, &event.encode());
            statements.extend(rewritten(line));
        } else {
            let sql = "UPDATE event SET salt = NULL, event = NULL, event_type = NULL, occurred_at = NULL WHERE idx = $1";
            statements.push((sql.into(), vec![line.index.into()]));
        }
        if let Some(no) = line.message_no {
            newest.insert(no, line.commitment);
        }
    }
    for (no, last) in newest {
        let stages: Vec<u8> =
            lines.iter().filter(|line| line.message_no == Some(no)).flat_map(stage).collect();
        let sql = "UPDATE message SET last_commitment = $2, events = $3 WHERE no = $1";
        statements.push((sql.into(), vec![no.into(), last.as_bytes().into(), stages.into()]));
    }
    let leaves = lines.iter().map(|line| EvidenceLeaf { commitment: line.commitment }.leaf_hash()).collect();
    let last_time = lines.last().and_then(|line| line.event.as_ref()).map(|event| event.occurred_at.0);
    statements.extend(rebuild(patient, 1, leaves, last_time));
    assert!(patient.run(&statements).await);
}

fn line(row: &Row) -> Line {
    let live = !row[3].is_null();
    Line {
        index: int(&row[0]).unsigned_abs(),
        message_no: (!row[4].is_null()).then(|| int(&row[4]).unsigned_abs()),
        salt: if live { blob(&row[2]).try_into().unwrap() } else { [0; 32] },
        event: live.then(|| Event::parse(&blob(&row[3])).unwrap()),
        commitment: Digest(blob(&row[1]).try_into().unwrap()),
        unchained: false,
    }
}

fn stage(line: &Line) -> Vec<u8> {
    let kind = line.event.as_ref().map_or(0, |event| u8::try_from(event.event_type.to_wire()).unwrap());
    [&[kind], line.index.to_be_bytes().as_slice()].concat()
}

/// The rows that repeat an event.
fn rewritten(line: &Line) -> Vec<Statement> {
    let event = line.event.as_ref().unwrap();
    let mut statements = vec![(
        "UPDATE event SET commitment = $2, event = $3, event_type = $4, occurred_at = $5 WHERE idx = $1"
            .into(),
        vec![
            line.index.into(),
            line.commitment.as_bytes().into(),
            event.encode().into(),
            i64::from(event.event_type.to_wire()).into(),
            event.occurred_at.into(),
        ],
    )];
    if line.message_no == Some(line.index) {
        statements.push((
            "UPDATE message SET pair_seq = $2, accepted_at = $3, available_at = $4 WHERE no = $1".into(),
            vec![
                line.index.into(),
                event.pair_seq.into(),
                event.occurred_at.into(),
                event.available_at.into(),
            ],
        ));
    }
    if let Some(EventSigned::Submission(signature)) = &event.signed {
        let sql = "UPDATE content SET signature = $2 WHERE message_no = $1";
        statements.push((sql.into(), vec![line.index.into(), signature.encode_to_vec().into()]));
    }
    statements
}

/// The first event of a type.
fn first(lines: &mut [Line], event_type: EventType) -> &mut Line {
    let is = |line: &&mut Line| line.event.as_ref().is_some_and(|event| event.event_type == event_type);
    lines.iter_mut().find(is).unwrap()
}

fn event(line: &mut Line) -> &mut Event {
    line.event.as_mut().unwrap()
}

type Forgery = (&'static str, fn(&mut [Line]));

/// Each with what gives it away, signatures or not.
const AGAINST_THE_RULES: &[Forgery] = &[
    ("occurred_at lies before", |lines| event(first(lines, EventType::HandedOver)).occurred_at.0 -= 60_000),
    ("keys_size is smaller", |lines| event(first(lines, EventType::Accepted)).keys_size += 1),
    ("keys_size is larger", |lines| event(lines.last_mut().unwrap()).keys_size += 1),
    ("pair_seq does not follow", |lines| event(first(lines, EventType::Accepted)).pair_seq += 1),
    ("prev_commitment is not", |lines| {
        let line = first(lines, EventType::HandedOver);
        line.unchained = true;
        event(line).prev_commitment = Digest([7; 32]);
    }),
    ("the act is of another type", |lines| {
        event(first(lines, EventType::Confirmed)).event_type = EventType::Disputed;
    }),
    ("the act says something else", |lines| {
        event(first(lines, EventType::Disputed)).reason = "LETTER_NOT_RECEIVED".into();
    }),
    ("the time of the act is far", |lines| {
        let last = lines.len() - 1;
        // From the second HANDED_OVER on.
        let is = |line: &Line| line.event.as_ref().is_some_and(|e| e.event_type == EventType::HandedOver);
        let from = lines.iter().rposition(is).unwrap();
        for event in lines[from..=last].iter_mut().filter_map(|line| line.event.as_mut()) {
            event.occurred_at.0 += 600_000;
        }
    }),
    ("the act names another message", |lines| {
        event(first(lines, EventType::HandedOver)).hashes.as_mut().unwrap().letter = Digest([7; 32]);
    }),
    ("did not exist yet", |lines| event(&mut lines[0]).keys_size = 0),
    ("available_at does not follow", |lines| event(first(lines, EventType::Accepted)).available_at.0 += 1),
    ("no ERASED names it", |lines| first(lines, EventType::Consent).event = None),
    ("no ERASED came", |lines| first(lines, EventType::RejectedByRecipient).event = None),
    ("does not name exactly", |lines| {
        let erased = event(first(lines, EventType::Erased));
        let mut details = ErasedDetails::parse(&erased.details).unwrap();
        details.indexes.pop();
        erased.details = details.encode();
    }),
    ("does not name exactly", |lines| {
        let erased = event(first(lines, EventType::Erased));
        let mut details = ErasedDetails::parse(&erased.details).unwrap();
        details.pair_seq += 1;
        erased.details = details.encode();
    }),
    ("a second beginning", |lines| {
        let line = first(lines, EventType::HandedOver);
        let sent = EventSigned::Submission(postfach_domain::format::Signature::default());
        let event = event(line);
        (event.event_type, event.signed, event.pair_seq) = (EventType::Accepted, Some(sent), 1);
    }),
    ("has not the parts", |lines| {
        event(first(lines, EventType::Consent)).hashes =
            Some(postfach_domain::submission::Hashes::of(b"o", b"c", b"l"));
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn false_history_breaks_the_rules() {
    let world = scenario::everything().await;
    world.app.close().await;
    let patient = Patient::new(&world.folder).await;
    rewrite(&patient, |_| {}).await;
    assert_eq!(verdicts(&patient).await, [None, None], "rewriting alone changes nothing");
    for (what, forgery) in AGAINST_THE_RULES {
        patient.heal();
        rewrite(&patient, forgery).await;
        for verdict in verdicts(&patient).await {
            let verdict = verdict.unwrap_or_else(|| panic!("unseen: {what}"));
            assert!(verdict.contains(what), "{what}: {verdict}");
        }
    }
}

/// Signatures are what `--quick` leaves out, and nothing else protects these.
#[tokio::test(flavor = "multi_thread")]
async fn false_signatures_are_found() {
    let world = scenario::everything().await;
    world.app.close().await;
    let patient = Patient::new(&world.folder).await;
    #[allow(clippy::type_complexity)] // a table of names and forgeries
    let forgeries: &[(&str, fn(&mut [Line]))] = &[
        ("signature of the act", |lines| {
            let Some(EventSigned::Act(act)) = &mut event(first(lines, EventType::Confirmed)).signed else {
                panic!()
            };
            act.signature.as_mut().unwrap().sig[0] ^= 1;
        }),
        ("submission signature", |lines| {
            let accepted = event(first(lines, EventType::Accepted));
            let Some(EventSigned::Submission(signature)) = &mut accepted.signed else { panic!() };
            signature.sig[40] ^= 1;
        }),
    ];
    for (what, forgery) in forgeries {
        patient.heal();
        rewrite(&patient, forgery).await;
        seen_with_signatures_only(&patient, what).await;
    }
    for (what, pick) in [
        ("signature of the link", "link WHERE mailbox_no = (SELECT max(mailbox_no) FROM link) AND seq = 1"),
        ("registrar's signature", "certificate"),
        ("registrar's signature", "revocation"),
    ] {
        patient.heal();
        forge_statement(&patient, pick).await;
        seen_with_signatures_only(&patient, what).await;
    }
}

async fn seen_with_signatures_only(patient: &Patient, what: &str) {
    let [full, quick] = verdicts(patient).await;
    let full = full.unwrap_or_else(|| panic!("unseen: {what}"));
    assert!(full.contains(what), "{what}: {full}");
    assert_eq!(quick, None, "{what}");
}

/// Flips a bit in the signature of a link, certificate or revocation and makes its leaf fit.
async fn forge_statement(patient: &Patient, which: &str) {
    let mut statements = Vec::new();
    let (index, leaf): (i64, KeyLeaf) = if which.starts_with("link") {
        let sql = format!(
            "SELECT mailbox_no, seq, signed, key_index, (SELECT address FROM mailbox WHERE no = mailbox_no) FROM {which}"
        );
        let row = patient.rows(&sql).await.remove(0);
        let signed = flipped(&row[2]);
        let hash = link_hash(&signed);
        let sql = "UPDATE link SET signed = $3, link_hash = $4 WHERE mailbox_no = $1 AND seq = $2";
        let args =
            vec![row[0].clone(), row[1].clone(), signed.encode_to_vec().into(), hash.as_bytes().into()];
        statements.push((sql.to_owned(), args));
        let sql = "UPDATE mailbox SET head_hash = $2 WHERE no = $1";
        statements.push((sql.into(), vec![row[0].clone(), hash.as_bytes().into()]));
        let address = Address(blob(&row[4]).try_into().unwrap());
        let seq = u32::try_from(int(&row[1])).unwrap();
        (int(&row[3]), link_leaf(&address.label(), seq, &hash))
    } else {
        let sql =
            format!("SELECT key_id, {which}, {which}_index FROM authority_key WHERE {which} IS NOT NULL");
        let row = patient.rows(&sql).await.remove(0);
        let signed = flipped(&row[1]);
        let sql = format!("UPDATE authority_key SET {which} = $2 WHERE key_id = $1");
        statements.push((sql, vec![row[0].clone(), signed.encode_to_vec().into()]));
        let key_id = KeyId(blob(&row[0]).try_into().unwrap());
        let leaf = if which == "certificate" {
            cert_leaf(&key_id, &cert_hash(&signed))
        } else {
            let hash = postfach_domain::authority::revocation_hash(&signed);
            postfach_domain::keylog::revocation_leaf(&key_id, &hash)
        };
        (int(&row[2]), leaf)
    };
    let sql = "UPDATE key_leaf SET leaf = $2 WHERE idx = $1";
    statements.push((sql.into(), vec![index.into(), leaf.to_vec().into()]));
    let mut leaves: Vec<Vec<u8>> = patient
        .rows("SELECT leaf FROM key_leaf ORDER BY idx")
        .await
        .iter()
        .map(|row| blob(&row[0]))
        .collect();
    leaves[usize::try_from(index).unwrap()] = leaf.to_vec();
    statements.extend(rebuild(patient, 0, leaves.iter().map(|leaf| leaf_hash(leaf)).collect(), None));
    assert!(patient.run(&statements).await);
}

fn flipped(value: &Value) -> Signed {
    let mut signed = Signed::decode(blob(value).as_slice()).unwrap();
    signed.signature.as_mut().unwrap().sig[3] ^= 1;
    signed
}
