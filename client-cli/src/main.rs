//! `postfach`: the mailbox for citizens, and the sending side for authorities.

mod args;
mod clock;
mod commands;
mod connect;
mod context;
mod dispatch;
mod exit;
mod explain;
mod global;
mod help;
mod i18n;
mod input;
mod legal;
mod output;
mod profile;
mod run;
mod text_form;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(run::run(std::env::args_os().collect()).code())
}
