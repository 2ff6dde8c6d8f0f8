//! `postfachd admin status`.

use postfach_proto::v1;
use serde_json::json;

use super::link::{self, failure};
use crate::args::DataArgs;
use crate::deployment::folder::Folder;
use crate::deployment::restored::Restored;
use crate::failure::Outcome;
use crate::output::Output;

/// Shows sizes and counts.
pub async fn run(data: &DataArgs, output: Output) -> Outcome<()> {
    let folder = Folder::at(&data.data);
    let status = link::with(&folder, async |link| {
        let answer = link.admin().get_status(v1::GetStatusRequest {}).await;
        answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    })
    .await?;
    let restored = Restored::read(&folder)?;
    let answer = json!({
        "version": status.version,
        "origin": status.origin,
        "keys_size": status.keys_size,
        "evidence_size": status.evidence_size,
        "mailboxes": status.mailbox_count,
        "messages": status.message_count,
        "ready": status.ready,
        "restored": restored.as_ref().map(Restored::to_json),
    });
    let text = format!(
        "{} {}\nKeys log      {} lines\nEvidence log  {} lines\nMailboxes     {}\nMessages      {}\nReady         {}",
        status.origin,
        status.version,
        status.keys_size,
        status.evidence_size,
        status.mailbox_count,
        status.message_count,
        if status.ready { "yes" } else { "no" },
    );
    let restored = restored.map(|restored| format!("Restored      {}", restored.words()));
    let lines: Vec<_> = std::iter::once(text).chain(restored).collect();
    output.answer(&answer, &lines.join("\n"))
}
