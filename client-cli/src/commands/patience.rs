//! Going on for ever over a line that breaks: what commands that listen have in common.

use std::time::Duration;

use crate::context::Context;
use crate::exit::{Exit, Failure, Outcome};
use crate::t;

/// After the first break; doubled with each that follows.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How a command bears that the server is away.
pub struct Patience {
    pause: Duration,
    /// Something was answered: from then on the command waits as long as it takes.
    began: bool,
    told: bool,
}

impl Patience {
    /// At the beginning a server that is away ends the command, as any other.
    pub fn new() -> Self {
        Self { pause: FIRST_PAUSE, began: false, told: false }
    }

    /// The server answers.
    pub fn answered(&mut self, context: &Context) {
        if std::mem::take(&mut self.told) {
            context.out.note(&t!("listen-again"));
        }
        (self.pause, self.began) = (FIRST_PAUSE, true);
    }

    /// A break after something that brought nothing, so that a server that calls for nothing is not asked without end.
    pub async fn rest(&self) {
        tokio::time::sleep(FIRST_PAUSE).await;
    }

    /// Waits after a failure that means that the server is away; every other one ends the command.
    pub async fn bear(&mut self, context: &Context, failure: Failure) -> Outcome<()> {
        // After a break the service may count the stream that broke for a while yet.
        let passes = failure.exit == Exit::ServerAway || failure.reason == "TOO_MANY_WATCHES";
        if !passes || !self.began {
            return Err(failure);
        }
        if !std::mem::replace(&mut self.told, true) {
            context.warn(&t!("listen-lost"));
        }
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}
