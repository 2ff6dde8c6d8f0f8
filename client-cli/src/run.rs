//! From words to an exit code: language, command line, runtime, interruption, printing.

use std::ffi::OsString;

use crate::args::Cli;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::help::{Parsed, parse, peek};
use crate::output::{Output, Report};
use crate::{dispatch, fail, i18n};

/// Runs one command line.
pub fn run(words: Vec<OsString>) -> Exit {
    let (lang, json) = peek(&words);
    i18n::choose(lang.unwrap_or_else(|| i18n::of_environment(|name| std::env::var(name).ok())));
    log_to_stderr();
    match parse(words) {
        Ok(Parsed::Show(text)) => Output::raw(&text),
        Ok(Parsed::Lost(failure, help)) => {
            if !json {
                Output::beside(&help);
            }
            end(Output::new(json, false), Err(failure))
        }
        Ok(Parsed::Run(cli)) => execute(*cli),
        Err(failure) => end(Output::new(json, false), Err(failure)),
    }
}

fn execute(cli: Cli) -> Exit {
    let out = Output::new(cli.global.json, cli.global.screen_reader);
    let context = Context::new(cli.global, out);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => {
            let outcome = runtime.block_on(async {
                tokio::select! {
                    outcome = dispatch::run(&context, cli.command) => outcome,
                    _ = tokio::signal::ctrl_c() => Err(fail!(Interrupted, "INTERRUPTED", "interrupted")),
                }
            });
            // Sealing and file work in the background may be in the middle of something long.
            runtime.shutdown_background();
            outcome
        }
        Err(error) => {
            let error = error.to_string();
            Err(fail!(Other, "RUNTIME", "runtime-failed", error = error.as_str()))
        }
    };
    end(out, outcome)
}

fn end(out: Output, outcome: Outcome<Report>) -> Exit {
    match outcome {
        Ok(report) if out.report(&report) => report.exit,
        Ok(_) => Exit::Other,
        Err(failure) => {
            out.failure(&failure);
            failure.exit
        }
    }
}

/// Nothing is logged unless `POSTFACH_LOG` asks for it; content, names and keys never are.
fn log_to_stderr() {
    if let Ok(filter) = std::env::var("POSTFACH_LOG") {
        let filter = tracing_subscriber::EnvFilter::new(filter);
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}
