//! The recovery kit as a sheet to print: text and QR code. What is in it comes from `postfach_domain::kit`.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use postfach_domain::id::{Address, KeyId, Origin};
use postfach_domain::kit::RecoverySecret;
use postfach_domain::time::Timestamp;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use zeroize::Zeroizing;

use crate::exit::Outcome;
use crate::profile::files::{parent, sync_folder, write_new};
use crate::profile::io_failure;
use crate::{fail, t};

const GROUPS_A_LINE: usize = 4;

/// What stands on the sheet.
pub struct Kit<'a> {
    /// The key on paper.
    pub secret: &'a RecoverySecret,
    /// Whose mailbox.
    pub address: Address,
    /// Which service.
    pub origin: &'a Origin,
    /// Who certifies there.
    pub registrar: KeyId,
    /// The day it was made.
    pub made: Timestamp,
}

/// Where a kit goes: the path that was named, else a file in the current folder; never into the profile, never over
/// another file. Checked before anything is made.
pub fn place(named: Option<&Path>, address: &Address, home: &Path) -> Outcome<PathBuf> {
    let text = address.to_string();
    let default = || PathBuf::from(format!("recovery-kit-{}.txt", &text[..12]));
    let path = std::path::absolute(named.map_or_else(default, Path::to_path_buf))
        .map_err(|e| io_failure(home, &e))?;
    let file = path.display().to_string();
    let folder = parent(&path);
    let real = |path: &Path| fs::canonicalize(path).or_else(|_| std::path::absolute(path));
    let inside = match (real(&folder), real(home)) {
        (Ok(folder), Ok(home)) => folder.starts_with(home),
        _ => false,
    };
    if inside {
        return Err(fail!(Usage, "KIT_IN_PROFILE", "kit-in-profile", file = file.as_str()));
    }
    if !folder.is_dir() {
        let folder = folder.display().to_string();
        return Err(fail!(NotFound, "FOLDER_NOT_FOUND", "folder-not-found", folder = folder.as_str()));
    }
    if path.exists() {
        return Err(fail!(Conflict, "FILE_EXISTS", "file-exists", file = file.as_str()));
    }
    Ok(path)
}

impl Kit<'_> {
    /// Writes the sheet, readable for its owner alone, durably.
    pub fn write(&self, path: &Path) -> Outcome<()> {
        let written = write_new(path, self.sheet().as_bytes()).and_then(|()| sync_folder(&parent(path)));
        written.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                let file = path.display().to_string();
                fail!(Conflict, "FILE_EXISTS", "file-exists", file = file.as_str())
            }
            _ => io_failure(path, &error),
        })
    }

    fn sheet(&self) -> Zeroizing<String> {
        let mut sheet = Zeroizing::new(String::with_capacity(8 * 1024));
        let day = self.made.to_rfc3339();
        let facts = [
            (t!("label-address"), self.address.to_string()),
            (t!("label-service"), self.origin.to_string()),
            (t!("label-registrar"), self.registrar.to_string()),
            (t!("label-made"), day[..10].to_owned()),
        ];
        push(&mut sheet, &t!("kit-title"));
        push(&mut sheet, "");
        push(&mut sheet, &t!("kit-what"));
        push(&mut sheet, "");
        for line in self.secret.expose_groups().chunks(GROUPS_A_LINE) {
            sheet.push_str("   ");
            for group in line {
                sheet.push(' ');
                sheet.push_str(group);
            }
            sheet.push('\n');
        }
        push(&mut sheet, "");
        for (label, value) in facts {
            push(&mut sheet, &format!("{label}:\n    {value}"));
        }
        push(&mut sheet, "");
        if let Some(code) = self.qr() {
            push(&mut sheet, &t!("kit-qr"));
            push(&mut sheet, "");
            push(&mut sheet, &code);
        }
        sheet
    }

    fn qr(&self) -> Option<Zeroizing<String>> {
        let text = Zeroizing::new(self.secret.expose_bare().to_ascii_uppercase());
        let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::Q).ok()?;
        Some(Zeroizing::new(code.render::<Dense1x2>().build()))
    }
}

fn push(sheet: &mut Zeroizing<String>, line: &str) {
    // Safe because writing into a String cannot fail.
    writeln!(sheet, "{line}").expect("a String takes everything");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kit<'a>(secret: &'a RecoverySecret, origin: &'a Origin) -> Kit<'a> {
        let made = Timestamp(1_795_000_000_000);
        Kit { secret, address: Address([7; 32]), origin, registrar: KeyId([1; 32]), made }
    }

    #[test]
    fn what_is_printed_can_be_typed_back() {
        let secret = RecoverySecret::from_bytes([9; 32]);
        let origin = "post.example".parse().unwrap();
        let sheet = kit(&secret, &origin).sheet();
        let groups: Vec<&str> = sheet
            .lines()
            .filter(|line| line.starts_with("    ") && line.split_whitespace().count() == GROUPS_A_LINE)
            .collect();
        let typed: RecoverySecret = groups.join(" ").parse().unwrap();
        assert_eq!(*typed.expose_bare(), *secret.expose_bare());
        assert!(sheet.contains(&Address([7; 32]).to_string()) && sheet.contains("post.example"));
        assert!(sheet.contains('█'), "the QR code is there");
        assert!(sheet.lines().all(|line| line.chars().count() <= 80), "{}", &**sheet);
    }

    #[test]
    fn a_kit_never_lies_in_the_profile_and_never_replaces_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("profile");
        fs::create_dir_all(&home).unwrap();
        let address = Address([7; 32]);
        let inside = place(Some(&home.join("kit.txt")), &address, &home).unwrap_err();
        assert_eq!(inside.exit.code(), 2);
        let path = place(Some(&folder.path().join("kit.txt")), &address, &home).unwrap();
        let secret = RecoverySecret::from_bytes([9; 32]);
        let origin = "post.example".parse().unwrap();
        kit(&secret, &origin).write(&path).unwrap();
        assert_eq!(kit(&secret, &origin).write(&path).unwrap_err().exit.code(), 9);
        assert_eq!(place(Some(&path), &address, &home).unwrap_err().exit.code(), 9);
        let nowhere = place(Some(&folder.path().join("no/kit.txt")), &address, &home).unwrap_err();
        assert_eq!(nowhere.exit.code(), 3);
    }
}
