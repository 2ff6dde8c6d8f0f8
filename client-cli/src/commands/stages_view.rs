//! Stages of a message for the eye and for programs.

use postfach_domain::legal::local_time;
use postfach_domain::time::Timestamp;
use postfach_sdk::stages::Stage;
use serde::Serialize;

use crate::i18n::text_of;
use crate::output::Page;
use crate::t;

/// One stage that happened.
#[derive(Debug, Clone, Serialize)]
pub struct StageView {
    stage: String,
    at: String,
    evidence_index: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
}

impl StageView {
    /// All stages, in order.
    pub fn all(stages: &[Stage]) -> Vec<Self> {
        let view = |stage: &Stage| Self {
            stage: stage.stage.clone(),
            at: Timestamp(stage.at).to_rfc3339(),
            evidence_index: stage.evidence_index,
            reason: stage.reason.clone(),
        };
        stages.iter().map(view).collect()
    }

    /// Lays stages out.
    pub fn show(all: &[Self], page: &mut Page) {
        for stage in all {
            let id = format!("stage-{}", stage.stage.to_ascii_lowercase().replace('_', "-"));
            let meaning = text_of(&id).unwrap_or_default();
            let reason = if stage.reason.is_empty() { String::new() } else { format!(" ({})", stage.reason) };
            page.fact(&stage.stage, &format!("{}{reason}  {meaning}", local(&stage.at)));
        }
        if all.is_empty() {
            page.line(&t!("stages-none"));
        }
    }
}

/// An instant for people: local to Germany, without milliseconds.
pub fn local(rfc3339: &str) -> String {
    let zoned = Timestamp::from_rfc3339(rfc3339).and_then(local_time);
    zoned.map_or_else(|| rfc3339.to_owned(), |zoned| zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string())
}
