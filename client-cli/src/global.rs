//! The options that every command takes; those of one command stand with it.

use std::path::PathBuf;

use crate::i18n::Lang;

/// Options that every command takes, before or after its name.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    #[arg(long, global = true)]
    pub json: bool,
    #[arg(long, global = true, value_enum)]
    pub lang: Option<Lang>,
    #[arg(long, global = true)]
    pub no_input: bool,
    #[arg(long, global = true)]
    pub screen_reader: bool,
    #[arg(long, global = true, value_name = "DIR", env = "POSTFACH_HOME")]
    pub home: Option<PathBuf>,
    #[arg(long, global = true, value_name = "URL", env = "POSTFACH_SERVER_URL")]
    pub server_url: Option<String>,
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
    #[arg(long, global = true, value_name = "FILE", env = "POSTFACH_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}
