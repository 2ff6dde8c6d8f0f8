//! `postfachd admin authority add|revoke`: this process signs as the registrar; the key never reaches the server.

use std::path::Path;

use postfach_domain::authority::{AuthorityCert, AuthorityError, AuthorityRevocation};
use postfach_domain::card::ServiceCard;
use postfach_domain::chain;
use postfach_domain::format::Signed;
use postfach_domain::id::{Address, AuthorityId, KeyId, Origin};
use postfach_domain::sign::SecretKey;
use postfach_domain::time::Timestamp;
use postfach_proto::v1;
use serde_json::json;

use super::link::{self, Link, failure};
use super::request::AuthorityRequest;
use crate::args::AuthorityCommand;
use crate::clock::{Clock as _, SystemClock};
use crate::deployment::folder::Folder;
use crate::deployment::{keyfile, open};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// Adds or revokes.
pub async fn run(command: AuthorityCommand, output: Output) -> Outcome<()> {
    match command {
        AuthorityCommand::Add { data, registrar_key, request } => {
            let folder = Folder::at(&data.data);
            let registrar = Registrar::open(&folder, &registrar_key)?;
            let request = AuthorityRequest::read(&request)?;
            let added = add(&folder, &registrar, &request).await?;
            let key_id = request.sign_pub.key_id().to_string();
            let (id, index) = (added.answer.authority_id, added.answer.certificate_index);
            let answer = json!({
                "authority_id": id,
                "key_id": key_id,
                "certificate_index": index,
                "repeated": added.repeated,
            });
            let before = if added.repeated { " It did so before." } else { "" };
            let text =
                format!("{id} is certified with key {key_id}. Line {index} of the keys log says so.{before}");
            output.answer(&answer, &text)
        }
        AuthorityCommand::Revoke { data, registrar_key, id, key_id, reason } => {
            let folder = Folder::at(&data.data);
            let registrar = Registrar::open(&folder, &registrar_key)?;
            let order = Revoke { id, key_id, reason };
            let (key_ids, indexes) = revoke(&folder, &registrar, &order).await?;
            let key_ids: Vec<String> = key_ids.iter().map(ToString::to_string).collect();
            let answer = json!({ "authority_id": order.id.as_str(), "key_ids": key_ids, "indexes": indexes });
            output.answer(&answer, &format!("{}: revoked {}.", order.id, key_ids.join(", ")))
        }
    }
}

/// The registrar of this deployment.
pub(super) struct Registrar {
    key: SecretKey,
    origin: Origin,
}

impl Registrar {
    /// Refuses a key that is not the card's.
    pub(super) fn open(folder: &Folder, key_file: &Path) -> Outcome<Self> {
        folder.require_deployment()?;
        let card: ServiceCard = open::card(folder)?.card;
        let key = keyfile::read(key_file)?;
        if key.public() != card.registrar {
            return Err(Failure::new(
                Exit::NotAllowed,
                "NOT_THE_REGISTRAR",
                format!("{} is not the registrar's key of {}.", key_file.display(), card.origin),
                "Name the registrar.key that `postfachd init` made for this deployment.",
            ));
        }
        Ok(Self { key, origin: card.origin })
    }
}

/// Which keys, and why.
pub(super) struct Revoke {
    pub(super) id: AuthorityId,
    pub(super) key_id: Option<KeyId>,
    pub(super) reason: String,
}

/// A key that is certified.
#[derive(Debug)]
pub(super) struct Added {
    pub(super) answer: v1::RegisterAuthorityResponse,
    /// True where it was before, by the same request.
    pub(super) repeated: bool,
}

/// Certifies the key of a request and, for a new authority, opens its mailbox. The same request again, for example after
/// an answer that got lost, gets the certificate that it got before.
pub(super) async fn add(
    folder: &Folder,
    registrar: &Registrar,
    request: &AuthorityRequest,
) -> Outcome<Added> {
    if request.origin != registrar.origin {
        return Err(Failure::new(
            Exit::Usage,
            "OTHER_ORIGIN",
            format!("The request is for {}, this deployment is {}.", request.origin, registrar.origin),
            "Ask the authority for a request made with this deployment's service card.",
        ));
    }
    link::with(folder, async |link| {
        let issued = issued(link, registrar, &request.authority_id).await?;
        let mailbox = match &request.genesis {
            Some(genesis) => chain::address_of(genesis),
            None => issued.last().ok_or_else(|| unknown(&request.authority_id))?.certificate.mailbox,
        };
        let wanted = certificate(registrar, request, mailbox, SystemClock.now());
        let earlier = issued.into_iter().find(|issued| issued.answers(&wanted));
        let repeated = earlier.is_some();
        let signed = match earlier {
            Some(earlier) => earlier.signed,
            None => sign(registrar, &wanted)?,
        };
        let wraps = request.wraps.iter();
        let call = v1::RegisterAuthorityRequest {
            certificate: Some(signed),
            genesis: request.genesis.clone(),
            wraps: wraps
                .map(|(member, sealed)| v1::Wrap { member: member.to_vec(), sealed: sealed.clone() })
                .collect(),
        };
        let answer = link.admin().register_authority(call).await;
        let answer = answer.map_err(|status| failure(&status))?.into_inner();
        Ok(Added { answer, repeated })
    })
    .await
}

fn certificate(
    registrar: &Registrar,
    request: &AuthorityRequest,
    mailbox: Address,
    now: Timestamp,
) -> AuthorityCert {
    AuthorityCert {
        origin: registrar.origin.clone(),
        authority_id: request.authority_id.clone(),
        display_name: request.display_name.clone(),
        ags: request.ags.clone(),
        sign_pub: request.sign_pub,
        mailbox,
        ibans: request.ibans.clone(),
        not_before: now,
        not_after: None,
    }
}

fn sign(registrar: &Registrar, certificate: &AuthorityCert) -> Outcome<Signed> {
    certificate.sign(&registrar.key).map_err(|error| {
        let hint = "Ask the authority to run `postfach authority init` with correct data.";
        Failure::new(Exit::Usage, "REQUEST_MALFORMED", format!("The request: {error}."), hint)
    })
}

/// A certificate that this registrar has issued.
struct Issued {
    certificate: AuthorityCert,
    signed: Signed,
    revoked: bool,
}

impl Issued {
    /// True where it still counts and says, but for its dates, what is wanted now.
    fn answers(&self, wanted: &AuthorityCert) -> bool {
        let AuthorityCert { not_before, not_after, .. } = self.certificate;
        !self.revoked && self.certificate == AuthorityCert { not_before, not_after, ..wanted.clone() }
    }
}

/// All certificates of an authority, oldest first; none where it is not known.
async fn issued(link: &Link, registrar: &Registrar, id: &AuthorityId) -> Outcome<Vec<Issued>> {
    let mut issued = Vec::new();
    for key in keys_of(link, id).await? {
        let Some(signed) = key.certificate.and_then(|logged| logged.statement) else { continue };
        let certificate = AuthorityCert::verify(&signed, &registrar.key.public());
        let certificate = certificate.map_err(|error| foreign(&error))?;
        issued.push(Issued { certificate, signed, revoked: key.revocation.is_some() });
    }
    Ok(issued)
}

/// Revokes; answers which keys, and where the keys log says so.
pub(super) async fn revoke(
    folder: &Folder,
    registrar: &Registrar,
    order: &Revoke,
) -> Outcome<(Vec<KeyId>, Vec<u64>)> {
    link::with(folder, async |link| {
        let key_ids = keys_to_revoke(link, registrar, order).await?;
        let now = SystemClock.now();
        let revocations = key_ids.iter().map(|key_id| revocation(registrar, order, *key_id, now));
        let call = v1::RevokeAuthorityRequest { revocations: revocations.collect::<Outcome<_>>()? };
        let answer = link.admin().revoke_authority(call).await.map_err(|status| failure(&status))?;
        Ok((key_ids, answer.into_inner().indexes))
    })
    .await
}

fn revocation(registrar: &Registrar, order: &Revoke, key_id: KeyId, now: Timestamp) -> Outcome<Signed> {
    let revocation = AuthorityRevocation {
        origin: registrar.origin.clone(),
        authority_id: order.id.clone(),
        key_id,
        revoked_at: now,
        reason: order.reason.clone(),
    };
    revocation.sign(&registrar.key).map_err(|error| {
        Failure::new(Exit::Usage, "REASON", format!("--reason: {error}."), "Give a short reason in one line.")
    })
}

/// The key that was named, else all keys that are not revoked yet.
async fn keys_to_revoke(link: &Link, registrar: &Registrar, order: &Revoke) -> Outcome<Vec<KeyId>> {
    let issued = issued(link, registrar, &order.id).await?;
    if issued.is_empty() {
        return Err(unknown(&order.id));
    }
    let mut active = Vec::new();
    for key in issued {
        let key_id = key.certificate.key_id();
        if order.key_id.is_none_or(|wanted| wanted == key_id) {
            if !key.revoked {
                active.push(key_id);
            } else if order.key_id.is_some() {
                return Err(nothing_to_revoke(&order.id));
            }
        }
    }
    match (active.is_empty(), order.key_id) {
        (false, _) => Ok(active),
        (true, None) => Err(nothing_to_revoke(&order.id)),
        (true, Some(key_id)) => Err(Failure::new(
            Exit::NotFound,
            "KEY_UNKNOWN",
            format!("{} has no key {key_id}.", order.id),
            "Check --key-id, or leave it out to revoke all keys.",
        )),
    }
}

/// None where the authority is not known.
async fn keys_of(link: &Link, id: &AuthorityId) -> Outcome<Vec<v1::AuthorityKey>> {
    let request = v1::GetAuthorityRequest { authority_id: id.to_string() };
    match link.directory().get_authority(request).await {
        Ok(answer) => Ok(answer.into_inner().keys),
        Err(status) if status.code() == tonic::Code::NotFound => Ok(Vec::new()),
        Err(status) => Err(failure(&status)),
    }
}

fn unknown(id: &AuthorityId) -> Failure {
    Failure::new(
        Exit::NotFound,
        "AUTHORITY_UNKNOWN",
        format!("No authority {id} is certified here."),
        "Check the id. A new authority's request carries its mailbox.",
    )
}

fn nothing_to_revoke(id: &AuthorityId) -> Failure {
    let message = format!("What was named of {id} is revoked already.");
    Failure::new(Exit::Conflict, "ALREADY_REVOKED", message, "There is nothing left to do.")
}

/// The server gave out a certificate that the registrar did not sign.
fn foreign(error: &AuthorityError) -> Failure {
    Failure::new(
        Exit::Evidence,
        "CERTIFICATE_WRONG",
        format!("The server holds a certificate that the registrar did not sign: {error}."),
        "Run `postfachd audit verify` and keep the data folder as it is.",
    )
}
