//! What lies outside the database: checkpoints, the service card, ciphertext; and the command itself.

use std::fs;
use std::path::{Path, PathBuf};

use postfach_domain::act::ActType;
use postfach_domain::terms::TrustLevel;
use postfach_ledger::checkpoint::Checkpoint;
use postfach_ledger::hash::leaf_hash;
use postfach_ledger::vkey::LogSigner;

use super::patient::Patient;
use super::scenario;
use super::world::World;
use crate::args::{DataArgs, VerifyArgs};
use crate::audit::verify::{Failure, Options, Problem, run, verify};
use crate::deployment::folder::Folder;
use crate::deployment::keyfile;
use crate::evidence::LogName;
use crate::failure::Exit;
use crate::output::Output;

async fn problem(folder: &Folder, options: &Options) -> Problem {
    match verify(folder, options).await {
        Err(Failure::Bad(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

async fn stopped() -> Patient {
    let world = scenario::everything().await;
    world.app.close().await;
    Patient::new(&world.folder).await
}

fn signed(folder: &Folder, size: u64, root: &[u8]) -> Vec<u8> {
    let key = keyfile::read(&folder.evidence_log_key()).unwrap();
    let signer = LogSigner::new("post.example/evidence", key).unwrap();
    Checkpoint::sign(&signer, size, leaf_hash(root)).note
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_outside_the_database_are_extended() {
    let mut world = World::new(3).await;
    let amt = world.authority("amt").await;
    let anna = world.citizen(TrustLevel::Basic, true).await;
    world.deliver(&amt, &anna, Vec::new()).await;
    let kept = world.folder.path().join("kept");
    let options = Options { checkpoints: vec![kept.clone()], ..Options::default() };
    for log in [LogName::Keys, LogName::Evidence] {
        fs::write(&kept, world.app.logs().snapshot().heads.of(log).checkpoint.clone()).unwrap();
        let sent = world.deliver(&amt, &anna, Vec::new()).await;
        world.act_on(&anna, sent, ActType::HandedOver, "").await;
        world.citizen(TrustLevel::Basic, false).await;
        verify(&world.folder, &options).await.unwrap();
    }
    world.app.close().await;
    let size = verify(&world.folder, &Options::default()).await.unwrap().evidence_size;
    // Another history, then a longer one, then one that nobody signed.
    for (size, what) in [(2, "does not extend"), (size, "does not extend"), (size + 1, "was signed for")] {
        fs::write(&kept, signed(&world.folder, size, b"other")).unwrap();
        let problem = problem(&world.folder, &options).await;
        assert!(problem.table == "file" && problem.what.contains(what), "{problem}");
    }
    let own = world.folder.checkpoints().join("evidence");
    let note = fs::read(&own).unwrap();
    fs::write(&kept, signed(&world.folder, 2, b"other")).unwrap();
    for bad in [signed(&world.folder, 1, b"other"), [note.as_slice(), b"x"].concat(), Vec::new()] {
        fs::write(&own, bad).unwrap();
        assert_eq!(problem(&world.folder, &Options::default()).await.row, "checkpoints/evidence");
    }
    fs::write(&own, note).unwrap();
    verify(&world.folder, &Options::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_byte_of_the_card_counts() {
    let patient = stopped().await;
    let card = fs::read(patient.folder.card()).unwrap();
    for at in (0..card.len()).step_by(97) {
        let mut bad = card.clone();
        bad[at] ^= 1;
        fs::write(patient.folder.card(), bad).unwrap();
        assert_eq!(problem(&patient.folder, &Options::default()).await.row, "service-card.toml");
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn ciphertext_is_there_as_it_was() {
    let patient = stopped().await;
    let options = Options { blobs: Some(super::world::blobs(&patient.folder)), ..Options::default() };
    let without = Options::default();
    let files = files_below(&patient.folder.blobs());
    assert!(files.len() >= 4, "{files:?}");
    for file in &files {
        let sound = fs::read(file).unwrap();
        let mut flipped = sound.clone();
        flipped[sound.len() / 2] ^= 1;
        for bad in [Some(flipped), Some(sound[1..].to_vec()), None] {
            match bad {
                Some(bad) => fs::write(file, bad).unwrap(),
                None => fs::remove_file(file).unwrap(),
            }
            let problem = problem(&patient.folder, &options).await;
            assert!(problem.row.starts_with("blobs/") && problem.what.contains("segment"), "{problem}");
            verify(&patient.folder, &without).await.unwrap();
        }
        fs::write(file, sound).unwrap();
    }
    let blob = files[0].parent().unwrap();
    let strangers = [
        blob.join("99-00"),
        blob.join("notes"),
        patient.folder.blobs().join("ab/cd").join("ab".repeat(16)),
        patient.folder.blobs().join("ab/cd/notes"),
    ];
    for stranger in strangers {
        fs::create_dir_all(stranger.parent().unwrap()).unwrap();
        fs::write(&stranger, b"x").unwrap();
        assert_eq!(problem(&patient.folder, &options).await.table, "file");
        fs::remove_file(&stranger).unwrap();
    }
    verify(&patient.folder, &options).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_the_one_of_this_version() {
    let patient = stopped().await;
    for sql in [
        "CREATE TRIGGER quiet AFTER INSERT ON event BEGIN DELETE FROM event WHERE idx = new.idx; END",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TABLE extra (x BIGINT)",
        "DROP INDEX event_sender",
        "UPDATE _sqlx_migrations SET checksum = x'00'",
    ] {
        assert!(patient.run(&[(sql.to_owned(), Vec::new())]).await, "{sql}");
        assert_eq!(problem(&patient.folder, &Options::default()).await.table, "database", "{sql}");
        patient.heal();
    }
    fs::write(patient.folder.database(), vec![7; 65536]).unwrap();
    assert_eq!(problem(&patient.folder, &Options::default()).await.table, "database");
}

#[tokio::test(flavor = "multi_thread")]
async fn full_tiles_and_partial_ones_are_compared() {
    let mut world = World::new(4).await;
    let amt = world.authority("amt").await;
    let anna = world.citizen(TrustLevel::Basic, true).await;
    for _ in 0..300 {
        world.deliver(&amt, &anna, Vec::new()).await;
    }
    world.app.close().await;
    let patient = Patient::new(&world.folder).await;
    assert_eq!(verify(&patient.folder, &Options::default()).await.unwrap().counts.tiles, 4);
    for tile in patient.rows("SELECT log, level, idx FROM log_tile").await {
        let sql = "UPDATE log_tile SET hashes = zeroblob(length(hashes)) WHERE log = $1 AND level = $2 AND idx = $3";
        assert!(patient.run(&[(sql.into(), tile)]).await);
        assert_eq!(problem(&patient.folder, &Options::default()).await.table, "log_tile");
        patient.heal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_ends_with_its_contract() {
    let patient = stopped().await;
    let data = DataArgs { data: patient.folder.path().to_owned(), json: true };
    let args = VerifyArgs { data, quick: false, blobs: false, checkpoint: Vec::new() };
    run(&args, Output::new(true)).await.unwrap();
    patient.run(&[("UPDATE pair SET seq = seq + 1".into(), Vec::new())]).await;
    let failure = run(&args, Output::new(true)).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Evidence);
    let json = failure.to_json();
    assert_eq!(json["ok"], false);
    assert_eq!(json["problem"]["table"], "pair");
    let nowhere = DataArgs { data: patient.folder.path().join("nowhere"), json: true };
    let args = VerifyArgs { data: nowhere, ..args };
    assert_eq!(run(&args, Output::new(true)).await.unwrap_err().exit, Exit::NotFound);
}
