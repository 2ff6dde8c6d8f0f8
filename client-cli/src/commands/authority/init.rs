//! `postfach authority init`: makes an authority's keys and the request that the registrar certifies. Dials nobody.

use std::path::{Path, PathBuf};

use postfach_sdk::Environment;
use postfach_sdk::authority_request::{AuthorityProfile, create_authority};
use postfach_sdk::state::Trust;
use serde::Serialize;

use crate::clock;
use crate::commands::kit::{self, Kit};
use crate::connect::{card_from, service};
use crate::context::Context;
use crate::exit::Outcome;
use crate::explain::failure;
use crate::input;
use crate::output::{Answer, Page, Report};
use crate::profile::files::write_atomic;
use crate::profile::{Beginning, Header, Kind, Profile, Unlocked, io_failure, refuse_foreign};
use crate::{fail, t};

/// `postfach authority init`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long, value_name = "FILE")]
    pub service_card: PathBuf,
    #[arg(long, value_name = "ID")]
    pub id: String,
    #[arg(long, value_name = "NAME")]
    pub name: String,
    #[arg(long, value_name = "AGS")]
    pub ags: Option<String>,
    #[arg(long, value_name = "IBAN")]
    pub iban: Vec<String>,
    #[arg(long, value_name = "FILE")]
    pub request_out: Option<PathBuf>,
    #[arg(long)]
    pub no_passphrase: bool,
    #[arg(long, value_name = "FILE")]
    pub recovery_kit: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Made {
    authority_id: String,
    address: String,
    #[serde(serialize_with = "crate::text_form::path")]
    request: PathBuf,
    #[serde(serialize_with = "crate::text_form::path")]
    recovery_kit: PathBuf,
}

/// Makes keys and request.
pub fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let home = context.home(Kind::Authority)?;
    if Profile::find(&home)?.is_some() {
        let home = home.display().to_string();
        return Err(fail!(Conflict, "PROFILE_EXISTS", "profile-exists", home = home.as_str()));
    }
    refuse_foreign(&home)?;
    let about = about(args)?;
    let card = card_from(&args.service_card)?;
    let passphrase = input::new_passphrase(&context.global, args.no_passphrase)?;
    let service = service(&card)?;
    let environment = Environment::new(clock::now, clock::rng());
    let new = create_authority(&service, &environment, &about).map_err(failure)?;
    let address = new.keys.mailbox.address;
    let kit = kit::place(args.recovery_kit.as_deref(), &address, &home)?;
    let request = place(args.request_out.as_deref(), &args.id)?;
    Kit {
        secret: &new.kit,
        address,
        origin: &service.origin,
        registrar: service.registrar.key_id(),
        made: clock::now(),
    }
    .write(&kit)?;
    let header = Header {
        version: 1,
        kind: Kind::Authority,
        origin: service.origin.to_string(),
        address: address.to_string(),
        authority_id: Some(about.authority_id.to_string()),
        registered: true,
        recovery_kit: kit.clone(),
    };
    let beginning = Beginning {
        header,
        card: card.text.as_bytes(),
        keys: &new.keys.expose_for_sealing(),
        trust: &Trust { own_chain: Some(new.own_chain), ..Trust::default() },
        registration: None,
        passphrase: passphrase.as_ref(),
    };
    write_atomic(&request, new.request.to_json().as_bytes()).map_err(|e| io_failure(&request, &e))?;
    Unlocked::create(&home, &beginning).inspect_err(|_| {
        // A kit and a request without a profile are of no use.
        let _ = std::fs::remove_file(&kit).and_then(|()| std::fs::remove_file(&request));
    })?;
    let authority_id = about.authority_id.to_string();
    Ok(Report::of(Made { authority_id, address: address.to_string(), request, recovery_kit: kit }))
}

fn about(args: &Args) -> Outcome<AuthorityProfile> {
    let id = args.id.parse();
    let ibans = args.iban.iter().map(|iban| iban.chars().filter(|c| !c.is_whitespace()).collect());
    Ok(AuthorityProfile {
        authority_id: id.map_err(|_| fail!(Usage, "ID_MALFORMED", "authority-id-malformed"))?,
        display_name: args.name.clone(),
        ags: args.ags.clone(),
        ibans: ibans.collect(),
    })
}

/// Where the request goes; an older one of the same name stays.
fn place(named: Option<&Path>, id: &str) -> Outcome<PathBuf> {
    let default = || PathBuf::from(format!("{id}.request.json"));
    let path = named.map_or_else(default, Path::to_path_buf);
    let path = std::path::absolute(&path).map_err(|e| io_failure(&path, &e))?;
    if path.exists() {
        let file = path.display().to_string();
        return Err(fail!(Conflict, "FILE_EXISTS", "file-exists", file = file.as_str()));
    }
    Ok(path)
}

impl Answer for Made {
    fn show(&self, page: &mut Page) {
        page.heading(&t!("authority-init-done"));
        page.blank();
        page.fact(&t!("label-authority"), &self.authority_id);
        page.fact(&t!("label-request"), &self.request.display().to_string());
        page.fact(&t!("label-recovery-kit"), &self.recovery_kit.display().to_string());
        page.line(&t!("init-kit"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let answer = Made {
            authority_id: String::new(),
            address: String::new(),
            request: PathBuf::new(),
            recovery_kit: PathBuf::new(),
        };
        assert_documented("postfach authority init", &answer);
    }
}
