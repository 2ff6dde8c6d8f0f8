//! What a party does with one message by a signed act: take it, confirm, reject, dispute, delete, withdraw. One operation
//! for all; the rules of each verb are the domain's.

use postfach_domain::act::{Act, ActError, ActType};
use postfach_domain::decide::{
    ActorState, MessageState, Moment, Outcome as Decision, Refusal, SignedAct, WithdrawRules, decide_confirm,
    decide_delete, decide_dispute, decide_hand_over, decide_reject, decide_repeat, decide_withdraw,
};
use postfach_domain::format::Signed;
use postfach_domain::legal::RuleSet;

use super::{App, AppError, Caller};
use crate::commit::{Applied, Needs, Operation, WorkingSet};

impl App {
    /// Checks an act as far as it can be without the state: form, deployment, actor, signature.
    pub(super) async fn checked_act(&self, caller: &Caller, signed: &Signed) -> Result<Act, AppError> {
        let act = Act::peek(signed).map_err(act_error)?;
        if act.origin != self.origin {
            return Err(AppError::invalid("act.origin", "another deployment"));
        }
        if act.actor != caller.party {
            return Err(AppError::invalid("act.actor", "not the caller"));
        }
        let key = self.signing_key(&act.actor, &act.signer).await?;
        Act::verify(signed, &key).map_err(act_error)
    }
}

pub(super) fn act_error(error: ActError) -> AppError {
    match error {
        ActError::TooLarge => AppError::Limit("act_bytes"),
        ActError::Field(_) | ActError::Malformed => AppError::invalid("act", error),
        ActError::Signature(_) => AppError::invalid("act.signature", error),
    }
}

/// An act on a message on its way.
#[derive(Debug)]
pub(super) struct ActOnMessage {
    /// Parsed and verified; names a message.
    pub(super) act: Act,
    /// As transported.
    pub(super) signed: Signed,
}

impl Operation for ActOnMessage {
    fn needs(&self, needs: &mut Needs) {
        needs.acts.insert(self.act.act_id);
        needs.messages.extend(self.act.message.map(|message| message.message_id));
        needs.signer(&self.act.actor, self.act.signer);
    }

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        let (actor_no, actor) = set.actor(&self.act.actor, &self.act.signer).ok_or(Refusal::KeyNotActive)?;
        if let Some(known) = repeated(set, &self.act, &self.signed, actor_no)? {
            return Ok(known);
        }
        let named = self.act.message.ok_or(Refusal::NotFound)?;
        let message = set.messages.get(&named.message_id).cloned().ok_or(Refusal::NotFound)?;
        let state = WorkingSet::message_state(&message);
        match self.decide(set, &actor, &state, set.moment())? {
            Decision::Stands(event_type) => Ok(Applied::Known(state.index_of(event_type))),
            Decision::Log(event) => {
                let index = set.log_on_message(&message, &event);
                set.remember_act(self.act.act_id, actor_no, &self.signed, Some(index));
                Ok(Applied::Logged { keys: Vec::new(), events: vec![index] })
            }
        }
    }
}

impl ActOnMessage {
    fn decide(
        &self,
        set: &WorkingSet,
        actor: &ActorState,
        message: &MessageState,
        moment: Moment,
    ) -> Result<Decision, Refusal> {
        let act = SignedAct { act: &self.act, signed: &self.signed };
        match self.act.act_type {
            ActType::HandedOver => decide_hand_over(act, actor, message, moment),
            ActType::Confirmed => decide_confirm(act, actor, message, moment),
            ActType::RejectedByRecipient => decide_reject(act, actor, message, moment),
            ActType::Disputed => decide_dispute(act, actor, message, moment),
            ActType::Deleted => decide_delete(act, actor, message, moment),
            ActType::Withdrawn => {
                let ags = set.authority_keys.get(&self.act.signer).map_or("", |key| key.ags.as_str());
                let rules = RuleSet::built_in();
                decide_withdraw(act, actor, message, WithdrawRules { rules: &rules, ags }, moment)
            }
            ActType::Consent | ActType::ConsentRevoked | ActType::Settings => Err(Refusal::NotFound),
        }
    }
}

/// Was this act done before under its id, by this actor? Then this is the answer.
pub(super) fn repeated(
    set: &WorkingSet,
    act: &Act,
    signed: &Signed,
    actor_no: u64,
) -> Result<Option<Applied>, Refusal> {
    let earlier = set.acts.get(&act.act_id);
    if earlier.is_some_and(|earlier| earlier.actor_no != actor_no) {
        return Err(Refusal::ActIdReused);
    }
    let same = decide_repeat(earlier.map(|earlier| earlier.body_hash), &signed.body)?;
    Ok(earlier.filter(|_| same).map(|earlier| Applied::Known(earlier.event_idx)))
}
