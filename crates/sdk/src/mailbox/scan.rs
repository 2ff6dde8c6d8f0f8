//! Reading the log of keys for links on our own label that we do not know (SPEC 2): the one thing that nobody but the
//! owner can notice. Goes on in the background, a piece with each sync, and keeps its place.

use http_body_util::{BodyExt as _, Limited};
use postfach_domain::chain::Chain;
use postfach_domain::id::Label;
use postfach_ledger::checkpoint::SignedCheckpoint;
use postfach_ledger::leaf::KeyLeaf;
use postfach_ledger::tile::{BundleCoord, TileCoord, TileData, decode_bundle};
use postfach_ledger::tree::{TreeEdge, edge_tiles};
use tower::ServiceExt as _;

use super::Mailbox;
use crate::client::Client;
use crate::error::{Error, EvidenceFault};
use crate::state::{KeyScan, StoredTile};

/// Entries of a bundle.
const BUNDLE: u64 = 256;
/// Longest bundle that is read, in bytes: 256 entries of 69 bytes and their lengths are 18,176.
const BUNDLE_LEN: usize = 32 * 1024;
/// Bundles that are read with one sync, about 4 MiB.
pub(super) const WITH_A_SYNC: u64 = 230;

impl Mailbox {
    /// Reads on in the log of keys, at most `bundles` of 256 entries. True once everything under the largest checkpoint
    /// was read. A link on our label that is not in our chain is an evidence error.
    pub async fn scan_keys(&self, bundles: u64) -> Result<bool, Error> {
        let Some(upto) = self.client.largest_keys_checkpoint()? else { return Ok(true) };
        let mut place = self.client.with_trust(|trust| trust.key_scan.clone());
        let mut scan = Scan::restore(&place, self.keys.address.label());
        let size = upto.checkpoint.size;
        let mut read = 0;
        while scan.edge.size() < size && read < bundles {
            let coord = BundleCoord::at_size(scan.edge.size() / BUNDLE, size)
                .ok_or_else(|| Error::answer("the log of keys is too large"))?;
            let bundle = self.client.get(&format!("/log/keys/{}", coord.path()), BUNDLE_LEN).await?;
            scan.take(coord, &bundle)?;
            read += 1;
        }
        let done = scan.edge.size() == size;
        if done && scan.edge.root() != upto.checkpoint.root {
            return Err(scan_fault("its entries do not give the signed root", &upto));
        }
        // Another device of ours may have made a link; and before the first answer no places are known.
        let own = self.own_chain();
        let placed = own.indexes.len() == own.links.len();
        if scan.found.iter().any(|(_, leaf)| !placed || !is_known(&own.chain, leaf)) {
            self.refresh_chain().await?;
        }
        let own = self.own_chain();
        for (index, leaf) in &scan.found {
            if !is_known(&own.chain, leaf) || own.indexes.get(leaf.seq() as usize) != Some(index) {
                let what = format!("entry {index} is a link on our label that is not in our chain");
                return Err(scan_fault(&what, &upto));
            }
        }
        scan.save(&mut place);
        self.client.with_trust(|trust| {
            if place.size > trust.key_scan.size {
                trust.key_scan = place;
            }
        });
        Ok(done)
    }
}

fn is_known(chain: &Chain, leaf: &KeyLeaf) -> bool {
    chain.link_hash_at(leaf.seq()) == Some(leaf.hash())
}

fn scan_fault(what: &str, upto: &SignedCheckpoint) -> Error {
    let proof = vec![(format!("keys-{}.checkpoint", upto.checkpoint.size), upto.note.clone())];
    Error::evidence_with(EvidenceFault::KeyLog(what.to_owned()), proof)
}

/// A scan in progress.
struct Scan {
    edge: TreeEdge,
    tiles: Vec<(TileCoord, TileData)>,
    label: Label,
    found: Vec<(u64, KeyLeaf)>,
}

impl Scan {
    /// Goes on where the last run stopped, or from the beginning where its place cannot be read.
    fn restore(place: &KeyScan, label: Label) -> Self {
        let tile = |stored: &StoredTile| {
            let data = TileData::from_bytes(stored.hashes.clone())?;
            Some((TileCoord::new(stored.level, stored.index, data.width())?, data))
        };
        let tiles: Vec<_> = place.tiles.iter().filter_map(tile).collect();
        let find = |coord: TileCoord| {
            let same =
                |(c, _): &&(TileCoord, TileData)| (c.level(), c.index()) == (coord.level(), coord.index());
            tiles.iter().find(same).map(|(_, data)| data.clone())
        };
        match TreeEdge::load(place.size, find) {
            Ok(edge) => Self { edge, tiles, label, found: Vec::new() },
            Err(_) => Self { edge: TreeEdge::new(), tiles: Vec::new(), label, found: Vec::new() },
        }
    }

    /// Takes the entries of a bundle that were not read yet.
    fn take(&mut self, coord: BundleCoord, bundle: &[u8]) -> Result<(), Error> {
        let fault = |what: &str| Error::evidence(EvidenceFault::KeyLog(what.to_owned()));
        let entries = decode_bundle(bundle).ok_or_else(|| fault("a bundle of entries is malformed"))?;
        if entries.len() != usize::from(coord.width()) {
            return Err(fault("a bundle has too few or too many entries"));
        }
        let skip = usize::try_from(self.edge.size() - coord.first_leaf()).unwrap_or(usize::MAX);
        for entry in entries.into_iter().skip(skip) {
            let leaf = KeyLeaf::decode(entry).ok_or_else(|| fault("an entry is malformed"))?;
            let is_ours = matches!(leaf, KeyLeaf::Link { label, .. } if label == self.label);
            if is_ours {
                self.found.push((self.edge.size(), leaf));
            }
            self.edge.append([leaf.leaf_hash()]).map_err(|_| fault("it is too large"))?;
        }
        let changed = self.edge.dirty_tiles();
        self.tiles.retain(|(old, _)| {
            !changed.iter().any(|(new, _)| (new.level(), new.index()) == (old.level(), old.index()))
        });
        self.tiles.extend(changed);
        let edge = edge_tiles(self.edge.size());
        self.tiles
            .retain(|(held, _)| edge.iter().any(|e| (e.level(), e.index()) == (held.level(), held.index())));
        self.edge.settle();
        Ok(())
    }

    fn save(&self, place: &mut KeyScan) {
        place.size = self.edge.size();
        let stored = |(coord, data): &(TileCoord, TileData)| StoredTile {
            level: coord.level(),
            index: coord.index(),
            hashes: data.as_bytes().to_vec(),
        };
        place.tiles = self.tiles.iter().map(stored).collect();
    }
}

impl Client {
    /// A plain GET beside gRPC, over the same connection.
    async fn get(&self, path: &str, limit: usize) -> Result<Vec<u8>, Error> {
        let away = |detail: String| Error::ServerAway { retry_after: None, detail };
        let request = http::Request::get(path).body(tonic::body::Body::empty());
        let request = request.map_err(|e| Error::bad_input("path", e))?;
        let fetch = async {
            let answer = self.channel().oneshot(request).await.map_err(|e| away(e.to_string()))?;
            if answer.status() != http::StatusCode::OK {
                let reason = format!("HTTP_{}", answer.status().as_u16());
                return Err(Error::NotFound { reason, request_id: None });
            }
            let body = Limited::new(answer.into_body(), limit).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(|e| away(e.to_string()))
        };
        tokio::time::timeout(self.timeout(), fetch).await.map_err(|_| away("no answer in time".to_owned()))?
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use postfach_domain::hash::Digest;
    use postfach_domain::id::KeyId;
    use postfach_ledger::tile::encode_bundle;

    use super::*;

    const LABEL: Label = Label([7; 32]);

    fn leaf(index: u64) -> KeyLeaf {
        let hash = Digest::of(&index.to_be_bytes());
        match index {
            300 => KeyLeaf::Link { label: LABEL, seq: 0, link_hash: hash },
            _ => KeyLeaf::Certificate { key_id: KeyId([3; 32]), hash },
        }
    }

    fn bundle(index: u64, size: u64) -> (BundleCoord, Vec<u8>) {
        let coord = BundleCoord::at_size(index, size).unwrap();
        let leaves = (coord.first_leaf()..).take(usize::from(coord.width()));
        let entries: Vec<_> = leaves.map(|index| leaf(index).encode()).collect();
        (coord, encode_bundle(&entries).unwrap())
    }

    /// Reads up to `size` with a stop and a restart after every bundle.
    fn read_to(place: &mut KeyScan, size: u64) -> Vec<(u64, KeyLeaf)> {
        let mut found = Vec::new();
        while place.size < size {
            let mut scan = Scan::restore(place, LABEL);
            assert_eq!(scan.edge.size(), place.size);
            let (coord, bytes) = bundle(place.size / BUNDLE, size);
            scan.take(coord, &bytes).unwrap();
            scan.save(place);
            found.append(&mut scan.found);
        }
        found
    }

    #[test]
    fn a_scan_goes_on_where_it_stopped_and_gives_the_same_root() {
        let mut place = KeyScan::default();
        let mut found = Vec::new();
        for size in [1, 5, 255, 256, 257, 700, 70_000] {
            found.append(&mut read_to(&mut place, size));
            let mut whole = TreeEdge::new();
            whole.append((0..size).map(|i| leaf(i).leaf_hash())).unwrap();
            let scan = Scan::restore(&place, LABEL);
            assert_eq!((scan.edge.size(), scan.edge.root()), (size, whole.root()));
            assert!(place.tiles.len() <= 8);
        }
        assert_eq!(found, [(300, leaf(300))]);
    }

    #[test]
    fn cut_or_wrong_bundles_are_evidence() {
        let (coord, bytes) = bundle(0, 5);
        let take = |bytes: &[u8]| Scan::restore(&KeyScan::default(), LABEL).take(coord, bytes);
        assert!(take(&bytes).is_ok());
        assert!(matches!(take(&bytes[..bytes.len() - 1]), Err(Error::Evidence(_))));
        assert!(matches!(take(&bundle(0, 4).1), Err(Error::Evidence(_))));
        let mut wrong = bytes.clone();
        wrong[2] = 99;
        assert!(matches!(take(&wrong), Err(Error::Evidence(_))));
    }
}
