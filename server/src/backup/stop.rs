//! Long work on a thread of its own that a signal ends in order, so that nothing stays behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Exit, Failure, Outcome};

/// Tells work that it shall end.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// True until a signal came.
    pub fn go_on(&self) -> bool {
        !self.0.load(Ordering::Relaxed)
    }

    /// Fails after a signal.
    pub fn check(&self) -> Outcome<()> {
        if self.go_on() {
            return Ok(());
        }
        let hint = "Run the command again; nothing was left behind.";
        Err(Failure::new(Exit::Interrupted, "INTERRUPTED", "The command was interrupted.", hint))
    }
}

/// Runs blocking `work` to its end; SIGINT and SIGTERM let it end early, and are the failure then.
pub async fn interruptible<T: Send + 'static>(
    work: impl FnOnce(&Stop) -> Outcome<T> + Send + 'static,
) -> Outcome<T> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Other, "RUNTIME", format!("Cannot work: {error}."), "Try again.")
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed(&error))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| failed(&error))?;
    let stop = Stop::default();
    let theirs = stop.clone();
    let mut working = tokio::task::spawn_blocking(move || work(&theirs));
    let ended = loop {
        tokio::select! {
            ended = &mut working => break ended,
            _ = interrupt.recv() => stop.0.store(true, Ordering::Relaxed),
            _ = terminate.recv() => stop.0.store(true, Ordering::Relaxed),
        }
    };
    let outcome = ended.map_err(|error| failed(&error))?;
    // Whatever broke because of the signal, for example a pipe to a program that got it too, is the signal's doing.
    if outcome.is_err() {
        stop.check()?;
    }
    outcome
}
