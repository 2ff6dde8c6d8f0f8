//! `postfach file-key`: the key that opens one letter and nothing else, for showing it to somebody.

use postfach_domain::hash::Digest;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::open::{Owner, known};
use crate::commands::message_id::message_id;
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{Answer, Page, Report};

/// `postfach file-key`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
}

#[derive(Serialize)]
struct Shown {
    message_id: String,
    /// 32 hexadecimal digits.
    #[serde(serialize_with = "exposed")]
    file_key: Zeroizing<String>,
    /// What the receipts say of the letter.
    letter_hash: String,
}

fn exposed<S: Serializer>(text: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

/// Prints the key of a letter that was read.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let owner = Owner::open(context)?;
    let mut messages = owner.messages()?;
    let entry = known(&messages, &id)?;
    let (_, envelope, opened) = owner.kept_letter(&mut messages, &entry).await?;
    Ok(Report::of(Shown {
        message_id: id.to_string(),
        file_key: opened.letter.envelope_key().expose_as_hex(),
        letter_hash: Digest::of(&envelope).to_hex(),
    }))
}

impl Answer for Shown {
    fn show(&self, page: &mut Page) {
        page.raw_line(&self.file_key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let file_key = Zeroizing::new(String::new());
        let answer = Shown { message_id: String::new(), file_key, letter_hash: String::new() };
        assert_documented("postfach file-key", &answer);
    }
}
