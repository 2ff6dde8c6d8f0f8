//! `postfachd admin erase`.

use postfach_domain::id::MessageId;
use postfach_proto::v1;
use serde_json::json;

use super::link::{self, failure};
use crate::args::DataArgs;
use crate::deployment::folder::Folder;
use crate::failure::Outcome;
use crate::output::Output;

/// Erases one message's content.
pub async fn run(data: &DataArgs, message: MessageId, output: Output) -> Outcome<()> {
    let request = v1::EraseRequest { message_id: message.to_vec() };
    let erased = link::with(&Folder::at(&data.data), async |link| {
        let answer = link.admin().erase(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    })
    .await?;
    let answer = json!({
        "message_id": message.to_string(),
        "evidence_index": erased.evidence_index,
        "erased_indexes": erased.erased_indexes,
    });
    let text = format!(
        "The content of {message} is erased. Line {} of the evidence log says so.",
        erased.evidence_index
    );
    output.answer(&answer, &text)
}
