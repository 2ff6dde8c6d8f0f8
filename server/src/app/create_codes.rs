//! New activation codes (SPEC 6). The server keeps a hash and the key that checks proofs, never the code.

use postfach_domain::code::ActivationCode;
use postfach_domain::decide::Refusal;
use postfach_domain::limits;
use postfach_domain::terms::TrustLevel;
use postfach_domain::time::Timestamp;

use super::{App, AppError, Codes};
use crate::commit::{Applied, Needs, Operation, WorkingSet};
use crate::storage::sql::mailboxes::Code;

/// Codes of one call.
const COUNT: u32 = 1000;

impl App {
    /// New activation codes (at most 1,000 a call).
    pub async fn create_codes(&self, count: u32, trust_level: TrustLevel) -> Result<Codes, AppError> {
        if !(1..=COUNT).contains(&count) {
            return Err(AppError::invalid("count", "1 to 1,000"));
        }
        let expires_at = self.now().plus_ms(limits::ACTIVATION_CODE_LIFE_SECONDS * 1000);
        let codes: Vec<ActivationCode> = (0..count)
            .map(|_| self.with_chance(|mut chance| ActivationCode::generate(&mut chance)))
            .collect();
        let rows = codes.iter().map(|code| row(code, trust_level, expires_at)).collect();
        self.submit(CreateCodes { rows }).await?;
        let codes = codes.iter().map(|code| code.expose_text().to_string()).collect();
        Ok(Codes { codes, expires_at })
    }
}

fn row(code: &ActivationCode, trust_level: TrustLevel, expires_at: Timestamp) -> Code {
    Code {
        code_hash: code.code_id().stored(),
        activation_key: Some(*code.activation_key().expose_bytes()),
        trust_level,
        expires_at,
        redeemed_by: None,
    }
}

/// New codes on their way.
#[derive(Debug)]
struct CreateCodes {
    rows: Vec<Code>,
}

impl Operation for CreateCodes {
    fn needs(&self, _needs: &mut Needs) {}

    fn apply(&self, set: &mut WorkingSet) -> Result<Applied, Refusal> {
        for row in &self.rows {
            set.codes.put(row.code_hash, row.clone());
        }
        Ok(Applied::Stored)
    }
}
