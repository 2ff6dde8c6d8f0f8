//! A server that lies to the real `postfach`: each cheat is noticed by the right person at the right moment, nothing of the
//! content is shown, and nothing is signed that should not be.

mod accepted;
mod forge;
mod hand_over;
mod keys;
mod logged;
mod pages;
mod receipts;
mod relay;
mod segments;
mod streams;
mod swaps;
mod waits;

use postfach_proto::v1;
use postfach_tests::deployment::copy_folder;
use postfach_tests::process::Run;
use postfach_tests::{Authority, Citizen, Deployment};

use relay::Liar;

/// Words that stand in everything sealed; a cheated reader must never see them.
const SECRETS: [&str; 3] = ["Geheimbetreff", "Geheiminhalt", "geheimdatei"];

/// An authority, two citizens, and a liar between the citizens and the server.
struct Scene {
    d: Deployment,
    liar: Liar,
    amt: Authority,
    anna: Citizen,
    bert: Citizen,
}

impl Scene {
    fn new() -> Self {
        let d = Deployment::serving();
        let (amt, mut anna, mut bert) = (d.authority("stadt"), d.citizen("anna"), d.citizen("bert"));
        let liar = Liar::before(&d);
        anna.connect_to(&liar.url);
        bert.connect_to(&liar.url);
        Self { d, liar, amt, anna, bert }
    }

    /// Sends a notice with one attachment, all of it full of secrets; its id.
    fn send(&self, to: &Citizen, number: usize) -> String {
        let file =
            self.amt.write("geheimdatei.txt", format!("Geheiminhalt {number} ").repeat(9000).as_bytes());
        let subject = format!("Geheimbetreff {number}");
        let sent = self.amt.send(&to.address(), &subject, "Geheiminhalt", &["--attach", &file]);
        sent["message_id"].as_str().unwrap().to_owned()
    }

    /// Somebody with the same profile, for a lie that no profile gets over: who saw a fork remembers it.
    fn twin(&self, of: &Citizen, name: &str) -> Citizen {
        let mut twin = Citizen::at(&self.d, name);
        copy_folder(of.home(), twin.home());
        twin.connect_to(&self.liar.url);
        twin
    }

    /// The same of the authority.
    fn clerk(&self, name: &str) -> Authority {
        let mut twin = Authority::at(&self.d, name);
        copy_folder(self.amt.home(), twin.home());
        twin.connect_to(&self.liar.url);
        twin
    }

    /// Hand-overs and other acts that reached the server.
    fn acts(&self) -> usize {
        let given = self.liar.requests::<v1::HandOverRequest>("MailboxService/HandOver");
        let given = given.iter().filter(|request| request.act.is_some()).count();
        given + self.liar.requests::<v1::SubmitActRequest>("MailboxService/SubmitAct").len()
    }

    /// Stages as the authority sees them at the honest server.
    fn stages(&self, id: &str) -> Vec<String> {
        self.amt.stages(id)
    }
}

/// Words that send a notice full of secrets.
fn sending<'a>(to: &'a str, id: &'a str) -> Vec<&'a str> {
    let words = ["authority", "send", "--subject", "Geheimbetreff", "--body", "Geheiminhalt", "--json"];
    [&words[..], &["--to", to, "--message-id", id]].concat()
}

/// An id for a message that a test sends more than once.
fn message_id(number: u8) -> String {
    let now = postfach_domain::time::Timestamp(1_795_000_000_000);
    postfach_domain::id::MessageId::new(now, [number; 10]).to_string()
}

/// What the failure says was wrong.
#[track_caller]
fn cause(run: &Run) -> String {
    run.json()["error"]["details"]["cause"].as_str().unwrap_or_default().to_owned()
}

/// Exit 8, and not a word of what is sealed.
#[track_caller]
fn caught(run: Run) -> Run {
    hidden(run.exits(8))
}

/// Not a word of what is sealed.
#[track_caller]
fn hidden(run: Run) -> Run {
    for secret in SECRETS {
        assert!(!run.talk().contains(secret), "{secret} was shown:\n{}", run.talk());
    }
    run
}
