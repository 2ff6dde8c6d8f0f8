//! `postfachd audit list`: page by page, so that any number of deliveries needs little memory.

use postfach_proto::v1;

use super::row::Row;
use crate::admin::link::{self, failure};
use crate::args::ListArgs;
use crate::deployment::folder::Folder;
use crate::failure::Outcome;
use crate::output::Output;

/// Prints one line for each delivery, oldest first.
pub async fn run(args: &ListArgs, output: Output) -> Outcome<()> {
    let mut request = v1::ListDeliveriesRequest {
        authority_id: args.authority.as_ref().map(ToString::to_string).unwrap_or_default(),
        since: args.since.map(|since| since.0).unwrap_or_default(),
        stage: args.stage.clone().unwrap_or_default(),
        page_size: 0,
        page_token: String::new(),
    };
    link::with(&Folder::at(&args.data.data), async |link| {
        let mut admin = link.admin();
        loop {
            let answer = admin.list_deliveries(request.clone()).await.map_err(|status| failure(&status))?;
            let page = answer.into_inner();
            for row in page.deliveries.into_iter().map(Row::of) {
                output.line(&if output.is_json() { row.json().to_string() } else { row.text() })?;
            }
            if page.next_page_token.is_empty() {
                return Ok(());
            }
            request.page_token = page.next_page_token;
        }
    })
    .await
}
