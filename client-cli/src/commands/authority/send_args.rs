//! The flags of `postfach authority send`: what `compose` makes a message of, and `send` sends.

use std::path::PathBuf;

/// `postfach authority send`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long, value_name = "ADDRESS")]
    pub to: String,
    #[arg(long, value_name = "TEXT", required_unless_present = "letter")]
    pub subject: Option<String>,
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["body_file", "letter"])]
    pub body: Option<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "body")]
    pub body_file: Option<PathBuf>,
    #[arg(long, value_name = "FILE.json")]
    pub letter: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    #[arg(long, value_name = "REGIME")]
    pub regime: Option<String>,
    #[arg(long)]
    pub confirm: bool,
    #[arg(long, value_name = "UUID")]
    pub message_id: Option<String>,
}
