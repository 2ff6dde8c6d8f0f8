//! An authority delivers a sealed notice with attachments, the citizen reads it, the operator audits it, everyone can prove it.

use std::fs;
use std::path::Path;

use postfach_tests::person::text;
use postfach_tests::{Deployment, samples};
use serde_json::Value;

fn stages(status: &Value) -> Vec<String> {
    status["stages"].as_array().unwrap().iter().map(|s| text(&s["stage"])).collect()
}

/// Documents to send: the real ones where they are, else made up.
fn documents(folder: &Path) -> Vec<String> {
    if let Some(samples) = samples() {
        let mut files: Vec<String> = fs::read_dir(samples)
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.extension().is_some_and(|x| x == "xml" || x == "pdf"))
            .map(|p| p.to_str().unwrap().to_owned())
            .collect();
        files.sort();
        return files;
    }
    let pdf = folder.join("bescheid.pdf");
    fs::write(&pdf, b"%PDF-1.4 a small stand-in").unwrap();
    vec![pdf.to_str().unwrap().to_owned()]
}

#[test]
fn a_notice_is_sent_read_confirmed_and_proved() {
    let mut d = Deployment::serving();
    let amt = d.authority("finanzamt");
    let citizen = d.citizen("anna");
    let address = citizen.address();
    assert!(address.starts_with("mpf1"), "{address}");

    let documents = documents(d.root());
    let mut words = vec!["--kind", "tax-notice", "--regime", "ao-122a", "--confirm"];
    for document in &documents {
        words.extend(["--attach", document.as_str()]);
    }
    let sent = amt.send(&address, "Einkommensteuerbescheid 2025", "Bitte lesen Sie den Bescheid.", &words);
    let id = text(&sent["message_id"]);
    assert!(sent["evidence_index"].is_u64() && sent["accepted_at"].is_string(), "{sent}");
    assert!(Path::new(&text(&sent["receipt"])).is_file());

    let status = amt.json(&["authority", "status", &id]);
    assert_eq!(stages(&status), ["ACCEPTED"]);
    assert_eq!(status["legal"]["rule"].as_str().map(|r| r.contains("ao-122a")), Some(true), "{status}");
    assert!(status["legal"]["deemed_served"].is_string(), "{status}");

    let inbox = citizen.inbox();
    assert_eq!(inbox.len(), 1);
    let listed = &inbox[0];
    assert_eq!(text(&listed["message_id"]), id);
    assert_eq!(text(&listed["subject"]), "Einkommensteuerbescheid 2025");
    assert_eq!(text(&listed["sender"]), "Amt finanzamt");
    assert_eq!(text(&listed["authority_id"]), "finanzamt");
    assert_eq!(text(&listed["kind"]), "tax-notice");
    assert_eq!(listed["unread"], true);
    assert_eq!(listed["attachments"], documents.len());
    assert_eq!(listed["deemed_served"], status["legal"]["deemed_served"]);
    assert_eq!(
        stages(&amt.json(&["authority", "status", &id])),
        ["ACCEPTED"],
        "listing does not retrieve the letter"
    );

    let letter = citizen.json(&["read", &id]);
    assert!(letter.to_string().contains("Bitte lesen Sie den Bescheid."), "{letter}");
    assert_eq!(stages(&amt.json(&["authority", "status", &id])), ["ACCEPTED", "HANDED_OVER"]);
    assert_eq!(citizen.inbox()[0]["unread"], false);
    citizen.json(&["read", &id]);
    assert_eq!(stages(&amt.json(&["authority", "status", &id])), ["ACCEPTED", "HANDED_OVER"]);

    let saved = citizen.folder().join("saved");
    citizen.json(&["attachment", "save", &id, "-o", saved.to_str().unwrap()]);
    for document in &documents {
        let name = Path::new(document).file_name().unwrap();
        assert_eq!(fs::read(document).unwrap(), fs::read(saved.join(name)).unwrap(), "{document}");
    }

    citizen.json(&["confirm", &id]);
    citizen.json(&["confirm", &id]);
    assert_eq!(stages(&amt.json(&["authority", "status", &id])), ["ACCEPTED", "HANDED_OVER", "CONFIRMED"]);

    let proofs = amt.folder().join("receipts");
    amt.json(&["authority", "receipts", &id, "-o", proofs.to_str().unwrap()]);
    let receipts: Vec<_> = fs::read_dir(&proofs).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(receipts.len(), 3);
    let own = citizen.folder().join("receipts");
    citizen.json(&["receipt", "save", &id, "-o", own.to_str().unwrap()]);
    assert_eq!(fs::read_dir(&own).unwrap().count(), 3);
    d.stop();
    for receipt in &receipts {
        let shown = citizen.json(&["verify", receipt.to_str().unwrap()]);
        assert_eq!(shown["ok"], true, "{shown}");
        assert!(!shown["event"].is_null() && !shown["checkpoint"].is_null(), "{shown}");
    }

    let audit = d.audit(&["--blobs"]).ok().json();
    assert_eq!(audit["ok"], true, "{audit}");
    assert!(audit["evidence_size"].as_u64().unwrap() >= 4, "three stages and a consent: {audit}");
    let list = d.operator(&["audit", "list", "--authority", "finanzamt"]).ok().json_lines();
    assert_eq!(list.len(), 1);
    assert_eq!(text(&list[0]["message_id"]), id);
    assert_eq!(text(&list[0]["address"]), address);
}

#[test]
fn sending_again_under_the_same_id_is_one_delivery() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("berta");
    let id = "0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    let first = amt.send(&citizen.address(), "Einmal", "Text", &["--message-id", id]);
    let again = amt.send(&citizen.address(), "Einmal", "Text", &["--message-id", id]);
    assert_eq!(first["evidence_index"], again["evidence_index"]);
    assert_eq!(citizen.inbox().len(), 1);
}

#[test]
fn withdrawn_before_it_was_read_is_gone_and_after_it_is_not() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("clara");
    let early = amt.send_plain(&citizen.address(), "Zu früh");
    let first = amt.json(&["authority", "withdraw", &early]);
    // As after an answer that got lost: it stands, and that is no reason to cry fraud.
    let again = amt.json(&["authority", "withdraw", &early]);
    assert_eq!((&first["repeated"], &again["repeated"]), (&false.into(), &true.into()));
    assert_eq!(first["evidence_index"], again["evidence_index"]);
    assert_eq!(amt.stages(&early), ["ACCEPTED", "WITHDRAWN"]);
    citizen.postfach(&["sync"]).ok();
    assert_ne!(citizen.postfach(&["read", &early, "--json"]).code, 0);

    let read = amt.send_plain(&citizen.address(), "Gelesen");
    citizen.json(&["read", &read]);
    amt.postfach(&["authority", "withdraw", &read]).exits(9);
    assert_eq!(amt.stages(&read), ["ACCEPTED", "HANDED_OVER"]);
}

#[test]
fn a_citizen_disputes_and_deletes() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("dora");
    let id = amt.send_plain(&citizen.address(), "Strittig");
    citizen.postfach(&["sync"]).ok();
    citizen.postfach(&["dispute", &id]).ok();
    assert_eq!(amt.stages(&id), ["ACCEPTED", "DISPUTED"]);
    let other = amt.send_plain(&citizen.address(), "Weg damit");
    citizen.json(&["read", &other]);
    citizen.postfach(&["delete", &other]).ok();
    assert!(amt.stages(&other).contains(&"DELETED".to_owned()));
    assert!(citizen.inbox().iter().all(|m| m["message_id"] != other.as_str()));
    d.audit(&[]).ok();
}

#[test]
fn erased_content_is_gone_and_the_log_still_verifies() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("emil");
    let file = amt.write("anlage.txt", b"an attachment that will be erased");
    let id = text(&amt.send(&citizen.address(), "Bald weg", "Text", &["--attach", &file])["message_id"]);
    citizen.json(&["read", &id]);
    d.operator(&["admin", "erase", "--message", &id]).ok();
    let after = amt.send_plain(&citizen.address(), "Danach");
    citizen.postfach(&["sync"]).ok();
    citizen.json(&["read", &after]);
    let audit = d.audit(&["--blobs"]).ok().json();
    assert_eq!(audit["ok"], true);
}

#[test]
fn a_structured_letter_carries_everything_that_a_sender_may_set() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("frida");
    let letter = amt.write(
        "letter.json",
        serde_json::json!({
            "body": "# Bescheid\n\nSie zahlen **123,45 EUR**.",
            "body_type": "text/markdown",
            "legal": {"reference": "AZ 12/2026", "remedy_instruction": "Widerspruch binnen eines Monats.",
                      "stated_deadline": "2027-01-15"},
            "payments": [{"creditor": "Stadt Muster", "iban": "DE89370400440532013000",
                          "amount_cents": 12345, "currency": "EUR", "reference": "AZ 12/2026"}]
        })
        .to_string()
        .as_bytes(),
    );
    let words =
        ["authority", "send", "--to", &citizen.address(), "--subject", "Gebühr", "--letter", letter.as_str()];
    let id = text(&amt.json(&words)["message_id"]);
    citizen.postfach(&["sync"]).ok();
    let read = citizen.json(&["read", &id]).to_string();
    for part in
        ["AZ 12/2026", "Widerspruch binnen eines Monats.", "2027-01-15", "DE89370400440532013000", "12345"]
    {
        assert!(read.contains(part), "{part} is missing in {read}");
    }
}
