//! Changes single settings in the text of `postfachd.toml` and leaves the rest, with the operator's notes, as it is.

use crate::failure::{Exit, Failure, Outcome};

/// The text with another value of a setting, which stands on a line of its own. `section` is empty at the top.
pub(super) fn set(text: &str, section: &str, name: &str, value: &str) -> Outcome<String> {
    let (mut current, mut found) = (String::new(), false);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            trimmed.trim_matches(['[', ']']).clone_into(&mut current);
        }
        let is_it = trimmed.split_once('=').is_some_and(|(word, _)| word.trim() == name);
        if is_it && current == section && !found {
            found = true;
            let value = toml::Value::from(value);
            out.extend([name, " = ", &value.to_string(), "\n"]);
        } else {
            out.push_str(line);
        }
    }
    if found {
        return Ok(out);
    }
    Err(Failure::new(
        Exit::Usage,
        "CONFIG_MALFORMED",
        format!("The settings of the other node have no line `{name} = …` where it is expected."),
        "Write each setting of postfachd.toml on a line of its own there, and export again.",
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::deployment::config::{Config, Storage};

    #[test]
    fn one_setting_changes_and_the_rest_stays() {
        let old =
            Config::new("post.example".parse().unwrap(), "127.0.0.1:0".parse().unwrap(), Storage::default());
        let text = old.text();
        let new = set(&text, "", "listen", "[::1]:8443").unwrap();
        let new = set(&new, "tls", "key", "a\"b.key").unwrap();
        let read: Config = toml::from_str(&new).unwrap();
        assert_eq!(read.listen, "[::1]:8443".parse().unwrap());
        assert_eq!(read.tls.key.to_str(), Some("a\"b.key"));
        assert_eq!((read.origin, read.server), (old.origin, old.server));
        assert_eq!(new.lines().count(), text.lines().count());
        assert!(set(&text, "tls", "listen", "x").is_err());
    }
}
