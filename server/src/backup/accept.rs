//! `postfachd backup accept`: the operator decides that a restored folder serves although evidence may be lost.

use crate::args::BackupAcceptArgs;
use crate::clock::{Clock as _, SystemClock};
use crate::deployment::folder::Folder;
use crate::deployment::restored::{Accepted, Restored};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// Longest reason, in characters.
const MAX_REASON: usize = 1000;

/// Writes the decision into the folder.
pub fn run(args: &BackupAcceptArgs, output: Output) -> Outcome<()> {
    let folder = Folder::at(&args.data.data);
    folder.require_deployment()?;
    let reason = args.reason.trim();
    if reason.is_empty() || reason.chars().count() > MAX_REASON || reason.chars().any(char::is_control) {
        return Err(Failure::new(
            Exit::Usage,
            "REASON",
            "The reason is empty, longer than 1,000 characters, or has control characters.",
            "Say in one line why the lost events are accepted.",
        ));
    }
    let _lock = folder.lock_now()?;
    let nothing = |what: &str, hint: &str| Failure::new(Exit::Conflict, "NOTHING_TO_DECIDE", what, hint);
    let restored = Restored::read(&folder)?
        .ok_or_else(|| nothing("This folder was not restored from a backup.", "Serve it."))?;
    if restored.serves() {
        return Err(nothing(&restored.words(), "Serve it: there is nothing left to decide."));
    }
    let accepted = Some(Accepted { at: SystemClock.now().to_rfc3339(), reason: reason.to_owned() });
    let restored = Restored { accepted, ..restored };
    restored.write(&folder)?;
    output.answer(&restored.to_json(), &restored.words())
}
