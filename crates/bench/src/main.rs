//! `postfach-bench`: durable deliveries and readings per second beside the bare limits of the same run. The server is a
//! real `postfachd` in its own process; every letter is sealed before, every receipt is verified after.

mod acts;
mod client;
mod limits;
mod load;
mod report;
mod scenarios;
mod server;
mod world;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;

use crate::report::{Figure, Report, say};
use crate::server::{Server, folder_bytes, postfachd, program};
use crate::world::World;

/// Measures durable deliveries and readings per second, and the bare limits of the machine in the same run.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Letters to seal and deliver, all distinct.
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// Calls under way at once.
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
    /// Letters in the mailbox over which the command line client is timed; 0 leaves it out.
    #[arg(long, default_value_t = 10_000)]
    inbox: usize,
    /// Seconds for each bare limit.
    #[arg(long, default_value_t = 2)]
    limit_seconds: u64,
    /// Write all figures to this file as JSON.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Serve echoes with these certificate and key files; used by the run itself.
    #[arg(long, num_args = 2, hide = true)]
    echo: Option<Vec<PathBuf>>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    if let Some([chain_file, key_file]) = options.echo.as_deref() {
        return limits::echo::serve(chain_file, key_file).await;
    }
    let folder = tempfile::Builder::new().prefix("postfach-bench-").tempdir_in(&options.folder)?;
    let report = measure(&options, folder.path()).await?;
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&report)?)?;
    }
    Ok(())
}

async fn measure(options: &Options, folder: &Path) -> Result<Report> {
    let data = folder.join("data");
    let data_text = data.to_str().context("the folder's name is not UTF-8")?;
    postfachd(&["init", "--data", data_text, "--origin", "bench.example", "--listen", "127.0.0.1:0"])?;
    let mut serve = Command::new(program("postfachd"));
    serve.args(["serve", "--data", data_text, "--listen", "127.0.0.1:0"]).env("RUST_LOG", "warn");
    let server = Server::start(&mut serve)?;

    say(&format!("Registering {} authorities and {} citizens …", options.senders, options.recipients));
    let world = Arc::new(World::register(&data, &server.url(), options.senders, options.recipients).await?);
    let plan = scenarios::Plan::of(options.messages);
    say(&format!("Sealing {} letters …", plan.attached.end));
    let letters = Arc::new(plan.preseal(&world)?);
    let size = prost::Message::encoded_len(&letters[0].submission);

    let bare = bare_limits(options, folder, &data, &world, size).await?;
    let before = folder_bytes(&data)?;
    let (delivered, callers) = (plan.attached.end, options.callers);
    let run = scenarios::Run::new(Arc::clone(&world), Arc::clone(&letters), plan, &server, callers)?;
    let mut figures = Vec::new();
    let mut tell = |figure: Figure| {
        say(&figure.line());
        figures.push(figure);
    };
    tell(run.deliver(&server).await?);
    let grown = folder_bytes(&data)?.saturating_sub(before);
    tell(run.deliver_alone(&server).await?);
    tell(run.deliver_batch(&server).await?);
    tell(run.deliver_attached(&server).await?);
    tell(run.first_read(&server).await?);
    tell(run.read_again(&server).await?);
    tell(run.sync(&server).await?);
    tell(run.mixed(&server).await?);
    let peak = server.peak_kib();
    let client = match options.inbox {
        0 => Vec::new(),
        count => client::measure(&world, &data, folder, &server, count).await?,
    };
    server.stop()?;
    let audited = audit(data_text, delivered + options.inbox)?;
    Ok(Report {
        file_system: limits::disk::file_system(folder),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        recipients: options.recipients,
        senders: options.senders,
        messages: options.messages,
        callers: options.callers,
        submission_bytes: size,
        disk_bytes_per_message: grown / options.messages as u64,
        server_peak_kib: peak,
        limits: bare,
        scenarios: figures,
        client,
        audited,
    })
}

async fn bare_limits(
    options: &Options,
    folder: &Path,
    data: &Path,
    world: &World,
    size: usize,
) -> Result<Vec<Figure>> {
    let length = Duration::from_secs(options.limit_seconds);
    let probes = folder.join("probes");
    std::fs::create_dir_all(&probes)?;
    say(&format!(
        "{} B a submission, {} processors, {}",
        size,
        std::thread::available_parallelism().map_or(1, usize::from),
        limits::disk::file_system(folder)
    ));
    let mut figures = vec![Figure::limit(
        "limit: fdatasync of 4 KiB, one writer",
        limits::disk::fdatasync_per_second(&probes, length)?,
    )];
    let inserts =
        limits::database::grouped_inserts_per_second(&probes, size, options.callers.clamp(1, 64), length);
    figures.push(Figure::limit("limit: SQLite rows, one statement a batch", inserts.await?));
    let (seals, opens) = limits::sealing::per_second(4096, length)?;
    figures.push(Figure::limit("limit: hybrid seal of 4 KiB, one core", seals));
    figures.push(Figure::limit("limit: hybrid open of 4 KiB, one core", opens));

    let mut echo = Command::new(std::env::current_exe()?);
    let deployment = postfach_server::deployment::folder::Folder::at(data);
    echo.arg("--echo").arg(deployment.tls_certificate()).arg(deployment.tls_key());
    let echo = Server::start(&mut echo)?;
    let channels = scenarios::channels(&world.service, &echo, options.callers)?;
    let calls =
        load::run("limit: echo of one submission over TLS", options.callers, 20_000, move |caller, _| {
            limits::echo::call(channels[caller % channels.len()].clone(), size)
        });
    figures.push(calls.await?);
    drop(echo);
    for figure in &figures {
        say(&figure.line());
    }
    Ok(figures)
}

/// The whole deployment must verify, and hold what was acknowledged.
fn audit(data: &str, messages: usize) -> Result<bool> {
    let report: serde_json::Value =
        serde_json::from_str(&postfachd(&["audit", "verify", "--data", data, "--json"])?)?;
    ensure!(report["ok"] == true, "the audit found a fault: {report}");
    let listed = postfachd(&["audit", "list", "--data", data, "--json"])?.lines().count();
    ensure!(listed == messages, "{messages} deliveries were acknowledged and {listed} are there");
    say(&format!("audit verify: ok, {messages} deliveries as acknowledged"));
    Ok(true)
}
