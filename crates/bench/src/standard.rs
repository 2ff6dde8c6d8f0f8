//! The usual course: the machine's bare limits, all scenarios with one number of callers, and the command line client.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::limits::echo::Echo;
use crate::report::{Figure, processors, say};
use crate::server::folder_bytes;
use crate::{Options, Outcome, Stage, client, limits, scenarios};

impl Stage<'_> {
    /// Bytes of the data folder, and of the database where that is elsewhere.
    async fn stored_bytes(&self) -> Result<u64> {
        let mut bytes = folder_bytes(&self.data)?;
        if let Some(url) = &self.options.database {
            let mut connection = PgConnection::connect(url).await?;
            let size = sqlx::query_scalar("SELECT pg_database_size(current_database())");
            let size: i64 = size.fetch_one(&mut connection).await?;
            bytes += u64::try_from(size)?;
        }
        Ok(bytes)
    }

    /// Measures and prints everything.
    pub async fn standard(&self) -> Result<Outcome> {
        let (options, server) = (self.options, &self.server);
        let plan = scenarios::Plan::of(options.messages);
        say(&format!("Sealing {} letters …", plan.attached.end));
        let letters = Arc::new(plan.preseal(&self.world)?);
        let size = prost::Message::encoded_len(&letters[0].submission);

        let bare = self.bare_limits(size).await?;
        let before = self.stored_bytes().await?;
        let (delivered, callers) = (plan.attached.end, options.callers);
        let (world, letters) = (Arc::clone(&self.world), Arc::clone(&letters));
        let run = scenarios::Run::new(world, letters, plan, server, callers)?;
        let mut figures = Vec::new();
        let mut tell = |figure: Figure| {
            say(&figure.line());
            figures.push(figure);
        };
        tell(run.deliver(server).await?);
        let grown = self.stored_bytes().await?.saturating_sub(before);
        tell(run.deliver_alone(server).await?);
        tell(run.deliver_batch(server).await?);
        tell(run.deliver_attached(server).await?);
        tell(run.first_read(server).await?);
        tell(run.read_again(server).await?);
        tell(run.sync(server).await?);
        tell(run.mixed(server).await?);
        let client = match options.inbox {
            0 => Vec::new(),
            count => client::measure(&self.world, &self.data, self.folder, server, count).await?,
        };
        let figures = json!({
            "callers": callers,
            // Of one submission on the wire.
            "submission_bytes": size,
            // Database and write-ahead log.
            "disk_bytes_per_message": grown / options.messages as u64,
            "limits": bare,
            "scenarios": figures,
            "client": client,
        });
        Ok(Outcome { figures, delivered: delivered + options.inbox })
    }

    async fn bare_limits(&self, size: usize) -> Result<Vec<Figure>> {
        let (options, length) = (self.options, Duration::from_secs(self.options.limit_seconds));
        say(&format!("{size} B a submission, {} processors", processors()));
        let mut figures = vec![disk(options, self.folder)?];
        let probes = self.folder.join("probes");
        let inserts =
            limits::database::grouped_inserts_per_second(&probes, size, options.callers.clamp(1, 64), length);
        figures.push(Figure::limit("limit: SQLite rows, one statement a batch", inserts.await?));
        let (seals, opens) = limits::sealing::per_second(4096, length)?;
        figures.push(Figure::limit("limit: hybrid seal of 4 KiB, one core", seals));
        figures.push(Figure::limit("limit: hybrid open of 4 KiB, one core", opens));
        let echo = Echo::start(&self.data, size)?;
        figures.push(echo.measure(&self.world.service, options.callers).await?);
        for figure in &figures[1..] {
            say(&figure.line());
        }
        Ok(figures)
    }
}

/// How often the disk below a folder makes 4 KiB durable.
pub fn disk(options: &Options, folder: &Path) -> Result<Figure> {
    let probes = folder.join("probes");
    std::fs::create_dir_all(&probes)?;
    let per_second = limits::disk::fdatasync_per_second(&probes, Duration::from_secs(options.limit_seconds))?;
    let name = format!("limit: fdatasync of 4 KiB on {}", limits::disk::file_system(folder));
    let figure = Figure::limit(name, per_second);
    say(&figure.line());
    Ok(figure)
}
