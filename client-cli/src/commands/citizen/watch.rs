//! `postfach watch`: each new message as it arrives, for ever. The stream only says that there is something; what it is, an
//! ordinary sync fetches and checks.

use std::collections::HashSet;
use std::process::{Command, Stdio};

use postfach_domain::id::MessageId;
use postfach_domain::time::Timestamp;
use postfach_sdk::news::Heard;

use super::inbox::Item;
use super::open::Owner;
use super::sync::sync;
use crate::clock;
use crate::commands::patience::Patience;
use crate::context::Context;
use crate::exit::{Exit, Outcome};
use crate::legal::Law;
use crate::output::{Answer as _, Report};
use crate::profile::mailbox::Messages;
use crate::profile::message::Entry;
use crate::{fail, t};

/// `postfach watch`
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    #[arg(long, value_name = "CMD")]
    pub exec: Option<String>,
}

/// Shows what arrives until it is interrupted.
pub async fn run(context: &Context, args: &Args) -> Outcome<Report> {
    let owner = Owner::open(context)?;
    let mut messages = owner.messages()?;
    let shown = messages.entries().map(|entry| entry.message_id).collect();
    let mut watch = Watch { context, owner: &owner, args, shown, patience: Patience::new() };
    loop {
        match watch.follow(&mut messages).await {
            Ok(Some(exit)) => return Ok(Report::nothing(exit)),
            // The stream ended in good order: the next one takes its place.
            Ok(None) => watch.patience.rest().await,
            Err(failure) => watch.patience.bear(context, failure).await?,
        }
    }
}

/// What a sync brought.
enum Fetched {
    Something,
    Nothing,
    /// The command ends here.
    Last(Exit),
}

struct Watch<'a> {
    context: &'a Context,
    owner: &'a Owner,
    args: &'a Args,
    shown: HashSet<MessageId>,
    patience: Patience,
}

impl Watch<'_> {
    /// Follows one stream to its end; how the command ends, where it must.
    async fn follow(&mut self, messages: &mut Messages<'_>) -> Outcome<Option<Exit>> {
        if let Fetched::Last(exit) = self.fetch(messages).await? {
            return Ok(Some(exit));
        }
        let news = self.owner.mailbox.news(messages.sync_state()).await;
        let mut news = self.owner.session.finish(self.context, news)?;
        self.patience.answered(self.context);
        loop {
            let heard = news.next().await;
            match self.owner.session.finish(self.context, heard)? {
                Heard::Ended => return Ok(None),
                Heard::News(()) => match self.fetch(messages).await? {
                    Fetched::Last(exit) => return Ok(Some(exit)),
                    Fetched::Nothing => self.patience.rest().await,
                    Fetched::Something => {}
                },
            }
        }
    }

    /// Fetches what is new, and shows it.
    async fn fetch(&mut self, messages: &mut Messages<'_>) -> Outcome<Fetched> {
        let synced = sync(self.context, self.owner, messages).await?;
        let law = Law::at(clock::now());
        let mut new: Vec<&Entry> = messages.entries().filter(|e| self.shown.insert(e.message_id)).collect();
        new.sort_by_key(|entry| entry.accepted_index);
        for entry in new.into_iter().filter(|entry| !entry.is_deleted()) {
            if !self.context.out.one(Item::of(entry, &law)) {
                return Ok(Fetched::Last(Exit::Other));
            }
            if let Some(command) = &self.args.exec {
                self.execute(command, entry).await?;
            }
        }
        Ok(match (synced.is_service_at_fault(), synced.is_nothing()) {
            (true, _) => Fetched::Last(synced.exit()),
            (false, true) => Fetched::Nothing,
            (false, false) => Fetched::Something,
        })
    }

    /// Runs the person's command for one message. It learns what the server knows too, and nothing that is sealed.
    async fn execute(&self, command: &str, entry: &Entry) -> Outcome<()> {
        let mut process = shell(command);
        process
            .env("POSTFACH_MESSAGE_ID", entry.message_id.to_string())
            .env("POSTFACH_RECEIVED_AT", Timestamp(entry.received_at()).to_rfc3339())
            .env("POSTFACH_SENDER", entry.authority_id.as_deref().unwrap_or_default())
            .env("POSTFACH_KIND", &entry.kind)
            .stdin(Stdio::null())
            // Standard output is ours; what the command says is talk.
            .stdout(std::io::stderr());
        let ended = tokio::task::spawn_blocking(move || process.status()).await;
        match ended.map_err(std::io::Error::other).and_then(|status| status) {
            Ok(status) if status.success() => {}
            Ok(status) => self.context.warn(&t!("watch-exec-failed", status = status.to_string())),
            Err(error) => {
                let error = error.to_string();
                return Err(fail!(Other, "EXEC_FAILED", "watch-exec-missing", error = error.as_str()));
            }
        }
        Ok(())
    }
}

/// The words are the person's own, so a shell may read them; nothing of a message is ever put into them.
fn shell(command: &str) -> Command {
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut process = Command::new(shell);
    process.arg(option).arg(command);
    process
}
