//! Saving into a folder that somebody named: making it, and names that are never taken twice.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use postfach_domain::cleaning;

use crate::exit::Outcome;
use crate::profile::files::write_atomic;
use crate::profile::io_failure;

/// Makes the folder where it is missing.
pub fn make(folder: &Path) -> Outcome<()> {
    fs::create_dir_all(folder).map_err(|e| io_failure(folder, &e))
}

/// Writes a file into the folder, replacing one of the same name, and gives its path.
pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> Outcome<PathBuf> {
    let path = folder.join(name);
    write_atomic(&path, bytes).map_err(|e| io_failure(&path, &e))?;
    Ok(path)
}

/// Names for saving, cleaned, in the order given; equal ones are numbered from the second on. Names count as equal
/// where some file system would take them for the same.
pub fn clean_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = HashSet::new();
    names
        .map(|name| {
            let clean = cleaning::file_name(name);
            let numbered = (2..).map(|n| cleaning::numbered(&clean, n));
            let free =
                std::iter::once(clean.clone()).chain(numbered).find(|n| taken.insert(n.to_lowercase()));
            free.unwrap_or(clean)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_are_numbered() {
        let names = ["a.pdf", "A.pdf", "a.pdf", "a (2).pdf", "../a.pdf", "\u{202e}", "\u{202e}"];
        let clean = clean_names(names.into_iter());
        assert_eq!(clean[..3], ["a.pdf", "A (2).pdf", "a (3).pdf"]);
        let lower: HashSet<String> = clean.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(lower.len(), names.len(), "{clean:?}");
    }
}
