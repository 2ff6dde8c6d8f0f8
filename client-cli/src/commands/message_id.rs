//! The name of a message on the command line.

use postfach_domain::id::MessageId;

use crate::exit::Outcome;
use crate::fail;

/// A message's id as it was typed.
pub fn message_id(text: &str) -> Outcome<MessageId> {
    let id: MessageId =
        text.parse().map_err(|_| fail!(Usage, "MESSAGE_ID_MALFORMED", "message-id-malformed"))?;
    if id.is_version_7() { Ok(id) } else { Err(fail!(Usage, "MESSAGE_ID_MALFORMED", "message-id-malformed")) }
}
