//! A deployment in a temporary folder: `postfachd init`, `serve`, stop, kill, and the operator's commands.

use std::cell::RefCell;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use postfach_testdb::Database;
use serde_json::Value;
use tempfile::TempDir;

use crate::disk::{Cut, Disk};
use crate::person::{Authority, Citizen};
use crate::process::{Run, command};
use crate::s3;
use crate::shim::Shim;

/// The deployment's name in every test.
pub const ORIGIN: &str = "postfach.example";

/// With `postgres` in it deployments store in PostgreSQL; `./test` runs the tests both ways.
pub const ENGINE: &str = "POSTFACH_TEST_DATABASE";

/// A data folder with, mostly, a server on it.
pub struct Deployment {
    folder: TempDir,
    server: Option<Server>,
    /// Below the server, where a test wants one.
    shim: Option<Shim>,
    /// Where it does not store in the folder; with the copies that were made of it.
    database: Option<Database>,
    copies: RefCell<Vec<Database>>,
}

/// A running `postfachd serve`.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub listening: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Deployment {
    /// A new deployment that is not serving yet, on the engine that the environment names.
    pub fn new() -> Self {
        Self::on(Self::engine())
    }

    /// A database, where the environment asks for it.
    fn engine() -> Option<Database> {
        let engine = std::env::var(ENGINE).unwrap_or_default();
        assert!(["", "sqlite", "postgres"].contains(&&*engine), "{ENGINE} names no engine");
        (engine == "postgres").then(Database::new)
    }

    /// A new deployment that serves, with its attachments at this place, for which it has the key of the tests.
    pub fn on_s3(place: &str) -> Self {
        let deployment = Self::begun(Self::engine());
        let place = deployment.with_key(place);
        let url = deployment.database.as_ref().map(Database::url);
        let words = url.iter().flat_map(|url| ["--database", url]);
        deployment.init(&words.chain(["--blobs", &place]).collect::<Vec<_>>()).ok();
        deployment.served()
    }

    /// The same in PostgreSQL, whatever the environment says.
    pub fn on_postgres() -> Self {
        Self::on(Some(Database::new()))
    }

    /// A new deployment that serves.
    pub fn serving() -> Self {
        Self::new().served()
    }

    /// The same with everything in its folder, whatever the environment says: for tests of files and disks.
    pub fn serving_in_folder() -> Self {
        Self::on(None).served()
    }

    fn on(database: Option<Database>) -> Self {
        let url = database.as_ref().map(Database::url);
        let deployment = Self::begun(database);
        deployment.init(&url.iter().flat_map(|url| ["--database", url]).collect::<Vec<_>>()).ok();
        deployment
    }

    /// Nothing but a folder.
    pub fn empty() -> Self {
        Self::begun(None)
    }

    /// One without a data folder yet.
    pub fn begun(database: Option<Database>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, server: None, shim: None, database, copies: RefCell::default() }
    }

    /// A place in an S3 store with a file that has the key of the tests.
    pub fn with_key(&self, place: &str) -> String {
        let file = self.root().join("s3.ini");
        let lines = s3::KEY.map(|(name, value)| format!("{} = {value}\n", name.to_lowercase()));
        fs::write(&file, format!("[default]\n{}", lines.concat())).unwrap();
        format!("{place}&credentials={}", file.display())
    }

    /// `postfachd init` with further words.
    pub fn init(&self, words: &[&str]) -> Run {
        let data = self.data_text();
        let all = ["init", "--data", &data, "--origin", ORIGIN, "--listen", "127.0.0.1:0", "--json"];
        self.postfachd(&[&all[..], words].concat())
    }

    /// The same, serving.
    pub fn served(mut self) -> Self {
        self.serve();
        self
    }

    /// Where it stores, if not in its folder.
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// The folder that holds data, profiles and whatever a test writes.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// DIR of the contract.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    fn data_text(&self) -> String {
        self.data().to_str().unwrap().to_owned()
    }

    /// The card that clients pin.
    pub fn card(&self) -> PathBuf {
        self.data().join("service-card.toml")
    }

    /// Runs `postfachd` with these words.
    pub fn postfachd(&self, words: &[&str]) -> Run {
        Run::of(command("postfachd").args(words))
    }

    /// Runs `postfachd … --data DIR --json`.
    pub fn operator(&self, words: &[&str]) -> Run {
        Run::of(command("postfachd").args(words).args(["--data", &self.data_text(), "--json"]))
    }

    /// Starts the server and waits until it says that it serves.
    pub fn serve(&mut self) {
        match Server::start_with(&self.data(), &self.environment()) {
            Ok(server) => self.server = Some(server),
            Err((code, log)) => panic!("postfachd serve ended with {code}:\n{log}"),
        }
    }

    /// Starts the server again where it listened before, as clients know it that go on trying.
    pub fn serve_at(&mut self, listening: &str) {
        match Server::start_at(&self.data(), listening, &self.environment()) {
            Ok(server) => self.server = Some(server),
            Err((code, log)) => panic!("postfachd serve ended with {code}:\n{log}"),
        }
    }

    /// The running server.
    #[track_caller]
    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("the server runs")
    }

    /// SIGTERM, and waits for exit code 0.
    #[track_caller]
    pub fn stop(&mut self) -> String {
        self.server.take().expect("the server runs").stop()
    }

    /// Starts the server and kills it while it starts, after so many milliseconds.
    pub fn serve_and_kill(&mut self, after: std::time::Duration) {
        let mut command = Server::command(&self.data(), &self.environment());
        let mut child = command
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.child.kill().unwrap();
            server.child.wait().unwrap();
        }
    }

    /// Puts the disk that forgets below the server, from its next start on.
    pub fn with_shim(&mut self) -> &mut Shim {
        let shim = Shim::new(&self.data(), self.root());
        self.shim.insert(shim)
    }

    /// The disk below the server.
    pub fn shim(&self) -> &Shim {
        self.shim.as_ref().expect("a shim")
    }

    fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        self.shim.as_ref().map(Shim::environment).unwrap_or_default()
    }

    /// Cuts the power of a killed server: of everything since `disk` was loaded, only what was flushed is left.
    pub fn cut_power(&mut self, mut disk: Disk, cut: Cut<'_>) {
        assert!(self.server.is_none(), "kill it first");
        self.shim().play(&mut disk);
        fs::remove_dir_all(self.data()).unwrap();
        disk.cut(cut, &self.data());
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("https://{}", self.server().listening)
    }

    /// Fresh activation codes.
    pub fn codes(&self, count: usize) -> Vec<String> {
        let answer =
            self.operator(&["admin", "activation-code", "create", "--count", &count.to_string()]).ok().json();
        answer["codes"].as_array().unwrap().iter().map(|c| c.as_str().unwrap().to_owned()).collect()
    }

    /// An authority that is initialised and certified.
    pub fn authority(&self, id: &str) -> Authority {
        let authority = Authority::at(self, id);
        let request = self.root().join(format!("{id}.request.json"));
        authority
            .postfach(&[
                "authority",
                "init",
                "--service-card",
                self.card().to_str().unwrap(),
                "--id",
                id,
                "--name",
                &format!("Amt {id}"),
                "--request-out",
                request.to_str().unwrap(),
                "--no-passphrase",
            ])
            .ok();
        self.certify(&request).ok();
        authority
    }

    /// `admin authority add` with the registrar's key.
    pub fn certify(&self, request: &Path) -> Run {
        let key = self.data().join("registrar.key");
        self.operator(&[
            "admin",
            "authority",
            "add",
            "--registrar-key",
            key.to_str().unwrap(),
            "--request",
            request.to_str().unwrap(),
        ])
    }

    /// Revokes an authority with the registrar's key.
    pub fn revoke(&self, id: &str) {
        let key = self.data().join("registrar.key");
        let words = ["admin", "authority", "revoke", "--registrar-key", key.to_str().unwrap()];
        self.operator(&[&words[..], &["--id", id, "--reason", "key lost"]].concat()).ok();
    }

    /// A citizen who is registered, without a passphrase.
    pub fn citizen(&self, name: &str) -> Citizen {
        let citizen = Citizen::at(self, name);
        citizen.register(&self.codes(1)[0], &["--no-passphrase"]).ok();
        citizen
    }

    /// `audit verify` with further words.
    pub fn audit(&self, words: &[&str]) -> Run {
        let mut all = vec!["audit", "verify"];
        all.extend_from_slice(words);
        self.operator(&all)
    }

    /// Copies the data folder as it is, with the database, for tests that damage or restore it.
    pub fn copy_data(&self, name: &str) -> PathBuf {
        let target = self.root().join(name);
        copy_folder(&self.data(), &target);
        if let Some(database) = &self.database {
            let copy = database.copy();
            let settings = target.join("postfachd.toml");
            let text = fs::read_to_string(&settings).unwrap();
            assert!(text.contains(&database.url()));
            fs::write(&settings, text.replace(&database.url(), &copy.url())).unwrap();
            self.copies.borrow_mut().push(copy);
        }
        target
    }
}

impl Default for Deployment {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// Starts `postfachd serve` on a free port; the error carries exit code and log.
    pub fn start(data: &Path) -> Result<Self, (i32, String)> {
        Self::start_with(data, &[])
    }

    /// The same with settings in the environment.
    pub fn start_with(data: &Path, environment: &[(&str, PathBuf)]) -> Result<Self, (i32, String)> {
        Self::start_at(data, "127.0.0.1:0", environment)
    }

    /// The same where clients know it.
    pub fn start_at(
        data: &Path,
        listening: &str,
        environment: &[(&str, PathBuf)],
    ) -> Result<Self, (i32, String)> {
        let mut child = Self::command(data, environment)
            .args(["--listen", listening])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().unwrap();
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = sink.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let announced: Option<Value> = serde_json::from_str(&first).ok();
        let listening = announced.and_then(|a| a["listening"].as_str().map(str::to_owned));
        if let Some(listening) = listening {
            return Ok(Self { child, listening, log, reader: Some(reader) });
        }
        let code = child.wait().unwrap().code().unwrap_or(-1);
        reader.join().unwrap();
        let log = log.lock().unwrap().clone();
        Err((code, log))
    }

    fn command(data: &Path, environment: &[(&str, PathBuf)]) -> Command {
        let mut command = command("postfachd");
        command
            .args(["serve", "--data", data.to_str().unwrap()])
            .env("RUST_LOG", "debug")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// SIGTERM; requires exit code 0 and gives the whole log.
    #[track_caller]
    pub fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        let log = self.log();
        assert_eq!(code, Some(0), "{log}");
        log
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Copies a folder with all regular files in it.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_folder(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}
