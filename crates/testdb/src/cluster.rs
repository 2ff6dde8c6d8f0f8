//! One PostgreSQL cluster and its keeper.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The line that installs what is missing.
pub const INSTALL: &str = "apt-get install -y postgresql";

/// Makes a cluster, starts it, says so, waits for the end of its input, and takes everything away again.
///
/// `$1` folder, `$2` folder of the programs, `$3` further settings. Small shared memory and no archive: hundreds of
/// small databases. Durability stays on, as the server demands it.
const KEEPER: &str = r#"
set -eu
trap '' INT TERM HUP
clean() { "$2/pg_ctl" --pgdata "$1/data" --mode immediate --silent stop >>"$1/log" 2>&1 || true; rm -rf "$1"; }
trap 'clean "$1" "$2"' EXIT
start() {
    "$2/initdb" --pgdata "$1/data" --username postgres --auth trust --encoding UTF8 --locale C.UTF-8 --no-sync
    cat >>"$1/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$1'
unix_socket_permissions = 0700
max_connections = 400
shared_buffers = 64MB
max_wal_size = 256MB
autovacuum_naptime = 5s
timezone = 'UTC'
$3
CONF
    "$2/pg_ctl" --pgdata "$1/data" --log "$1/log" --wait --timeout 60 --silent start
}
if start "$@" >"$1/start" 2>&1 </dev/null; then echo ready; else cat "$1/start" "$1/log" 2>/dev/null | tr '\n' ' '; exit 1; fi
cat >/dev/null
"#;

/// A running cluster. It ends with the program, or when this is dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    keeper: Child,
    /// Its end tells the keeper to stop.
    life: Option<ChildStdin>,
}

impl Cluster {
    /// Starts one with further lines for `postgresql.conf`.
    ///
    /// # Errors
    /// What is missing or went wrong, for people.
    pub fn start(settings: &[&str]) -> Result<Self, String> {
        let programs = programs()?;
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in(home()).map_err(|e| e.to_string())?;
        let folder = folder.keep();
        let mut command = as_nobody_special(&folder)?;
        command
            .args(["/bin/sh", "-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(&programs)
            .arg(settings.join("\n"));
        command.env_remove("PGHOST").env_remove("PGPORT").env_remove("PGDATA").env_remove("PGOPTIONS");
        // Out of reach of the terminal's Ctrl-C, which ends the tests.
        command.current_dir("/").process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
        let life = keeper.stdin.take();
        let mut said = String::new();
        let out = keeper.stdout.take().ok_or("the keeper has no output")?;
        BufReader::new(out).read_line(&mut said).map_err(|error| error.to_string())?;
        let cluster = Self { folder, programs, keeper, life };
        if said.trim() == "ready" { Ok(cluster) } else { Err(format!("PostgreSQL does not start: {said}")) }
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.folder.display())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// `psql` with one text.
    pub(crate) fn psql(&self, database: &str, text: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
            "-d",
            database,
            "-c",
            text,
        ]);
        command.arg("-h").arg(&self.folder).stdin(Stdio::null());
        command
    }

    /// Runs statements and answers what they print.
    ///
    /// # Panics
    /// Where one fails.
    pub fn sql(&self, database: &str, text: &str) -> String {
        crate::output(&mut self.psql(database, text)).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// Stops the server at once, as a crash does, and starts it again; in between `meanwhile` runs.
    ///
    /// # Panics
    /// Where it does not stop or start.
    pub fn restart(&self, meanwhile: impl FnOnce()) {
        self.control(&["--mode", "immediate", "stop"]);
        meanwhile();
        let log = self.folder.join("log");
        self.control(&["--log", &log.to_string_lossy(), "start"]);
    }

    fn control(&self, words: &[&str]) {
        let mut command = as_nobody_special(&self.folder).unwrap_or_else(|problem| panic!("{problem}"));
        command.arg(self.programs.join("pg_ctl")).arg("--pgdata").arg(self.folder.join("data"));
        command.args(["--wait", "--silent"]).args(words).current_dir("/");
        // Not by pipes: the server would hold them open.
        let done = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(done.as_ref().is_ok_and(std::process::ExitStatus::success), "{command:?}: {done:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.life.take();
        // The keeper's own end says enough.
        let _ = self.keeper.wait();
    }
}

/// Memory where there is some: a test run makes hundreds of databases.
fn home() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { tempfile::env::temp_dir() }
}

/// The folder of the newest installed version's programs.
fn programs() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|version| (version.file_name(), version.path().join("bin")));
    let newest = folders
        .filter(|(_, bin)| bin.join("initdb").exists() && bin.join("postgres").exists())
        .max_by_key(|(version, _)| version.to_string_lossy().parse::<u32>().unwrap_or(0));
    let missing = || format!("PostgreSQL is missing, and tests need it. As root: {INSTALL}");
    newest.map(|(_, bin)| bin).ok_or_else(missing)
}

/// A command that runs without root's rights, which PostgreSQL refuses, and owns the folder.
fn as_nobody_special(folder: &Path) -> Result<Command, String> {
    let user = crate::output(Command::new("id").arg("-u"))?;
    if user != "0" {
        return Ok(Command::new("/usr/bin/env"));
    }
    let exists = |name: &str| crate::output(Command::new("id").args(["-u", name])).is_ok();
    let name = if exists("postgres") { "postgres" } else { "nobody" };
    crate::output(Command::new("chown").arg(name).arg(folder))?;
    let mut command = Command::new("setpriv");
    command.args(["--reuid", name, "--regid", &crate::output(Command::new("id").args(["-g", name]))?]);
    command.args(["--clear-groups", "/usr/bin/env"]);
    Ok(command)
}
