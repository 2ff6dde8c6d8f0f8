//! Saving receipts, the same for citizens and authorities: one file for each event of a message.

use std::path::{Path, PathBuf};

use postfach_sdk::receipts::History;
use serde::Serialize;

use super::folder;
use super::stages_view::StageView;
use crate::exit::Outcome;
use crate::output::{Answer, Page};
use crate::t;

/// Receipts that were saved.
#[derive(Debug, Serialize)]
pub struct Saved {
    message_id: String,
    receipts: Vec<SavedReceipt>,
    /// Places in the evidence log whose events were erased.
    erased: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct SavedReceipt {
    #[serde(serialize_with = "crate::text_form::path")]
    path: PathBuf,
    #[serde(flatten)]
    stage: StageView,
}

/// Writes every receipt of a message into a folder.
pub fn save(message_id: String, history: &History, output: &Path) -> Outcome<Saved> {
    folder::make(output)?;
    let stages = StageView::all(&history.stages());
    let write = |(receipt, stage): (&postfach_sdk::receipts::ReceiptFile, StageView)| {
        let path = folder::write(output, &receipt.file_name(), &receipt.bytes)?;
        Ok(SavedReceipt { path, stage })
    };
    let receipts = history.receipts.iter().zip(stages).map(write).collect::<Outcome<_>>()?;
    Ok(Saved { message_id, receipts, erased: history.erased.clone() })
}

impl Answer for Saved {
    fn show(&self, page: &mut Page) {
        if self.receipts.is_empty() {
            return page.line(&t!("receipts-none"));
        }
        page.line(&t!("saved"));
        for receipt in &self.receipts {
            page.item(&receipt.path.display().to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;

    #[test]
    fn the_answer_is_as_documented() {
        let stages = [postfach_sdk::stages::Stage {
            stage: "ACCEPTED".to_owned(),
            at: 1,
            evidence_index: 1,
            available_at: 0,
            reason: String::new(),
        }];
        let stage = StageView::all(&stages).remove(0);
        let receipts = vec![SavedReceipt { path: PathBuf::new(), stage }];
        let answer = Saved { message_id: String::new(), receipts, erased: Vec::new() };
        assert_documented("postfach receipt save", &answer);
    }
}
