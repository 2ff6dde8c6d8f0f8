//! Byte vectors of every format of the specification that needs no sealing: made from fixed keys and inputs, committed
//! under `tests/vectors/`, and recomputed here. What they freeze must not change within version 1.
//!
//! `POSTFACH_WRITE_VECTORS=1 cargo test -p postfach-domain --test vectors` writes them anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::PathBuf;

use postfach_domain::act::{Act, ActType, ConsentScope, MessageRef};
use postfach_domain::authority::{AuthorityCert, AuthorityRevocation, cert_hash, revocation_hash};
use postfach_domain::card::{FormerLog, ServiceCard, WitnessPolicy};
use postfach_domain::chain::{
    AGE_RECIPIENT_LEN, Chain, Device, GenesisParts, LinkBuilder, Proposed, Recovery, link_hash, make_genesis,
    reverse_sign,
};
use postfach_domain::code::ActivationCode;
use postfach_domain::event::{ErasedDetails, Event, EventSigned, EventType};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::head::{ChainHead, RecipientHead};
use postfach_domain::id::{ActId, Address, AttachmentId, MessageId, Origin, Party};
use postfach_domain::keylog::{cert_leaf, link_leaf, revocation_leaf};
use postfach_domain::kit::RecoverySecret;
use postfach_domain::outer::{LegalRegime, Outer, OuterAttachment, TrustLevel};
use postfach_domain::padding::{padded_len, padme};
use postfach_domain::pae::pae;
use postfach_domain::segments::{SegmentRoot, root, segment_leaf};
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_domain::time::Timestamp;
use serde_json::{Value, json};

const TIME: Timestamp = Timestamp(1_795_428_000_000);

fn check(name: &str, value: &Value) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{name}.json"));
    if std::env::var_os("POSTFACH_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(value).unwrap() + "\n").unwrap();
    }
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(committed, *value, "{name} differs from its committed vector");
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed(&[n; 32])
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(bytes)
}

fn origin() -> Origin {
    "post.example".parse().unwrap()
}

fn recipient(n: u8) -> Vec<u8> {
    vec![n; AGE_RECIPIENT_LEN]
}

fn signed(signed: &Signed) -> Value {
    let signature = signed.signature.as_ref().unwrap();
    json!({
        "body": hex(&signed.body),
        "alg": signature.alg,
        "key_id": hex(&signature.key_id),
        "sig": hex(&signature.sig),
    })
}

fn genesis() -> Signed {
    make_genesis(GenesisParts {
        origin: &origin(),
        device_key: &key(1),
        device_recipient: recipient(0x11),
        device_name_sealed: b"sealed name".to_vec(),
        mailbox_recipient: recipient(0x12),
        recovery_key: &key(2),
        recovery_recipient: recipient(0x13),
        time: TIME,
        nonce: [0x14; 32],
    })
}

/// Every operation once: the links after genesis.
fn links() -> Vec<(&'static str, Signed)> {
    let mut links = vec![("GENESIS", genesis())];
    let (mut chain, _) = Chain::genesis(&origin(), &links[0].1).unwrap();
    let mut add = |name, make: &dyn Fn(&Chain) -> Signed| {
        let link = make(&chain);
        chain.append(&link).unwrap();
        links.push((name, link));
    };
    add("ADD_DEVICE", &|chain| {
        let device = Device::new(key(3).public(), recipient(0x21), Vec::new());
        let genesis = chain.genesis_hash();
        let sig = reverse_sign(&key(3), &origin(), genesis.as_bytes(), &key(1).key_id(), &device.encode());
        LinkBuilder::new(chain, &key(1), TIME.plus_ms(1), [0x22; 32]).add_device(&device, &sig)
    });
    add("ROTATE_MAILBOX", &|chain| {
        LinkBuilder::new(chain, &key(3), TIME.plus_ms(2), [0x23; 32]).rotate_mailbox(recipient(0x24))
    });
    add("REVOKE_DEVICE", &|chain| {
        let revoked = key(3).key_id();
        LinkBuilder::new(chain, &key(1), TIME.plus_ms(3), [0x25; 32]).revoke_device(&revoked, recipient(0x26))
    });
    add("PROPOSE", &|chain| {
        let member = Recovery::new(key(4).public(), recipient(0x27)).encode();
        LinkBuilder::new(chain, &key(1), TIME.plus_ms(4), [0x28; 32])
            .propose(Proposed::RotateRecovery(member))
    });
    add("ROTATE_RECOVERY", &|chain| {
        let proposal = chain.proposals()[0].link.link_hash;
        let later = TIME.plus_ms(15 * 86_400_000);
        LinkBuilder::new(chain, &key(1), later, [0x29; 32]).rotate_recovery(
            &key(4),
            recipient(0x27),
            recipient(0x2a),
            Some(proposal),
        )
    });
    add("CLOSE", &|chain| LinkBuilder::new(chain, &key(4), chain.head_time(), [0x2b; 32]).close(None));
    links
}

fn outer() -> Outer {
    Outer {
        origin: origin(),
        message_id: MessageId::new(TIME, [0x31; 10]),
        sender: Party::Authority("finanzamt-muenchen".parse().unwrap()),
        signer: key(5).key_id(),
        sender_head: None,
        recipient: Address([0x32; 32]),
        recipient_head: RecipientHead {
            head: ChainHead { seq: 3, link_hash: Digest([0x33; 32]) },
            generation: 2,
        },
        created_at: TIME,
        kind: "notice".parse().unwrap(),
        regime: LegalRegime::Ao122a,
        min_trust_level: TrustLevel::Low,
        confirmation_requested: true,
        not_before: Some(TIME.plus_ms(60_000)),
        in_reply_to: Some(MessageId::new(TIME, [0x34; 10])),
        attachments: vec![OuterAttachment {
            id: AttachmentId([0x35; 16]),
            ct_len: 5_000_000,
            ct_root: Digest([0x36; 32]),
        }],
    }
}

fn act() -> Act {
    Act {
        origin: origin(),
        act_id: ActId([0x41; 16]),
        act_type: ActType::HandedOver,
        actor: Party::Mailbox(Address([0x32; 32])),
        signer: key(1).key_id(),
        actor_head: Some(ChainHead { seq: 3, link_hash: Digest([0x33; 32]) }),
        message: Some(MessageRef {
            message_id: outer().message_id,
            outer_hash: Digest::of(&outer().encode()),
            letter_hash: Digest::of(b"letter envelope"),
        }),
        time: TIME,
        reason: String::new(),
        details: Vec::new(),
    }
}

#[test]
fn pae_and_identifiers() {
    let cases = [("mpf1/act", vec![&b"body"[..]]), ("mpf1/submission", vec![&[1; 3][..], &[], &[2; 2]])];
    let encoded = cases.iter().map(|(ctx, parts)| {
        let parts_hex: Vec<String> = parts.iter().map(hex).collect();
        json!({ "context": ctx, "parts": parts_hex, "pae": hex(pae(ctx, parts)) })
    });
    check("pae", &Value::Array(encoded.collect()));
    let public = key(1).public();
    check(
        "key_id",
        &json!({ "seed": hex([1; 32]), "public": hex(public.to_bytes()), "key_id": public.key_id().to_string() }),
    );
    let address = Address::of_genesis(&Digest([7; 32]));
    check(
        "address",
        &json!({
            "genesis_link_hash": hex([7; 32]),
            "address": hex(address.as_bytes()),
            "text": address.to_string(),
            "label": address.label().to_string(),
        }),
    );
}

#[test]
fn chain() {
    let links = links();
    let all: Vec<Signed> = links.iter().map(|(_, link)| link.clone()).collect();
    let verified = Chain::verify(&origin(), &all).unwrap();
    let label = verified.label();
    let rows = links.iter().enumerate().map(|(seq, (op, link))| {
        let hash = link_hash(link);
        let leaf = link_leaf(&label, u32::try_from(seq).unwrap(), &hash);
        json!({ "op": op, "link": signed(link), "link_hash": hash.to_hex(), "key_leaf": hex(leaf) })
    });
    check(
        "chain",
        &json!({
            "origin": origin().as_str(),
            "address": verified.address().to_string(),
            "label": label.to_string(),
            "links": rows.collect::<Vec<_>>(),
        }),
    );
}

#[test]
fn authority() {
    let registrar = key(9);
    let cert = AuthorityCert {
        origin: origin(),
        authority_id: "finanzamt-muenchen".parse().unwrap(),
        display_name: "Finanzamt München".into(),
        ags: Some("09162000".into()),
        sign_pub: key(5).public(),
        mailbox: Address([0x51; 32]),
        ibans: vec!["DE02120300000000202051".into()],
        not_before: TIME,
        not_after: None,
    };
    let certificate = cert.sign(&registrar).unwrap();
    let revocation = AuthorityRevocation {
        origin: origin(),
        authority_id: cert.authority_id.clone(),
        key_id: cert.key_id(),
        revoked_at: TIME.plus_ms(1),
        reason: "Schlüssel verloren".into(),
    };
    let revocation = revocation.sign(&registrar).unwrap();
    let (cert_hash, revocation_hash) = (cert_hash(&certificate), revocation_hash(&revocation));
    check(
        "authority",
        &json!({
            "registrar": hex(registrar.public().to_bytes()),
            "certificate": signed(&certificate),
            "certificate_hash": cert_hash.to_hex(),
            "certificate_leaf": hex(cert_leaf(&cert.key_id(), &cert_hash)),
            "revocation": signed(&revocation),
            "revocation_hash": revocation_hash.to_hex(),
            "revocation_leaf": hex(revocation_leaf(&cert.key_id(), &revocation_hash)),
        }),
    );
}

#[test]
fn messages() {
    let bytes = outer().encode();
    assert_eq!(Outer::parse(&bytes).unwrap(), outer());
    let hashes = Hashes::of(&bytes, b"cover envelope", b"letter envelope");
    let submission = hashes.sign(&key(5));
    hashes.verify(&key(5).public(), &submission).unwrap();
    check(
        "submission",
        &json!({
            "outer": hex(&bytes),
            "cover_envelope": hex(b"cover envelope"),
            "letter_envelope": hex(b"letter envelope"),
            "outer_hash": hashes.outer.to_hex(),
            "cover_hash": hashes.cover.to_hex(),
            "letter_hash": hashes.letter.to_hex(),
            "signer": hex(key(5).public().to_bytes()),
            "key_id": hex(&submission.key_id),
            "sig": hex(&submission.sig),
        }),
    );
    let hand_over = act().sign(&key(1));
    Act::verify(&hand_over, &key(1).public()).unwrap();
    let ids = vec!["finanzamt-muenchen".parse().unwrap()];
    let consent = Act {
        act_type: ActType::Consent,
        message: None,
        details: ConsentScope::Authorities(ids).encode(),
        ..act()
    };
    check(
        "act",
        &json!({
            "signer": hex(key(1).public().to_bytes()),
            "hand_over": signed(&hand_over),
            "consent": signed(&consent.sign(&key(1))),
        }),
    );
    let events = [
        ("accepted", EventType::Accepted, Some(EventSigned::Submission(submission)), Vec::new()),
        ("handed_over", EventType::HandedOver, Some(EventSigned::Act(hand_over)), Vec::new()),
        (
            "erased",
            EventType::Erased,
            None,
            ErasedDetails { indexes: vec![7, 9, 1 << 33], pair_seq: 4 }.encode(),
        ),
    ];
    let salt = [0x61; 32];
    let rows = events.into_iter().map(|(name, event_type, signed, details)| {
        let accepted = event_type == EventType::Accepted;
        let event = Event {
            event_type,
            message_id: Some(outer().message_id),
            sender: Some(outer().sender),
            recipient: Some(outer().recipient),
            hashes: (event_type != EventType::Erased).then_some(hashes),
            occurred_at: TIME,
            available_at: if accepted { TIME.plus_ms(60_000) } else { Timestamp(0) },
            pair_seq: if accepted { 4 } else { 0 },
            keys_size: 12,
            signed,
            prev_commitment: if accepted { Digest::ZERO } else { Digest([0x62; 32]) },
            reason: String::new(),
            details,
        };
        assert_eq!(Event::parse(&event.encode()).unwrap(), event);
        let commitment = event.commitment(&salt).to_hex();
        json!({ "name": name, "event": hex(event.encode()), "salt": hex(salt), "commitment": commitment })
    });
    check("event", &Value::Array(rows.collect()));
}

#[test]
fn paper() {
    let secret = RecoverySecret::from_bytes([0x71; 32]);
    check(
        "kit",
        &json!({
            "secret": hex([0x71; 32]),
            "bare": secret.expose_bare().as_str(),
            "text": secret.expose_text().as_str(),
            "sign_public": hex(secret.sign_key().public().to_bytes()),
            "age_seed": hex(*secret.age_seed()),
        }),
    );
    let code = ActivationCode::from_bytes([0x72; 15]);
    let (address, activation_key) = (Address([0x73; 32]), code.activation_key());
    check(
        "code",
        &json!({
            "bytes": hex([0x72; 15]),
            "text": code.expose_text().as_str(),
            "code_id": hex(code.code_id().0),
            "stored": code.code_id().stored().to_hex(),
            "activation_key": hex(activation_key.expose_bytes()),
            "address": hex(address.as_bytes()),
            "proof": hex(activation_key.proof(&address)),
        }),
    );
}

#[test]
fn lengths_and_roots() {
    let lengths = [0u64, 1, 2, 9, 100, 1000, 1025, 4097, 65_537, 5_000_000_000, 1 << 36];
    let rows =
        lengths.map(|len| json!({ "len": len, "padme": padme(len), "floor_4096": padded_len(len, 4096) }));
    check("padme", &Value::Array(rows.to_vec()));
    let id = AttachmentId([0x81; 16]);
    let leaves: Vec<Digest> = (0..5u8).map(|i| segment_leaf(&id, u64::from(i), &[i; 100])).collect();
    let roots = (0..=5).map(|n| root(leaves[..n].iter().copied()).to_hex()).collect::<Vec<_>>();
    assert_eq!(SegmentRoot::new().root().to_hex(), roots[0]);
    let leaves: Vec<String> = leaves.iter().map(|leaf| leaf.to_hex()).collect();
    check(
        "segments",
        &json!({ "id": id.to_string(), "segment_i": "100 bytes of value i", "leaves": leaves, "root_of_first_n": roots }),
    );
}

#[test]
fn card() {
    use base64::Engine as _;
    let registrar = key(9);
    let vkey = |name: &str, n: u8| {
        let key =
            base64::prelude::BASE64_STANDARD.encode([[1].as_slice(), &key(n).public().to_bytes()].concat());
        format!("post.example/{name}+0000000{n}+{key}")
    };
    let card = ServiceCard {
        version: 2,
        origin: origin(),
        server_url: "https://post.example:8443".into(),
        tls_root: Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into()),
        registrar: registrar.public(),
        keys_log: vkey("keys", 6),
        evidence_log: vkey("evidence", 7),
        former_logs: vec![FormerLog { vkey: vkey("keys", 8), final_size: 1234 }],
        witness_policy: WitnessPolicy { witnesses: Vec::new(), quorum: 0 },
    };
    let verified = card.sign(&registrar).unwrap();
    check("card", &json!({ "file": verified.text, "fingerprint": verified.fingerprint.to_hex() }));
    assert_eq!(ServiceCard::verify(verified.text.as_bytes()).unwrap().card, card);
}
