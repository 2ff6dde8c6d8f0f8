//! The people of a run: authorities, citizens and presealed letters, all distinct.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use postfach_domain::authority::AuthorityCert;
use postfach_domain::card::ServiceCard;
use postfach_domain::chain::{Chain, GenesisParts, make_genesis};
use postfach_domain::code::ActivationCode;
use postfach_domain::format::{self, TrustLevel as WireTrustLevel};
use postfach_domain::hash::Digest;
use postfach_domain::head::RecipientHead;
use postfach_domain::id::{AttachmentId, MessageId, Origin, Party};
use postfach_domain::outer::Outer;
use postfach_domain::sign::SecretKey;
use postfach_domain::terms::{LegalRegime, TrustLevel};
use postfach_domain::time::Timestamp;
use postfach_envelope::attachment::seal_attachment;
use postfach_envelope::draft::{Draft, DraftAttachment};
use postfach_envelope::hybrid::HybridIdentity;
use postfach_envelope::seal::{Recipients, seal_message};
use postfach_envelope::sealed::BodyType;
use postfach_proto::v1::admin_service_client::AdminServiceClient;
use postfach_proto::v1::mailbox_service_client::MailboxServiceClient;
use postfach_proto::v1::{self, Submission};
use postfach_sdk::Service;
use postfach_sdk::token::TokenSource;
use rand::RngCore as _;
use rand::rngs::OsRng;
use tokio::net::UnixStream;
use tonic::Request;
use tonic::transport::{Channel, Endpoint};

use postfach_server::clock::{Clock as _, SystemClock};

/// A caller of the service: a party with its token.
pub struct Caller {
    token: TokenSource,
}

impl Caller {
    fn new(origin: &Origin, party: Party, key: &Arc<SecretKey>) -> Self {
        Self { token: TokenSource::new(origin.clone(), party, Arc::clone(key)) }
    }

    /// A request with this caller's token.
    pub fn request<T>(&self, body: T) -> Result<Request<T>> {
        let mut request = Request::new(body);
        let bearer = format!("Bearer {}", self.token.token(SystemClock.now()).as_str());
        request.metadata_mut().insert("authorization", bearer.parse()?);
        Ok(request)
    }
}

/// An authority that sends.
pub struct Sender {
    /// Its calls.
    pub caller: Caller,
    party: Party,
    key: Arc<SecretKey>,
}

/// A citizen who reads.
pub struct Reader {
    /// Its calls.
    pub caller: Caller,
    /// Signs acts.
    pub key: Arc<SecretKey>,
    /// The mailbox's chain.
    pub chain: Chain,
}

/// A presealed letter: who sends it to whom.
pub struct Letter {
    /// Index into the senders.
    pub sender: usize,
    /// Index into the readers; without meaning for a mailbox outside the world.
    pub reader: usize,
    /// Its id.
    pub message_id: MessageId,
    /// What goes over the wire.
    pub submission: Submission,
    /// What is uploaded before.
    pub attachment: Option<Attachment>,
}

/// A sealed attachment of one segment.
pub struct Attachment {
    /// Its id.
    pub id: AttachmentId,
    /// Root over its one segment.
    pub root: Digest,
    /// What is uploaded.
    pub ciphertext: Bytes,
}

/// Everything of a run.
pub struct World {
    /// The deployment.
    pub service: Arc<Service>,
    /// Authorities.
    pub senders: Vec<Sender>,
    /// Citizens.
    pub readers: Vec<Reader>,
}

/// A member of a chain with fresh keys.
struct Keys {
    sign: Arc<SecretKey>,
    age: HybridIdentity,
}

impl Keys {
    fn generate() -> Self {
        Self { sign: Arc::new(SecretKey::generate(&mut OsRng)), age: HybridIdentity::generate(&mut OsRng) }
    }

    fn recipient(&self) -> Vec<u8> {
        self.age.to_recipient().to_bytes().to_vec()
    }
}

/// A genesis with one device; the recovery key's kit is thrown away, as is the device's age key: nobody opens here.
fn genesis(origin: &Origin, device: &Keys, mailbox: &Keys, at: Timestamp) -> (format::Signed, Vec<v1::Wrap>) {
    let recovery = Keys::generate();
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    let link = make_genesis(GenesisParts {
        origin,
        device_key: &device.sign,
        device_recipient: device.recipient(),
        device_name_sealed: Vec::new(),
        mailbox_recipient: mailbox.recipient(),
        recovery_key: &recovery.sign,
        recovery_recipient: recovery.recipient(),
        time: at,
        nonce,
    });
    let wraps = [&device.sign, &recovery.sign]
        .map(|member| v1::Wrap { member: member.key_id().to_vec(), sealed: vec![0x5a; 2048] });
    (link, wraps.into())
}

/// The administrator's connection on the data folder's socket.
pub async fn admin(data: &Path) -> Result<AdminServiceClient<Channel>> {
    let socket: PathBuf = data.join("admin.sock");
    let channel = Endpoint::from_static("http://localhost")
        .connect_with_connector(tower::service_fn(move |_: http::Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        }))
        .await
        .context("the administrator's socket")?;
    Ok(AdminServiceClient::new(channel))
}

impl World {
    /// Registers everybody at a running server.
    pub async fn register(data: &Path, url: &str, senders: usize, readers: usize) -> Result<Self> {
        let card = ServiceCard::verify(&std::fs::read(data.join("service-card.toml"))?)?;
        let service = Arc::new(Service::from_card(&card.card)?);
        let registrar = postfach_server::deployment::keyfile::read(&data.join("registrar.key"))
            .map_err(|failure| anyhow::anyhow!(failure.message))?;
        let mut admin = admin(data).await?;
        let mut world = Self { senders: Vec::new(), readers: Vec::new(), service };
        for number in 0..senders {
            world.senders.push(add_sender(&mut admin, &world.service.origin, &registrar, number).await?);
        }
        let channel = postfach_sdk::channel::channel(&world.service, Some(url), Duration::from_secs(10))?;
        let mut left = readers;
        while left > 0 {
            let count = left.min(1000);
            left -= count;
            let request = v1::CreateActivationCodesRequest {
                count: u32::try_from(count)?,
                trust_level: WireTrustLevel::Low.into(),
            };
            for code in admin.create_activation_codes(request).await?.into_inner().codes {
                world.readers.push(add_reader(channel.clone(), &world.service.origin, &code.parse()?).await?);
            }
        }
        Ok(world)
    }

    /// Seals `count` letters, senders and readers in turn, each with an attachment of so many bytes, or without.
    pub fn preseal(&self, count: usize, attachment: usize) -> Result<Vec<Letter>> {
        Self::seal_on_all_processors(count, |index, at| {
            let reader = index % self.readers.len();
            Ok(Letter { reader, ..self.seal(index, at, &self.readers[reader].chain, attachment)? })
        })
    }

    /// Seals `count` letters to one mailbox that is not of this world, senders in turn.
    pub fn preseal_to(&self, mailbox: &Chain, count: usize) -> Result<Vec<Letter>> {
        Self::seal_on_all_processors(count, |index, at| self.seal(index, at, mailbox, 0))
    }

    fn seal_on_all_processors(
        count: usize,
        seal: impl Fn(usize, Timestamp) -> Result<Letter> + Sync,
    ) -> Result<Vec<Letter>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let at = SystemClock.now();
        let seal_share = |share: usize| -> Result<Vec<Letter>> {
            (share..count).step_by(threads).map(|index| seal(index, at)).collect()
        };
        let shares: Vec<Result<Vec<Letter>>> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|share| scope.spawn(move || seal_share(share))).collect();
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
        });
        let mut letters = Vec::with_capacity(count);
        for share in shares {
            letters.extend(share?);
        }
        letters.sort_by_key(|letter| letter.message_id);
        Ok(letters)
    }

    fn seal(&self, index: usize, at: Timestamp, mailbox: &Chain, attachment: usize) -> Result<Letter> {
        let sender_index = index % self.senders.len();
        let sender = &self.senders[sender_index];
        let mut random = [0; 10];
        OsRng.fill_bytes(&mut random);
        let message_id = MessageId::new(Timestamp(at.0 + index as u64 / 8), random);
        let generation = mailbox.generation();
        let outer = Outer {
            origin: self.service.origin.clone(),
            message_id,
            sender: sender.party.clone(),
            signer: sender.key.key_id(),
            sender_head: None,
            recipient: mailbox.address(),
            recipient_head: RecipientHead { head: mailbox.head(), generation: generation.generation },
            created_at: at,
            kind: "notice".parse()?,
            regime: LegalRegime::Ao122a,
            min_trust_level: TrustLevel::Basic,
            confirmation_requested: true,
            not_before: None,
            in_reply_to: None,
            attachments: Vec::new(),
        };
        let draft = Draft {
            subject: format!("Bescheid Nr. {index}"),
            body: "Bitte lesen Sie diesen Bescheid. ".repeat(20),
            body_type: BodyType::TextPlain,
            ..Draft::default()
        };
        let (attachment, draft) = attach(draft, attachment)?;
        let recipient = postfach_envelope::hybrid::HybridRecipient::from_bytes(&generation.recipient)?;
        let recipients = Recipients { mailbox: &recipient, sender_copy: None };
        let sealed = seal_message(outer, &draft, &sender.key, recipients)?;
        let submission = Submission {
            outer: Bytes::from(sealed.outer),
            cover_envelope: Bytes::from(sealed.cover_envelope),
            letter_envelope: Bytes::from(sealed.letter_envelope),
            signature: Some(sealed.submission_signature),
            sender_copy: Bytes::new(),
        };
        Ok(Letter { sender: sender_index, reader: 0, message_id, submission, attachment })
    }
}

/// Seals random bytes as the draft's attachment.
fn attach(mut draft: Draft, bytes: usize) -> Result<(Option<Attachment>, Draft)> {
    if bytes == 0 {
        return Ok((None, draft));
    }
    let (mut content, mut id, mut ciphertext) = (vec![0; bytes], [0; 16], Vec::new());
    OsRng.fill_bytes(&mut content);
    OsRng.fill_bytes(&mut id);
    let id = AttachmentId(id);
    let sealed = seal_attachment(id, bytes as u64, content.as_slice(), &mut ciphertext, &mut OsRng)?;
    let attachment = Attachment { id, root: sealed.ct_root, ciphertext: ciphertext.into() };
    let (name, media_type) = ("Bescheid.pdf".to_owned(), "application/pdf".to_owned());
    draft.attachments = vec![DraftAttachment { name, media_type, sealed }];
    Ok((Some(attachment), draft))
}

async fn add_sender(
    admin: &mut AdminServiceClient<Channel>,
    origin: &Origin,
    registrar: &SecretKey,
    number: usize,
) -> Result<Sender> {
    let (key, device, mailbox) =
        (Arc::new(SecretKey::generate(&mut OsRng)), Keys::generate(), Keys::generate());
    let (link, wraps) = genesis(origin, &device, &mailbox, SystemClock.now());
    let certificate = AuthorityCert {
        origin: origin.clone(),
        authority_id: format!("amt-{number}").parse()?,
        display_name: format!("Amt {number}"),
        ags: None,
        sign_pub: key.public(),
        mailbox: postfach_domain::chain::address_of(&link),
        ibans: Vec::new(),
        not_before: SystemClock.now(),
        not_after: None,
    };
    let party = Party::Authority(certificate.authority_id.clone());
    let request = v1::RegisterAuthorityRequest {
        certificate: Some(certificate.sign(registrar)?),
        genesis: Some(link),
        wraps,
    };
    admin.register_authority(request).await?;
    Ok(Sender { caller: Caller::new(origin, party.clone(), &key), party, key })
}

async fn add_reader(channel: Channel, origin: &Origin, code: &ActivationCode) -> Result<Reader> {
    let (device, mailbox) = (Keys::generate(), Keys::generate());
    let (link, wraps) = genesis(origin, &device, &mailbox, SystemClock.now());
    let chain = Chain::verify(origin, std::slice::from_ref(&link))?;
    let party = Party::Mailbox(chain.address());
    let caller = Caller::new(origin, party.clone(), &device.sign);
    let consent = crate::acts::consent(origin, &chain, &device.sign, SystemClock.now());
    let request = v1::RegisterRequest {
        genesis: Some(link),
        wraps,
        code_id: code.code_id().0.to_vec(),
        proof: code.activation_key().proof(&chain.address()).to_vec(),
        consent: Some(consent),
    };
    MailboxServiceClient::new(channel).register(caller.request(request)?).await?;
    Ok(Reader { caller, key: device.sign, chain })
}
