//! `postfachd audit export`: every delivery, as JSON lines or CSV.

use postfach_proto::v1;

use super::row::{COLUMNS, Row};
use crate::admin::link::{self, failure};
use crate::args::{DataArgs, ExportFormat};
use crate::deployment::folder::Folder;
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// Prints all deliveries.
pub async fn run(data: &DataArgs, format: ExportFormat, output: Output) -> Outcome<()> {
    if format == ExportFormat::Csv {
        output.raw(&csv(&[COLUMNS.iter().map(ToString::to_string).collect()])?)?;
    }
    link::with(&Folder::at(&data.data), async |link| {
        let answer = link.admin().export_audit(v1::ExportAuditRequest {}).await;
        let mut pages = answer.map_err(|status| failure(&status))?.into_inner();
        while let Some(page) = pages.message().await.map_err(|status| failure(&status))? {
            print(page.deliveries.into_iter().map(Row::of), format, output)?;
        }
        Ok(())
    })
    .await
}

fn print(rows: impl Iterator<Item = Row>, format: ExportFormat, output: Output) -> Outcome<()> {
    match format {
        ExportFormat::Jsonl => {
            for row in rows {
                output.line(&row.json().to_string())?;
            }
            Ok(())
        }
        ExportFormat::Csv => output.raw(&csv(&rows.map(|row| row.record()).collect::<Vec<_>>())?),
    }
}

fn csv(records: &[Vec<String>]) -> Outcome<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in records {
        writer.write_record(record).map_err(|error| unwritable(&error))?;
    }
    writer.into_inner().map_err(|error| unwritable(&error))
}

fn unwritable(error: &impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Other, "CSV", format!("The export cannot be written: {error}."), "Try --format jsonl.")
}
