//! Takes a notice back (LEGAL: only before it was handed over and before its deemed day).

use postfach_domain::act::ActType;
use postfach_domain::format::Signed;

use super::act_on_message::ActOnMessage;
use super::{App, AppError, Caller, Logged};

impl App {
    /// Takes a notice back by a signed act WITHDRAWN.
    pub async fn withdraw(&self, caller: &Caller, act: Signed) -> Result<Logged, AppError> {
        self.require_member(caller).await?;
        let parsed = self.checked_act(caller, &act).await?;
        if parsed.act_type != ActType::Withdrawn {
            return Err(AppError::invalid("act.type", "not WITHDRAWN"));
        }
        Ok(self.step(ActOnMessage { act: parsed, signed: act }).await?.into())
    }
}
