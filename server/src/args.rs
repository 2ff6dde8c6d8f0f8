//! The words of `postfachd`. The names here are a contract: add, never rename.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use postfach_domain::id::{Address, AuthorityId, KeyId, MessageId, Origin};
use postfach_domain::terms::TrustLevel;
use postfach_domain::time::Timestamp;

use crate::blobs::s3::S3Place;

/// The server of Mein Postfach: keeps sealed messages and proves every step, without being able to open a letter.
#[derive(Debug, Parser)]
#[command(name = "postfachd", version, max_term_width = 100)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new deployment: keys, TLS certificate, configuration, database, service card
    Init(InitArgs),
    /// Serve until SIGTERM
    Serve(ServeArgs),
    /// Codes, authorities, mailboxes
    Admin {
        /// What to do.
        #[command(subcommand)]
        command: AdminCommand,
    },
    /// List, check and export deliveries
    Audit {
        /// What to do.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Sealed copies of a deployment: make, check and restore them
    Backup {
        /// What to do.
        #[command(subcommand)]
        command: BackupCommand,
    },
    /// Further nodes of this deployment, on the same PostgreSQL database
    Node {
        /// What to do.
        #[command(subcommand)]
        command: NodeCommand,
    },
}

/// What all operator commands take.
#[derive(Clone, Debug, ClapArgs)]
pub struct DataArgs {
    /// The deployment's data folder
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Answer and errors as JSON, one value a line
    #[arg(long)]
    pub json: bool,
}

/// `postfachd init`
#[derive(Clone, Debug, ClapArgs)]
pub struct InitArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// The deployment's name: a lower-case host name that clients pin
    #[arg(long, value_name = "HOST")]
    pub origin: Origin,
    /// Where to listen
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub listen: SocketAddr,
    /// Where clients connect; https://<listen> if not given
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Attachments in an S3-compatible store: s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION
    #[arg(long, value_name = "URL")]
    pub blobs: Option<S3Place>,
    /// A PostgreSQL database, postgres://USER@HOST/DATABASE; SQLite in the data folder if not given
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
}

/// `postfachd serve`
#[derive(Clone, Debug, ClapArgs)]
pub struct ServeArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Where to listen instead of the configured address; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: Option<SocketAddr>,
}

/// `postfachd admin …`
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Activation codes, each for one mailbox
    ActivationCode {
        /// What to do.
        #[command(subcommand)]
        command: CodeCommand,
    },
    /// Authorities and their keys
    Authority {
        /// What to do.
        #[command(subcommand)]
        command: AuthorityCommand,
    },
    /// Suspend a mailbox or lift the suspension
    Mailbox {
        /// What to do.
        #[command(subcommand)]
        command: MailboxCommand,
    },
    /// Erase a message's content for ever; its evidence stays checkable
    Erase {
        /// The data folder.
        #[command(flatten)]
        data: DataArgs,
        /// Which message
        #[arg(long, value_name = "MESSAGE_ID")]
        message: MessageId,
    },
    /// Sizes, counts and whether the server takes changes
    Status {
        /// The data folder.
        #[command(flatten)]
        data: DataArgs,
    },
}

/// `postfachd admin activation-code …`
#[derive(Debug, Subcommand)]
pub enum CodeCommand {
    /// Make codes and print them once
    Create {
        /// The data folder.
        #[command(flatten)]
        data: DataArgs,
        /// How many, at most 1,000
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// The level that a mailbox opened with them has: basic, low, substantial or high
        #[arg(long, value_name = "L", default_value = "basic")]
        trust_level: TrustLevel,
    },
}

/// `postfachd admin authority …`
#[derive(Debug, Subcommand)]
pub enum AuthorityCommand {
    /// Certify the key of a request file that `postfach authority init` made
    Add {
        /// The data folder.
        #[command(flatten)]
        data: DataArgs,
        /// The registrar's root key; it never leaves this process
        #[arg(long, value_name = "FILE")]
        registrar_key: PathBuf,
        /// The request file
        #[arg(long, value_name = "FILE")]
        request: PathBuf,
    },
    /// Revoke one key of an authority, or all
    Revoke {
        /// The data folder.
        #[command(flatten)]
        data: DataArgs,
        /// The registrar's root key; it never leaves this process
        #[arg(long, value_name = "FILE")]
        registrar_key: PathBuf,
        /// Which authority
        #[arg(long, value_name = "ID")]
        id: AuthorityId,
        /// Which key; all that are not revoked yet if not given
        #[arg(long, value_name = "K")]
        key_id: Option<KeyId>,
        /// Why, for everybody to read
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// `postfachd admin mailbox …`
#[derive(Debug, Subcommand)]
pub enum MailboxCommand {
    /// Take no more deliveries; senders are told to use paper
    Suspend(MailboxArgs),
    /// Take deliveries again
    Resume(MailboxArgs),
}

/// Which mailbox.
#[derive(Clone, Debug, ClapArgs)]
pub struct MailboxArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// The mailbox's address
    #[arg(long, value_name = "ADDRESS")]
    pub address: Address,
}

/// `postfachd audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Deliveries, oldest first
    List(ListArgs),
    /// Check everything that is stored against what was signed and logged
    Verify(VerifyArgs),
    /// All deliveries as JSON lines or CSV
    Export {
        /// The data folder.
        #[command(flatten)]
        data: DataArgs,
        /// Form of the rows
        #[arg(long, value_enum)]
        format: ExportFormat,
    },
}

/// `postfachd audit list`
#[derive(Clone, Debug, ClapArgs)]
pub struct ListArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Only of this authority
    #[arg(long, value_name = "A")]
    pub authority: Option<AuthorityId>,
    /// Only accepted at or after this time: a day (UTC) or RFC 3339
    #[arg(long, value_name = "T", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only those that reached this stage, for example HANDED_OVER
    #[arg(long, value_name = "S", value_parser = stage)]
    pub stage: Option<String>,
}

/// `postfachd audit verify`
#[derive(Clone, Debug, ClapArgs)]
pub struct VerifyArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Leave signatures out, but for those of checkpoints
    #[arg(long)]
    pub quick: bool,
    /// Read the ciphertext of attachments too
    #[arg(long)]
    pub blobs: bool,
    /// A checkpoint that somebody kept: the log has to extend it; may be given several times
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
}

/// `postfachd backup …`
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Copy the deployment as of one moment into a file that only a key kept elsewhere opens; beside a running server
    Create(BackupCreateArgs),
    /// Restore a backup into a scratch folder, check everything, remove it again
    Verify(BackupVerifyArgs),
    /// Restore a backup into a new folder
    Restore(BackupRestoreArgs),
    /// Decide that a restored folder may serve although it may be older than what was acknowledged
    Accept(BackupAcceptArgs),
}

/// `postfachd backup create`
#[derive(Clone, Debug, ClapArgs)]
pub struct BackupCreateArgs {
    /// The data folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Whom it is sealed to: age1pq1… (post-quantum) or age1…; may be given several times
    #[arg(long, required = true, value_name = "AGE_RECIPIENT")]
    pub recipient: Vec<String>,
    /// The new file
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// What opening a backup takes.
#[derive(Clone, Debug, ClapArgs)]
pub struct BackupFileArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The age identity file that opens it
    #[arg(long, value_name = "KEYFILE")]
    pub identity: PathBuf,
    /// A checkpoint kept elsewhere, which the backup has to extend; may be given several times
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Vec<PathBuf>,
}

/// `postfachd backup verify`
#[derive(Clone, Debug, ClapArgs)]
pub struct BackupVerifyArgs {
    /// The backup.
    #[command(flatten)]
    pub backup: BackupFileArgs,
    /// Folder for the scratch copy, which is removed again; beside the backup if not given
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Answer and errors as JSON, one value a line
    #[arg(long)]
    pub json: bool,
}

/// `postfachd backup restore`
#[derive(Clone, Debug, ClapArgs)]
pub struct BackupRestoreArgs {
    /// The backup.
    #[command(flatten)]
    pub backup: BackupFileArgs,
    /// The new data folder: absent or empty
    #[command(flatten)]
    pub data: DataArgs,
}

/// `postfachd backup accept`
#[derive(Clone, Debug, ClapArgs)]
pub struct BackupAcceptArgs {
    /// The restored folder.
    #[command(flatten)]
    pub data: DataArgs,
    /// Why, for those who come later
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `postfachd node …`
#[derive(Clone, Debug, Subcommand)]
pub enum NodeCommand {
    /// Seal what a further node needs, the log keys among it, into a file; beside a running server
    Export(NodeExportArgs),
    /// Make the data folder of a further node from such a file
    Join(NodeJoinArgs),
}

/// `postfachd node export`
#[derive(Clone, Debug, ClapArgs)]
pub struct NodeExportArgs {
    /// The data folder of a node.
    #[command(flatten)]
    pub data: DataArgs,
    /// Whom it is sealed to: age1pq1… (post-quantum) or age1…; may be given several times
    #[arg(long, required = true, value_name = "AGE_RECIPIENT")]
    pub recipient: Vec<String>,
    /// The new file
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// `postfachd node join`
#[derive(Clone, Debug, ClapArgs)]
pub struct NodeJoinArgs {
    /// The new data folder: absent or empty.
    #[command(flatten)]
    pub data: DataArgs,
    /// What `postfachd node export` wrote
    #[arg(long, value_name = "FILE")]
    pub from: PathBuf,
    /// The age identity file that opens it
    #[arg(long, value_name = "KEYFILE")]
    pub identity: PathBuf,
    /// Where this node listens
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: SocketAddr,
}

/// Forms of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a head line
    Csv,
}

fn since(text: &str) -> Result<Timestamp, String> {
    Timestamp::from_rfc3339(text)
        .or_else(|| Timestamp::from_rfc3339(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| "neither a day such as 2026-11-23 nor RFC 3339".to_owned())
}

fn stage(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase().replace('-', "_");
    let known = postfach_domain::event::EventType::from_name(&name).is_some();
    if known { Ok(name) } else { Err("no stage has this name".to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parses(words: &str) -> bool {
        Args::try_parse_from(words.split(' ')).is_ok()
    }

    #[test]
    fn the_contract_parses() {
        for words in [
            "postfachd init --data D --origin post.example",
            "postfachd init --data D --origin post.example --listen 127.0.0.1:0 --public-url https://x",
            "postfachd init --data D --origin post.example --blobs s3://post/x?region=r",
            "postfachd serve --data D --listen 127.0.0.1:0",
            "postfachd admin activation-code create --data D --count 3 --trust-level substantial --json",
            "postfachd admin authority add --data D --registrar-key F --request F --json",
            "postfachd admin authority revoke --data D --registrar-key F --id amt --reason lost --json",
            "postfachd admin erase --data D --message 0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b --json",
            "postfachd audit list --data D --authority amt --since 2026-11-23 --stage HANDED_OVER --json",
            "postfachd audit verify --data D --quick --blobs --checkpoint F --json",
            "postfachd audit export --data D --format jsonl",
            "postfachd audit export --data D --format csv",
            "postfachd backup create --data D --recipient age1x --recipient age1y -o F --force --json",
            "postfachd backup verify F --identity K --checkpoint C --checkpoint D --scratch S --json",
            "postfachd backup restore F --identity K --data D --checkpoint C --json",
            "postfachd backup accept --data D --reason lost --json",
        ] {
            assert!(parses(words), "{words}");
        }
    }

    #[test]
    fn bad_words_are_usage_errors() {
        for words in [
            "postfachd init --data D --origin Post.Example",
            "postfachd init --data D --origin -x-.example",
            "postfachd init --data D --origin post.example --blobs /srv/blobs",
            "postfachd admin activation-code create --data D --count 0",
            "postfachd admin activation-code create --data D --trust-level some",
            "postfachd admin erase --data D --message x",
            "postfachd audit list --data D --since yesterday",
            "postfachd audit list --data D --stage GONE",
            "postfachd audit export --data D",
            "postfachd backup create --data D -o F",
            "postfachd backup verify F",
            "postfachd backup restore F --identity K",
            "postfachd backup accept --data D",
        ] {
            assert!(!parses(words), "{words}");
        }
    }
}
