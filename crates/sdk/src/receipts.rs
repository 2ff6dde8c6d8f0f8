//! Receipts of one message: built from the service's proofs, and each verified as anybody would before it is given out.

use postfach_domain::act::Act;
use postfach_domain::event::{Event, EventSigned, EventType};
use postfach_domain::head::ChainHead;
use postfach_domain::id::{Address, KeyId, MessageId, Party};
use postfach_domain::outer::Outer;
use postfach_ledger::hash::Hash;
use postfach_ledger::receipt::{Actor, Receipt, VerifiedReceipt};
use postfach_ledger::tlog_proof::TlogProof;
use postfach_proto::v1;
use postfach_proto::v1::evidence_service_client::EvidenceServiceClient;

use crate::client::{Client, MAX_ANSWER, Pace};
use crate::error::{Error, EvidenceFault};
use crate::evidence::CertifiedKey;
use crate::evidence::follow::Seen;
use crate::evidence::history::{Place, check_history, is_gone};
use crate::stages::Stage;

/// One receipt, verified.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ReceiptFile {
    /// What it proves.
    pub verified: VerifiedReceipt,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

impl ReceiptFile {
    /// A name that is unique among the receipts of one service, for example `0000000042-ACCEPTED.receipt`.
    pub fn file_name(&self) -> String {
        format!("{:010}-{}.receipt", self.verified.index, self.verified.event.event_type.as_str())
    }
}

/// Everything that happened to one message, with a receipt for each event.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct History {
    /// In the order of the log. Events that were erased have none.
    pub receipts: Vec<ReceiptFile>,
    /// Indexes of events whose content was erased.
    pub erased: Vec<u64>,
}

impl History {
    /// The stages, in order.
    pub fn stages(&self) -> Vec<Stage> {
        self.receipts.iter().map(|r| Stage::new(&r.verified.event, r.verified.index)).collect()
    }

    /// The receipt of the first event of a type.
    pub fn receipt(&self, event_type: EventType) -> Option<&ReceiptFile> {
        self.receipts.iter().find(|r| r.verified.event.event_type == event_type)
    }

    /// The outer header.
    pub fn outer(&self) -> Option<&Outer> {
        self.receipts.iter().find_map(|r| r.verified.outer.as_ref())
    }

    /// Seat of the authority that sent it, from its certificate.
    pub fn ags(&self) -> Option<&str> {
        self.receipts.iter().find_map(|r| r.verified.certificate.as_ref()?.ags.as_deref())
    }
}

impl Client {
    /// Fetches, builds and verifies the receipts of a message of the caller's.
    pub async fn history(&self, message_id: MessageId) -> Result<History, Error> {
        let request = v1::GetReceiptsRequest { message_id: message_id.to_vec() };
        let answer = self
            .call(Pace::Normal, request, |channel, request| async move {
                EvidenceServiceClient::new(channel)
                    .max_decoding_message_size(MAX_ANSWER)
                    .get_receipts(request)
                    .await
            })
            .await?;
        let seen = self.observe(answer.checkpoints.as_ref())?;
        let material = Material::new(self, &answer, &seen)?;
        let trust = self.service().receipt_trust(true);
        let (mut receipts, mut places) = (Vec::new(), Vec::new());
        for logged in &answer.events {
            if is_gone(logged) {
                places.push(Place::Gone(logged));
                continue;
            }
            places.push(Place::Event(Box::new(self.verify_event(logged, &seen)?)));
            let receipt = material.build(logged)?;
            let bytes = receipt.encode();
            let verified = receipt.verify(&trust).map_err(|e| {
                let proof = vec![(format!("{}.receipt", logged.index), bytes.clone())];
                Error::evidence_with(EvidenceFault::Receipt(e.to_string()), proof)
            })?;
            if verified.event.message_id != Some(message_id) {
                return Err(Error::answer("a receipt of another message"));
            }
            receipts.push(ReceiptFile { verified, bytes });
        }
        let erased = check_history(&places, seen.evidence()?)?;
        self.settle().await?;
        Ok(History { receipts, erased })
    }
}

/// What the receipts of one message are built from.
struct Material<'a> {
    seen: &'a Seen,
    outer: &'a [u8],
    certificates: Vec<CertifiedKey>,
    chains: Vec<(Address, &'a v1::LoggedChain)>,
    link_proofs: &'a [v1::LinkProof],
}

impl<'a> Material<'a> {
    fn new(client: &Client, answer: &'a v1::GetReceiptsResponse, seen: &'a Seen) -> Result<Self, Error> {
        let certificates: Result<_, _> =
            answer.authorities.iter().map(|key| client.verify_authority_key(key, seen)).collect();
        let address = |chain: &'a v1::LoggedChain| {
            chain.links.first().map(|link| (postfach_domain::chain::address_of(link), chain))
        };
        Ok(Self {
            seen,
            outer: &answer.outer,
            certificates: certificates?,
            chains: answer.chains.iter().filter_map(address).collect(),
            link_proofs: &answer.link_proofs,
        })
    }

    fn build(&self, logged: &v1::LoggedEvent) -> Result<Receipt, Error> {
        let fault = |reason: String| Error::evidence(EvidenceFault::Event { index: logged.index, reason });
        let event = Event::parse(&logged.event).map_err(|e| fault(e.to_string()))?;
        let actor = match &event.signed {
            None => Actor::Service,
            Some(EventSigned::Submission(signature)) => {
                let key_id =
                    KeyId::try_from(signature.key_id.as_slice()).map_err(|e| fault(e.to_string()))?;
                match event.sender {
                    Some(Party::Mailbox(address)) => {
                        let outer = Outer::parse(self.outer).map_err(|e| fault(e.to_string()))?;
                        let head = outer.sender_head.ok_or_else(|| fault("no sender head".to_owned()))?;
                        self.mailbox(address, head)?
                    }
                    _ => self.authority(key_id)?,
                }
            }
            Some(EventSigned::Act(signed)) => {
                let act = Act::peek(signed).map_err(|e| fault(e.to_string()))?;
                match (act.actor, act.actor_head) {
                    (Party::Mailbox(address), Some(head)) => self.mailbox(address, head)?,
                    _ => self.authority(act.signer)?,
                }
            }
        };
        Ok(Receipt {
            event: logged.event.clone(),
            salt: logged.salt.as_slice().try_into().map_err(|_| fault("bad salt".to_owned()))?,
            outer: if event.hashes.is_some() { self.outer.to_vec() } else { Vec::new() },
            actor,
            evidence_proof: TlogProof::new(logged.index, hashes(&logged.inclusion)?, self.seen.evidence()?),
        })
    }

    fn authority(&self, key_id: KeyId) -> Result<Actor, Error> {
        let found = self.certificates.iter().find(|key| key.certificate.key_id() == key_id);
        let key = found.ok_or_else(|| Error::answer("no certificate of the authority that acted"))?;
        Ok(Actor::Authority { certificate: key.signed.clone(), key_proof: key.key_proof() })
    }

    fn mailbox(&self, address: Address, head: ChainHead) -> Result<Actor, Error> {
        let missing = || Error::answer("no chain of the mailbox that acted");
        let (_, chain) = self.chains.iter().find(|(of, _)| *of == address).ok_or_else(missing)?;
        let count = usize::try_from(head.seq).map_err(|_| missing())? + 1;
        let links = chain.links.get(..count).ok_or_else(missing)?.to_vec();
        let proof = self.link_proofs.iter().find(|proof| {
            proof.address == address.as_bytes()
                && proof.head.as_ref().and_then(ChainHead::from_wire) == Some(head)
        });
        let (index, inclusion) = match proof {
            Some(proof) => (proof.index, &proof.inclusion),
            None if count == chain.links.len() => (chain.head_index, &chain.head_inclusion),
            None => return Err(Error::answer("no proof of the chain's link")),
        };
        let key_proof = TlogProof::new(index, hashes(inclusion)?, self.seen.keys()?);
        Ok(Actor::Mailbox { links, key_proof })
    }
}

fn hashes(proof: &[Vec<u8>]) -> Result<Vec<Hash>, Error> {
    let hashes: Option<Vec<_>> = proof.iter().map(|hash| Hash::from_slice(hash)).collect();
    hashes.ok_or_else(|| Error::answer("a hash of a proof has not 32 bytes"))
}
