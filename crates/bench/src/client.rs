//! The command line client over a full mailbox: each figure is a whole process of the real `postfach`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use postfach_domain::chain::Chain;
use postfach_domain::id::Address;
use postfach_proto::v1::directory_service_client::DirectoryServiceClient;
use postfach_proto::v1::{CreateActivationCodesRequest, ResolveRecipientRequest};

use crate::process::peak_kib;
use crate::report::{Run, say};
use crate::server::{Server, program};
use crate::world::{World, admin};
use crate::{load, scenarios};

/// Runs of each command that is repeated; the median counts.
const RUNS: usize = 9;

/// A citizen's profile folder, unprotected.
struct Profile {
    home: PathBuf,
    url: String,
}

impl Profile {
    /// Runs `postfach`, gives what it printed and what the process took.
    fn run(&self, words: &[&str]) -> Result<(Vec<u8>, Run)> {
        let begin = Instant::now();
        let mut child = Command::new(program("postfach"))
            .args(words)
            .env("POSTFACH_HOME", &self.home)
            .env("POSTFACH_SERVER_URL", &self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut stdout = child.stdout.take().context("no standard output")?;
        let reader = std::thread::spawn(move || {
            let mut text = Vec::new();
            std::io::Read::read_to_end(&mut stdout, &mut text).map(|_| text)
        });
        let mut peak = 0;
        let status = loop {
            // The mark of the largest memory only grows, so the last look before the end is right to a hair.
            peak = peak.max(peak_kib(child.id()));
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        let took = begin.elapsed();
        let text = reader.join().map_err(|_| anyhow::anyhow!("the reader failed"))??;
        ensure!(status.success(), "postfach {words:?} ended with {status}");
        Ok((text, Run { name: words.join(" "), milliseconds: took.as_secs_f64() * 1000.0, peak_kib: peak }))
    }

    /// The median of several runs.
    fn median(&self, words: &[&str]) -> Result<Run> {
        let mut runs: Vec<Run> = (0..RUNS).map(|_| Ok(self.run(words)?.1)).collect::<Result<_>>()?;
        runs.sort_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds));
        Ok(runs.swap_remove(RUNS / 2))
    }
}

/// Fills one mailbox with `count` letters, then times the first sync, a sync of nothing, and listing offline.
pub async fn measure(
    world: &Arc<World>,
    data: &Path,
    folder: &Path,
    server: &Server,
    count: usize,
) -> Result<Vec<Run>> {
    let profile = Profile { home: folder.join("profile"), url: server.url() };
    let mailbox = open_mailbox(world, data, folder, server, &profile).await?;
    say(&format!("Filling one mailbox with {count} letters …"));
    fill(world, server, &mailbox, count).await?;

    let (listed, first) = profile.run(&["inbox", "--json"])?;
    let listed: serde_json::Value = serde_json::from_slice(&listed)?;
    let entries = listed["messages"].as_array().map_or(0, Vec::len);
    ensure!(entries == count, "{count} letters were delivered and {entries} are listed");
    let mut runs = vec![Run { name: format!("first sync of {count}: {}", first.name), ..first }];
    for words in [&["sync"][..], &["inbox", "--offline"], &["inbox", "--offline", "--json"], &["--version"]] {
        runs.push(profile.median(words)?);
    }
    for run in &runs {
        say(&run.line());
    }
    Ok(runs)
}

async fn open_mailbox(
    world: &World,
    data: &Path,
    folder: &Path,
    server: &Server,
    profile: &Profile,
) -> Result<Chain> {
    let request = CreateActivationCodesRequest { count: 1, ..CreateActivationCodesRequest::default() };
    let codes = admin(data).await?.create_activation_codes(request).await?.into_inner().codes;
    let code = codes.first().context("no activation code")?;
    let (card, kit, code_file) = (data.join("service-card.toml"), folder.join("kit"), folder.join("code"));
    std::fs::write(&code_file, code)?;
    let [card, kit] = [&card, &kit].map(|path| path.to_string_lossy().into_owned());
    let code = format!("@{}", code_file.display());
    let (answer, _) = profile.run(&[
        "init",
        "--service-card",
        &card,
        "--activation-code",
        &code,
        "--no-passphrase",
        "--recovery-kit",
        &kit,
        "--json",
    ])?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    let address: Address = answer["address"].as_str().context("no address")?.parse()?;
    let channel =
        postfach_sdk::channel::channel(&world.service, Some(&server.url()), Duration::from_secs(10))?;
    let request =
        world.senders[0].caller.request(ResolveRecipientRequest { address: address.as_bytes().to_vec() })?;
    let chain = DirectoryServiceClient::new(channel).resolve_recipient(request).await?.into_inner().chain;
    Ok(Chain::verify(&world.service.origin, &chain.context("no chain")?.links)?)
}

async fn fill(world: &Arc<World>, server: &Server, mailbox: &Chain, count: usize) -> Result<()> {
    let letters = Arc::new(world.preseal_to(mailbox, count)?);
    let channels = scenarios::channels(&world.service, server, 64)?;
    let world = Arc::clone(world);
    load::run("fill", 64, count, move |caller, index| {
        let (world, letters, channel) =
            (Arc::clone(&world), Arc::clone(&letters), channels[caller % channels.len()].clone());
        async move { scenarios::deliver(&world, &letters[index], channel).await.map(drop) }
    })
    .await?;
    Ok(())
}
