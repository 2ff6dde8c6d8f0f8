//! From a profile to the service: the pinned card, the client with what it remembers, and storing what it saw.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postfach_domain::card::{CardError, MAX_CARD_LEN, ServiceCard, VerifiedCard};
use postfach_sdk::state::Trust;
use postfach_sdk::{Client, ConnectOptions, Environment, Error, Service};
use serde_json::json;

use crate::clock;
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::explain::failure;
use crate::input;
use crate::profile::{Profile, Unlocked};
use crate::{fail, t};

/// Reads and verifies a service card that somebody named.
pub fn card_from(path: &Path) -> Outcome<VerifiedCard> {
    let bytes = input::read(path, MAX_CARD_LEN)?;
    ServiceCard::verify(&bytes).map_err(|error| card_failure(&path.display().to_string(), &error))
}

/// The card that a profile pinned.
pub fn card_of(profile: &Profile) -> Outcome<VerifiedCard> {
    let bytes = profile.card()?;
    ServiceCard::verify(&bytes).map_err(|error| card_failure("service-card.toml", &error))
}

/// A card that is refused: a wrong signature or fingerprint is evidence, the rest is input.
pub fn card_failure(file: &str, error: &CardError) -> Failure {
    let cause = error.to_string();
    let failure = match error {
        CardError::Signature(_) | CardError::Fingerprint | CardError::NotASuccessor => {
            fail!(Evidence, "CARD_WRONG", "card-wrong", file = file)
        }
        _ => fail!(Usage, "CARD_MALFORMED", "card-malformed", file = file),
    };
    failure.with_details(json!({ "cause": cause }))
}

/// The service of a card.
pub fn service(card: &VerifiedCard) -> Outcome<Arc<Service>> {
    Service::from_card(&card.card).map(Arc::new).map_err(failure)
}

/// A client without a caller. Does not dial yet.
pub fn client(context: &Context, service: Arc<Service>, trust: Trust) -> Outcome<Client> {
    let options = ConnectOptions {
        url: context.global.server_url.clone(),
        timeout: Duration::from_secs(context.global.timeout),
    };
    let environment = Environment::new(clock::now, clock::rng());
    Client::new(service, environment, &options, trust).map_err(failure)
}

/// A profile that talks to its service.
pub struct Session {
    /// The profile.
    pub unlocked: Unlocked,
    /// The client, still without a caller.
    pub client: Client,
    loaded: RefCell<Trust>,
    clock_was_told: Cell<bool>,
}

impl Session {
    /// Loads what the profile remembers. Does not dial yet.
    pub fn open(context: &Context, unlocked: Unlocked) -> Outcome<Self> {
        let service = service(&card_of(unlocked.profile())?)?;
        let loaded = unlocked.trust()?;
        let client = client(context, service, loaded.clone())?;
        let (loaded, clock_was_told) = (RefCell::new(loaded), Cell::new(false));
        Ok(Self { unlocked, client, loaded, clock_was_told })
    }

    /// Ends a piece of work: what was seen is stored whatever came of it, and what proves a fault of the service is
    /// kept. A corrected clock is said.
    pub fn finish<T>(&self, context: &Context, result: Result<T, Error>) -> Outcome<T> {
        let seen = self.client.trust();
        let saved = self.unlocked.save_trust(&self.loaded.borrow(), &seen);
        self.loaded.replace(seen);
        if let Some(milliseconds) = self.client.clock_correction()
            && !self.clock_was_told.replace(true)
        {
            context.warn(&t!("clock-corrected", seconds = milliseconds / 1000));
        }
        let value = result.map_err(|error| self.keep(error))?;
        saved.map(|()| value)
    }

    fn keep(&self, error: Error) -> Failure {
        let folder = match &error {
            Error::Evidence(evidence) if !evidence.proof.is_empty() => {
                self.unlocked.keep_proof(&evidence.proof).ok()
            }
            _ => None,
        };
        let mut failure = failure(error);
        if let Some(folder) = folder {
            let folder = folder.display().to_string();
            failure.hint = format!("{} {}", failure.hint, t!("proof-kept", folder = folder.as_str()));
            failure.details["proof"] = json!(folder);
        }
        failure
    }
}
