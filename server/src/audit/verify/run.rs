//! The command: runs the audit and says what came of it, as JSON for programs and as text for people.

use serde_json::{Value, json};

use super::{Failure, Options, Problem, Report, verify};
use crate::args::VerifyArgs;
use crate::deployment::config::Config;
use crate::deployment::folder::Folder;
use crate::deployment::open;
use crate::failure::{Exit, Failure as Ended, Outcome};
use crate::output::Output;

/// Runs `postfachd audit verify`.
pub async fn run(args: &VerifyArgs, output: Output) -> Outcome<()> {
    let folder = Folder::at(&args.data.data);
    folder.require_deployment()?;
    let checkpoints = args.checkpoint.clone();
    let blobs = if args.blobs { Some(open::blobs_beside(&folder, &Config::read(&folder)?)?) } else { None };
    let options = Options { quick: args.quick, blobs, checkpoints, ..Options::default() };
    match verify(&folder, &options).await {
        Ok(report) => output.answer(&answer(&report), &text(&report, &options)),
        Err(Failure::Bad(problem)) => Err(wrong(&problem)),
        Err(Failure::Named(ended)) => Err(ended),
        Err(Failure::Unreadable(what)) => Err(Ended::new(
            Exit::Other,
            "UNREADABLE",
            format!("The deployment could not be read: {what}."),
            "Check the folder and its permissions, then try again.",
        )),
    }
}

/// `{"ok":true,"keys_size":…,"evidence_size":…,…}`
fn answer(report: &Report) -> Value {
    let mut answer = json!({ "ok": true });
    if let (Value::Object(answer), Ok(Value::Object(report))) = (&mut answer, serde_json::to_value(report)) {
        answer.extend(report);
    }
    answer
}

/// `{"ok":false,"problem":{"table","row","what"}}` with `--json`, else a pair.
fn wrong(problem: &Problem) -> Ended {
    Ended::new(
        Exit::Evidence,
        "AUDIT_FAILED",
        format!("What is stored does not hold. The first bad place is {problem}."),
        "Stop the server, keep the folder as it is, and compare it with a backup and with receipts that others hold.",
    )
    .with_answer(json!({ "ok": false, "problem": problem }))
}

fn text(report: &Report, options: &Options) -> String {
    let counts = &report.counts;
    let signatures = if options.quick {
        "Signatures were left out (--quick).".to_owned()
    } else {
        format!("{} signatures hold.", counts.signatures)
    };
    let blobs = if options.blobs.is_some() {
        format!("{} segments hold.", counts.blobs)
    } else {
        "Ciphertext of attachments was not read (--blobs reads it).".to_owned()
    };
    format!(
        "Everything that is stored holds.\n\
         Keys log           {} leaves: {} links of {} mailboxes, {} certificates and {} revocations of {} authorities\n\
         Evidence log       {} leaves: {} messages, {} acts; erased: {} events of {} messages\n\
         Attachments        {} with {} segments\n\
         Trees              {} tiles, {} checkpoints kept outside the database\n\
         {signatures}\n\
         {blobs}",
        report.keys_size,
        counts.links,
        counts.mailboxes,
        counts.certificates,
        counts.revocations,
        counts.authorities,
        report.evidence_size,
        counts.messages,
        counts.acts,
        counts.erased_events,
        counts.erased_messages,
        counts.attachments,
        counts.segments,
        counts.tiles,
        counts.kept_checkpoints,
    )
}
