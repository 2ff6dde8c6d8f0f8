//! `postfachd admin …`: one file for each thing. Every command speaks AdminService, to the running server through its
//! socket or to the use cases in this very process, so that there is one way in.

mod authority;
mod codes;
mod erase;
pub mod link;
mod mailbox;
mod request;
mod status;
#[cfg(test)]
mod tests;

use crate::args::AdminCommand;
use crate::failure::Outcome;
use crate::output::Output;

pub use request::AuthorityRequest;

/// Runs one command.
pub async fn run(command: AdminCommand, output: Output) -> Outcome<()> {
    match command {
        AdminCommand::ActivationCode { command } => codes::run(command, output).await,
        AdminCommand::Authority { command } => authority::run(command, output).await,
        AdminCommand::Mailbox { command } => mailbox::run(command, output).await,
        AdminCommand::Erase { data, message } => erase::run(&data, message, output).await,
        AdminCommand::Status { data } => status::run(&data, output).await,
    }
}
