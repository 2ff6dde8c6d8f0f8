//! A server that lies to the real `postfach`: each cheat is noticed by the right person at the right moment, nothing of the
//! content is shown, and nothing is signed that should not be.

mod forge;
mod logged;
mod relay;
mod swaps;

use postfach_proto::v1;
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

/// What the failure says was wrong.
#[track_caller]
fn cause(run: &Run) -> String {
    run.json()["error"]["details"]["cause"].as_str().unwrap_or_default().to_owned()
}

/// Exit 8, and not a word of what is sealed.
#[track_caller]
fn caught(run: Run) -> Run {
    let run = run.exits(8);
    for secret in SECRETS {
        assert!(!run.talk().contains(secret), "{secret} was shown:\n{}", run.talk());
    }
    run
}
