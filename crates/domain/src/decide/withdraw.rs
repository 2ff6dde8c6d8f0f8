//! May the sender take a message back? Only before it was handed over, and before the law deems it served.

use super::on_message::check_hashes;
use super::{ActorState, MessageState, Moment, Outcome, Refusal, SignedAct, act_event, check_actor};
use crate::act::ActType;
use crate::event::EventType;
use crate::legal::{Facts, RuleSet, deemed_served, local_date};

/// The law's side of the question.
#[derive(Clone, Copy, Debug)]
pub struct WithdrawRules<'a> {
    /// Rules in force.
    pub rules: &'a RuleSet,
    /// The authority's seat; empty where unknown.
    pub ags: &'a str,
}

/// Decides on a WITHDRAWN act. It can stand once only.
pub fn decide_withdraw(
    act: SignedAct<'_>,
    actor: &ActorState,
    message: &MessageState,
    law: WithdrawRules<'_>,
    moment: Moment,
) -> Result<Outcome, Refusal> {
    if act.act.act_type != ActType::Withdrawn || act.act.actor != message.sender {
        return Err(Refusal::NotFound);
    }
    check_actor(act.act, actor, moment)?;
    check_hashes(act, message)?;
    if message.has(EventType::Withdrawn) {
        return Ok(Outcome::Stands(EventType::Withdrawn));
    }
    if message.has(EventType::Refused) {
        return Err(Refusal::NotFound);
    }
    if message.has(EventType::HandedOver) || deemed_day_has_come(message, law, moment) {
        return Err(Refusal::WithdrawTooLate);
    }
    act_event(EventType::Withdrawn, act, message, moment)
}

fn deemed_day_has_come(message: &MessageState, law: WithdrawRules<'_>, moment: Moment) -> bool {
    let facts = Facts { accepted: message.accepted_at, available: message.available_at, ..Facts::default() };
    let legal = deemed_served(law.rules, message.regime, &facts, law.ags, moment.occurred_at);
    match (legal.and_then(|l| l.deemed_served), local_date(moment.occurred_at)) {
        (Some(deemed), Some(today)) => today >= deemed.date,
        _ => false,
    }
}
