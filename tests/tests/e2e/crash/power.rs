//! The power goes: a killed process leaves its pages to the kernel, a dead machine only what was flushed. A shim below
//! the server remembers which is which (`tests/shim/disk.c`), and the folder is rebuilt from that alone.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use postfach_sdk::Error;
use postfach_sdk::progress::quiet;
use postfach_sdk::sender::{OutboxEntry, Sender};
use postfach_tests::process::command;
use postfach_tests::shim::{Step, errno};
use postfach_tests::{Cut, Deployment, Disk, Shim};
use rand::Rng as _;

use super::{LETTERS, Trial, rounds, seed};

impl Trial {
    /// A trial whose server runs above a disk that forgets.
    async fn above_a_disk(change: impl FnOnce(&mut Shim)) -> (Self, Disk) {
        let mut trial = Self::new(Deployment::serving_in_folder(), seed()).await;
        trial.d.stop();
        change(trial.d.with_shim());
        let disk = Disk::load(&trial.d.data());
        trial.d.serve();
        (trial, disk)
    }

    /// Kills nothing, cuts: half of the time all is gone that was not flushed, else any part of it.
    fn cut_power(&mut self, disk: Disk) {
        let rng = &mut self.rng;
        if rng.r#gen() {
            self.d.cut_power(disk, Cut::Worst);
        } else {
            self.d.cut_power(disk, Cut::Random(&mut || rng.r#gen()));
        }
    }
}

impl Trial {
    /// Kills the server while a call about the letter that waits hangs, and mends the disk.
    async fn die_while<F>(&mut self, call: impl FnOnce(Sender, OutboxEntry, PathBuf) -> F)
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let letter = &self.left[0];
        let sender = self.people.sender(letter.sender, &self.d.url(), Duration::from_secs(30));
        let calling = tokio::spawn(call(sender, letter.entry.clone(), letter.spool.clone()));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(!calling.is_finished(), "it was answered though the flush never ended");
        self.d.kill();
        calling.abort();
        self.d.shim().mend();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_outlives_a_power_cut_at_any_moment() {
    let (seed, rounds) = (seed(), rounds(6));
    let mut trial = Trial::new(Deployment::serving_in_folder(), seed).await;
    trial.d.stop();
    trial.d.with_shim();
    let mut disk = Disk::load(&trial.d.data());
    for round in 0..rounds {
        trial.d.serve();
        trial.burst_and_kill().await;
        // Killed first, so that the next start finds what was written and not flushed, and shows it to people.
        while trial.rng.gen_ratio(1, 3) {
            trial.d.serve();
            trial.check(round).await;
            trial.d.kill();
        }
        while trial.rng.gen_ratio(1, 4) {
            let after = Duration::from_millis(trial.rng.gen_range(0..80));
            trial.d.serve_and_kill(after);
        }
        trial.cut_power(disk);
        disk = Disk::load(&trial.d.data());
        trial.d.serve();
        trial.check(round).await;
        trial.d.kill();
    }
    trial.d.serve();
    trial.check_all().await;
    let (sent, events) = (trial.sent.len(), trial.held.lock().unwrap().facts().len());
    println!("{rounds} cuts: {sent} letters, {events} events, {} calls interrupted", trial.interrupted);
    assert_eq!(sent, rounds * LETTERS);
}

/// The checks above see what is lost: a disk that says it flushed, and did not, turns them red.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_only_says_it_flushed_is_noticed() {
    let (mut trial, disk) = Trial::above_a_disk(Shim::ignore_flushes).await;
    while trial.sent.len() < 5 {
        trial.burst_and_kill().await;
        trial.d.serve();
    }
    trial.d.kill();
    trial.d.cut_power(disk, Cut::Worst);
    trial.d.serve();
    let checked = tokio::spawn(async move { trial.check_all().await }).await;
    let panic = checked.expect_err("acknowledged letters were lost, and every check passed").into_panic();
    let said = AssertUnwindSafe(panic).downcast_ref::<String>().cloned().unwrap_or_default();
    // A letter that was to be sent again meets the loss first: its sender saw more of the log.
    let losses = ["no receipts of", "Rollback", "acknowledged bytes is gone"];
    assert!(losses.iter().any(|loss| said.contains(loss)), "{said}");
}

/// A deployment is there from the moment at which `init` says so.
#[test]
fn a_new_deployment_outlives_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (live, after, aside) =
        (folder.path().join("live"), folder.path().join("after"), folder.path().join("aside"));
    std::fs::create_dir(&live).unwrap();
    std::fs::create_dir(&aside).unwrap();
    let shim = Shim::new(&live, &aside);
    let mut disk = Disk::load(&live);
    let data = live.join("data");
    let words = ["init", "--data", data.to_str().unwrap(), "--origin", "postfach.example"];
    let mut init = command("postfachd");
    let init = init.args(words).args(["--listen", "127.0.0.1:0"]).envs(shim.environment());
    assert!(init.stdout(Stdio::null()).status().unwrap().success());
    shim.play(&mut disk);
    disk.cut(Cut::Worst, &after);
    let data = after.join("data");
    let server = postfach_tests::Server::start(&data);
    let server = server.unwrap_or_else(|(code, log)| panic!("exit {code}: {log}"));
    server.stop();
    for file in ["registrar.key", "tls/root.key", "tls/root.pem", "service-card.toml", "postfachd.toml"] {
        let (before, after) = (std::fs::read(live.join("data").join(file)), std::fs::read(data.join(file)));
        assert_eq!(before.unwrap(), after.unwrap(), "{file}");
    }
}

/// A letter that the server was writing when it died: the bytes are with the kernel, nobody was told. The next server
/// finds it; before it says so, it must be on disk. An auditor keeps the database open, so that nothing flushes it by
/// the way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_start_finds_is_on_disk_before_anybody_is_told() {
    let (mut trial, disk) = Trial::above_a_disk(|_| {}).await;
    let url = trial.d.url();
    trial.left = trial.people.seal(5, &url, &trial.folder, &mut trial.rng).await.split_off(3);
    let second = trial.left.pop().unwrap();
    trial.send_again().await;
    trial.d.shim().fail(Step::Flush, errno::HANG, None);
    trial.left.push(second);
    trial.die_while(|sender, entry, _| async move { sender.deliver(&entry).await.map(drop) }).await;
    let auditor = rusqlite::Connection::open(trial.d.data().join("postfach.db")).unwrap();
    auditor.execute_batch("BEGIN").unwrap();
    let found: i64 = auditor.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
    assert_eq!(found, 2, "what the killed server wrote is there");
    trial.d.serve();
    trial.send_again().await;
    trial.d.kill();
    drop(auditor);
    trial.d.cut_power(disk, Cut::Worst);
    trial.d.serve();
    trial.check_all().await;
}

/// A folder that was made and whose name was not flushed when the server died: whoever finds it there may not take it
/// for durable.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_segment_in_a_folder_that_was_half_made_is_on_disk_when_acknowledged() {
    let (mut trial, disk) = Trial::above_a_disk(|_| {}).await;
    let url = trial.d.url();
    let mut letters = trial.people.seal(4, &url, &trial.folder, &mut trial.rng).await;
    trial.left.extend(letters.pop());
    trial.send_again().await;
    trial.left.push(letters.swap_remove(1));
    // The checkpoints of that letter are kept by now. The first folder above a blob is flushed at every start; the second
    // one is not.
    tokio::time::sleep(Duration::from_millis(300)).await;
    trial.d.shim().fail_after(1, Step::FlushFolder, errno::HANG, None);
    trial
        .die_while(|sender, entry, spool| async move { sender.upload(&entry, &spool, &quiet()).await })
        .await;
    trial.d.serve();
    trial.send_again().await;
    trial.d.kill();
    trial.d.cut_power(disk, Cut::Worst);
    trial.d.serve();
    trial.check_all().await;
}
