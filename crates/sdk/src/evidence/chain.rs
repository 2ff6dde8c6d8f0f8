//! Key chains as the service answers them: verified whole, proven in the log of keys, never shorter or other than before.

use postfach_domain::chain::Chain;
use postfach_domain::format::Signed;
use postfach_domain::id::Address;
use postfach_ledger::head::HeadStatement;
use postfach_ledger::leaf::KeyLeaf;
use postfach_proto::v1;
use prost::Message;

use super::follow::{Seen, check_inclusion};
use crate::client::Client;
use crate::error::{Error, EvidenceFault};
use crate::state::{Pin, StoredChain};

/// A whole chain whose newest link stands in the log of keys.
#[derive(Debug, Clone)]
pub(crate) struct ProvenChain {
    pub(crate) chain: Chain,
    pub(crate) links: Vec<Signed>,
    /// Index of each link in the log of keys. Only the newest is proven; the others are the service's word.
    pub(crate) indexes: Vec<u64>,
}

impl ProvenChain {
    /// Reads what was stored after it had been proven.
    pub(crate) fn restore(client: &Client, stored: &StoredChain, address: &Address) -> Result<Self, Error> {
        let damaged = |reason: String| Error::Damaged { what: "key chain", reason };
        let links: Result<Vec<_>, _> =
            stored.links.iter().map(|link| Signed::decode(link.as_slice())).collect();
        let links = links.map_err(|e| damaged(e.to_string()))?;
        let chain = Chain::verify_for(&client.service().origin, address, &links)
            .map_err(|e| damaged(e.to_string()))?;
        Ok(Self { chain, links, indexes: stored.indexes.clone() })
    }

    /// What to store.
    pub(crate) fn to_stored(&self) -> StoredChain {
        let links = self.links.iter().map(Message::encode_to_vec).collect();
        StoredChain { links, indexes: self.indexes.clone() }
    }

    /// The newest generation when the log of keys had `keys_size` leaves.
    pub(crate) fn generation_at(&self, keys_size: u64) -> Option<u32> {
        let links = self.indexes.iter().take_while(|index| **index < keys_size).count();
        let seq = u32::try_from(links.checked_sub(1)?).ok()?;
        self.chain.generation_at(seq).map(|g| g.generation)
    }
}

impl Client {
    /// Verifies a chain against its address and its newest link against the log, and pins it.
    pub(crate) fn verify_chain(
        &self,
        address: &Address,
        logged: Option<&v1::LoggedChain>,
        seen: &Seen,
    ) -> Result<ProvenChain, Error> {
        let fault = |reason: String| Error::evidence(EvidenceFault::Chain(reason));
        let logged = logged.ok_or_else(|| Error::answer("no chain"))?;
        let chain = Chain::verify_for(&self.service().origin, address, &logged.links)
            .map_err(|e| fault(e.to_string()))?;
        let indexes = logged.indexes.clone();
        let rising = indexes.windows(2).all(|pair| pair[0] < pair[1]);
        if indexes.len() != logged.links.len() || !rising || indexes.last() != Some(&logged.head_index) {
            return Err(fault("the places of its links do not rise to the proven one".to_owned()));
        }
        let leaf = link_leaf(&chain).leaf_hash();
        check_inclusion("chain head", &leaf, logged.head_index, &logged.head_inclusion, seen.keys()?)?;
        let proven = ProvenChain { chain, links: logged.links.clone(), indexes };
        self.pin(&proven)?;
        Ok(proven)
    }

    /// Checks the service's statement that this chain has no newer link.
    pub(crate) fn verify_head(
        &self,
        proven: &ProvenChain,
        logged: &v1::LoggedChain,
        head: Option<&v1::SignedHead>,
        seen: &Seen,
    ) -> Result<(), Error> {
        let fault = |reason: String| Error::evidence(EvidenceFault::Head(reason));
        let head = head.ok_or_else(|| Error::answer("no head statement"))?;
        let signature = head.signature.as_ref().ok_or_else(|| fault("it is not signed".to_owned()))?;
        let statement = HeadStatement::verify(&head.statement, signature, &self.service().keys_log)
            .map_err(|e| fault(e.to_string()))?;
        let checkpoint = seen.keys()?;
        let leaf = link_leaf(&proven.chain);
        let hashes = check_inclusion(
            "chain head",
            &leaf.leaf_hash(),
            logged.head_index,
            &logged.head_inclusion,
            checkpoint,
        )?;
        statement
            .verify_leaf(&leaf, logged.head_index, &hashes, &checkpoint.checkpoint)
            .map_err(|e| fault(e.to_string()))
    }

    /// A chain seen before may only have grown.
    fn pin(&self, proven: &ProvenChain) -> Result<(), Error> {
        let (chain, address) = (&proven.chain, proven.chain.address().to_string());
        let head = chain.head();
        let grown = self.with_trust(|trust| {
            let known = trust.pins.get(&address);
            let grown = known.is_none_or(|pin| {
                chain.link_hash_at(pin.seq).is_some_and(|hash| hash.to_hex() == pin.link_hash)
            });
            if grown {
                let pin = Pin { seq: head.seq, link_hash: head.link_hash.to_hex() };
                trust.pins.insert(address.clone(), pin);
            }
            grown
        });
        if grown {
            return Ok(());
        }
        let proof = proven.links.iter().enumerate();
        let proof = proof.map(|(seq, link)| (format!("link-{seq}.bin"), link.encode_to_vec())).collect();
        Err(Error::evidence_with(EvidenceFault::Pin { address }, proof))
    }
}

fn link_leaf(chain: &Chain) -> KeyLeaf {
    let head = chain.head();
    KeyLeaf::Link { label: chain.label(), seq: head.seq, link_hash: head.link_hash }
}
