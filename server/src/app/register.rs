//! Opens a mailbox with an activation code (SPEC 6): redeeming, the GENESIS link, wraps and consent in one transaction.

use postfach_domain::act::{Act, ActType, time_fits};
use postfach_domain::chain::{AppliedLink, Chain, Link as ParsedLink};
use postfach_domain::code::{ActivationKey, CodeId};
use postfach_domain::decide::{
    self, ActorState, CodeState, ConsentState, Moment, Refusal, Registration, SignedAct, decide_consent,
    decide_register,
};
use postfach_domain::event::{Event, EventType};
use postfach_domain::format::Signed;
use postfach_domain::hash::Digest;
use postfach_domain::id::{Address, Party};
use postfach_domain::keylog::link_leaf;
use postfach_domain::sign::PublicKey;
use postfach_domain::terms::TrustLevel;
use postfach_domain::time::Timestamp;

use super::act_on_message::act_error;
use super::links::{check_wrap_sizes, link_error, put_members, put_wraps};
use super::submit_act::log_consent;
use super::{App, AppError, Caller, Register, Registered, Wrap};
use crate::commit::{Applied, Needs, Operation, WorkingSet};
use crate::evidence::LogName;
use crate::storage::Ask;
use crate::storage::sql::mailboxes::{Code, Link, Mailbox};
use crate::storage::sql::{events, mailboxes as sql};

impl App {
    /// For the token of Register: the address that a genesis link defines and the device key in it. The link is
    /// verified whole.
    pub fn genesis_key(&self, genesis: &Signed) -> Result<(Address, PublicKey), AppError> {
        let checked = CheckedGenesis::new(self, genesis)?;
        Ok((checked.address, checked.device))
    }

    /// Opens a mailbox with an activation code. The same code and genesis give the same answer.
    /// The caller is the genesis device itself ([`App::genesis_key`]).
    pub async fn register(&self, caller: &Caller, request: Register) -> Result<Registered, AppError> {
        let genesis = CheckedGenesis::new(self, &request.genesis)?;
        if *caller != genesis.caller() {
            return Err(AppError::NotAllowed);
        }
        genesis.check_wraps(&request.wraps)?;
        let consent = request.consent.map(|signed| genesis.check_consent(self, signed)).transpose()?;
        let address = genesis.address;
        let operation = OpenMailbox {
            opening: Opening { genesis, wraps: request.wraps },
            code_hash: CodeId(request.code_id).stored(),
            proof: request.proof,
            consent,
        };
        let code_hash = operation.code_hash;
        self.submit(operation).await?;
        self.registered(address, code_hash).await
    }

    /// The answer, read back: the same for the first call and every repetition.
    async fn registered(&self, address: Address, code_hash: Digest) -> Result<Registered, AppError> {
        let mailbox = self.mailbox(&address).await?.ok_or(AppError::Internal)?;
        let mut query = Ask(&*self.store);
        let code = sql::codes(&mut query, [&code_hash]).await?.into_iter().next();
        let snapshot = self.view.newest().await?;
        let size = snapshot.size(LogName::Evidence);
        // A consent given with the registration is the first event of the mailbox, if it has any.
        let first = events::of_recipient(&mut query, mailbox.no, 0, size, 1).await?;
        let consents = first.into_iter().filter(|row| row.event_type == Some(EventType::Consent)).collect();
        let consent = self.logged_events(consents, &snapshot).await?.into_iter().next();
        let mut links = self.links(mailbox.no, &snapshot).await?;
        links.truncate(1);
        let chain = self.logged_chain(links, &snapshot).await?;
        let trust_level = code.map_or(mailbox.trust_level, |code| code.trust_level);
        Ok(Registered { chain, consent, checkpoints: snapshot.checkpoints(), trust_level })
    }
}

/// A GENESIS link that was verified whole.
#[derive(Debug)]
pub(super) struct CheckedGenesis {
    pub(super) signed: Signed,
    pub(super) chain: Chain,
    pub(super) address: Address,
    device: PublicKey,
    time: Timestamp,
    applied: AppliedLink,
}

impl CheckedGenesis {
    pub(super) fn new(app: &App, genesis: &Signed) -> Result<Self, AppError> {
        let (chain, applied) = Chain::genesis(app.origin(), genesis).map_err(link_error)?;
        let device = *chain.active_key(&applied.signer).ok_or(AppError::Internal)?;
        let time = ParsedLink::parse(&genesis.body).map_err(link_error)?.time;
        Ok(Self { signed: genesis.clone(), address: chain.address(), chain, device, time, applied })
    }

    /// With GENESIS come wraps for its device and the recovery key (SPEC 2).
    pub(super) fn check_wraps(&self, wraps: &[Wrap]) -> Result<(), AppError> {
        check_wrap_sizes(wraps)?;
        let members: Vec<_> = wraps.iter().map(|wrap| wrap.member).collect();
        Ok(decide::check_wraps(&self.chain, &self.applied, &members)?)
    }

    fn caller(&self) -> Caller {
        Caller { party: Party::Mailbox(self.address), key_id: self.device.key_id() }
    }

    fn check_consent(&self, app: &App, signed: Signed) -> Result<(Act, Signed), AppError> {
        let act = Act::verify(&signed, &self.device).map_err(act_error)?;
        if act.origin != *app.origin() {
            return Err(AppError::invalid("consent.origin", "another deployment"));
        }
        if act.actor != Party::Mailbox(self.address) {
            return Err(AppError::invalid("consent.actor", "not the new mailbox"));
        }
        if act.act_type != ActType::Consent {
            return Err(AppError::invalid("consent.type", "not CONSENT"));
        }
        Ok((act, signed))
    }
}

/// A new mailbox: its GENESIS and wraps.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) genesis: CheckedGenesis,
    pub(super) wraps: Vec<Wrap>,
}

impl Opening {
    /// The link's time is within five minutes of the server's (SPEC 2).
    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        if time_fits(self.genesis.time, now) { Ok(()) } else { Err(Refusal::ActTimeOff { server_time: now }) }
    }

    /// Logs the GENESIS and writes the mailbox; answers it with its position in the keys log.
    pub(super) fn open(
        &self,
        set: &mut WorkingSet,
        trust_level: TrustLevel,
        authority_no: Option<u64>,
    ) -> Mailbox {
        let (chain, address) = (&self.genesis.chain, self.genesis.address);
        let head = chain.head();
        let no = set.log_key(link_leaf(&address.label(), 0, &head.link_hash));
        let mailbox = Mailbox {
            no,
            address,
            authority_no,
            head_seq: 0,
            head_hash: head.link_hash,
            generation: chain.generation().generation,
            trust_level,
            consent_time: None,
            suspended_at: None,
            closed_at: None,
        };
        set.mailboxes.put(address, mailbox.clone());
        set.links.put((address, 0), (head.link_hash, no));
        set.changes.links.push(Link {
            mailbox_no: no,
            seq: 0,
            signed: self.genesis.signed.clone(),
            link_hash: head.link_hash,
            key_index: no,
        });
        put_members(set, chain, &mailbox);
        put_wraps(set, no, 0, &self.wraps);
        mailbox
    }
}

/// A registration on its way.
#[derive(Debug)]
struct OpenMailbox {
    opening: Opening,
    code_hash: Digest,
    proof: [u8; 32],
    consent: Option<(Act, Signed)>,
}

impl Operation for OpenMailbox {
    fn extends_keys(&self) -> bool {
        true
    }

    fn weight(&self) -> usize {
        16 * 1024
    }

    fn needs(&self, needs: &mut Needs) {
        needs.codes.insert(self.code_hash);
        needs.mailboxes.insert(self.opening.genesis.address);
        needs.acts.extend(self.consent.as_ref().map(|(act, _)| act.act_id));
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let address = self.opening.genesis.address;
        let code = set.codes.get(&self.code_hash).cloned();
        let exists = set.mailboxes.get(&address).is_some();
        match decide_register(self.code_state(code.as_ref()), address, exists, set.now())? {
            Registration::Again => return Ok(Applied::Known(None)),
            Registration::Open => self.opening.check_time(set.now())?,
        }
        let code = code.ok_or(Refusal::CodeUnknown)?;
        // Everything is decided before anything is written.
        let consent = self.consent_event(set)?;
        let mailbox = self.opening.open(set, code.trust_level, None);
        let redeemed = Code { activation_key: None, redeemed_by: Some((mailbox.no, address)), ..code };
        set.codes.put(self.code_hash, redeemed);
        let mut events = Vec::new();
        if let (Some(event), Some((act, signed))) = (consent, &self.consent) {
            let index = log_consent(set, &mailbox, act, &event)?;
            set.remember_act(act.act_id, mailbox.no, signed, Some(index));
            events.push(index);
        }
        Ok(Applied::Logged { keys: vec![mailbox.no], events })
    }
}

impl OpenMailbox {
    fn code_state(&self, code: Option<&Code>) -> CodeState {
        match code {
            None => CodeState::Unknown,
            Some(Code { redeemed_by: Some((_, address)), .. }) => CodeState::Redeemed(*address),
            Some(Code { activation_key, expires_at, .. }) => {
                let key = activation_key.map(ActivationKey::from_bytes);
                let address = &self.opening.genesis.address;
                let proof_fits = key.is_some_and(|key| key.verify_proof(address, &self.proof));
                CodeState::Open { expires_at: *expires_at, proof_fits }
            }
        }
    }

    /// Decides the consent as if the link before it were logged.
    fn consent_event(&self, set: &WorkingSet) -> Result<Option<Event>, Refusal> {
        let Some((act, signed)) = &self.consent else { return Ok(None) };
        if set.acts.get(&act.act_id).is_some() {
            return Err(Refusal::ActIdReused);
        }
        act.consent_scope().map_err(|_| Refusal::NotFound)?;
        let actor = ActorState { key_active: true, head: Some(self.opening.genesis.chain.head()) };
        let state = ConsentState { actor, newest: None, closed: false };
        let moment = Moment { occurred_at: set.now(), keys_size: set.next_key() + 1 };
        decide_consent(SignedAct { act, signed }, &state, moment).map(Some)
    }
}
