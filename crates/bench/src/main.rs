//! `postfach-bench`: durable deliveries and readings per second beside the bare limits of the same run. The server is a
//! real `postfachd` in its own process; every letter is sealed before, every receipt is verified after.

mod acts;
mod beside;
mod client;
mod limits;
mod load;
mod peers;
mod process;
mod report;
mod scenarios;
mod server;
mod standard;
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, ValueEnum};
use serde_json::{Value, json};

use crate::limits::echo::Echo;
use crate::report::say;
use crate::server::{Server, postfachd, program};
use crate::world::World;

/// Letters that --watchers delivers one by one.
const LETTERS_HEARD_OF: usize = 500;

/// Measures durable deliveries and readings per second, and the bare limits of the machine in the same run.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Letters to seal and deliver in each large scenario, all distinct.
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// Calls under way at once; a run beside a peer makes 1, 16 and 64.
    #[arg(long, default_value_t = 64)]
    callers: usize,
    /// Authorities that send.
    #[arg(long, default_value_t = 64)]
    senders: usize,
    /// Citizens who receive.
    #[arg(long, default_value_t = 1000)]
    recipients: usize,
    /// Folder for the run's data; it must be on the disk that is to be measured. Removed afterwards.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Store in this empty PostgreSQL database instead of SQLite in the folder.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Letters in the mailbox over which the command line client is timed; 0 leaves it out.
    #[arg(long, default_value_t = 10_000)]
    inbox: usize,
    /// Seconds for each bare limit.
    #[arg(long, default_value_t = 2)]
    limit_seconds: u64,
    /// Seconds of each rate of --day, and of idleness with --watchers.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Write all figures to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    #[command(flatten)]
    course: Course,
    /// Serve echoes with these certificate and key files; used by the run itself.
    #[arg(long, num_args = 2, hide = true)]
    echo: Option<Vec<PathBuf>>,
}

/// What is measured instead of the usual scenarios.
#[derive(Args)]
#[group(multiple = false)]
struct Course {
    /// Measure deliveries and readings beside what a user would pick instead, in the same run. It must be installed.
    #[arg(long)]
    peer: Option<Peer>,
    /// Open so many streams of news, and measure how soon a letter is heard of and what idle streams cost.
    #[arg(long, value_name = "COUNT")]
    watchers: Option<usize>,
    /// Let all kinds of calls arrive in the shares of a day, at each of these rates a second (500,2000).
    #[arg(long, value_name = "RATES", value_delimiter = ',', num_args = 1)]
    day: Vec<usize>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Peer {
    /// Debian's Dovecot 2.3, sdbox and mdbox: mail by LMTP, and by IMAP.
    Dovecot,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    if let Some([chain_file, key_file]) = options.echo.as_deref() {
        return limits::echo::serve(chain_file, key_file).await;
    }
    if let Some(Peer::Dovecot) = options.course.peer {
        peers::dovecot::require_packages()?;
    }
    let folder = tempfile::Builder::new().prefix("postfach-bench-").tempdir_in(&options.folder)?;
    let report = measure(&options, folder.path()).await?;
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

/// What every course of measuring starts from: a server in use by nobody else, and its people.
struct Stage<'a> {
    options: &'a Options,
    /// The run's own.
    folder: &'a Path,
    data: PathBuf,
    server: Server,
    world: Arc<World>,
}

/// What a course gives: its figures, and how many letters the server acknowledged.
struct Outcome {
    figures: Value,
    delivered: usize,
}

async fn measure(options: &Options, folder: &Path) -> Result<Value> {
    let data = folder.join("data");
    let data_text = data.to_str().context("the folder's name is not UTF-8")?.to_owned();
    let mut init = vec!["init", "--data", &data_text, "--origin", "bench.example", "--listen", "127.0.0.1:0"];
    init.extend(options.database.iter().flat_map(|url| ["--database", url]));
    postfachd(&init)?;
    let mut serve = Command::new(program("postfachd"));
    serve.args(["serve", "--data", &data_text, "--listen", "127.0.0.1:0"]).env("RUST_LOG", "warn");
    let server = Server::start(&mut serve)?;

    say(&format!("Registering {} authorities and {} citizens …", options.senders, options.recipients));
    let world = Arc::new(World::register(&data, &server.url(), options.senders, options.recipients).await?);
    let stage = Stage { options, folder, data, server, world };
    let outcome = match &options.course {
        Course { peer: Some(Peer::Dovecot), .. } => stage.beside_dovecot().await?,
        Course { watchers: Some(watchers), .. } => stage.watch(*watchers).await?,
        Course { day, .. } if !day.is_empty() => stage.days(day).await?,
        Course { .. } => stage.standard().await?,
    };
    let peak = stage.server.peak_kib();
    stage.server.stop()?;
    audit(&data_text, outcome.delivered)?;
    let mut report = json!({
        "file_system": limits::disk::file_system(folder),
        "processors": report::processors(),
        "recipients": options.recipients,
        "senders": options.senders,
        "messages": options.messages,
        "server_peak_kib": peak,
        "audited": true,
    });
    if let (Some(report), Value::Object(figures)) = (report.as_object_mut(), outcome.figures) {
        report.extend(figures);
    }
    Ok(report)
}

impl Stage<'_> {
    async fn beside_dovecot(&self) -> Result<Outcome> {
        let count = beside::letters(self.options.messages);
        say(&format!("Sealing {count} letters …"));
        let letters = Arc::new(self.world.preseal(count, 0)?);
        let size = prost::Message::encoded_len(&letters[0].submission);
        let disk = standard::disk(self.options, self.folder)?;
        let echo = Echo::start(&self.data, size)?;
        let (world, store) = (Arc::clone(&self.world), self.folder.join("dovecot"));
        let beside = beside::Beside::open(world, letters, self.options.messages, &store).await?;
        let report = beside.measure(&self.server, &echo).await?;
        Ok(Outcome { figures: json!({ "disk": disk, "beside": report }), delivered: count })
    }

    async fn watch(&self, watchers: usize) -> Result<Outcome> {
        let letters = self.options.messages.min(LETTERS_HEARD_OF);
        let run = self.run(letters)?;
        let idle = Duration::from_secs(self.options.seconds);
        let report = run.watch(&self.server, watchers, idle).await?;
        Ok(Outcome { figures: json!({ "watch": report }), delivered: letters })
    }

    async fn days(&self, rates: &[usize]) -> Result<Outcome> {
        let length = Duration::from_secs(self.options.seconds);
        let count = scenarios::day::letters(rates, length);
        say(&format!("Sealing {count} letters …"));
        let days = self.run(count)?.days(&self.server, rates, length).await?;
        Ok(Outcome { figures: json!({ "days": days }), delivered: count })
    }

    fn run(&self, count: usize) -> Result<scenarios::Run> {
        let letters = Arc::new(self.world.preseal(count, 0)?);
        let plan = scenarios::Plan { single: 0..count, ..scenarios::Plan::default() };
        scenarios::Run::new(Arc::clone(&self.world), letters, plan, &self.server, self.options.callers)
    }
}

/// The whole deployment must verify, and hold what was acknowledged.
fn audit(data: &str, messages: usize) -> Result<()> {
    let report: serde_json::Value =
        serde_json::from_str(&postfachd(&["audit", "verify", "--data", data, "--json"])?)?;
    ensure!(report["ok"] == true, "the audit found a fault: {report}");
    let listed = postfachd(&["audit", "list", "--data", data, "--json"])?.lines().count();
    ensure!(listed == messages, "{messages} deliveries were acknowledged and {listed} are there");
    say(&format!("audit verify: ok, {messages} deliveries as acknowledged"));
    Ok(())
}
