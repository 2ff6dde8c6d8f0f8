//! A made-up service for unit tests.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};

use postfach_domain::authority::{AuthorityCert, AuthorityRevocation, cert_hash, revocation_hash};
use postfach_domain::chain::link_hash;
use postfach_domain::event::{Event, EventSigned, EventType, commitment};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::head::{ChainHead, RecipientHead};
use postfach_domain::id::{MessageId, Party};
use postfach_domain::outer::Outer;
use postfach_domain::sign::SecretKey;
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_domain::time::Timestamp;
use postfach_envelope::draft::Draft;
use postfach_envelope::seal::{Recipients, Sealed, seal_message};
use postfach_envelope::sealed::BodyType;
use postfach_ledger::checkpoint::{Checkpoint, LogKeys};
use postfach_ledger::head::HeadStatement;
use postfach_ledger::leaf::{EvidenceLeaf, KeyLeaf};
use postfach_ledger::tree::TreeEdge;
use postfach_ledger::vkey::LogSigner;
use postfach_ledger::witness::WitnessPolicy;
use postfach_proto::v1;
use prost::Message as _;
use rand::SeedableRng as _;

use crate::authority_request::{AuthorityProfile, create_authority};
use crate::client::{Client, ConnectOptions};
use crate::environment::Environment;
use crate::keys::{AuthorityKeys, MailboxKeys};
use crate::mailbox::create_mailbox;
use crate::service::Service;
use crate::state::{StoredChain, Trust};

/// When the tests happen.
pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000);

/// The key of one of the service's logs.
pub(crate) fn log_signer(name: &str) -> LogSigner {
    let seed = if name.ends_with("keys") { 21 } else { 22 };
    LogSigner::new(name, SecretKey::from_seed(&[seed; 32])).unwrap()
}

/// The registrar's key.
pub(crate) fn registrar() -> SecretKey {
    SecretKey::from_seed(&[23; 32])
}

/// Some certificate; nothing is dialled.
static TLS_ROOT: LazyLock<String> =
    LazyLock::new(|| rcgen::generate_simple_self_signed(vec!["post.example".to_owned()]).unwrap().cert.pem());

/// `post.example`, with fixed keys.
pub(crate) fn service() -> Service {
    let keys = |name: &str| LogKeys::new(log_signer(name).verifier().clone(), Vec::new()).unwrap();
    Service {
        origin: "post.example".parse().unwrap(),
        url: "https://127.0.0.1:1".to_owned(),
        tls_root: Some(TLS_ROOT.clone()),
        registrar: registrar().public(),
        keys_log: keys("post.example/keys"),
        evidence_log: keys("post.example/evidence"),
        witnesses: WitnessPolicy::none(),
    }
}

/// Fixed time and randomness.
pub(crate) fn environment() -> Environment {
    Environment::new(|| NOW, rand::rngs::StdRng::seed_from_u64(7))
}

/// A made-up deployment with both logs: one certified authority, one registered citizen.
pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) environment: Environment,
    pub(crate) authority: AuthorityKeys,
    pub(crate) citizen: MailboxKeys,
    keys: TreeEdge,
    evidence: TreeEdge,
    certificate: Signed,
    revocation: Option<(Signed, u64)>,
    genesis: Signed,
}

/// Index of the citizen's GENESIS in the log of keys.
pub(crate) const GENESIS_INDEX: u64 = 1;
/// Index of the certificate in the log of keys.
pub(crate) const CERTIFICATE_INDEX: u64 = 0;

impl World {
    pub(crate) fn new() -> Self {
        Self::certified_until(None)
    }

    /// The same, with a certificate that ends.
    pub(crate) fn certified_until(not_after: Option<Timestamp>) -> Self {
        let (service, environment) = (service(), environment());
        let profile = AuthorityProfile {
            authority_id: "stadt-test".parse().unwrap(),
            display_name: "Stadt Test".to_owned(),
            ags: None,
            ibans: Vec::new(),
        };
        let authority = create_authority(&service, &environment, &profile).unwrap().keys;
        let citizen = create_mailbox(&service, &environment).unwrap();
        let certificate = AuthorityCert {
            origin: service.origin.clone(),
            authority_id: profile.authority_id,
            display_name: profile.display_name,
            ags: None,
            sign_pub: authority.sign.public(),
            mailbox: authority.mailbox.address,
            ibans: Vec::new(),
            not_before: Timestamp(0),
            not_after,
        };
        let certificate = certificate.sign(&registrar()).unwrap();
        let genesis = Signed::decode(citizen.registration.genesis.as_slice()).unwrap();
        let mut keys = TreeEdge::new();
        let cert_leaf =
            KeyLeaf::Certificate { key_id: authority.sign.key_id(), hash: cert_hash(&certificate) };
        let label = citizen.keys.address.label();
        let link_leaf = KeyLeaf::Link { label, seq: 0, link_hash: link_hash(&genesis) };
        keys.append([cert_leaf.leaf_hash(), link_leaf.leaf_hash()]).unwrap();
        Self {
            service: Arc::new(service),
            environment,
            authority,
            citizen: citizen.keys,
            keys,
            evidence: TreeEdge::new(),
            certificate,
            revocation: None,
            genesis,
        }
    }

    /// Leaves in the log of keys.
    pub(crate) fn keys_size(&self) -> u64 {
        self.keys.size()
    }

    /// Revokes the authority's key from now on.
    pub(crate) fn revoke(&mut self) {
        let revocation = AuthorityRevocation {
            origin: self.service.origin.clone(),
            authority_id: self.authority.authority_id.clone(),
            key_id: self.authority.sign.key_id(),
            revoked_at: NOW,
            reason: "test".to_owned(),
        };
        let signed = revocation.sign(&registrar()).unwrap();
        let leaf = KeyLeaf::Revocation { key_id: revocation.key_id, hash: revocation_hash(&signed) };
        let index = self.keys.append([leaf.leaf_hash()]).unwrap().start;
        self.revocation = Some((signed, index));
    }

    /// A client that remembers the citizen's chain.
    pub(crate) fn client(&self) -> Client {
        let own_chain =
            StoredChain { links: vec![self.genesis.encode_to_vec()], indexes: vec![GENESIS_INDEX] };
        let trust = Trust { own_chain: Some(own_chain), ..Trust::default() };
        let options = ConnectOptions::default();
        Client::new(self.service.clone(), self.environment.clone(), &options, trust).unwrap()
    }

    /// A sealed message to the citizen.
    pub(crate) fn seal(&self, subject: &str) -> Sealed {
        self.seal_for(subject, None)
    }

    /// A sealed message that is not to be read before a time.
    pub(crate) fn seal_for(&self, subject: &str, not_before: Option<Timestamp>) -> Sealed {
        let head = ChainHead { seq: 0, link_hash: link_hash(&self.genesis) };
        let outer = Outer {
            origin: self.service.origin.clone(),
            message_id: MessageId::new(NOW, self.environment.random_bytes()),
            sender: Party::Authority(self.authority.authority_id.clone()),
            signer: self.authority.sign.key_id(),
            sender_head: None,
            recipient: self.citizen.address,
            recipient_head: RecipientHead { head, generation: 0 },
            created_at: NOW,
            kind: "notice".parse().unwrap(),
            regime: LegalRegime::None,
            min_trust_level: TrustLevel::Basic,
            confirmation_requested: false,
            not_before,
            in_reply_to: None,
            attachments: Vec::new(),
        };
        let draft = Draft {
            subject: subject.to_owned(),
            body: "Guten Tag.".to_owned(),
            body_type: BodyType::TextPlain,
            ..Draft::default()
        };
        let mailbox = self.citizen.generations[&0].to_recipient();
        let recipients = Recipients { mailbox: &mailbox, sender_copy: None };
        seal_message(outer, &draft, &self.authority.sign, recipients).unwrap()
    }

    /// The ACCEPTED event of a message, not logged yet.
    pub(crate) fn accepted(&self, sealed: &Sealed, pair_seq: u64) -> Event {
        let outer = Outer::parse(&sealed.outer).unwrap();
        Event {
            event_type: EventType::Accepted,
            message_id: Some(outer.message_id),
            sender: Some(outer.sender),
            recipient: Some(outer.recipient),
            hashes: Some(sealed.hashes()),
            occurred_at: NOW,
            available_at: NOW,
            pair_seq,
            keys_size: self.keys_size(),
            signed: Some(EventSigned::Submission(sealed.submission_signature.clone())),
            prev_commitment: Digest::ZERO,
            reason: String::new(),
            details: Vec::new(),
        }
    }

    /// Logs an event. Its proof is made by [`World::page`].
    pub(crate) fn log(&mut self, event: &Event) -> v1::LoggedEvent {
        let salt: [u8; 32] = self.environment.random_bytes();
        let bytes = event.encode();
        let leaf = EvidenceLeaf { commitment: commitment(&salt, &bytes) };
        let index = self.evidence.append([leaf.leaf_hash()]).unwrap().start;
        v1::LoggedEvent { event: bytes, salt: salt.to_vec(), index, inclusion: Vec::new() }
    }

    /// A row of a page for an accepted message.
    pub(crate) fn arrive(&mut self, sealed: &Sealed, pair_seq: u64) -> v1::SyncItem {
        let event = self.log(&self.accepted(sealed, pair_seq));
        item(event, sealed)
    }

    /// A page with these rows, everything proven under the newest checkpoints.
    pub(crate) fn page(&self, mut items: Vec<v1::SyncItem>) -> v1::SyncResponse {
        for logged in items.iter_mut().filter_map(|item| item.event.as_mut()) {
            logged.inclusion = proof(&self.evidence, logged.index);
        }
        let statement = |statement: &Signed, index| v1::LoggedStatement {
            statement: Some(statement.clone()),
            index,
            inclusion: proof(&self.keys, index),
        };
        let revocation = self.revocation.as_ref().map(|(signed, index)| statement(signed, *index));
        let certificate = Some(statement(&self.certificate, CERTIFICATE_INDEX));
        v1::SyncResponse {
            items,
            authorities: vec![v1::AuthorityKey { certificate, revocation }],
            checkpoints: Some(v1::Checkpoints {
                keys: checkpoint("post.example/keys", &self.keys),
                evidence: checkpoint("post.example/evidence", &self.evidence),
            }),
            ..v1::SyncResponse::default()
        }
    }

    /// The citizen's chain as the service answers it.
    pub(crate) fn chain(&self) -> v1::LoggedChain {
        v1::LoggedChain {
            links: vec![self.genesis.clone()],
            head_index: GENESIS_INDEX,
            head_inclusion: proof(&self.keys, GENESIS_INDEX),
            indexes: vec![GENESIS_INDEX],
        }
    }

    /// The service's statement on the citizen's chain.
    pub(crate) fn head(&self) -> v1::SignedHead {
        let statement = HeadStatement {
            subject: self.citizen.address.label().0,
            seq: 0,
            hash: link_hash(&self.genesis),
            tree_size: self.keys.size(),
            time: NOW,
        };
        let signature = statement.sign(&log_signer("post.example/keys"));
        v1::SignedHead { statement: statement.encode(), signature: Some(signature) }
    }
}

/// A row for an accepted message.
pub(crate) fn item(event: v1::LoggedEvent, sealed: &Sealed) -> v1::SyncItem {
    v1::SyncItem {
        event: Some(event),
        outer: sealed.outer.clone().into(),
        cover_envelope: sealed.cover_envelope.clone().into(),
        letter_length: sealed.letter_envelope.len() as u64,
        ..v1::SyncItem::default()
    }
}

fn proof(tree: &TreeEdge, index: u64) -> Vec<Vec<u8>> {
    tree.inclusion_proof(index).unwrap().iter().map(|hash| hash.as_ref().to_vec()).collect()
}

fn checkpoint(name: &str, tree: &TreeEdge) -> Vec<u8> {
    Checkpoint::sign(&log_signer(name), tree.size(), tree.root()).note
}
