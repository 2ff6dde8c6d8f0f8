//! From flags and the letter file to a message. Flags win over the file. Nothing is sealed or sent here.

use std::path::Path;
use std::str::FromStr;

use postfach_domain::cleaning::is_odd_name;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, MessageId};
use postfach_domain::limits;
use postfach_domain::outer::{Kind, LegalRegime, TrustLevel};
use postfach_sdk::sender::{FileToSend, NewMessage};

use super::send_args::Args;
use crate::commands::letter_file::{LetterFile, field, media_type};
use crate::context::Context;
use crate::exit::Outcome;
use crate::input;
use crate::{fail, t};

/// Kind of notice where nothing is said.
const DEFAULT_KIND: &str = "notice";
/// Longest letter file that is read: room for JSON's escapes.
const FILE_LIMIT: usize = 6 * limits::LETTER_LEN;

/// The message that was asked for.
pub fn compose(context: &Context, args: &Args, id: MessageId) -> Outcome<NewMessage> {
    let file = match &args.letter {
        Some(path) => LetterFile::parse(&input::read_text(path, FILE_LIMIT)?, path)?,
        None => LetterFile::default(),
    };
    let subject = args.subject.clone().or_else(|| file.subject.clone());
    let kind = args.kind.as_deref().or(file.kind.as_deref()).unwrap_or(DEFAULT_KIND);
    let regime = args.regime.as_deref().or(file.regime.as_deref()).unwrap_or(LegalRegime::None.as_str());
    let level = file.min_trust_level.as_deref().unwrap_or(TrustLevel::Basic.as_str());
    Ok(NewMessage {
        message_id: Some(id),
        kind: Kind::from_str(kind).map_err(|_| field("kind", "tax-notice"))?,
        regime: term("regime", regime, LegalRegime::ALL.iter().map(|r| r.as_str()))?,
        min_trust_level: term("min_trust_level", level, TrustLevel::ALL.iter().map(|l| l.as_str()))?,
        confirmation_requested: args.confirm || file.confirmation_requested.unwrap_or(false),
        not_before: file.not_before()?,
        in_reply_to: file.in_reply_to()?,
        subject: subject.ok_or_else(|| fail!(Usage, "NO_SUBJECT", "send-subject-missing"))?,
        kind_detail: file.kind_detail.clone().unwrap_or_default(),
        body: body(args, &file)?,
        body_type: file.body_type()?,
        legal: file.legal()?,
        payments: file.payments()?,
        actions: file.actions()?,
        attachments: attachments(context, args, &file),
    })
}

fn body(args: &Args, file: &LetterFile) -> Outcome<String> {
    if let Some(body) = &args.body {
        return Ok(body.clone());
    }
    if let Some(path) = &args.body_file {
        return input::read_text(path, limits::LETTER_LEN);
    }
    file.body.clone().ok_or_else(|| fail!(Usage, "NO_BODY", "send-body-missing"))
}

/// A word from a short list.
fn term<T: FromStr>(name: &str, text: &str, known: impl Iterator<Item = &'static str>) -> Outcome<T> {
    text.parse().map_err(|_| {
        let known = known.collect::<Vec<_>>().join(", ");
        fail!(Usage, "VALUE_UNKNOWN", "value-unknown", field = name; known = known.as_str())
    })
}

/// Files of the letter file, then those of `--attach`. Odd names are sent as they are, with a warning.
fn attachments(context: &Context, args: &Args, file: &LetterFile) -> Vec<FileToSend> {
    let mut files = Vec::new();
    for part in &file.attachments {
        let name = part.name.clone().unwrap_or_else(|| base_name(context, &part.path));
        let media_type = part.media_type.clone().unwrap_or_else(|| media_type(&name).to_owned());
        files.push(FileToSend { path: part.path.clone(), name, media_type });
    }
    for path in &args.attach {
        let name = base_name(context, path);
        let media_type = media_type(&name).to_owned();
        files.push(FileToSend { path: path.clone(), name, media_type });
    }
    for file in files.iter().filter(|file| is_odd_name(&file.name)) {
        context.warn(&t!("send-odd-name", name = file.name.as_str()));
    }
    files
}

fn base_name(context: &Context, path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let text = name.to_string_lossy().into_owned();
    if name.to_str().is_none() {
        context.warn(&t!("send-lossy-name", name = text.as_str()));
    }
    text
}

/// What was asked for, in one hash: the same id with another one is a mistake. Contents of attachments do not count,
/// because the files may be gone when a message is sent again.
pub fn digest(to: &Address, message: &NewMessage) -> String {
    let names: Vec<&str> = message.attachments.iter().map(|file| file.name.as_str()).collect();
    let rest = format!(
        "{to}\n{}\n{}\n{}\n{}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{names:?}",
        message.kind,
        message.regime,
        message.min_trust_level,
        message.confirmation_requested,
        message.not_before,
        message.in_reply_to,
        message.body_type,
        message.legal,
        message.payments,
        message.actions,
    );
    let texts = [&message.subject, &message.kind_detail, &message.body, &rest];
    Digest::of_pae("postfach-cli/request", &texts.map(String::as_bytes)).to_hex()
}
