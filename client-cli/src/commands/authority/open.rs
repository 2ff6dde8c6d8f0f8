//! What every authority's command begins with: profile, service, and the sender with its certified key.

use postfach_sdk::keys::AuthorityKeys;
use postfach_sdk::sender::Sender;

use crate::connect::Session;
use crate::context::Context;
use crate::exit::Outcome;
use crate::explain::failure;
use crate::profile::Kind;

/// A clerk at the authority's installation.
pub struct Clerk {
    /// Profile and client.
    pub session: Session,
    /// Sends in the authority's name.
    pub sender: Sender,
    /// The certified key and the authority's own mailbox.
    pub keys: AuthorityKeys,
}

impl Clerk {
    /// Unlocks the profile. Does not dial yet.
    pub fn open(context: &Context) -> Outcome<Self> {
        let unlocked = context.unlocked(Kind::Authority)?;
        let keys = AuthorityKeys::from_exposed(&unlocked.keys()?).map_err(failure)?;
        let session = Session::open(context, unlocked)?;
        let sender = Sender::authority(&session.client, &keys);
        Ok(Self { session, sender, keys })
    }
}
