//! How a command finds the message that it was given: on this computer, else after a sync.

use postfach_domain::id::MessageId;

use super::open::{Owner, known};
use super::sync::sync;
use crate::clock;
use crate::context::Context;
use crate::exit::Outcome;
use crate::profile::mailbox::Messages;
use crate::profile::message::Entry;

impl Owner {
    /// A message that is there and not deleted; asks the service where this computer does not know it yet, or where its time
    /// has come.
    pub async fn find(
        &self,
        context: &Context,
        messages: &mut Messages<'_>,
        id: &MessageId,
    ) -> Outcome<Entry> {
        let now = clock::now().0;
        if messages.get(id).is_none_or(|entry| entry.not_before > 0 && entry.not_before <= now) {
            sync(context, self, messages).await?;
        }
        known(messages, id)
    }
}
