//! What a person or a program gives us besides arguments: secrets from files, standard input or a prompt, and files.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use postfach_domain::hash::Digest;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::exit::{Failure, Outcome};
use crate::global::Global;
use crate::profile::vault::Passphrase;
use crate::{fail, t};

/// Where the environment names the passphrase file.
const PASSPHRASE_FILE: &str = "POSTFACH_PASSPHRASE_FILE";
/// Longest secret that is read, in bytes.
const SECRET_LIMIT: u64 = 4 * 1024;

/// True where a person can be asked.
pub fn may_ask(global: &Global) -> bool {
    !global.no_input && io::stdin().is_terminal()
}

/// The passphrase of an existing profile: from the file that was named, else asked for.
pub fn passphrase(global: &Global) -> Outcome<Passphrase> {
    if let Some(path) = &global.passphrase_file {
        return passphrase_from(path);
    }
    if !may_ask(global) {
        return Err(fail!(Locked, "PASSPHRASE_NEEDED", "passphrase-needed"));
    }
    ask(&t!("ask-passphrase"))
}

/// The passphrase of a new profile: from the file that was named, else asked for twice; `None` with `--no-passphrase`.
pub fn new_passphrase(global: &Global, none: bool) -> Outcome<Option<Passphrase>> {
    if none {
        // A file named in the environment is for other profiles; one named beside the flag is a contradiction.
        let named_here = global.passphrase_file.is_some() && std::env::var_os(PASSPHRASE_FILE).is_none();
        return if named_here {
            Err(fail!(Usage, "PASSPHRASE_CHOICE", "passphrase-contradiction"))
        } else {
            Ok(None)
        };
    }
    if let Some(path) = &global.passphrase_file {
        return passphrase_from(path).map(Some);
    }
    if !may_ask(global) {
        return Err(fail!(Usage, "PASSPHRASE_CHOICE", "passphrase-choice"));
    }
    let first = prompt(&t!("ask-new-passphrase"))?;
    let second = prompt(&t!("ask-again"))?;
    if first != second {
        return Err(fail!(Usage, "PASSPHRASE_DIFFERS", "passphrase-differs"));
    }
    Passphrase::new(&first).map(Some).ok_or_else(empty_passphrase)
}

fn passphrase_from(path: &Path) -> Outcome<Passphrase> {
    let file = open(path)?;
    let text = read_secret(file, &path.display().to_string())?;
    Passphrase::new(text.lines().next().unwrap_or_default()).ok_or_else(empty_passphrase)
}

fn ask(question: &str) -> Outcome<Passphrase> {
    Passphrase::new(&prompt(question)?).ok_or_else(empty_passphrase)
}

fn prompt(question: &str) -> Outcome<Zeroizing<String>> {
    rpassword::prompt_password(format!("{question} "))
        .map(Zeroizing::new)
        .map_err(|_| fail!(Locked, "PASSPHRASE_NEEDED", "passphrase-needed"))
}

fn empty_passphrase() -> Failure {
    fail!(Usage, "PASSPHRASE_EMPTY", "passphrase-empty")
}

/// A secret given as `@FILE` or `-` (standard input); never as a word of the command line.
pub fn secret(given: &str) -> Outcome<Zeroizing<String>> {
    match given.strip_prefix('@') {
        Some(path) => read_secret(open(Path::new(path))?, path),
        None if given == "-" && io::stdin().is_terminal() => prompt(&t!("ask-secret")),
        None if given == "-" => read_secret(io::stdin().lock(), "-"),
        None => Err(fail!(Usage, "SECRET_IN_ARGUMENTS", "secret-in-arguments")),
    }
}

fn read_secret(source: impl io::Read, name: &str) -> Outcome<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let unreadable = |error: &io::Error| unreadable(Path::new(name), error);
    source.take(SECRET_LIMIT).read_to_string(&mut text).map_err(|e| unreadable(&e))?;
    Ok(text)
}

/// Opens a file that somebody named.
pub fn open(path: &Path) -> Outcome<File> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    match file.metadata() {
        Ok(about) if about.is_dir() => Err(unreadable(path, &io::ErrorKind::IsADirectory.into())),
        _ => Ok(file),
    }
}

/// Reads a file that somebody named, at most `limit` bytes of it and one more, so that too long ones are noticed.
pub fn read(path: &Path, limit: usize) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = limit as u64 + 1;
    open(path)?.take(most).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() > limit {
        let file = path.display().to_string();
        return Err(fail!(Usage, "FILE_TOO_LARGE", "file-too-large", file = file.as_str(), limit = limit));
    }
    Ok(bytes)
}

/// Reads a text that somebody named.
pub fn read_text(path: &Path, limit: usize) -> Outcome<String> {
    String::from_utf8(read(path, limit)?).map_err(|_| {
        let file = path.display().to_string();
        fail!(Usage, "FILE_NOT_TEXT", "file-not-text", file = file.as_str())
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let (file, reason) = (path.display().to_string(), error.to_string());
    match error.kind() {
        io::ErrorKind::NotFound => fail!(NotFound, "FILE_NOT_FOUND", "file-not-found", file = file.as_str()),
        io::ErrorKind::IsADirectory => fail!(Usage, "FILE_IS_FOLDER", "file-is-folder", file = file.as_str()),
        io::ErrorKind::InvalidData => fail!(Usage, "FILE_NOT_TEXT", "file-not-text", file = file.as_str()),
        _ => fail!(Other, "FILE", "file-failed", file = file.as_str(), error = reason.as_str()),
    }
}

/// True for a file with exactly this content: length in bytes and SHA-256.
pub fn holds(path: &Path, len: u64, sha256: &Digest) -> io::Result<bool> {
    let meta = std::fs::metadata(path)?;
    if !meta.is_file() || meta.len() != len {
        return Ok(false);
    }
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok(Digest(hasher.finalize().into()) == *sha256)
}
