//! A database server that goes away, is slow, restarts, is full or loses answers, while `postfachd` serves: callers are
//! told to try again, readiness goes red and green, and nothing that was acknowledged is lost or there twice.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use postfach_sdk::Error;
use postfach_testdb::Database;
use postfach_tests::Deployment;
use postfach_tests::between::{Between, Line};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::burst::Running;
use super::checks;
use super::{LETTERS, Trial, seed};

/// What a caller waits at most for being told to try again, however silent the database is: what stands before it in the
/// committer waits too.
const BOUND: Duration = Duration::from_secs(45);
/// How long a burst goes on while the database is ill.
const ILL: Duration = Duration::from_secs(3);

impl Trial {
    /// Over a line that can break.
    async fn over_a_line() -> (Self, Between) {
        let (between, database) = (Between::new(), Database::new());
        let url = between.url(&database);
        let mut d = Deployment::begun(Some(database));
        d.init(&["--database", &url]).ok();
        d.serve();
        (Self::new(d, seed()).await, between)
    }

    fn sql(&self, text: &str) -> String {
        self.d.database().unwrap().sql(text)
    }

    /// What the health service says, waited for.
    async fn serves(&self, expected: bool) {
        let channel = postfach_sdk::channel::channel(&self.people.service, Some(&self.d.url()), checks::LONG);
        let mut health = HealthClient::new(channel.unwrap());
        let begun = Instant::now();
        loop {
            let answer = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
            if (answer.status() == ServingStatus::Serving) == expected {
                return;
            }
            let log = self.d.server().log();
            assert!(begun.elapsed() < Duration::from_secs(30), "health is {:?}:\n{log}", answer.status());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A burst into which `trouble` happens; it goes on until all is said.
    async fn burst_with(&mut self, trouble: impl AsyncFn()) {
        let url = self.d.url();
        let mut letters = self.people.seal(LETTERS, &url, &self.folder, &mut self.rng).await;
        letters.append(&mut self.left);
        let all: Vec<_> = letters.iter().map(|letter| (letter.sender, letter.id)).collect();
        let running = Running::start(&self.people, letters, &url, &self.held, &self.folder, &mut self.rng);
        trouble().await;
        self.interrupted += running.burst.interrupted.load(Ordering::SeqCst);
        self.left = running.end(&mut self.people).await;
        let left: Vec<_> = self.left.iter().map(|letter| letter.id).collect();
        self.sent.extend(all.into_iter().filter(|(_, id)| !left.contains(id)));
    }

    /// Makes the database ill, looks at what callers are told, and makes it well.
    async fn outlive(&mut self, what: &str, ill: impl AsyncFn(&Self), well: impl AsyncFn(&Self)) {
        let url = self.d.url();
        let mut letters = self.people.seal(2, &url, &self.folder, &mut self.rng).await;
        self.left.extend(letters.pop());
        self.send_again().await;
        ill(self).await;
        let letter = letters.remove(0);
        let begun = Instant::now();
        let sender = self.people.sender(letter.sender, &url, Duration::from_millis(100));
        let refused = sender.deliver(&letter.entry).await.map(drop);
        let told = matches!(&refused, Err(Error::ServerAway { .. }));
        assert!(told && begun.elapsed() < BOUND, "{what}: {refused:?} {:?}", begun.elapsed());
        self.left.push(letter);
        self.serves(false).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        self.serves(false).await;
        well(self).await;
        self.serves(true).await;
        self.send_again().await;
        checks::receipts_hold(&mut self.people, &self.sent, &url, &self.held).await;
        self.d.audit(&["--blobs"]).ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_found_out() {
    let (mut trial, between) = Trial::over_a_line().await;
    for line in [Line::LosesAnswers(2), Line::LosesCommits(3), Line::LosesAnswers(3)] {
        let before = between.lost();
        trial
            .burst_with(async || {
                between.is(line);
                let begun = Instant::now();
                while between.lost() < before + 3 && begun.elapsed() < Duration::from_secs(20) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                between.is(Line::Good);
            })
            .await;
        assert!(between.lost() >= before + 3, "{line:?} lost {}", between.lost() - before);
        trial.send_again().await;
    }
    trial.check_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_or_silent_turns_readiness_red() {
    let (mut trial, between) = Trial::over_a_line().await;
    let (line, well) = (between.clone(), between.clone());
    trial.outlive("cut", async |_| line.is(Line::Cut), async |_| well.is(Line::Good)).await;
    trial.outlive("silent", async |_| line.is(Line::Silent), async |_| well.is(Line::Good)).await;
    // Cut again and again, as a failover does.
    trial
        .burst_with(async || {
            let begun = Instant::now();
            while begun.elapsed() < ILL {
                between.cut_once();
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
        })
        .await;
    trial.send_again().await;
    let log = trial.d.server().log();
    assert!(!log.contains("geheim") && !log.contains("panicked"), "{log}");
    trial.check_all().await;
}

/// What the database says when its disk is full, from a trigger on the rows that every batch writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_the_database_and_conflicts_lose_nothing() {
    let mut trial = Trial::new(Deployment::on_postgres().served(), seed()).await;
    trial.sql(
        "CREATE SEQUENCE trouble;
         CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN RAISE EXCEPTION 'no space left for %', NEW USING ERRCODE = '53100'; END$$;
         CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN
                 IF nextval('trouble') % 3 = 0 THEN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END IF;
                 RETURN NEW;
             END$$",
    );
    trial
        .outlive(
            "full",
            async |trial| {
                let full = "CREATE TRIGGER full_disk BEFORE UPDATE ON log_head FOR EACH ROW
                            WHEN (NEW.checkpoint <> OLD.checkpoint OR NEW.size = OLD.size) EXECUTE FUNCTION full_disk()";
                trial.sql(full);
            },
            async |trial| drop(trial.sql("DROP TRIGGER full_disk ON log_head")),
        )
        .await;
    let log = trial.d.server().log();
    assert!(log.contains("the database's disk is full (SQLSTATE 53100)"), "{log}");
    assert!(!log.contains("no space left for"), "the database's own words may quote values");
    trial.sql("CREATE TRIGGER conflict BEFORE INSERT ON content FOR EACH ROW EXECUTE FUNCTION conflict()");
    trial.burst_with(async || tokio::time::sleep(ILL).await).await;
    trial.sql("DROP TRIGGER conflict ON content");
    assert!(trial.d.server().log().contains("SQLSTATE 40001"));
    trial.send_again().await;
    trial.check_all().await;
}

/// A crash of the database under load, twice. On a cluster of its own: others share the other one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_under_load_loses_nothing() {
    let cluster: &'static postfach_testdb::Cluster =
        Box::leak(Box::new(postfach_testdb::Cluster::start(&[]).unwrap()));
    let mut d = Deployment::begun(Some(Database::new_in(cluster)));
    d.init(&["--database", &d.database().unwrap().url()]).ok();
    d.serve();
    let mut trial = Trial::new(d, seed()).await;
    for _ in 0..2 {
        trial
            .burst_with(async || {
                tokio::time::sleep(Duration::from_millis(200)).await;
                tokio::task::block_in_place(|| {
                    cluster.restart(|| std::thread::sleep(Duration::from_millis(500)));
                });
                tokio::time::sleep(ILL).await;
            })
            .await;
        trial.serves(true).await;
        trial.send_again().await;
    }
    trial.check_all().await;
}
