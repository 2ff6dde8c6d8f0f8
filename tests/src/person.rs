//! The people of the tests: authorities and citizens with a profile folder each, driving the real `postfach`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::deployment::Deployment;
use crate::process::{Run, command};

/// A profile folder and where its commands connect.
pub struct Profile {
    home: PathBuf,
    folder: PathBuf,
    card: PathBuf,
    url: String,
}

impl Profile {
    fn at(deployment: &Deployment, name: &str) -> Self {
        let folder = deployment.root().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self { home: folder.join("profile"), folder, card: deployment.card(), url: deployment.url() }
    }

    /// POSTFACH_HOME.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// A folder for what the person saves, also the working directory of the commands.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Follows the server to another port.
    pub fn reconnect(&mut self, deployment: &Deployment) {
        self.url = deployment.url();
    }

    /// Points the person at any address, for example one where nobody listens.
    pub fn connect_to(&mut self, url: &str) {
        url.clone_into(&mut self.url);
    }

    /// A command that is ready to get its words.
    pub fn command(&self) -> std::process::Command {
        let mut command = command("postfach");
        command
            .env("POSTFACH_HOME", &self.home)
            .env("POSTFACH_SERVER_URL", &self.url)
            .current_dir(&self.folder);
        command
    }

    /// Runs `postfach` with these words.
    pub fn postfach(&self, words: &[&str]) -> Run {
        Run::of(self.command().args(words))
    }

    /// Runs `postfach … --json`, requires success and reads the answer.
    #[track_caller]
    pub fn json(&self, words: &[&str]) -> Value {
        Run::of(self.command().args(words).arg("--json")).ok().json()
    }

    /// Writes a file into the person's folder and gives its path as text.
    pub fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// An authority's clerk.
pub struct Authority {
    profile: Profile,
    /// The authority id.
    pub id: String,
}

impl std::ops::Deref for Authority {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.profile
    }
}

impl std::ops::DerefMut for Authority {
    fn deref_mut(&mut self) -> &mut Profile {
        &mut self.profile
    }
}

impl Authority {
    /// A clerk with an empty profile.
    pub fn at(deployment: &Deployment, id: &str) -> Self {
        Self { profile: Profile::at(deployment, id), id: id.to_owned() }
    }

    /// `authority send` with subject and body and further words; the answer.
    #[track_caller]
    pub fn send(&self, to: &str, subject: &str, body: &str, words: &[&str]) -> Value {
        let mut all = vec!["authority", "send", "--to", to, "--subject", subject, "--body", body];
        all.extend_from_slice(words);
        self.json(&all)
    }

    /// Sends a plain message and gives its id.
    #[track_caller]
    pub fn send_plain(&self, to: &str, subject: &str) -> String {
        text(&self.send(to, subject, "Guten Tag.", &[])["message_id"])
    }

    /// Names of the stages that `authority status` shows.
    #[track_caller]
    pub fn stages(&self, message_id: &str) -> Vec<String> {
        let status = self.json(&["authority", "status", message_id]);
        status["stages"].as_array().unwrap().iter().map(|s| text(&s["stage"])).collect()
    }
}

/// A citizen.
pub struct Citizen {
    profile: Profile,
}

impl std::ops::Deref for Citizen {
    type Target = Profile;

    fn deref(&self) -> &Profile {
        &self.profile
    }
}

impl std::ops::DerefMut for Citizen {
    fn deref_mut(&mut self) -> &mut Profile {
        &mut self.profile
    }
}

impl Citizen {
    /// A citizen with an empty profile.
    pub fn at(deployment: &Deployment, name: &str) -> Self {
        Self { profile: Profile::at(deployment, name) }
    }

    /// `postfach init` with an activation code and further words.
    pub fn register(&self, code: &str, words: &[&str]) -> Run {
        let file = self.write("code.txt", code.as_bytes());
        let card = self.profile.card.to_str().unwrap().to_owned();
        let code = format!("@{file}");
        let mut all = vec!["init", "--service-card", &card, "--activation-code", &code, "--json"];
        all.extend_from_slice(words);
        self.postfach(&all)
    }

    /// The address.
    #[track_caller]
    pub fn address(&self) -> String {
        text(&self.json(&["address"])["address"])
    }

    /// All messages of `inbox`.
    #[track_caller]
    pub fn inbox(&self) -> Vec<Value> {
        self.json(&["inbox"])["messages"].as_array().unwrap().clone()
    }
}

/// The text of a JSON string.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}
