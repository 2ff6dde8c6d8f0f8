//! `postfach authority status`: the stages that happened, and what the law makes of them.

use serde::Serialize;

use super::open::Clerk;
use crate::clock;
use crate::commands::message_id::message_id;
use crate::commands::stages_view::StageView;
use crate::context::Context;
use crate::exit::Outcome;
use crate::legal::{Law, LegalView};
use crate::output::{Answer, Page, Report};
use crate::t;

/// `postfach authority status`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "MESSAGE_ID")]
    pub message_id: String,
}

#[derive(Debug, Serialize)]
struct Status {
    message_id: String,
    recipient: Option<String>,
    kind: Option<String>,
    regime: Option<&'static str>,
    /// Only those that happened, in the order of the log.
    stages: Vec<StageView>,
    legal: LegalView,
    /// Places in the evidence log whose events were erased.
    erased: Vec<u64>,
}

/// Shows what became of a notice.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let id = message_id(&args.message_id)?;
    let clerk = Clerk::open(context)?;
    let history = clerk.sender.history(id).await;
    let history = clerk.session.finish(context, history)?;
    let (stages, outer) = (history.stages(), history.outer());
    let legal = outer.map_or_else(LegalView::default, |outer| {
        Law::at(clock::now()).explain(outer.regime, &stages, history.ags().unwrap_or_default())
    });
    Ok(Report::of(Status {
        message_id: id.to_string(),
        recipient: outer.map(|outer| outer.recipient.to_string()),
        kind: outer.map(|outer| outer.kind.to_string()),
        regime: outer.map(|outer| outer.regime.as_str()),
        stages: StageView::all(&stages),
        legal,
        erased: history.erased.clone(),
    }))
}

impl Answer for Status {
    fn show(&self, page: &mut Page) {
        page.fact(&t!("label-message"), &self.message_id);
        page.fact_if(&t!("label-recipient"), self.recipient.as_deref().unwrap_or_default());
        page.fact_if(&t!("label-kind"), self.kind.as_deref().unwrap_or_default());
        page.blank();
        StageView::show(&self.stages, page);
        self.legal.show(page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::documented::assert_documented;
    use crate::profile::message::tests::entry;

    #[test]
    fn the_answer_is_as_documented() {
        let entry = entry(1, "");
        let answer = Status {
            message_id: String::new(),
            recipient: Some(String::new()),
            kind: Some(String::new()),
            regime: Some("ozg-9"),
            stages: StageView::all(&entry.stages),
            legal: Law::at(clock::now()).explain(entry.regime, &entry.stages, ""),
            erased: Vec::new(),
        };
        assert_documented("postfach authority status", &answer);
    }
}
