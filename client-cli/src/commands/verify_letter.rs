//! `postfach verify --letter`: a letter shown to a third party by its file key, against a receipt where one is given.

use std::path::Path;

use postfach_domain::limits;
use postfach_envelope::EnvelopeKey;
use postfach_envelope::open::{DisclosedLetter, disclose_letter};
use postfach_ledger::receipt::{MAX_RECEIPT, Receipt};
use serde::Serialize;

use super::letter_view::LetterView;
use super::receipt_check::{check, trusted_card};
use super::verify_args::Args;
use crate::context::Context;
use crate::exit::Outcome;
use crate::explain::open_failure;
use crate::input;
use crate::output::{Answer, Page, Report};
use crate::{fail, t};

/// Room for the frame of the largest letter, in bytes.
const ENVELOPE_LIMIT: usize = 2 * limits::LETTER_LEN;

/// A letter with what is proven about it.
#[derive(Debug, Serialize)]
struct Shown {
    ok: bool,
    /// `signed`: a receipt proves who signed it and that the service accepted it. `accepted`: a receipt proves that the
    /// service had it. `none`: no receipt was given.
    proven: &'static str,
    sender: Option<String>,
    sender_name: Option<String>,
    recipient: String,
    accepted_at: Option<String>,
    letter_hash: String,
    #[serde(flatten)]
    letter: LetterView,
}

/// Opens the letter and compares it with the receipt.
pub fn run(context: &Context, args: &Args, letter: &Path, key: &str) -> Outcome<Report> {
    let envelope = input::read(letter, ENVELOPE_LIMIT)?;
    let key = file_key(key)?;
    let disclosed = disclose_letter(&envelope, &key).map_err(|error| open_failure(&error))?;
    match &args.receipt {
        None => Ok(Report::of(Shown::unproven(&disclosed))),
        Some(receipt) => against(context, args, disclosed, receipt),
    }
}

/// 32 digits, or where they stand: `@FILE` or `-`. The key opens one letter only, so that it may be an argument.
fn file_key(given: &str) -> Outcome<EnvelopeKey> {
    let text = if given == "-" || given.starts_with('@') {
        input::secret(given)?
    } else {
        zeroize::Zeroizing::new(given.to_owned())
    };
    text.trim().parse().map_err(|_| fail!(Usage, "FILE_KEY_MALFORMED", "file-key-malformed"))
}

fn against(context: &Context, args: &Args, letter: DisclosedLetter, receipt: &Path) -> Outcome<Report> {
    let bytes = input::read(receipt, MAX_RECEIPT)?;
    let card = trusted_card(context, args)?;
    let proven = check(&bytes, &card, args)?;
    let other = || fail!(Evidence, "OTHER_LETTER", "letter-other").beside("ok", false);
    let hashes = proven.event.hashes.as_ref().ok_or_else(other)?;
    if hashes.letter != letter.envelope_hash() || hashes.outer != letter.outer_hash() {
        return Err(other());
    }
    let mut shown = Shown::unproven(&letter);
    shown.proven = "accepted";
    shown.sender = proven.event.sender.as_ref().map(postfach_domain::id::Party::issuer);
    shown.accepted_at = Some(proven.event.occurred_at.to_rfc3339());
    if let Some(certificate) = &proven.certificate {
        let outer = Receipt::parse(&bytes).map(|receipt| receipt.outer).unwrap_or_default();
        letter
            .verify(&card.card.origin, &certificate.sign_pub, &outer)
            .map_err(|error| open_failure(&error).beside("ok", false))?;
        shown.proven = "signed";
        shown.sender_name = Some(certificate.display_name.clone());
    }
    Ok(Report::of(shown))
}

impl Shown {
    fn unproven(letter: &DisclosedLetter) -> Self {
        Self {
            ok: true,
            proven: "none",
            sender: None,
            sender_name: None,
            recipient: letter.recipient().to_string(),
            accepted_at: None,
            letter_hash: letter.envelope_hash().to_hex(),
            letter: LetterView::of_format(letter.unproven_letter()),
        }
    }
}

impl Answer for Shown {
    fn show(&self, page: &mut Page) {
        page.heading(&match self.proven {
            "signed" => t!("letter-proven-signed"),
            "accepted" => t!("letter-proven-accepted"),
            _ => t!("letter-proven-none"),
        });
        page.blank();
        page.fact_if(&t!("label-sender"), self.sender.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-sender-name"), self.sender_name.as_deref().unwrap_or_default());
        page.fact(&t!("label-recipient"), &self.recipient);
        page.fact_if(&t!("label-occurred-at"), self.accepted_at.as_deref().unwrap_or_default());
        page.fact(&t!("label-letter-hash"), &self.letter_hash);
        self.letter.show(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;
    use crate::commands::documented::letter;

    #[test]
    fn the_answer_is_as_documented() {
        let shown = Shown {
            ok: true,
            proven: "signed",
            sender: Some(String::new()),
            sender_name: Some(String::new()),
            recipient: String::new(),
            accepted_at: Some(String::new()),
            letter_hash: String::new(),
            letter: letter(),
        };
        assert_documented("postfach verify --letter", &shown);
    }
}
