//! A deployment in a temporary folder, driven through the use cases with keys of its own.

use std::sync::Arc;

use bytes::Bytes;
use postfach_domain::act::{Act, ActType, ConsentScope, MessageRef};
use postfach_domain::authority::{AuthorityCert, AuthorityRevocation};
use postfach_domain::chain::{AGE_RECIPIENT_LEN, Chain, Device, GenesisParts, LinkBuilder, make_genesis};
use postfach_domain::code::ActivationCode;
use postfach_domain::format::Signed;
use postfach_domain::head::RecipientHead;
use postfach_domain::id::{ActId, AttachmentId, MessageId, Party};
use postfach_domain::outer::{Outer, OuterAttachment};
use postfach_domain::segments::{SEGMENT_LEN, root, segment_leaf};
use postfach_domain::sign::SecretKey;
use postfach_domain::submission::Hashes;
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_domain::time::Timestamp;
use postfach_ledger::vkey::LogSigner;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand_core::RngCore as _;

use crate::app::{App, Caller, Deployment, Register, RegisterAuthority, Submission, Wrap};
use crate::blobs::{BlobStore, LocalBlobs};
use crate::clock::{Chance, Clock as _, ManualClock};
use crate::deployment::config::Storage;
use crate::deployment::folder::Folder;
use crate::deployment::keyfile;
use crate::init::{Plan, init};
use crate::storage::SqliteStore;

const START: Timestamp = Timestamp(1_795_000_000_000);

/// The same in every run, so that rows come in the same order.
fn chance(seed: u64) -> Chance {
    Box::new(StdRng::seed_from_u64(seed))
}

pub struct World {
    _dir: tempfile::TempDir,
    pub folder: Folder,
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub registrar: SecretKey,
    rng: StdRng,
}

/// Somebody with a mailbox.
pub struct Owner {
    pub chain: Chain,
    pub device: SecretKey,
    pub recovery: SecretKey,
    /// Set where it is an authority: its id and certified key.
    pub authority: Option<(Party, SecretKey)>,
}

impl Owner {
    pub fn mailbox(&self) -> Party {
        Party::Mailbox(self.chain.address())
    }

    /// As it sends.
    pub fn party(&self) -> Party {
        self.authority.as_ref().map_or_else(|| self.mailbox(), |(party, _)| party.clone())
    }

    pub fn sender_key(&self) -> &SecretKey {
        self.authority.as_ref().map_or(&self.device, |(_, key)| key)
    }

    pub fn caller(&self) -> Caller {
        Caller { party: self.mailbox(), key_id: self.device.key_id() }
    }

    pub fn sender(&self) -> Caller {
        Caller { party: self.party(), key_id: self.sender_key().key_id() }
    }
}

/// A message that was delivered.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub id: MessageId,
    pub hashes: Hashes,
}

impl World {
    pub async fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(&dir.path().join("data"));
        let plan = Plan {
            storage: Storage::default(),
            origin: "post.example".parse().unwrap(),
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: "https://127.0.0.1:0".into(),
        };
        let card = init(&folder, &plan, START, &mut chance(seed)).await.unwrap().card;
        let signer = |name: String, path: &std::path::Path| {
            LogSigner::new(&name, keyfile::read(path).unwrap()).unwrap()
        };
        let deployment = Deployment {
            origin: card.origin.clone(),
            registrar: card.registrar,
            keys_signer: signer(card.origin.keys_log(), &folder.keys_log_key()),
            evidence_signer: signer(card.origin.evidence_log(), &folder.evidence_log_key()),
            checkpoints: folder.checkpoints(),
        };
        let clock = Arc::new(ManualClock::at(START));
        let store = Arc::new(SqliteStore::open(&folder.database(), 2).await.unwrap());
        let blobs = Arc::new(LocalBlobs::open(&folder.blobs()).unwrap());
        let app = App::open(deployment, store, blobs, clock.clone(), chance(seed + 1)).await.unwrap();
        let registrar = keyfile::read(&folder.registrar_key()).unwrap();
        Self { _dir: dir, folder, app: Arc::new(app), clock, registrar, rng: StdRng::seed_from_u64(seed) }
    }

    pub fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn key(&mut self) -> SecretKey {
        SecretKey::from_seed(&self.random())
    }

    /// A second passes.
    pub fn now(&self) -> Timestamp {
        self.clock.advance(1000);
        self.clock.now()
    }

    fn recipient(&mut self) -> Vec<u8> {
        self.bytes(AGE_RECIPIENT_LEN)
    }

    fn genesis(&mut self) -> (Owner, Signed) {
        let (device, recovery) = (self.key(), self.key());
        let origin = self.app.origin().clone();
        let genesis = make_genesis(GenesisParts {
            origin: &origin,
            device_key: &device,
            device_recipient: self.recipient(),
            device_name_sealed: self.bytes(40),
            mailbox_recipient: self.recipient(),
            recovery_key: &recovery,
            recovery_recipient: self.recipient(),
            time: self.now(),
            nonce: self.random(),
        });
        let (chain, _) = Chain::genesis(&origin, &genesis).unwrap();
        (Owner { chain, device, recovery, authority: None }, genesis)
    }

    fn wraps(&mut self, chain: &Chain) -> Vec<Wrap> {
        let members: Vec<_> = chain.wrap_members().map(|member| member.key_id).collect();
        members.into_iter().map(|member| Wrap { member, sealed: self.bytes(300) }).collect()
    }

    /// A citizen, with or without consent to everybody.
    pub async fn citizen(&mut self, level: TrustLevel, consents: bool) -> Owner {
        let codes = self.app.create_codes(1, level).await.unwrap();
        let code: ActivationCode = codes.codes[0].parse().unwrap();
        let (owner, genesis) = self.genesis();
        let request = Register {
            wraps: self.wraps(&owner.chain),
            genesis,
            code_id: code.code_id().0,
            proof: code.activation_key().proof(&owner.chain.address()),
            consent: consents.then(|| self.consent_act(&owner, &ConsentScope::All, ActType::Consent)),
        };
        self.app.register(&owner.caller(), request).await.unwrap();
        owner
    }

    pub fn certificate(&mut self, id: &str, owner: &Owner, key: &SecretKey) -> Signed {
        let certificate = AuthorityCert {
            origin: self.app.origin().clone(),
            authority_id: id.parse().unwrap(),
            display_name: format!("Behörde {id}"),
            ags: Some("09162000".into()),
            sign_pub: key.public(),
            mailbox: owner.chain.address(),
            ibans: Vec::new(),
            not_before: Timestamp(START.0 - 1000),
            not_after: Some(Timestamp(START.0 + 1_000_000_000)),
        };
        certificate.sign(&self.registrar).unwrap()
    }

    pub async fn authority(&mut self, id: &str) -> Owner {
        let (mut owner, genesis) = self.genesis();
        let key = self.key();
        let request = RegisterAuthority {
            certificate: self.certificate(id, &owner, &key),
            genesis: Some(genesis),
            wraps: self.wraps(&owner.chain),
        };
        self.app.register_authority(request).await.unwrap();
        owner.authority = Some((Party::Authority(id.parse().unwrap()), key));
        owner
    }

    /// A second key for an authority.
    pub async fn further_key(&mut self, id: &str, owner: &Owner) -> SecretKey {
        let key = self.key();
        let certificate = self.certificate(id, owner, &key);
        let request = RegisterAuthority { certificate, genesis: None, wraps: Vec::new() };
        self.app.register_authority(request).await.unwrap();
        key
    }

    pub async fn revoke(&mut self, id: &str, key: &SecretKey) {
        let revocation = AuthorityRevocation {
            origin: self.app.origin().clone(),
            authority_id: id.parse().unwrap(),
            key_id: key.key_id(),
            revoked_at: self.now(),
            reason: "verloren".into(),
        };
        self.app.revoke_authority(vec![revocation.sign(&self.registrar).unwrap()]).await.unwrap();
    }

    /// Appends a link made by `make`, signed by the recovery key or the device.
    pub async fn link(
        &mut self,
        owner: &mut Owner,
        by_recovery: bool,
        make: impl FnOnce(LinkBuilder<'_>) -> Signed,
    ) {
        let (now, nonce) = (self.now(), self.random());
        let signer = if by_recovery { &owner.recovery } else { &owner.device };
        let link = make(LinkBuilder::new(&owner.chain, signer, now, nonce));
        let applied = owner.chain.append(&link).unwrap();
        let wraps = if applied.needs_wraps() { self.wraps(&owner.chain) } else { Vec::new() };
        let key_id = if by_recovery { owner.recovery.key_id() } else { owner.device.key_id() };
        let caller = Caller { party: owner.mailbox(), key_id };
        self.app.append_link(&caller, link, wraps).await.unwrap();
    }

    /// A device that could be added, with its own signature.
    pub fn device(&mut self, owner: &Owner) -> (SecretKey, Device, [u8; 64]) {
        let key = self.key();
        let device = Device::new(key.public(), self.recipient(), self.bytes(40));
        let origin = self.app.origin().clone();
        let genesis = owner.chain.genesis_hash();
        let member = device.encode();
        let signer = owner.device.key_id();
        let reverse =
            postfach_domain::chain::reverse_sign(&key, &origin, genesis.as_bytes(), &signer, &member);
        (key, device, reverse)
    }

    pub fn new_recipient(&mut self) -> Vec<u8> {
        self.recipient()
    }

    pub fn new_key(&mut self) -> SecretKey {
        self.key()
    }

    fn act_of(&mut self, owner: &Owner, act_type: ActType) -> Act {
        Act {
            origin: self.app.origin().clone(),
            act_id: ActId(self.random()),
            act_type,
            actor: owner.mailbox(),
            signer: owner.device.key_id(),
            actor_head: Some(owner.chain.head()),
            message: None,
            time: self.now(),
            reason: String::new(),
            details: Vec::new(),
        }
    }

    pub fn consent_act(&mut self, owner: &Owner, scope: &ConsentScope, act_type: ActType) -> Signed {
        let act = Act { details: scope.encode(), ..self.act_of(owner, act_type) };
        act.sign(&owner.device)
    }

    pub async fn consent(&mut self, owner: &Owner, scope: &ConsentScope, act_type: ActType) {
        let act = self.consent_act(owner, scope, act_type);
        self.app.submit_act(&owner.caller(), act).await.unwrap();
    }

    pub async fn settings(&mut self, owner: &Owner) {
        let act = Act { details: self.bytes(20), ..self.act_of(owner, ActType::Settings) };
        self.app.submit_act(&owner.caller(), act.sign(&owner.device)).await.unwrap();
    }

    /// Uploads ciphertext; `commit` compares the root, `skip` leaves the first segments out.
    pub async fn upload(&mut self, owner: &Owner, bytes: &[u8], skip: usize) -> OuterAttachment {
        let (caller, id) = (owner.sender(), AttachmentId(self.random()));
        self.app.create_upload(&caller, id, bytes.len() as u64).await.unwrap();
        let mut leaves = Vec::new();
        for (index, segment) in (0..).zip(bytes.chunks(SEGMENT_LEN)) {
            leaves.push(segment_leaf(&id, index, segment));
            if usize::try_from(index).unwrap() >= skip {
                let data = Bytes::copy_from_slice(segment);
                self.app.write_segment(&caller, id, index, data).await.unwrap();
            }
        }
        let ct_root = root(leaves);
        if skip == 0 {
            self.app.commit_upload(&caller, id, ct_root).await.unwrap();
        }
        OuterAttachment { id, ct_len: bytes.len() as u64, ct_root }
    }

    pub async fn deliver(&mut self, from: &Owner, to: &Owner, attachments: Vec<OuterAttachment>) -> Sent {
        let (sent, submission) = self.submission(from, to, attachments, (600, 900));
        self.app.deliver(&from.sender(), submission, false).await.unwrap();
        sent
    }

    /// A message with a cover and a letter of these lengths.
    pub fn submission(
        &mut self,
        from: &Owner,
        to: &Owner,
        attachments: Vec<OuterAttachment>,
        (cover, letter): (usize, usize),
    ) -> (Sent, Submission) {
        let now = self.now();
        let outer = Outer {
            origin: self.app.origin().clone(),
            message_id: MessageId::new(now, self.random()),
            sender: from.party(),
            signer: from.sender_key().key_id(),
            sender_head: from.authority.is_none().then(|| from.chain.head()),
            recipient: to.chain.address(),
            recipient_head: RecipientHead {
                head: to.chain.head(),
                generation: to.chain.generation().generation,
            },
            created_at: now,
            kind: "notice".parse().unwrap(),
            regime: LegalRegime::Ozg9,
            min_trust_level: TrustLevel::Basic,
            confirmation_requested: true,
            not_before: None,
            in_reply_to: None,
            attachments,
        };
        let (outer_bytes, cover, letter) = (outer.encode(), self.bytes(cover), self.bytes(letter));
        let hashes = Hashes::of(&outer_bytes, &cover, &letter);
        let submission = Submission {
            outer: outer_bytes.into(),
            cover: cover.into(),
            letter: letter.into(),
            signature: Some(hashes.sign(from.sender_key())),
            sender_copy: self.bytes(64).into(),
        };
        (Sent { id: outer.message_id, hashes }, submission)
    }

    /// A signed act on a message.
    pub fn signed_act(&mut self, owner: &Owner, sent: Sent, act_type: ActType, reason: &str) -> Signed {
        let message = MessageRef {
            message_id: sent.id,
            outer_hash: sent.hashes.outer,
            letter_hash: sent.hashes.letter,
        };
        let act = Act { message: Some(message), reason: reason.into(), ..self.act_of(owner, act_type) };
        act.sign(&owner.device)
    }

    pub async fn act_on(&mut self, owner: &Owner, sent: Sent, act_type: ActType, reason: &str) {
        let act = self.signed_act(owner, sent, act_type, reason);
        if act_type == ActType::HandedOver {
            self.app.hand_over(&owner.caller(), sent.id, Some(act)).await.unwrap();
        } else {
            self.app.submit_act(&owner.caller(), act).await.unwrap();
        }
    }

    pub async fn withdraw(&mut self, owner: &Owner, sent: Sent) {
        let message = MessageRef {
            message_id: sent.id,
            outer_hash: sent.hashes.outer,
            letter_hash: sent.hashes.letter,
        };
        let mut act = Act { message: Some(message), ..self.act_of(owner, ActType::Withdrawn) };
        act.actor = owner.party();
        act.signer = owner.sender_key().key_id();
        act.actor_head = owner.authority.is_none().then(|| owner.chain.head());
        self.app.withdraw(&owner.sender(), act.sign(owner.sender_key())).await.unwrap();
    }
}

/// The attachments of a deployment, beside its server.
pub fn blobs(folder: &Folder) -> Arc<dyn BlobStore> {
    Arc::new(LocalBlobs::beside(&folder.blobs()))
}
