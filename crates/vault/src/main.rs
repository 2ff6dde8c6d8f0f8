//! The binary `postfach-vault`: seals a stream to an operator's age keys and opens it again. `postfachd backup` starts it
//! beside itself, so that the server's own build holds no code that opens anything. Standard input and standard output
//! carry the bytes; memory stays flat. Not here: what is in the stream.

mod failure;
mod keygen;
mod keys;
mod open;
mod seal;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{Exit, Failure, Outcome};

/// Seals and opens the backups of Mein Postfach: age files from standard input to standard output.
#[derive(Debug, Parser)]
#[command(name = "postfach-vault", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Errors as JSON on standard error, one value
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Seal standard input to one or several keys
    Seal {
        /// Whom it is sealed to: age1pq1… (post-quantum) or age1…, not mixed; may be given several times
        #[arg(long, short, required = true, value_name = "AGE_RECIPIENT")]
        recipient: Vec<String>,
    },
    /// Open standard input with a key
    Open {
        /// Identity file, as `postfach-vault keygen` or `age-keygen` writes it
        #[arg(long, short, value_name = "KEYFILE")]
        identity: PathBuf,
    },
    /// Make a key file and print its recipient
    Keygen {
        /// The new file, mode 0600
        #[arg(long, short, value_name = "KEYFILE")]
        output: PathBuf,
        /// A classic age1… key, for age tools without post-quantum keys
        #[arg(long)]
        x25519: bool,
    },
}

fn main() -> ExitCode {
    let json = std::env::args_os().any(|word| word == "--json");
    let outcome = match Args::try_parse() {
        Ok(args) => run(args.command),
        Err(error) if json && error.use_stderr() => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            Err(Failure::new(Exit::Usage, "USAGE", first, "Run the command with --help."))
        }
        Err(error) => {
            // Nobody to tell where printing fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print(json);
            ExitCode::from(failure.exit.code())
        }
    }
}

fn run(command: Command) -> Outcome<()> {
    match command {
        Command::Seal { recipient } => {
            if io::stdout().is_terminal() {
                return Err(Failure::new(
                    Exit::Usage,
                    "TERMINAL",
                    "Sealed bytes do not belong on a terminal.",
                    "Redirect standard output into a file.",
                ));
            }
            seal::seal(&keys::recipients(&recipient)?, io::stdin().lock(), io::stdout().lock())
        }
        Command::Open { identity } => {
            open::open(&keys::identities(&identity)?, io::stdin().lock(), io::stdout().lock())
        }
        Command::Keygen { output, x25519 } => keygen::keygen(&output, x25519, io::stdout().lock()),
    }
}
