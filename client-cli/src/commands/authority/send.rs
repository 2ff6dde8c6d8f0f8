//! `postfach authority send`: seals a notice, keeps the sealed bytes durably, and sends those until the service answers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use postfach_domain::event::EventType;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, MessageId};
use postfach_sdk::sender::{Ahead, FileToSend, NewMessage, OutboxEntry, Sent};
use postfach_sdk::{Error, progress};
use rand::Rng as _;
use serde::Serialize;
use serde_json::json;

use super::compose::{compose, digest};
use super::open::Clerk;
use super::send_args::Args;
use crate::clock;
use crate::commands::message_id::message_id;
use crate::commands::stages_view::local;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::explain::failure;
use crate::input;
use crate::output::{Answer, Bar, Page, Report};
use crate::profile::files::{create_private_folder, write_atomic};
use crate::profile::io_failure;
use crate::profile::outbox::{Outgoing, waiting};
use crate::{fail, t};

/// A notice that the service accepted.
#[derive(Debug, Serialize)]
struct Delivered {
    message_id: String,
    accepted_at: String,
    evidence_index: u64,
    /// Null where it could not be fetched; `authority receipts` saves it later.
    #[serde(serialize_with = "crate::text_form::some_path")]
    receipt: Option<PathBuf>,
}

/// Sends a notice.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let to: Address = args.to.parse().map_err(|_| fail!(Usage, "ADDRESS_MALFORMED", "address-malformed"))?;
    let id = match &args.message_id {
        Some(text) => {
            message_id(text).map_err(|_| fail!(Usage, "MESSAGE_ID_MALFORMED", "send-id-malformed"))?
        }
        None => MessageId::new(clock::now(), clock::rng().r#gen()),
    };
    let message = compose(context, args, id)?;
    let clerk = Clerk::open(context)?;
    warn_of_waiting(context, &clerk, &id)?;
    let outgoing = Outgoing::claim(&clerk.session.unlocked, id)?;
    let digest = digest(&to, &message);
    let (entry, ahead) = match outgoing.stored(&clerk.keys.sign.public())? {
        Some((known, entry)) if known == digest && still_the_same(&clerk, &entry, &message).await? => {
            context.out.note(&t!("send-again"));
            (entry, None)
        }
        Some(_) => return Err(fail!(Conflict, "MESSAGE_ID_REUSED", "send-id-reused")),
        None => seal(context, &clerk, &outgoing, &digest, to, message).await?,
    };
    let sent = deliver(context, &clerk, &outgoing, &digest, entry, ahead).await?;
    let receipt = receipt(context, &clerk, &id).await;
    let accepted = &sent.accepted;
    Ok(Report::of(Delivered {
        message_id: id.to_string(),
        accepted_at: accepted.event.occurred_at.to_rfc3339(),
        evidence_index: accepted.index,
        receipt: receipt.inspect_err(|failure| context.warn(&failure.message)).ok(),
    }))
}

fn warn_of_waiting(context: &Context, clerk: &Clerk, id: &MessageId) -> Outcome<()> {
    let waiting = waiting(&clerk.session.unlocked, id)?;
    if !waiting.is_empty() {
        let ids: Vec<String> = waiting.iter().take(5).map(ToString::to_string).collect();
        let ids = ids.join(", ");
        context.warn(&t!("send-waiting", count = waiting.len(), ids = ids.as_str()));
    }
    Ok(())
}

/// False when one of the files is not what was sealed. Files that are gone by now are not asked for any more.
async fn still_the_same(clerk: &Clerk, entry: &OutboxEntry, message: &NewMessage) -> Outcome<bool> {
    if message.attachments.is_empty() {
        return Ok(true);
    }
    let sealed = clerk.sender.sealed_files(entry).await.map_err(failure)?;
    let same =
        |(file, (len, sha256)): (&FileToSend, &(u64, Digest))| match input::holds(&file.path, *len, sha256) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            other => other.map_err(|e| io_failure(&file.path, &e)),
        };
    let same: Vec<bool> = message.attachments.iter().zip(&sealed).map(same).collect::<Outcome<_>>()?;
    Ok(same.iter().all(|same| *same))
}

/// Seals message and attachments; everything is durable when this returns, and may be on its way already.
async fn seal(
    context: &Context,
    clerk: &Clerk,
    outgoing: &Outgoing<'_>,
    digest: &str,
    to: Address,
    message: NewMessage,
) -> Outcome<(OutboxEntry, Option<Ahead>)> {
    for file in &message.attachments {
        input::open(&file.path)?;
    }
    let session = &clerk.session;
    let recipient = session.finish(context, clerk.sender.client().resolve(to).await)?;
    let spool = outgoing.fresh_spool()?;
    let bar = context.out.bar(&t!("send-sealing"));
    let sealed = clerk.sender.prepare_and_upload(message, &recipient, &spool, &told(&bar)).await;
    bar.finish();
    match session.finish(context, sealed) {
        Ok((entry, ahead)) => outgoing.store(digest, &entry).map(|()| (entry, Some(ahead))),
        Err(failure) => outgoing.discard().and(Err(failure)),
    }
}

/// Sends what is sealed, and says how to go on where that fails.
async fn deliver(
    context: &Context,
    clerk: &Clerk,
    outgoing: &Outgoing<'_>,
    digest: &str,
    entry: OutboxEntry,
    ahead: Option<Ahead>,
) -> Outcome<Sent> {
    let id = &outgoing.id();
    let save = |entry: &OutboxEntry| {
        outgoing.store(digest, entry).map_err(|failure| io::Error::other(failure.message.as_str()))
    };
    let bar = context.out.bar(&t!("send-uploading"));
    let uploaded = match ahead {
        Some(ahead) => ahead.finish(&entry, &told(&bar)).await,
        None => Ok(()),
    };
    let sent = match uploaded {
        Ok(()) => clerk.sender.send(entry, &outgoing.folder(), save, &told(&bar)).await,
        Err(error) => Err(error),
    };
    bar.finish();
    let hopeless = sent.as_ref().is_err_and(is_final);
    match clerk.session.finish(context, sent) {
        Ok(sent) => outgoing.delivered().map(|()| sent),
        Err(failure) if hopeless => outgoing.discard().and(Err(about(failure, id))),
        Err(failure) => Err(to_be_repeated(failure, id)),
    }
}

/// The service said no to these very bytes, and will say so again.
fn is_final(error: &Error) -> bool {
    match error {
        Error::PaperRequired | Error::BadInput { .. } => true,
        Error::Conflict { reason, .. } => reason == "MESSAGE_ID_REUSED",
        _ => false,
    }
}

fn to_be_repeated(failure: Failure, id: &MessageId) -> Failure {
    let mut failure = about(failure, id);
    let id = id.to_string();
    if failure.exit == Exit::ServerAway || failure.reason == "TOO_MANY_UPLOADS" {
        failure.hint = format!("{} {}", failure.hint, t!("send-repeat", id = id.as_str()));
    }
    failure
}

/// The same failure with the message it is about: what was refused has receipts too.
fn about(mut failure: Failure, id: &MessageId) -> Failure {
    failure.details["message_id"] = json!(id.to_string());
    failure
}

fn told(bar: &Bar) -> progress::Progress {
    let bar = bar.clone();
    Arc::new(move |done, total| bar.set(done, total))
}

/// The receipt of ACCEPTED, kept in the profile.
async fn receipt(context: &Context, clerk: &Clerk, id: &MessageId) -> Outcome<PathBuf> {
    let history = clerk.sender.history(*id).await;
    let history = clerk.session.finish(context, history)?;
    let none = || fail!(NotFound, "NO_RECEIPT", "receipts-missing");
    let file = history.receipt(EventType::Accepted).ok_or_else(none)?;
    let folder = clerk.session.unlocked.path("receipts");
    create_private_folder(&folder).map_err(|e| io_failure(&folder, &e))?;
    let path = folder.join(format!("{id}-{}", file.file_name()));
    write_atomic(&path, &file.bytes).map_err(|e| io_failure(&path, &e))?;
    std::path::absolute(&path).map_err(|e| io_failure(&path, &e))
}

impl Answer for Delivered {
    fn show(&self, page: &mut Page) {
        page.heading(&t!("send-done"));
        page.blank();
        page.fact(&t!("label-message"), &self.message_id);
        page.fact(&t!("label-accepted-at"), &local(&self.accepted_at));
        page.fact(&t!("label-place"), &self.evidence_index.to_string());
        if let Some(receipt) = &self.receipt {
            page.fact(&t!("label-receipt"), &receipt.display().to_string());
        }
    }

    fn exit(&self) -> Exit {
        if self.receipt.is_some() { Exit::Ok } else { Exit::Partial }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn what_passes_by_itself_is_not_final() {
        let conflict = |reason: &str| Error::Conflict { reason: reason.to_owned(), request_id: None };
        assert!(is_final(&conflict("MESSAGE_ID_REUSED")) && is_final(&Error::PaperRequired));
        assert!(!is_final(&conflict("TOO_MANY_UPLOADS")));
    }

    #[test]
    fn the_answer_is_as_documented() {
        let answer = Delivered {
            message_id: String::new(),
            accepted_at: String::new(),
            evidence_index: 1,
            receipt: Some(PathBuf::new()),
        };
        assert_documented("postfach authority send", &answer);
    }
}
