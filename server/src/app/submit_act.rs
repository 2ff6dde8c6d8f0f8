//! Logs what a mailbox's owner signs besides taking a letter: confirm, reject, dispute, delete, consent; stores settings.

use postfach_domain::act::{Act, ActType, ConsentScope};
use postfach_domain::decide::{ConsentState, Refusal, SignedAct, decide_consent, decide_settings};
use postfach_domain::format::Signed;
use postfach_domain::id::Party;

use super::act_on_message::{ActOnMessage, repeated};
use super::{App, AppError, Caller, Logged};
use crate::commit::{Applied, Concerns, Needs, Operation, WorkingSet};
use crate::storage::sql::mailboxes::{Consent, Mailbox};

impl App {
    /// Logs a signed act (confirm, reject, dispute, delete, consent) or stores one (settings).
    pub async fn submit_act(&self, caller: &Caller, act: Signed) -> Result<Logged, AppError> {
        self.require_member(caller).await?;
        if !matches!(caller.party, Party::Mailbox(_)) {
            return Err(AppError::NotAllowed);
        }
        let parsed = self.checked_act(caller, &act).await?;
        let step = match parsed.act_type {
            ActType::Confirmed | ActType::RejectedByRecipient | ActType::Disputed | ActType::Deleted => {
                self.step(ActOnMessage { act: parsed, signed: act }).await?
            }
            ActType::Consent | ActType::ConsentRevoked | ActType::Settings => {
                self.step(ActOnMailbox { act: parsed, signed: act }).await?
            }
            ActType::HandedOver | ActType::Withdrawn => {
                return Err(AppError::invalid("act.type", "has a call of its own"));
            }
        };
        Ok(step.into())
    }
}

/// CONSENT, CONSENT_REVOKED or SETTINGS on its way.
#[derive(Debug)]
struct ActOnMailbox {
    act: Act,
    signed: Signed,
}

impl ActOnMailbox {
    fn mailbox<'a>(&self, set: &'a WorkingSet) -> Option<&'a Mailbox> {
        match &self.act.actor {
            Party::Mailbox(address) => set.mailboxes.get(address),
            Party::Authority(_) => None,
        }
    }
}

impl Operation for ActOnMailbox {
    fn needs(&self, needs: &mut Needs) {
        needs.acts.insert(self.act.act_id);
        needs.signer(&self.act.actor, self.act.signer);
    }

    fn needs_then(&self, set: &WorkingSet, needs: &mut Needs) {
        if self.act.act_type == ActType::Settings {
            needs.settings.extend(self.mailbox(set).map(|mailbox| mailbox.no));
        }
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let (actor_no, actor) = set.actor(&self.act.actor, &self.act.signer).ok_or(Refusal::KeyNotActive)?;
        if let Some(known) = repeated(set, &self.act, &self.signed, actor_no)? {
            return Ok(known);
        }
        let mailbox = self.mailbox(set).cloned().ok_or(Refusal::NotFound)?;
        let closed = mailbox.closed_at.is_some();
        let act = SignedAct { act: &self.act, signed: &self.signed };
        if self.act.act_type == ActType::Settings {
            let newest = set.settings.get(&mailbox.no).copied();
            decide_settings(act, &ConsentState { actor, newest, closed }, set.moment())?;
            set.settings.put(mailbox.no, self.act.time);
            set.changes.settings.push((mailbox.no, self.act.time, self.signed.clone()));
            set.remember_act(self.act.act_id, actor_no, &self.signed, None);
            return Ok(Applied::Stored);
        }
        let state = ConsentState { actor, newest: mailbox.consent_time, closed };
        let event = decide_consent(act, &state, set.moment())?;
        let index = log_consent(set, &mailbox, &self.act, &event)?;
        set.remember_act(self.act.act_id, actor_no, &self.signed, Some(index));
        Ok(Applied::Logged { keys: Vec::new(), events: vec![index] })
    }
}

/// Logs a decided consent act and writes what it changes.
pub(super) fn log_consent(
    set: &mut WorkingSet,
    mailbox: &Mailbox,
    act: &Act,
    event: &postfach_domain::event::Event,
) -> Result<u64, Refusal> {
    let scope = act.consent_scope().map_err(|_| Refusal::NotFound)?;
    let concerns = Concerns { recipient_no: Some(mailbox.no), ..Concerns::default() };
    let (index, _) = set.log_event(event, concerns);
    let scopes = match scope {
        ConsentScope::All => vec![None],
        ConsentScope::Authorities(ids) => ids.into_iter().map(Some).collect(),
    };
    for authority in scopes {
        let key = (mailbox.no, authority.clone());
        let granted = act.act_type == ActType::Consent;
        set.consents.put(key, Consent { mailbox_no: mailbox.no, authority, time: act.time, granted });
    }
    let changed = Mailbox { consent_time: Some(act.time), ..mailbox.clone() };
    set.mailboxes.put(mailbox.address, changed);
    Ok(index)
}
