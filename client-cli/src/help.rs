//! The command line in the chosen language: help texts and errors of usage, all from the catalogue.

use std::ffi::OsString;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory as _, FromArgMatches as _};

use crate::args::Cli;
use crate::exit::Failure;
use crate::i18n::{Lang, text_of};
use crate::{fail, t};

/// What a command line turned out to be.
pub enum Parsed {
    /// Something to do.
    Run(Box<Cli>),
    /// A text to print on standard output: help or version.
    Show(String),
    /// No command was given: the failure for programs, and the help for people.
    Lost(Failure, String),
}

/// What must be known before anything can be said: `--lang` and `--json`, wherever they stand.
pub fn peek(words: &[OsString]) -> (Option<Lang>, bool) {
    let words: Vec<&str> =
        words.iter().skip(1).filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let mut lang = None;
    for (n, word) in words.iter().enumerate() {
        let value = match word.strip_prefix("--lang") {
            Some("") => words.get(n + 1).copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        lang = match value {
            Some("de") => Some(Lang::De),
            Some("en") => Some(Lang::En),
            _ => lang,
        };
    }
    (lang, words.contains(&"--json"))
}

/// Reads a command line.
pub fn parse(words: Vec<OsString>) -> Result<Parsed, Failure> {
    let matches = match tree().try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Parsed::Show(error.render().to_string()));
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            return Ok(Parsed::Lost(usage(&error), error.render().to_string()));
        }
        Err(error) => return Err(usage(&error)),
    };
    Cli::from_arg_matches(&matches).map(|cli| Parsed::Run(Box::new(cli))).map_err(|error| usage(&error))
}

/// The command tree with its texts.
pub fn tree() -> Command {
    let action = |id: &'static str, short, action| {
        Arg::new(id)
            .short(short)
            .long(id)
            .action(action)
            .help(text_of(&format!("arg-{id}")).unwrap_or_default())
    };
    let command = Cli::command().arg(action("help", 'h', ArgAction::Help).global(true)).arg(action(
        "version",
        'V',
        ArgAction::Version,
    ));
    localise(command, "", true)
}

fn localise(command: Command, path: &str, root: bool) -> Command {
    let about = text_of(&format!("help{path}")).unwrap_or_default();
    let template = format!("{{about-with-newline}}\n{} {{usage}}\n\n{{all-args}}", t!("heading-usage"));
    let own = path.to_owned();
    let command = command
        .about(about)
        .term_width(80)
        .help_template(StyledStr::from(template))
        .subcommand_help_heading(t!("heading-commands"))
        .subcommand_value_name("COMMAND")
        .mut_args(move |arg| localise_arg(arg, &own, root));
    let parent = path.to_owned();
    command.mut_subcommands(move |sub| {
        let path = format!("{parent}-{}", sub.get_name());
        localise(sub, &path, false)
    })
}

fn localise_arg(arg: Arg, path: &str, root: bool) -> Arg {
    let id = arg.get_id().as_str().replace('_', "-");
    let text = text_of(&format!("arg{path}-{id}")).or_else(|| text_of(&format!("arg-{id}")));
    let heading = if root {
        t!("heading-global")
    } else if arg.is_positional() {
        t!("heading-arguments")
    } else {
        t!("heading-options")
    };
    // Values of the environment are not shown: a passphrase file's name is nobody's business on a shared screen.
    arg.help(text.unwrap_or_default()).help_heading(heading).hide_env_values(true)
}

/// An error of usage as a pair, without repeating values that may be secret.
fn usage(error: &clap::Error) -> Failure {
    let of = |kind| error.get(kind).map(show).unwrap_or_default();
    let argument = of(ContextKind::InvalidArg);
    let (argument, known) = (argument.as_str(), of(ContextKind::ValidValue));
    match error.kind() {
        ErrorKind::UnknownArgument => fail!(Usage, "USAGE", "usage-unknown", what = argument),
        ErrorKind::MissingRequiredArgument => fail!(Usage, "USAGE", "usage-missing", what = argument),
        ErrorKind::InvalidSubcommand => {
            let command = of(ContextKind::InvalidSubcommand);
            fail!(Usage, "USAGE", "usage-command", what = command.as_str())
        }
        ErrorKind::InvalidValue if !known.is_empty() => {
            fail!(Usage, "USAGE", "usage-value-of", what = argument; known = known.as_str())
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::NoEquals => {
            fail!(Usage, "USAGE", "usage-value", what = argument)
        }
        ErrorKind::ArgumentConflict => {
            let other = of(ContextKind::PriorArg);
            fail!(Usage, "USAGE", "usage-conflict", what = argument, other = other.as_str())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            fail!(Usage, "USAGE", "usage-nothing")
        }
        _ => fail!(Usage, "USAGE", "usage-other"),
    }
}

fn show(value: &ContextValue) -> String {
    match value {
        ContextValue::String(text) => text.clone(),
        ContextValue::Strings(texts) => texts.join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    fn each(command: &Command, path: &str, see: &mut impl FnMut(&str, &Command)) {
        see(path, command);
        for sub in command.get_subcommands() {
            each(sub, &format!("{path} {}", sub.get_name()), see);
        }
    }

    #[test]
    fn the_tree_is_sound_and_everything_in_it_has_a_text() {
        let mut tree = tree();
        tree.build();
        tree.clone().debug_assert();
        each(&tree, "postfach", &mut |path, command| {
            assert!(command.get_about().is_some_and(|text| text.to_string().len() > 5), "{path}");
            for arg in command.get_arguments() {
                let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(text.len() > 5, "{path} {}", arg.get_id());
            }
        });
    }

    #[test]
    fn language_and_json_are_seen_anywhere() {
        assert_eq!(peek(&words("postfach inbox --lang de --json")), (Some(Lang::De), true));
        assert_eq!(peek(&words("postfach --lang=en inbox")), (Some(Lang::En), false));
        assert_eq!(peek(&words("postfach verify -- --json")), (None, false));
    }

    #[test]
    fn global_options_stand_anywhere() {
        for line in ["postfach --json --timeout 3 sync", "postfach sync --timeout 3 --json"] {
            let Ok(Parsed::Run(cli)) = parse(words(line)) else { panic!("{line}") };
            assert!(cli.global.json && cli.global.timeout == 3, "{line}");
        }
    }

    #[test]
    fn errors_of_usage_are_pairs_and_repeat_no_value() {
        for line in [
            "postfach nonsense",
            "postfach init",
            "postfach inbox --secret-word",
            "postfach --lang xx inbox",
            "postfach --timeout secret-word inbox",
            "postfach",
            "postfach authority",
        ] {
            let (Err(failure) | Ok(Parsed::Lost(failure, _))) = parse(words(line)) else { panic!("{line}") };
            assert_eq!(failure.exit.code(), 2, "{line}");
            assert!(failure.message.len() > 5 && failure.hint.len() > 5, "{line}: {failure:?}");
            assert!(!failure.message.contains('\u{1b}') && !failure.hint.contains('\u{1b}'), "{line}");
        }
        let Err(failure) = parse(words("postfach --timeout secret-word inbox")) else { panic!() };
        assert!(!format!("{failure:?}").contains("secret-word"));
    }
}
