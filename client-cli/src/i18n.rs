//! The one catalogue of texts, German and English, and the choice between them.
//! Not here: any text. Texts stand in `i18n/<language>/postfach.ftl`.

use std::sync::LazyLock;

use i18n_embed::fluent::FluentLanguageLoader;
use i18n_embed::unic_langid::LanguageIdentifier;
use i18n_embed::{DesktopLanguageRequester, LanguageLoader as _};

#[derive(rust_embed::RustEmbed)]
#[folder = "i18n"]
struct Catalogue;

/// The loader that `t!` reads; English until [`choose`] is called.
pub static LOADER: LazyLock<FluentLanguageLoader> = LazyLock::new(|| load(Lang::En));

/// A language that the catalogue has: German, English.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    De,
    En,
}

impl Lang {
    fn id(self) -> LanguageIdentifier {
        let tag = match self {
            Self::De => "de",
            Self::En => "en",
        };
        // Safe because both tags are well formed.
        tag.parse().expect("a language tag")
    }
}

/// A loader with one language and English behind it.
fn load(lang: Lang) -> FluentLanguageLoader {
    let loader = FluentLanguageLoader::new("postfach", Lang::En.id());
    select(&loader, lang);
    loader
}

fn select(loader: &FluentLanguageLoader, lang: Lang) {
    // Safe because both catalogues are compiled in and a test loads them.
    loader.load_languages(&Catalogue, &[lang.id()]).expect("the catalogue is compiled in");
    // Isolation marks are bidi controls, which never go to a terminal.
    loader.set_use_isolating(false);
}

/// Makes `t!` speak this language for the rest of the process.
pub fn choose(lang: Lang) {
    select(&LOADER, lang);
}

/// The language that the catalogue speaks now.
pub fn current() -> Lang {
    if LOADER.current_language().language.as_str() == "de" { Lang::De } else { Lang::En }
}

/// The language of the environment: the first set of LC_ALL, LC_MESSAGES and LANG; else the desktop's; else English.
pub fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Lang {
    let named =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let german = match named {
        Some(locale) => locale.to_ascii_lowercase().starts_with("de"),
        None if cfg!(unix) => false,
        None => DesktopLanguageRequester::requested_languages()
            .first()
            .is_some_and(|language| language.language.as_str() == "de"),
    };
    if german { Lang::De } else { Lang::En }
}

/// The text under `id` in the chosen language; the id and its arguments are checked when this is compiled.
#[macro_export]
macro_rules! t {
    ($id:literal $(, $name:ident = $value:expr)* $(,)?) => {
        i18n_embed_fl::fl!($crate::i18n::LOADER, $id $(, $name = ($value))*)
    };
}

/// The text under `<id>.hint`: what to do next. The attribute's existence is checked when this is compiled.
#[macro_export]
macro_rules! hint {
    ($id:literal $(, $name:ident = $value:expr)* $(,)?) => {{
        let _exists = || i18n_embed_fl::fl!($crate::i18n::LOADER, $id, "hint");
        #[allow(unused_mut)] // Safe because a hint without arguments leaves the map empty.
        let mut arguments = std::collections::HashMap::new();
        $(arguments.insert(stringify!($name), ($value).into());)*
        $crate::i18n::LOADER.get_attr_args_concrete($id, "hint", arguments)
    }};
}

/// A text whose id is known only at run time (help texts, reasons of the law), or none.
pub fn text_of(id: &str) -> Option<String> {
    LOADER.has(id).then(|| LOADER.get(id))
}

/// The text of its `hint`, or none.
pub fn hint_of(id: &str) -> Option<String> {
    LOADER.has_attr(id, "hint").then(|| LOADER.get_attr(id, "hint"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeMap;

    /// Every id (and id.attribute) with the arguments that it uses, by plain reading of the file.
    fn keys_of(lang: &str) -> BTreeMap<String, Vec<String>> {
        let file = Catalogue::get(&format!("{lang}/postfach.ftl")).unwrap();
        let text = String::from_utf8(file.data.into_owned()).unwrap();
        let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (mut message, mut key) = (String::new(), String::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let indented = line.starts_with(' ');
            if let Some((name, _)) = line.split_once('=').filter(|(name, _)| !name.contains('{')) {
                if !indented {
                    message = name.trim().to_owned();
                    key.clone_from(&message);
                } else if let Some(attribute) = name.trim().strip_prefix('.') {
                    key = format!("{message}.{attribute}");
                }
                assert!(
                    keys.get(&key).is_none_or(|_| indented && !name.trim().starts_with('.')),
                    "{lang}: {key} twice"
                );
            }
            let used = keys.entry(key.clone()).or_default();
            for part in line.split('$').skip(1) {
                let name: String = part
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_' || *c == '-')
                    .collect();
                used.push(name);
            }
            used.sort();
            used.dedup();
        }
        keys
    }

    #[test]
    fn both_languages_have_the_same_keys_with_the_same_arguments() {
        let (de, en) = (keys_of("de"), keys_of("en"));
        let names = |keys: &BTreeMap<String, Vec<String>>| keys.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&de), names(&en));
        for (key, arguments) in &en {
            assert_eq!(&de[key], arguments, "{key}");
        }
        assert!(en.len() > 50);
    }

    #[test]
    fn both_languages_load_without_isolation_marks() {
        for lang in [Lang::De, Lang::En] {
            let loader = load(lang);
            let text = i18n_embed_fl::fl!(loader, "message-unknown", id = "abc");
            assert!(text.contains("abc"), "{text}");
            assert!(!text.contains('\u{2068}'), "{text}");
        }
    }

    #[test]
    fn the_locale_decides() {
        let with = |pairs: &'static [(&str, &str)]| {
            of_environment(move |name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with(&[("LANG", "de_DE.UTF-8")]), Lang::De);
        assert_eq!(with(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C.UTF-8")]), Lang::En);
        assert_eq!(with(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "")]), Lang::De);
        assert_eq!(with(&[("LC_MESSAGES", "de_AT"), ("LANG", "en_US.UTF-8")]), Lang::De);
        assert_eq!(with(&[]), Lang::En);
    }
}
