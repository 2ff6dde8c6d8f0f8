//! Judging a receipt file without network: which card is trusted, and what the receipt proves under it.

use postfach_domain::card::VerifiedCard;
use postfach_ledger::receipt::{Receipt, Trust, VerifiedReceipt};
use serde_json::json;

use super::verify_args::Args;
use crate::connect::{card_from, card_of};
use crate::context::Context;
use crate::exit::{Failure, Outcome};
use crate::fail;
use crate::profile::{Kind, Profile};

/// The card that was named, else the one of a profile.
pub fn trusted_card(context: &Context, args: &Args) -> Outcome<VerifiedCard> {
    if let Some(path) = &args.service_card {
        return card_from(path);
    }
    for kind in [Kind::Citizen, Kind::Authority] {
        if let Some(profile) = Profile::find(&context.home(kind)?)? {
            return card_of(&profile);
        }
    }
    Err(fail!(Usage, "NO_CARD", "verify-no-card"))
}

/// Judges a receipt: every defect is exit 8.
pub fn check(bytes: &[u8], card: &VerifiedCard, args: &Args) -> Outcome<VerifiedReceipt> {
    let mut trust = Trust::from_card(&card.card).map_err(|error| {
        let cause = error.to_string();
        fail!(Usage, "CARD_MALFORMED", "card-malformed", file = "service-card.toml")
            .with_details(json!({ "cause": cause }))
    })?;
    trust.allow_unwitnessed = args.allow_unwitnessed;
    let receipt = Receipt::parse(bytes).map_err(|error| wrong(&error.to_string()))?;
    receipt.verify(&trust).map_err(|error| wrong(&error.to_string()))
}

/// A receipt that proves nothing.
fn wrong(cause: &str) -> Failure {
    fail!(Evidence, "RECEIPT_WRONG", "receipt-wrong", cause = cause).beside("ok", false)
}
