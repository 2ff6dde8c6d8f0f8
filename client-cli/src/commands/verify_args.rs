//! The flags of `postfach verify`, for a receipt and for a letter.

use std::path::PathBuf;

/// `postfach verify`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(value_name = "FILE", required_unless_present = "letter", conflicts_with = "letter")]
    pub file: Option<PathBuf>,
    #[arg(long, value_name = "FILE")]
    pub service_card: Option<PathBuf>,
    #[arg(long)]
    pub allow_unwitnessed: bool,
    #[arg(long, value_name = "ENVELOPE", requires = "file_key")]
    pub letter: Option<PathBuf>,
    #[arg(long, value_name = "KEY|@FILE|-", requires = "letter")]
    pub file_key: Option<String>,
    #[arg(long, value_name = "FILE", requires = "letter")]
    pub receipt: Option<PathBuf>,
}
