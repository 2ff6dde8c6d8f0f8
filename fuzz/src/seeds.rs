//! Seed corpora, taken from the committed vectors of the crates, so that nothing is there twice. `fuzz/run` names the
//! folder; libFuzzer reads it right after.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Where a target writes what it starts from.
const FOLDER: &str = "POSTFACH_FUZZ_SEEDS";

/// Writes seeds into the folder that the environment names, if any: names count from 0.
pub fn write(seeds: Vec<Vec<u8>>) {
    assert!(!seeds.is_empty(), "a target without a seed finds little in seconds");
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(Path::new(&folder).join(format!("seed-{number}")), seed)
            .expect("the folder takes a file");
    }
}

/// A file under `crates/<crate>/tests/vectors`, read once.
pub fn vector(of_crate: &'static str, name: &'static str) -> Vec<u8> {
    static READ: Mutex<Option<HashMap<(&str, &str), Vec<u8>>>> = Mutex::new(None);
    let mut files = READ.lock().unwrap_or_else(PoisonError::into_inner);
    files.get_or_insert_default().entry((of_crate, name)).or_insert_with(|| read(of_crate, name)).clone()
}

fn read(of_crate: &str, name: &str) -> Vec<u8> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let path = root.join(of_crate).join("tests/vectors").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A vector that is one line of text.
pub fn line(of_crate: &'static str, name: &'static str) -> String {
    String::from_utf8(vector(of_crate, name)).expect("text").trim().to_owned()
}

/// A vector of the domain crate: these are JSON.
pub fn json(name: &str) -> Value {
    serde_json::from_slice(&read("domain", &format!("{name}.json"))).expect("JSON")
}

/// Every text of a JSON vector under one of these names, wherever it stands.
pub fn texts(value: &Value, names: &[&str]) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(|item| texts(item, names)).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| match field {
                Value::String(text) if names.contains(&name.as_str()) => vec![text.clone()],
                other => texts(other, names),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The same, as the bytes that their hexadecimal digits mean.
pub fn bytes(value: &Value, names: &[&str]) -> Vec<Vec<u8>> {
    texts(value, names).iter().map(|text| hex::decode(text).expect("hexadecimal")).collect()
}

/// Texts as seeds.
pub fn of_texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Vec<Vec<u8>> {
    texts.into_iter().map(|text| text.into().into_bytes()).collect()
}
