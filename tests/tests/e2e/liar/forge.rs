//! The operator's own pen: with the log's key whatever is wanted can be logged, signed and proven. What it cannot do is
//! sign for others, or take back what clients saw.

use std::sync::Arc;

use postfach_domain::event::{Event, commitment};
use postfach_domain::hash::Digest;
use postfach_ledger::checkpoint::Checkpoint;
use postfach_ledger::hash::{Hash, node_hash};
use postfach_ledger::leaf::EvidenceLeaf;
use postfach_ledger::nodes::NodeReader;
use postfach_ledger::proof;
use postfach_ledger::vkey::LogSigner;
use postfach_proto::v1;
use postfach_server::deployment::folder::Folder;
use postfach_server::deployment::keyfile;
use postfach_tests::Deployment;
use postfach_tests::deployment::ORIGIN;

use super::relay::Liar;

/// A log of evidence that begins as the real one.
#[derive(Clone)]
pub struct Forge {
    signer: Arc<LogSigner>,
    leaves: Vec<Hash>,
}

/// What every leaf commits to, in hexadecimal digits, a leaf a line.
fn commitments(deployment: &Deployment) -> String {
    if let Some(database) = deployment.database() {
        return database.sql("SELECT encode(commitment, 'hex') FROM event ORDER BY idx");
    }
    let database = rusqlite::Connection::open(deployment.data().join("postfach.db")).unwrap();
    let sql =
        "SELECT group_concat(hex(commitment), char(10)) FROM (SELECT commitment FROM event ORDER BY idx)";
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

impl Forge {
    /// Takes over what was really logged.
    pub fn of(deployment: &Deployment) -> Self {
        let folder = Folder::at(&deployment.data());
        let key = keyfile::read(&folder.evidence_log_key()).map_err(|failure| failure.message).unwrap();
        let signer = Arc::new(LogSigner::new(&format!("{ORIGIN}/evidence"), key).unwrap());
        let leaf = |line: &str| {
            let commitment = Digest(hex::decode(line).unwrap().try_into().unwrap());
            EvidenceLeaf { commitment }.leaf_hash()
        };
        Self { signer, leaves: commitments(deployment).lines().map(leaf).collect() }
    }

    /// Leaves now.
    pub fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    /// Logs an event that never was.
    pub fn log(&mut self, event: &Event) -> v1::LoggedEvent {
        let (salt, event) = ([7; 32], event.encode());
        self.leaves.push(EvidenceLeaf { commitment: commitment(&salt, &event) }.leaf_hash());
        v1::LoggedEvent { event, salt: salt.to_vec(), index: self.size() - 1, inclusion: Vec::new() }
    }

    /// Forgets the last leaves, as if they never were.
    pub fn forget(&mut self, count: usize) {
        self.leaves.truncate(self.leaves.len() - count);
    }

    /// The signed checkpoint.
    pub fn note(&self) -> Vec<u8> {
        let root = proof::root(self.size(), self).unwrap();
        Checkpoint::sign(&self.signer, self.size(), root).note
    }

    /// Proves an event under the forged checkpoint.
    pub fn prove(&self, event: &mut v1::LoggedEvent) {
        let path = proof::inclusion_proof(event.index, self.size(), self).unwrap();
        event.inclusion = path.iter().map(|hash| hash.as_bytes().to_vec()).collect();
    }

    /// From now on the liar's log is this one wherever clients ask how it grew.
    pub fn stands_behind(&self, liar: &Liar) {
        self.speaks_for(liar);
        let forge = self.clone();
        liar.lies::<v1::GetConsistencyProofRequest, v1::GetConsistencyProofResponse>(
            "EvidenceService/GetConsistencyProof",
            move |request, answer| {
                if request.log == i32::from(v1::LogName::Evidence) {
                    *answer = forge.consistency(&request.sizes);
                }
            },
        );
    }

    /// Puts what is said beside under the forged checkpoint too.
    fn speaks_for(&self, liar: &Liar) {
        let note = self.note();
        liar.lies::<v1::GetChainRequest, v1::GetChainResponse>(
            "MailboxService/GetChain",
            move |_, answer| {
                answer.checkpoints.as_mut().unwrap().evidence.clone_from(&note);
            },
        );
        let note = self.note();
        liar.lies::<v1::GetCheckpointRequest, v1::GetCheckpointResponse>(
            "EvidenceService/GetCheckpoint",
            move |request, answer| {
                if request.log == i32::from(v1::LogName::Evidence) {
                    answer.checkpoint.clone_from(&note);
                }
            },
        );
    }

    fn consistency(&self, sizes: &[u64]) -> v1::GetConsistencyProofResponse {
        let ends = sizes.iter().skip(1).copied().chain([self.size()]);
        let proofs = sizes.iter().copied().zip(ends).map(|(old_size, new_size)| {
            let hashes = proof::consistency_proof(old_size, new_size, self).unwrap_or_default();
            let hashes = hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect();
            v1::ConsistencyProof { old_size, new_size, hashes }
        });
        v1::GetConsistencyProofResponse { proofs: proofs.collect(), checkpoint: self.note() }
    }

    /// Puts a page of a sync under the forged checkpoint.
    pub fn relog_page(&self, page: &mut v1::SyncResponse) {
        page.items.iter_mut().filter_map(|item| item.event.as_mut()).for_each(|event| self.prove(event));
        page.checkpoints.as_mut().unwrap().evidence = self.note();
    }

    /// The same with everything about one message.
    pub fn relog_receipts(&self, answer: &mut v1::GetReceiptsResponse) {
        answer.events.iter_mut().for_each(|event| self.prove(event));
        answer.checkpoints.as_mut().unwrap().evidence = self.note();
    }
}

impl NodeReader for Forge {
    fn node(&self, height: u8, index: u64) -> Option<Hash> {
        if height == 0 {
            return self.leaves.get(usize::try_from(index).ok()?).copied();
        }
        let (left, right) = (self.node(height - 1, 2 * index)?, self.node(height - 1, 2 * index + 1)?);
        Some(node_hash(&left, &right))
    }
}
