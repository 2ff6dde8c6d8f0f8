//! What an operator meets with PostgreSQL: setting up, wrong addresses, another form of the database. That it works as SQLite
//! does, the other tests show when they run on it.

use std::fs;
use std::time::{Duration, Instant};

use postfach_tests::{Deployment, Server};

#[test]
fn init_takes_an_empty_database_and_names_what_is_wrong_with_another() {
    let d = Deployment::on_postgres();
    assert!(!d.data().join("postfach.db").exists());
    let url = d.database().unwrap().url();
    let settings = fs::read_to_string(d.data().join("postfachd.toml")).unwrap();
    assert!(settings.contains(&format!("\ndatabase = \"{url}\"")));
    let other = Deployment::begun(None);
    let used = other.init(&["--database", &url]).exits(9);
    assert!(used.talk().contains("holds a deployment already"), "{}", used.talk());
    for (bad, code, says) in [
        ("mysql://post:geheim@db/mail", 2, "does not begin with postgres://"),
        ("postgres://post:geheim@db/mail?pasword=geheim", 2, "a parameter other than"),
        ("postgres://post:geheim@127.0.0.1:1/mail", 1, "no connection to the database"),
    ] {
        let refused = Deployment::begun(None).init(&["--database", bad]).exits(code);
        assert!(refused.talk().contains(says), "{}", refused.talk());
        assert!(!refused.talk().contains("geheim"), "{}", refused.talk());
    }
}

#[test]
fn serve_refuses_a_database_that_is_absent_or_newer() {
    let d = Deployment::on_postgres();
    let database = d.database().unwrap();
    let refused = |says: &str| {
        let begun = Instant::now();
        let Err((code, log)) = Server::start(&d.data()) else { panic!("it serves") };
        assert_eq!(code, 1, "{log}");
        assert!(log.contains(says), "{log}");
        assert!(begun.elapsed() < Duration::from_secs(15));
    };
    database.sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'later', true, 'x', 0)",
    );
    refused("newer form (migration 9999)");
    database.sql("DELETE FROM _sqlx_migrations WHERE version = 9999");
    let settings = d.data().join("postfachd.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace(database.name(), "absent")).unwrap();
    refused("no such database (SQLSTATE 3D000)");
    fs::write(&settings, text).unwrap();
    Server::start(&d.data()).ok().unwrap();
}

#[test]
fn backup_says_what_to_use_instead() {
    let d = Deployment::on_postgres();
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let file = d.root().join("backup.age");
    let refused =
        d.operator(&["backup", "create", "--recipient", recipient, "-o", file.to_str().unwrap()]).exits(2);
    assert!(refused.talk().contains("BACKUP_BY_POSTGRESQL"), "{}", refused.talk());
    assert!(!file.exists());
}
