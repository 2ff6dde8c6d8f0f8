//! `postfach attachment save`: checked, resumable, and never stopped by a name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use postfach_domain::cleaning;
use postfach_envelope::attachment::Attachment;
use postfach_sdk::mailbox::MessageRecord;
use serde::Serialize;

use super::open::Owner;
use crate::commands::folder;
use crate::commands::letter_view::size;
use crate::commands::message_id::message_id;
use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Answer, Page, Report};
use crate::{fail, input, t};

/// `postfach attachment save`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

#[derive(Debug, Serialize)]
struct Saved {
    message_id: String,
    saved: Vec<SavedFile>,
}

#[derive(Debug, Serialize)]
struct SavedFile {
    /// As the sender wrote it.
    name: String,
    #[serde(serialize_with = "crate::text_form::path")]
    path: PathBuf,
    size: u64,
    sha256: String,
}

/// One attachment and the name it gets here.
struct Wanted<'a> {
    attachment: &'a Attachment,
    name: String,
}

/// Saves attachments. The letter is fetched where that did not happen yet.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let mut messages = owner.messages()?;
    let entry = owner.find(context, &mut messages, &id).await?;
    let (opened, signed_now) = owner.letter(context, &mut messages, &entry).await?;
    if signed_now {
        context.out.note(&t!("read-first"));
    }
    let record = messages.record(&id)?;
    let wanted = choose(opened.letter.attachments(), &args.names)?;
    folder::make(&args.output)?;
    let (mut saved, mut failed) = (Vec::new(), Vec::new());
    for wanted in &wanted {
        match save(context, &owner, &record, wanted, &args.output).await {
            Ok(file) => saved.push(file),
            Err(failure) => failed.push(failure),
        }
    }
    match worst(failed, wanted.len()) {
        Some(failure) => Err(failure),
        None => Ok(Report::of(Saved { message_id: id.to_string(), saved })),
    }
}

/// The attachments that were named, by the sender's name or the cleaned one; all where none was.
fn choose<'a>(attachments: &'a [Attachment], names: &[String]) -> Outcome<Vec<Wanted<'a>>> {
    let clean = folder::clean_names(attachments.iter().map(|attachment| attachment.name.as_str()));
    let all = attachments.iter().zip(clean).map(|(attachment, name)| Wanted { attachment, name });
    let all: Vec<Wanted<'_>> = all.collect();
    let is = |wanted: &Wanted<'_>, name: &String| wanted.name == *name || wanted.attachment.name == *name;
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|wanted| is(wanted, name))) {
        return Err(fail!(NotFound, "ATTACHMENT_UNKNOWN", "attachment-unknown", name = unknown.as_str()));
    }
    Ok(all.into_iter().filter(|w| names.is_empty() || names.iter().any(|name| is(w, name))).collect())
}

async fn save(
    context: &Context,
    owner: &Owner,
    record: &MessageRecord,
    wanted: &Wanted<'_>,
    output: &Path,
) -> Outcome<SavedFile> {
    let attachment = wanted.attachment;
    let target = free_or_same(output, &wanted.name, attachment);
    let file = SavedFile {
        name: attachment.name.clone(),
        path: target.clone(),
        size: attachment.plain_len,
        sha256: attachment.plain_sha256.to_hex(),
    };
    if target.exists() {
        return Ok(file);
    }
    let bar = context.out.bar(&format!("{} {}", t!("attachment-loading"), wanted.name));
    let told = bar.clone();
    let progress: postfach_sdk::progress::Progress = Arc::new(move |done, total| told.set(done, total));
    let result = owner.mailbox.save_attachment(record, attachment, &target, &progress).await;
    bar.finish();
    owner.session.finish(context, result).map(|_| file)
}

/// The first numbered name that is free, or that this very content has already.
fn free_or_same(output: &Path, name: &str, attachment: &Attachment) -> PathBuf {
    let numbered = (2..).map(|n| cleaning::numbered(name, n));
    std::iter::once(name.to_owned())
        .chain(numbered)
        .map(|name| output.join(name))
        .find(|path| fs::symlink_metadata(path).is_err() || holds(path, attachment))
        .unwrap_or_else(|| output.join(name))
}

/// True for a file with exactly this content.
fn holds(path: &Path, attachment: &Attachment) -> bool {
    input::holds(path, attachment.plain_len, &attachment.plain_sha256).unwrap_or(false)
}

/// What is said when some could not be saved: evidence before everything else, then that it is done in part.
fn worst(mut failed: Vec<Failure>, all: usize) -> Option<Failure> {
    let count = failed.len();
    if let Some(at) = failed.iter().position(|failure| failure.exit == Exit::Evidence) {
        return Some(failed.swap_remove(at));
    }
    if count < all && count > 0 {
        return Some(fail!(Partial, "PARTIAL", "attachments-partly", failed = count, all = all));
    }
    failed.into_iter().next()
}

impl Answer for Saved {
    fn show(&self, page: &mut Page) {
        if self.saved.is_empty() {
            return page.line(&t!("attachments-none"));
        }
        page.line(&t!("saved"));
        for file in &self.saved {
            page.item(&format!("{} ({})", file.path.display(), size(file.size)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let file = SavedFile { name: String::new(), path: PathBuf::new(), size: 1, sha256: String::new() };
        let answer = Saved { message_id: String::new(), saved: vec![file] };
        assert_documented("postfach attachment save", &answer);
    }
}
