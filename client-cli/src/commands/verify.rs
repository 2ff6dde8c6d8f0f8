//! `postfach verify`: checks a receipt, or a letter against one, without network and without an account.

use postfach_domain::card::VerifiedCard;
use postfach_domain::event::Event;
use postfach_domain::hash::Digest;
use postfach_domain::id::Party;
use postfach_domain::time::Timestamp;
use postfach_ledger::receipt::{MAX_RECEIPT, VerifiedReceipt};
use serde::Serialize;

use super::receipt_check::{check, trusted_card};
use super::verify_args::Args;
use super::verify_letter;
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::input;
use crate::output::{Answer, Page, Report};
use crate::{fail, t};

/// What a receipt proves.
#[derive(Debug, Serialize)]
pub struct Proven {
    ok: bool,
    event: EventView,
    checkpoint: CheckpointView,
    /// `operator-asserted`, or when a witness had seen the event.
    time: String,
    witnessed: bool,
    revocation: String,
    /// Fingerprint of the card that was trusted.
    service_card: String,
}

/// The event of a receipt.
#[derive(Debug, Serialize)]
pub struct EventView {
    #[serde(rename = "type")]
    event_type: &'static str,
    etsi: &'static [&'static str],
    message_id: Option<String>,
    sender: Option<String>,
    sender_name: Option<String>,
    recipient: Option<String>,
    actor: Option<String>,
    occurred_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_at: Option<String>,
    reason: String,
    index: u64,
    keys_size: u64,
    outer_hash: Option<String>,
    cover_hash: Option<String>,
    letter_hash: Option<String>,
    kind: Option<String>,
    regime: Option<&'static str>,
}

/// The checkpoint that an event was proven under.
#[derive(Debug, Serialize)]
struct CheckpointView {
    log: String,
    size: u64,
    root: String,
}

/// Checks what was named.
pub fn run(context: &Context, args: &Args) -> Outcome<Report> {
    match (&args.file, &args.letter, &args.file_key) {
        (Some(file), _, _) => {
            let bytes = input::read(file, MAX_RECEIPT).or_else(too_large_is_no_receipt)?;
            let card = trusted_card(context, args)?;
            let receipt = check(&bytes, &card, args)?;
            Ok(Report::of(Proven::of(&receipt, &card)))
        }
        (None, Some(letter), Some(key)) => verify_letter::run(context, args, letter, key),
        _ => Err(fail!(Usage, "USAGE", "usage-missing", what = "FILE")),
    }
}

/// A file that is longer than any receipt is none.
fn too_large_is_no_receipt(failure: Failure) -> Outcome<Vec<u8>> {
    if failure.reason == "FILE_TOO_LARGE" { Ok(Vec::new()) } else { Err(failure) }
}

impl Proven {
    fn of(receipt: &VerifiedReceipt, card: &VerifiedCard) -> Self {
        let checkpoint = &receipt.checkpoint.signed.checkpoint;
        let seconds = receipt.witnessed_by().map(|seconds| Timestamp(seconds.saturating_mul(1000)));
        let keys_size = receipt.event.keys_size;
        Self {
            ok: true,
            event: EventView::of(receipt),
            checkpoint: CheckpointView {
                log: checkpoint.origin.clone(),
                size: checkpoint.size,
                root: hex::encode(checkpoint.root),
            },
            time: seconds.map_or_else(|| "operator-asserted".to_owned(), Timestamp::to_rfc3339),
            witnessed: receipt.witnessed,
            revocation: format!("operator-asserted at keys_size {keys_size}"),
            service_card: card.fingerprint.to_hex(),
        }
    }
}

impl EventView {
    fn of(receipt: &VerifiedReceipt) -> Self {
        let event: &Event = &receipt.event;
        let hash = |pick: fn(&postfach_domain::submission::Hashes) -> Digest| {
            event.hashes.as_ref().map(|hashes| pick(hashes).to_hex())
        };
        Self {
            event_type: event.event_type.as_str(),
            etsi: event.event_type.etsi(),
            message_id: event.message_id.map(|id| id.to_string()),
            sender: event.sender.as_ref().map(Party::issuer),
            sender_name: receipt.certificate.as_ref().map(|certificate| certificate.display_name.clone()),
            recipient: event.recipient.map(|address| address.to_string()),
            actor: receipt.actor().map(Party::issuer),
            occurred_at: event.occurred_at.to_rfc3339(),
            available_at: (event.available_at.0 > 0).then(|| event.available_at.to_rfc3339()),
            reason: event.reason.clone(),
            index: receipt.index,
            keys_size: event.keys_size,
            outer_hash: hash(|hashes| hashes.outer),
            cover_hash: hash(|hashes| hashes.cover),
            letter_hash: hash(|hashes| hashes.letter),
            kind: receipt.outer.as_ref().map(|outer| outer.kind.to_string()),
            regime: receipt.outer.as_ref().map(|outer| outer.regime.as_str()),
        }
    }
}

impl Answer for Proven {
    fn show(&self, page: &mut Page) {
        let event = &self.event;
        page.heading(&t!("verify-good"));
        page.blank();
        page.fact(&t!("label-event"), event.event_type);
        page.fact_if(&t!("label-etsi"), &event.etsi.join(", "));
        page.fact_if(&t!("label-message"), event.message_id.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-sender"), event.sender.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-sender-name"), event.sender_name.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-recipient"), event.recipient.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-actor"), event.actor.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-reason"), &event.reason);
        page.fact(&t!("label-occurred-at"), &event.occurred_at);
        page.fact(&t!("label-time-bound"), &self.time);
        page.fact(&t!("label-witnessed"), &if self.witnessed { t!("yes") } else { t!("no") });
        page.fact(&t!("label-revocation"), &self.revocation);
        let checkpoint = &self.checkpoint;
        page.fact(&t!("label-checkpoint"), &format!("{} {}", checkpoint.log, checkpoint.size));
        page.fact(&t!("label-place"), &event.index.to_string());
        page.fact(&t!("label-card"), &self.service_card);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let text = || Some(String::new());
        let event = EventView {
            event_type: "ACCEPTED",
            etsi: &["SubmissionAcceptance"],
            message_id: text(),
            sender: text(),
            sender_name: text(),
            recipient: text(),
            actor: text(),
            occurred_at: String::new(),
            available_at: text(),
            reason: String::new(),
            index: 1,
            keys_size: 3,
            outer_hash: text(),
            cover_hash: text(),
            letter_hash: text(),
            kind: text(),
            regime: Some("ozg-9"),
        };
        let checkpoint = CheckpointView { log: String::new(), size: 4, root: String::new() };
        let (time, revocation, service_card) = (String::new(), String::new(), String::new());
        let proven = Proven { ok: true, event, checkpoint, time, witnessed: false, revocation, service_card };
        assert_documented("postfach verify", &proven);
    }
}
