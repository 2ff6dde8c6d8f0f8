//! `postfachd audit …`: what the operator can see of deliveries: who, when, which stage, how large. Never what. And
//! whether everything that is stored holds.

mod export;
mod list;
mod row;
pub mod verify;

use crate::args::AuditCommand;
use crate::failure::Outcome;
use crate::output::Output;

/// Runs one command.
pub async fn run(command: AuditCommand, output: Output) -> Outcome<()> {
    match command {
        AuditCommand::List(args) => list::run(&args, output).await,
        AuditCommand::Verify(args) => verify::run(&args, output).await,
        AuditCommand::Export { data, format } => export::run(&data, format, output).await,
    }
}
