//! Tables in the documentation are those of the code. `POSTFACH_WRITE_DOCS=1` writes them anew.

use std::fmt::Write as _;
use std::fs;

use postfach_domain::act::ActType;
use postfach_domain::{decide, event, limits};
use postfach_tests::repository_root;

fn limits_page() -> String {
    let mut page = String::from(
        "# Limits\n\nEvery limit of the service, with the reason that an error carries when it is exceeded. \
         `GetServerInfo` answers the same table.\nMade from `crates/domain/src/limits.rs`; a test compares.\n\n\
         | name | value | unit | reason | meaning |\n|---|---|---|---|---|\n",
    );
    for limit in limits::TABLE {
        let unit = limit.unit.as_str();
        writeln!(
            page,
            "| `{}` | {} | {unit} | `{}` | {} |",
            limit.name, limit.value, limit.reason, limit.meaning
        )
        .unwrap();
    }
    page
}

fn errors_page() -> String {
    let mut page = String::from(
        "# Errors\n\nEvery error carries an `ErrorInfo` with one of these reasons, which are never renamed, a request id, \
         and a text in the\ncaller's language: what happened, and what to do.\nMade from \
         `server/src/grpc/reasons.rs`; a test compares.\n\n| reason | gRPC code | English | Deutsch |\n|---|---|---|---|\n",
    );
    for reason in postfach_server::grpc::reasons::TABLE {
        writeln!(page, "| `{}` | {:?} | {} | {} |", reason.name, reason.code, reason.en, reason.de).unwrap();
    }
    page
}

fn events_page() -> String {
    let mut page = String::from(
        "# Events\n\nThe events of the evidence log, with their names in ETSI EN 319 522.\nMade from \
         `crates/domain/src/event.rs`; a test compares.\n\n| event | ETSI EN 319 522 | signed by |\n|---|---|---|\n",
    );
    for event_type in event::EventType::ALL {
        let etsi = if event_type.etsi().is_empty() { "own".to_owned() } else { event_type.etsi().join(", ") };
        let by = match event_type {
            event::EventType::Accepted | event::EventType::Refused => "the sender (submission)",
            _ if ActType::of_event(*event_type).is_some() => "whoever acts",
            _ => "the service (checkpoint)",
        };
        writeln!(page, "| `{}` | {etsi} | {by} |", event_type.as_str()).unwrap();
    }
    page
}

#[test]
fn tables_in_docs_are_those_of_the_code() {
    for (name, page) in
        [("limits.md", limits_page()), ("errors.md", errors_page()), ("events.md", events_page())]
    {
        let path = repository_root().join("docs").join(name);
        if std::env::var_os("POSTFACH_WRITE_DOCS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            committed, page,
            "docs/{name} is stale: POSTFACH_WRITE_DOCS=1 cargo test -p postfach-tests documents"
        );
    }
}

#[test]
fn every_refusal_and_limit_has_a_documented_error() {
    let documented: Vec<&str> = postfach_server::grpc::reasons::TABLE.iter().map(|r| r.name).collect();
    for (reason, _) in decide::REASONS {
        assert!(documented.contains(reason), "{reason} has no text and no gRPC code");
    }
    for limit in limits::TABLE.iter().filter(|limit| !limit.reason.is_empty()) {
        assert!(documented.contains(&limit.reason), "{} of {} is not documented", limit.reason, limit.name);
    }
}

/// A test that a table names: a file, and a function where one stands for the row. `::name` alone is in the file before.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let text = fs::read_to_string(repository_root().join("docs/threat-model.md")).unwrap();
    let (mut file, mut source, mut named) = (String::new(), String::new(), 0);
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let tests = row.trim_end_matches('|').rsplit('|').next().unwrap();
        for name in
            tests.split('`').skip(1).step_by(2).filter(|name| name.contains(".rs") || name.starts_with("::"))
        {
            let (path, function) = name.split_once("::").unwrap_or((name, ""));
            if !path.is_empty() {
                path.replace("e2e/", "tests/tests/e2e/").clone_into(&mut file);
                let found = fs::read_to_string(repository_root().join(&file));
                source = found.unwrap_or_else(|_| panic!("{name}: there is no {file}"));
            }
            assert!(source.contains(&format!("fn {function}")), "{file} has no {function}");
            named += 1;
        }
    }
    assert!(named > 30, "{named}");
}

/// The mutation run is too long for every day; that its table fits the code is not.
#[test]
fn every_check_of_the_mutation_table_stands_once_and_has_a_test() {
    let table = postfach_tests::mutations::table();
    for mutation in &table {
        let source = fs::read_to_string(repository_root().join(&mutation.file)).unwrap();
        let count = source.matches(&mutation.check).count();
        assert_eq!(count, 1, "{}: {}", mutation.file, mutation.check);
        assert!(!mutation.red.is_empty(), "no test notices what lets pass {}", mutation.lets_pass);
    }
    let names: std::collections::BTreeSet<_> = table.iter().map(|m| &m.lets_pass).collect();
    assert_eq!(names.len(), table.len(), "two mutations have one name");
}
