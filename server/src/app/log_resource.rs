//! The logs as other people's tools read them: checkpoints, tiles and entry bundles of C2SP tlog-tiles.

use postfach_domain::hash::Digest;
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::tile::{BundleCoord, Resource, encode_bundle};

use super::{App, AppError};
use crate::evidence::LogName;
use crate::logs::Snapshot;
use crate::storage::sql::logs;
use crate::storage::{Ask, StoreError};

impl App {
    /// What a GET below `/log/keys/` or `/log/evidence/` answers (C2SP tlog-tiles); `None` is 404. Full tiles and
    /// bundles never change; checkpoints and partial ones do.
    pub async fn log_resource(&self, log: LogName, resource: &Resource) -> Result<Option<Vec<u8>>, AppError> {
        let snapshot = self.view.newest().await?;
        match resource {
            Resource::Checkpoint => Ok(Some(snapshot.heads.of(log).checkpoint.clone())),
            Resource::Tile(coord) => {
                let tile = self.view.tile(&snapshot, log, *coord).await?;
                Ok(tile.map(postfach_ledger::tile::TileData::into_bytes))
            }
            Resource::Entries(coord) => Ok(self.entries(&snapshot, log, *coord).await?),
        }
    }

    async fn entries(
        &self,
        snapshot: &Snapshot,
        log: LogName,
        coord: BundleCoord,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let there = BundleCoord::at_size(coord.index(), snapshot.size(log));
        if there.is_none_or(|there| there.width() < coord.width()) {
            return Ok(None);
        }
        let (from, to) = (coord.first_leaf(), coord.first_leaf() + u64::from(coord.width()));
        let mut query = Ask(&*self.store);
        let bundle = match log {
            LogName::Keys => encode_bundle(&logs::key_leaves(&mut query, from, to).await?),
            LogName::Evidence => {
                let commitments = logs::commitments(&mut query, from, to).await?;
                let leaf = |commitment| EvidenceLeaf { commitment: Digest(commitment) }.encode();
                encode_bundle(&commitments.into_iter().map(leaf).collect::<Vec<_>>())
            }
        };
        Ok(bundle)
    }
}
