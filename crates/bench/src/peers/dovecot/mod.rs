//! A Dovecot server of our own: Debian's packages, our configuration, unix sockets and a throw-away store. It is set up to be
//! as fast as we could make it; what was tried stands in its configuration.

pub mod imap;
pub mod lmtp;
pub mod mail;
pub mod store;
mod wire;

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use tempfile::TempDir;

/// What a user would write into `dovecot.conf`.
const CONFIGURATION: &str = include_str!("../../../dovecot/dovecot.conf");
/// Debian's place of the programs that the master starts.
const LIBRARY: &str = "/usr/lib/dovecot";
/// Without root's rights everything runs as ourselves; with them, as the package's own user.
const PACKAGE_USER: &str = "dovecot";

/// How mails lie on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One file each.
    Sdbox,
    /// Many in a file.
    Mdbox,
}

impl Format {
    /// As the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sdbox => "sdbox",
            Self::Mdbox => "mdbox",
        }
    }
}

/// A running server.
pub struct Dovecot {
    master: Child,
    /// Sockets, state and log. Not beside the mails: the name of a unix socket has at most 107 bytes.
    base: TempDir,
}

impl Dovecot {
    /// Starts a server with an empty store below `store`, which must be on the disk that is to be measured.
    pub fn start(store: &Path, format: Format) -> Result<Self> {
        require_packages()?;
        let account = Account::own()?;
        let base = tempfile::Builder::new().prefix("bench-dovecot-").tempdir()?;
        for folder in [store, base.path()] {
            fs::create_dir_all(folder)?;
            account.give(folder)?;
        }
        let [store, base_path] = [store, base.path()].map(|path| path.display().to_string());
        let text = CONFIGURATION
            .replace("{user}", &account.user)
            .replace("{group}", &account.group)
            .replace("{base}", &base_path)
            .replace("{store}", &store)
            .replace("{format}", format.name());
        // Dovecot puts a link of the name dovecot.conf there.
        let file = base.path().join("peer.conf");
        fs::write(&file, text)?;
        let mut command = account.command("dovecot");
        let master = command
            .arg("-F")
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(base.path().join("stderr"))?)
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let mut server = Self { master, base };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let begin = Instant::now();
        while ![self.lmtp(), self.imap()].iter().all(|socket| greets(socket)) {
            let ended = self.master.try_wait()?.is_some();
            if ended || begin.elapsed() > Duration::from_secs(20) {
                let said = ["stderr", "log"].map(|name| fs::read_to_string(self.base.path().join(name)));
                bail!("Dovecot does not serve: {}", said.map(Result::unwrap_or_default).concat());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Takes mail.
    pub fn lmtp(&self) -> PathBuf {
        self.base.path().join("lmtp")
    }

    /// Gives mail out.
    pub fn imap(&self) -> PathBuf {
        self.base.path().join("imap")
    }

    /// The master's process; all others are its children.
    pub fn process(&self) -> u32 {
        self.master.id()
    }

    /// Its version, for the report.
    pub fn version() -> Result<String> {
        require_packages()?;
        let output = Command::new("dovecot").arg("--version").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// What it complained about; no line of a good run.
    pub fn complaints(&self) -> String {
        let log = fs::read_to_string(self.base.path().join("log")).unwrap_or_default();
        let bad =
            |line: &&str| ["Warning:", "Error:", "Fatal:", "Panic:"].iter().any(|word| line.contains(word));
        log.lines().filter(bad).take(5).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // The master ends its children when it is asked to; killed, it would leave them.
        let _ = Command::new("kill").args(["-TERM", &self.master.id().to_string()]).status();
        let _ = self.master.wait();
    }
}

/// Whether somebody at a socket says something. Connecting is not enough: the master listens before anybody serves.
fn greets(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let is_limited = stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok();
    is_limited && stream.read_exact(&mut [0]).is_ok()
}

/// Who the server runs as.
struct Account {
    user: String,
    group: String,
    /// Ids to change to; none when we are this user already.
    change_to: Option<(u32, u32)>,
}

impl Account {
    fn own() -> Result<Self> {
        let own = id(&["-un"])?;
        if own == "root" {
            let [user, group] = [id(&["-u", PACKAGE_USER])?.parse()?, id(&["-g", PACKAGE_USER])?.parse()?];
            let group_name = id(&["-gn", PACKAGE_USER])?;
            return Ok(Self {
                user: PACKAGE_USER.to_owned(),
                group: group_name,
                change_to: Some((user, group)),
            });
        }
        Ok(Self { user: own, group: id(&["-gn"])?, change_to: None })
    }

    /// Makes a folder of ours this user's.
    fn give(&self, folder: &Path) -> Result<()> {
        let Some((user, group)) = self.change_to else { return Ok(()) };
        chown(folder, Some(user), Some(group))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let Some((user, group)) = self.change_to else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command.args([
            &format!("--reuid={user}"),
            &format!("--regid={group}"),
            "--clear-groups",
            "--",
            program,
        ]);
        command
    }
}

fn id(words: &[&str]) -> Result<String> {
    let output = Command::new("id").args(words).output()?;
    ensure!(output.status.success(), "id {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Fails with the line that installs what is missing.
pub fn require_packages() -> Result<()> {
    let programs = [("dovecot-core", "auth"), ("dovecot-imapd", "imap"), ("dovecot-lmtpd", "lmtp")];
    let is_missing = |program: &str| !Path::new(LIBRARY).join(program).is_file();
    let missing: Vec<&str> =
        programs.iter().filter(|(_, p)| is_missing(p)).map(|(package, _)| *package).collect();
    ensure!(
        missing.is_empty(),
        "--peer dovecot needs Dovecot's Debian packages; missing here: apt-get install {}",
        missing.join(" ")
    );
    Ok(())
}
