//! A disk that is full, read-only or broken while the server runs: callers are told to try again, readiness goes red,
//! what was acknowledged can be read, and writing goes on without a restart once the disk is well.

use std::time::{Duration, Instant};

use postfach_sdk::Error;
use postfach_tests::Deployment;
use postfach_tests::shim::{Shim, Step, errno};

use super::checks;
use super::{Trial, seed};

impl Trial {
    /// What `admin status` says, waited for.
    async fn is_ready(&self, expected: bool) {
        let begin = Instant::now();
        loop {
            let ready = self.d.operator(&["admin", "status"]).ok().json()["ready"].clone();
            if ready == expected {
                return;
            }
            assert!(
                begin.elapsed() < Duration::from_secs(10),
                "ready is {ready}:\n{}",
                self.d.server().log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Breaks the disk, and mends it.
    async fn survive(&mut self, what: &str, break_it: impl Fn(&Shim)) {
        let url = self.d.url();
        let mut letters = self.people.seal(5, &url, &self.folder, &mut self.rng).await;
        self.left.extend(letters.pop());
        self.send_again().await;
        break_it(self.d.shim());
        // A letter, and an upload of two segments.
        for (number, letter) in [letters.swap_remove(3), letters.swap_remove(0)].into_iter().enumerate() {
            let sender = self.people.sender(letter.sender, &url, Duration::from_secs(2));
            let refused = match number {
                0 => sender.deliver(&letter.entry).await.map(drop),
                _ => sender.upload(&letter.entry, &letter.spool, &postfach_sdk::progress::quiet()).await,
            };
            let told = matches!(&refused, Err(Error::ServerAway { retry_after: Some(_), .. }));
            assert!(told, "{what}: {refused:?}");
            self.left.push(letter);
        }
        self.is_ready(false).await;
        // It stays red: that a transaction can be opened is not enough. And what is there can be read.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        self.is_ready(false).await;
        checks::receipts_hold(&mut self.people, &self.sent, &url, &self.held).await;
        self.d.shim().mend();
        self.is_ready(true).await;
        self.send_again().await;
        checks::receipts_hold(&mut self.people, &self.sent, &url, &self.held).await;
        self.d.audit(&["--blobs"]).ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_or_broken_disk_loses_nothing_and_needs_no_restart() {
    let mut trial = Trial::new(Deployment::serving_in_folder(), seed()).await;
    trial.d.stop();
    trial.d.with_shim();
    trial.d.serve();
    trial.survive("no room at all", |disk| disk.room(Some(0))).await;
    trial.survive("room for half a write", |disk| disk.room(Some(5000))).await;
    trial.survive("writes fail", |disk| disk.fail(Step::Write, errno::IO, None)).await;
    trial.survive("flushes fail", |disk| disk.fail(Step::Flush, errno::IO, None)).await;
    trial
        .survive("read-only", |disk| {
            disk.fail(Step::Name, errno::READ_ONLY, None);
            disk.fail(Step::Write, errno::READ_ONLY, None);
        })
        .await;
    trial.d.kill();
    trial.d.serve();
    trial.check_all().await;
}

/// The client's folder is full: the command says so, and what the profile had is there when there is room again.
#[test]
fn a_profile_on_a_full_disk_keeps_what_it_had() {
    let d = Deployment::serving_in_folder();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let first = amt.send_plain(&citizen.address(), "Erste");
    assert_eq!(citizen.inbox().len(), 1);
    let second = amt.send_plain(&citizen.address(), "Zweite");
    let shell = |words: &str| {
        let postfach = postfach_tests::binary("postfach");
        let mut command = citizen.command();
        let mut limited = std::process::Command::new("sh");
        // No file may grow: what is written fails, as it does without space.
        limited.arg("-c").arg(format!("trap '' XFSZ; ulimit -f 0; exec {} {words}", postfach.display()));
        for (name, value) in command.env_clear().get_envs() {
            if let Some(value) = value {
                limited.env(name, value);
            }
        }
        limited.env("POSTFACH_HOME", citizen.home()).env("POSTFACH_SERVER_URL", d.url());
        let ended = limited.output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    };
    let (code, said) = shell(&format!("read {second}"));
    assert_ne!(code, Some(0), "{said}");
    assert!(!said.contains("panicked") && said.len() > 20, "{said}");
    let mut kept: Vec<_> =
        citizen.inbox().iter().map(|m| m["message_id"].as_str().unwrap().to_owned()).collect();
    kept.sort();
    let mut all = vec![first, second.clone()];
    all.sort();
    assert_eq!(kept, all);
    citizen.postfach(&["read", &second, "--json"]).ok();
}
