//! `postfachd admin activation-code create`.

use postfach_proto::v1;
use serde_json::json;

use super::link::{self, failure};
use crate::args::CodeCommand;
use crate::deployment::folder::Folder;
use crate::failure::Outcome;
use crate::output::Output;

/// Makes codes and prints them, this once.
pub async fn run(command: CodeCommand, output: Output) -> Outcome<()> {
    let CodeCommand::Create { data, count, trust_level } = command;
    let request = v1::CreateActivationCodesRequest { count, trust_level: trust_level.to_wire() };
    let made = link::with(&Folder::at(&data.data), async |link| {
        let answer = link.admin().create_activation_codes(request).await;
        answer.map(tonic::Response::into_inner).map_err(|status| failure(&status))
    })
    .await?;
    let expires = postfach_domain::time::Timestamp(made.expires_at).to_rfc3339();
    if !output.is_json() {
        output.note(&format!("Good until {expires}, each for one mailbox, shown this once:"));
    }
    output.answer(&json!({ "codes": made.codes, "expires_at": expires }), &made.codes.join("\n"))
}
