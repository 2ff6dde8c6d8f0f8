//! `postfach raw`: outer header, cover and letter exactly as they were transported.

use std::path::PathBuf;

use serde::Serialize;

use super::open::{Owner, known};
use crate::commands::folder;
use crate::commands::message_id::message_id;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{Answer, Page, Report};
use crate::t;

/// `postfach raw`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
}

#[derive(Debug, Serialize)]
struct Saved {
    message_id: String,
    #[serde(serialize_with = "crate::text_form::path")]
    outer: PathBuf,
    #[serde(serialize_with = "crate::text_form::path")]
    cover: PathBuf,
    #[serde(serialize_with = "crate::text_form::path")]
    letter: PathBuf,
}

/// Saves a message as it is.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let mut messages = owner.messages()?;
    let entry = known(&messages, &id)?;
    let (record, letter, _) = owner.kept_letter(&mut messages, &entry).await?;
    folder::make(&args.output)?;
    Ok(Report::of(Saved {
        message_id: id.to_string(),
        outer: folder::write(&args.output, "outer.bin", &record.outer)?,
        cover: folder::write(&args.output, "cover.age", &record.cover_envelope)?,
        letter: folder::write(&args.output, "letter.age", &letter)?,
    }))
}

impl Answer for Saved {
    fn show(&self, page: &mut Page) {
        page.line(&t!("saved"));
        for path in [&self.outer, &self.cover, &self.letter] {
            page.item(&path.display().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let answer = Saved {
            message_id: String::new(),
            outer: PathBuf::new(),
            cover: PathBuf::new(),
            letter: PathBuf::new(),
        };
        assert_documented("postfach raw", &answer);
    }
}
