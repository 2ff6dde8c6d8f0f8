//! The table of checks that a mutation run takes out, `tests/mutations.toml`. Not here: the run (`examples/mutations.rs`).

use serde::Deserialize;

use crate::process::repository_root;

/// Names the check that a mutated build leaves out.
pub const SWITCH: &str = "POSTFACH_MUTATION";

/// One check that keeps a lying service from deceiving anybody.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// What passes without it.
    pub lets_pass: String,
    /// The file, from the root of the workspace.
    pub file: String,
    /// The check as it stands there, exactly once: an expression, or a statement with its semicolon.
    pub check: String,
    /// What stands in its place when it is taken out.
    pub instead: String,
    /// Tests that fail without it, and no others: `binary::module::test`.
    pub red: Vec<String>,
}

impl Mutation {
    /// The check behind a switch: out where the environment names it, in otherwise.
    pub fn switchable(&self) -> String {
        let Self { lets_pass, check, instead, .. } = self;
        let out = format!("std::env::var_os(\"{SWITCH}\").is_some_and(|out| out == {lets_pass:?})");
        let either = format!("if {out} {{ {instead} }} else {{ {check} }}");
        if check.ends_with(';') { either } else { format!("({either})") }
    }
}

/// The table, in its order.
pub fn table() -> Vec<Mutation> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        mutation: Vec<Mutation>,
    }
    let text = std::fs::read_to_string(repository_root().join("tests/mutations.toml")).unwrap();
    toml::from_str::<File>(&text).unwrap().mutation
}
