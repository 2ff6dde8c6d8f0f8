//! `postfachd node …`: a further node of a deployment, on the same database. `export` seals what makes a node of this
//! deployment into one small file, `join` makes a data folder of it. The registrar's key is in neither.

mod bundle;
mod export;
mod join;
mod settings;

use crate::args::NodeCommand;
use crate::failure::Outcome;
use crate::output::Output;

/// Runs one command.
pub async fn run(command: NodeCommand, output: Output) -> Outcome<()> {
    match command {
        NodeCommand::Export(args) => export::run(&args, output),
        NodeCommand::Join(args) => join::run(&args, output).await,
    }
}
