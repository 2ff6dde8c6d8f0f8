//! What every command needs: its options, where it prints, which profile it works on.

use std::path::PathBuf;

use etcetera::BaseStrategy as _;

use crate::exit::Outcome;
use crate::global::Global;
use crate::input;
use crate::output::Output;
use crate::profile::{Kind, Profile, Unlocked};
use crate::{fail, t};

/// The surroundings of one command.
#[derive(Debug)]
pub struct Context {
    /// Options that every command takes.
    pub global: Global,
    /// Where it prints.
    pub out: Output,
}

impl Context {
    /// The surroundings of a command line.
    pub fn new(global: Global, out: Output) -> Self {
        Self { global, out }
    }

    /// The profile folder: `--home` or `POSTFACH_HOME`, else one for each role in the data folder of the system.
    pub fn home(&self, kind: Kind) -> Outcome<PathBuf> {
        if let Some(home) = &self.global.home {
            return Ok(home.clone());
        }
        let folders =
            etcetera::choose_base_strategy().map_err(|_| fail!(Usage, "HOME_UNKNOWN", "home-unknown"))?;
        let name = match kind {
            Kind::Citizen => "postfach",
            Kind::Authority => "postfach-authority",
        };
        Ok(folders.data_dir().join(name))
    }

    /// The profile of this role, registered, still locked.
    pub fn profile(&self, kind: Kind) -> Outcome<Profile> {
        let home = self.home(kind)?;
        let path = home.display().to_string();
        let Some(profile) = Profile::find(&home)? else {
            return Err(match kind {
                Kind::Citizen => fail!(Locked, "NO_PROFILE", "profile-missing", home = path.as_str()),
                Kind::Authority => {
                    fail!(Locked, "NO_PROFILE", "profile-missing-authority", home = path.as_str())
                }
            });
        };
        match (kind, profile.header().kind) {
            (Kind::Citizen, Kind::Authority) => {
                Err(fail!(NotAllowed, "OTHER_ROLE", "profile-is-authority", home = path.as_str()))
            }
            (Kind::Authority, Kind::Citizen) => {
                Err(fail!(NotAllowed, "OTHER_ROLE", "profile-is-citizen", home = path.as_str()))
            }
            _ if !profile.header().registered => Err(fail!(Locked, "NOT_REGISTERED", "profile-unregistered")),
            _ => Ok(profile),
        }
    }

    /// The same, unlocked.
    pub fn unlocked(&self, kind: Kind) -> Outcome<Unlocked> {
        self.unlock(self.profile(kind)?)
    }

    /// Unlocks a profile, with the passphrase where it has one.
    pub fn unlock(&self, profile: Profile) -> Outcome<Unlocked> {
        let passphrase = if profile.is_protected() { Some(input::passphrase(&self.global)?) } else { None };
        profile.unlock(passphrase.as_ref())
    }

    /// A warning on standard error.
    pub fn warn(&self, text: &str) {
        self.out.note(&t!("warning", text = text));
    }
}
