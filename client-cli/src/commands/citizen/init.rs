//! `postfach init`: makes keys, prints the recovery kit, opens the mailbox. What was begun and not answered goes on with
//! the same keys, so that a lost answer costs no activation code.

use std::path::{Path, PathBuf};

use postfach_domain::card::VerifiedCard;
use postfach_domain::code::{ActivationCode, CodeError};
use postfach_sdk::keys::MailboxKeys;
use postfach_sdk::mailbox::{Registered, Registration, create_mailbox, register};
use postfach_sdk::state::{StoredChain, Trust};
use postfach_sdk::{Environment, Error};
use serde::Serialize;

use crate::clock;
use crate::commands::kit::{self, Kit};
use crate::connect::{Session, card_failure, card_from, card_of, service};
use crate::context::Context;
use crate::exit::Outcome;
use crate::explain::failure;
use crate::input;
use crate::output::{Answer, Page, Report};
use crate::profile::{Beginning, Header, Kind, Profile, Unlocked, refuse_foreign};
use crate::{fail, t};

/// `postfach init`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long, value_name = "FILE")]
    pub service_card: PathBuf,
    #[arg(long, value_name = "HEX")]
    pub card_fingerprint: Option<String>,
    #[arg(long, value_name = "@FILE|-")]
    pub activation_code: String,
    #[arg(long)]
    pub no_passphrase: bool,
    #[arg(long)]
    pub no_consent: bool,
    #[arg(long, value_name = "FILE")]
    pub recovery_kit: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Opened {
    address: String,
    /// Where the kit was written.
    #[serde(serialize_with = "crate::text_form::path")]
    recovery_kit: PathBuf,
    /// The operator's word on who the owner is: operator-asserted.
    trust_level: Option<&'static str>,
    consent: bool,
    #[serde(skip)]
    resumed: bool,
}

/// Opens a mailbox.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let home = context.home(Kind::Citizen)?;
    let begun = Profile::find(&home)?;
    if begun.as_ref().is_some_and(|profile| profile.header().registered) {
        let home = home.display().to_string();
        return Err(fail!(Conflict, "PROFILE_EXISTS", "profile-exists", home = home.as_str()));
    }
    let code = activation_code(&args.activation_code)?;
    let card = card_from(&args.service_card)?;
    if let Some(expected) = &args.card_fingerprint {
        let file = args.service_card.display().to_string();
        card.check_fingerprint(expected).map_err(|error| card_failure(&file, &error))?;
    }
    let resumed = begun.is_some();
    let (unlocked, registration) = match begun {
        Some(profile) => resume(context, profile, &card)?,
        None => begin(context, args, &home, &card)?,
    };
    finish(context, args, unlocked, &registration, &code, resumed).await
}

fn activation_code(given: &str) -> Outcome<ActivationCode> {
    input::secret(given)?.parse().map_err(|error| match error {
        CodeError::Length { got } => fail!(Usage, "CODE_MALFORMED", "code-length", got = got),
        CodeError::Symbol { position } => {
            fail!(Usage, "CODE_MALFORMED", "code-symbol", position = position)
        }
        CodeError::Check => fail!(Usage, "CODE_MALFORMED", "code-check"),
    })
}

/// Keys and kit of a new mailbox, durable before anybody hears of them.
fn begin(
    context: &Context,
    args: &Args,
    home: &Path,
    card: &VerifiedCard,
) -> Outcome<(Unlocked, Registration)> {
    refuse_foreign(home)?;
    let passphrase = input::new_passphrase(&context.global, args.no_passphrase)?;
    let service = service(card)?;
    let environment = Environment::new(clock::now, clock::rng());
    let new = create_mailbox(&service, &environment).map_err(failure)?;
    let path = kit::place(args.recovery_kit.as_deref(), &new.keys.address, home)?;
    let sheet = Kit {
        secret: &new.kit,
        address: new.keys.address,
        origin: &service.origin,
        registrar: service.registrar.key_id(),
        made: clock::now(),
    };
    sheet.write(&path)?;
    let header = Header {
        version: 1,
        kind: Kind::Citizen,
        origin: service.origin.to_string(),
        address: new.keys.address.to_string(),
        authority_id: None,
        registered: false,
        recovery_kit: path,
    };
    let own_chain = StoredChain { links: vec![new.registration.genesis.clone()], indexes: Vec::new() };
    let beginning = Beginning {
        header,
        card: card.text.as_bytes(),
        keys: &new.keys.expose_for_sealing(),
        trust: &Trust { own_chain: Some(own_chain), ..Trust::default() },
        registration: Some(&new.registration),
        passphrase: passphrase.as_ref(),
    };
    let created = Unlocked::create(home, &beginning).inspect_err(|_| {
        // A kit without a profile opens nothing.
        let _ = std::fs::remove_file(&beginning.header.recovery_kit);
    });
    Ok((created?, new.registration))
}

/// The keys that were made when this was begun.
fn resume(context: &Context, profile: Profile, card: &VerifiedCard) -> Outcome<(Unlocked, Registration)> {
    if card_of(&profile)?.card.origin != card.card.origin {
        let home = profile.home().display().to_string();
        return Err(fail!(Conflict, "PROFILE_EXISTS", "profile-exists", home = home.as_str()));
    }
    let kit = &profile.header().recovery_kit;
    if !kit.is_file() {
        let file = kit.display().to_string();
        context.warn(&t!("init-kit-gone", file = file.as_str()));
    }
    let unlocked = context.unlock(profile)?;
    let registration = unlocked.registration()?;
    Ok((unlocked, registration))
}

async fn finish(
    context: &Context,
    args: &Args,
    unlocked: Unlocked,
    registration: &Registration,
    code: &ActivationCode,
    resumed: bool,
) -> Outcome<Report> {
    let keys = MailboxKeys::from_exposed(&unlocked.keys()?).map_err(failure)?;
    let mut session = Session::open(context, unlocked)?;
    let answer = register(&session.client, &keys, registration, code, !args.no_consent).await;
    let hopeless = !resumed && answer.as_ref().is_err_and(is_final);
    let registered: Registered = match session.finish(context, answer) {
        Err(failure) if hopeless => {
            // Nobody knows these keys, and their kit opens nothing.
            let header = session.unlocked.profile().header();
            let _ = std::fs::remove_file(&header.recovery_kit);
            session.unlocked.profile().discard()?;
            return Err(failure);
        }
        other => other?,
    };
    session.unlocked.set_registered()?;
    let header = session.unlocked.profile().header();
    Ok(Report::of(Opened {
        address: header.address.clone(),
        recovery_kit: header.recovery_kit.clone(),
        trust_level: registered.trust_level.map(postfach_domain::outer::TrustLevel::as_str),
        consent: registered.consent.is_some(),
        resumed,
    }))
}

/// The service said no, and will say so again.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound { .. }
            | Error::NotAllowed { .. }
            | Error::Conflict { .. }
            | Error::Expired { .. }
            | Error::BadInput { .. }
            | Error::NotTheService { .. }
    )
}

impl Answer for Opened {
    fn show(&self, page: &mut Page) {
        page.heading(&if self.resumed { t!("init-resumed") } else { t!("init-done") });
        page.blank();
        page.raw_line(&self.address);
        page.blank();
        page.fact(&t!("label-recovery-kit"), &self.recovery_kit.display().to_string());
        page.line(&t!("init-kit"));
        page.line(&if self.consent { t!("init-consent") } else { t!("init-no-consent") });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let answer = Opened {
            address: String::new(),
            recovery_kit: PathBuf::new(),
            trust_level: Some("basic"),
            consent: true,
            resumed: false,
        };
        assert_documented("postfach init", &answer);
    }
}
