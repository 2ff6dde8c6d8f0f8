//! Whoever changes one byte of a receipt or of the database is found out.

use std::fs;

use postfach_tests::{Citizen, Deployment};

fn receipts_of_a_read_notice(d: &Deployment) -> (Citizen, Vec<std::path::PathBuf>) {
    let amt = d.authority("finanzamt");
    let citizen = d.citizen("anna");
    let id = amt.send_plain(&citizen.address(), "Bescheid");
    citizen.postfach(&["sync"]).ok();
    citizen.json(&["read", &id]);
    let folder = citizen.folder().join("receipts");
    citizen.json(&["receipt", "save", &id, "-o", folder.to_str().unwrap()]);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    (citizen, files)
}

#[test]
fn a_receipt_is_checked_without_profile_or_network() {
    let mut d = Deployment::serving();
    let (_citizen, receipts) = receipts_of_a_read_notice(&d);
    let court = Citizen::at(&d, "court");
    d.stop();
    let receipt = receipts[0].to_str().unwrap();
    court.postfach(&["verify", receipt, "--json"]).exits(2);
    let card = d.card();
    let shown = court.json(&["verify", receipt, "--service-card", card.to_str().unwrap()]);
    assert_eq!(shown["ok"], true);
    let text = court.postfach(&["verify", receipt, "--service-card", card.to_str().unwrap()]).ok().talk();
    assert!(text.contains("operator-asserted"), "{text}");

    let other = Deployment::new();
    let foreign = other.card();
    court.postfach(&["verify", receipt, "--service-card", foreign.to_str().unwrap(), "--json"]).exits(8);
}

#[test]
fn flipped_missing_or_added_bytes_of_a_receipt_are_exit_8() {
    let d = Deployment::serving();
    let (citizen, receipts) = receipts_of_a_read_notice(&d);
    for receipt in receipts {
        let good = fs::read(&receipt).unwrap();
        let mut damaged: Vec<Vec<u8>> = Vec::new();
        // Every byte is tried by the ledger's own tests; here a spread through the real binary.
        for at in (0..good.len()).step_by(good.len() / 12) {
            let mut copy = good.clone();
            copy[at] ^= 0x01;
            damaged.push(copy);
        }
        damaged.push(good[..good.len() - 1].to_vec());
        damaged.push([good.as_slice(), b"\n"].concat());
        damaged.push(Vec::new());
        for copy in damaged {
            let path = citizen.write("forged.receipt", &copy);
            let run = citizen.postfach(&["verify", &path, "--json"]).exits(8);
            assert!(!run.talk().contains("panicked"));
        }
    }
    citizen.postfach(&["verify", "no-such-file.receipt", "--json"]).exits(3);
}

#[test]
fn a_letter_is_shown_to_a_third_party_by_its_file_key() {
    let d = Deployment::serving();
    let amt = d.authority("finanzamt");
    let citizen = d.citizen("anna");
    let id = amt.send_plain(&citizen.address(), "Für das Gericht");
    citizen.postfach(&["sync"]).ok();
    citizen.json(&["read", &id]);
    let raw = citizen.folder().join("raw");
    citizen.json(&["raw", &id, "-o", raw.to_str().unwrap()]);
    for name in ["outer.bin", "cover.age", "letter.age"] {
        assert!(raw.join(name).is_file(), "{name}");
    }
    let key = citizen.json(&["file-key", &id]);
    let key = key["file_key"].as_str().unwrap_or_else(|| panic!("{key}")).to_owned();
    let envelope = raw.join("letter.age");
    let envelope = envelope.to_str().unwrap();
    let shown = citizen.json(&["verify", "--letter", envelope, "--file-key", &key]);
    assert!(shown.to_string().contains("Guten Tag."), "{shown}");

    let mut forged = fs::read(envelope).unwrap();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let path = citizen.write("forged.age", &forged);
    assert_ne!(citizen.postfach(&["verify", "--letter", &path, "--file-key", &key, "--json"]).code, 0);
}
