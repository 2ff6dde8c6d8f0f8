//! `postfach keys export --age-identity`: the mailbox's secret key in age's own text form, for other age tools.

use std::io::Write as _;

use postfach_sdk::keys::MailboxKeys;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::exit::Outcome;
use crate::explain::failure;
use crate::input::may_ask;
use crate::output::{Answer, Page, Report};
use crate::profile::Kind;
use crate::{fail, t};

/// `postfach keys export`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long, required = true)]
    pub age_identity: bool,
    #[arg(long)]
    pub yes: bool,
}

#[derive(Serialize)]
struct Exported {
    address: String,
    /// One for each generation that this device holds, oldest first.
    identities: Vec<Exposed>,
}

#[derive(Serialize)]
struct Exposed {
    generation: u32,
    recipient: String,
    #[serde(serialize_with = "exposed")]
    identity: Zeroizing<String>,
}

fn exposed<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

/// Prints the keys, after asking.
pub fn run(context: &Context, args: &Args) -> Outcome<Report> {
    if !args.yes && !confirmed(context) {
        return Err(fail!(Usage, "NOT_CONFIRMED", "keys-export-unconfirmed"));
    }
    let unlocked = context.unlocked(Kind::Citizen)?;
    let keys = MailboxKeys::from_exposed(&unlocked.keys()?).map_err(failure)?;
    let identities = keys.generations.iter().map(|(generation, identity)| Exposed {
        generation: *generation,
        recipient: identity.to_recipient().to_string(),
        identity: identity.expose_as_age_secret_key(),
    });
    Ok(Report::of(Exported { address: keys.address.to_string(), identities: identities.collect() }))
}

fn confirmed(context: &Context) -> bool {
    if !may_ask(&context.global) {
        return false;
    }
    let mut answer = String::new();
    let asked = write!(std::io::stderr(), "{} ", t!("ask-keys-export"))
        .and_then(|()| std::io::stdin().read_line(&mut answer));
    asked.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "j" | "ja")
}

impl Answer for Exported {
    /// The form of age's key files: comments, then the key on a line of its own.
    fn show(&self, page: &mut Page) {
        page.raw_line(&format!("# {} {}", t!("keys-export-title"), self.address));
        for exposed in &self.identities {
            page.raw_line(&format!("# {} {}", t!("label-generation"), exposed.generation));
            page.raw_line(&exposed.identity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let identity = Zeroizing::new(String::new());
        let identities = vec![Exposed { generation: 0, recipient: String::new(), identity }];
        assert_documented("postfach keys export", &Exported { address: String::new(), identities });
    }
}
