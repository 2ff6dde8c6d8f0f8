//! The command line of `postfachd`: words in, one command run, its answer printed. What the commands do stands in
//! `init`, `admin` and `audit`.

mod serve;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use crate::args::{Args, Command};
use crate::failure::{Exit, Failure, Outcome};
use crate::output::Output;

/// Runs one command. `words` begin with the program's name.
pub fn main(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let json = words.iter().any(|word| word == "--json");
    let output = Output::new(json);
    let args = match Args::try_parse_from(words) {
        Ok(args) => args,
        Err(error) => return not_understood(&error, output),
    };
    match run(args.command, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit.code())
        }
    }
}

fn not_understood(error: &clap::Error, output: Output) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) || !output.is_json() {
        // Nobody to tell where printing fails.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
    }
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    output.failure(&Failure::new(Exit::Usage, "USAGE", first, "Run the command with --help."));
    ExitCode::from(Exit::Usage.code())
}

fn run(command: Command, output: Output) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(
            Exit::Other,
            "RUNTIME",
            format!("Cannot start: {error}."),
            "Free memory or threads, try again.",
        )
    })?;
    runtime.block_on(async {
        match command {
            Command::Init(args) => crate::init::run(&args, output).await,
            Command::Serve(args) => serve::run(&args, output).await,
            Command::Admin { command } => crate::admin::run(command, output).await,
            Command::Audit { command } => crate::audit::run(command, output).await,
            Command::Backup { command } => crate::backup::run(command, output).await,
            Command::Node { command } => crate::node::run(command, output).await,
        }
    })
}
