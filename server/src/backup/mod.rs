//! `postfachd backup …`: a deployment as of one moment in one sealed file, and back. The file is an age file whose
//! plaintext is a plain tar; sealing and opening is the work of another program (`vault`), because this one holds no
//! code that opens anything. `archive` knows the tar, `manifest` what it says of itself; `create`, `verify`, `restore`
//! and `accept` are the commands.

mod accept;
mod archive;
mod create;
mod extract;
mod manifest;
mod restore;
mod stop;
mod vault;
mod verify;
mod workplace;

use crate::args::BackupCommand;
use crate::failure::Outcome;
use crate::output::Output;

pub(crate) use create::may_write;
pub(crate) use vault::{Vault, pipe_failed};
pub use workplace::sweep;
pub(crate) use workplace::{Partial, remove_folder};

/// Runs one command.
pub async fn run(command: BackupCommand, output: Output) -> Outcome<()> {
    match command {
        BackupCommand::Create(args) => create::run(&args, output).await,
        BackupCommand::Verify(args) => verify::run(&args, output).await,
        BackupCommand::Restore(args) => restore::run(&args, output).await,
        BackupCommand::Accept(args) => accept::run(&args, output),
    }
}
