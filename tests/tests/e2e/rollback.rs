//! Nobody takes the log back: not a restored copy, not an old database.

use std::fs;

use postfach_tests::{Deployment, Server};

#[test]
fn a_client_refuses_a_restored_old_copy_and_serve_refuses_an_old_database() {
    let mut d = Deployment::serving();
    let amt = d.authority("stadt");
    let mut citizen = d.citizen("anna");
    amt.send_plain(&citizen.address(), "Erste");
    citizen.inbox();
    d.stop();
    let old = d.copy_data("old");
    d.serve();
    let mut amt = amt;
    amt.reconnect(&d);
    citizen.reconnect(&d);
    amt.send_plain(&citizen.address(), "Zweite");
    assert_eq!(citizen.inbox().len(), 2);
    d.stop();

    // An operator who restores only the database is stopped by the checkpoints outside it.
    let mixed = d.copy_data("mixed");
    for entry in fs::read_dir(&old).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // Where the database is elsewhere, the settings name it.
        if path.is_file() && (name.contains(".db") || name == "postfachd.toml") {
            fs::copy(&path, mixed.join(&name)).unwrap();
        }
    }
    let Err((code, log)) = Server::start(&mixed) else { panic!("an old database was served") };
    assert_ne!(code, 0, "{log}");
    assert!(log.to_lowercase().contains("checkpoint"), "{log}");

    // One who restores the whole folder is stopped by whoever saw more.
    let server = Server::start(&old).ok().unwrap();
    citizen.connect_to(&format!("https://{}", server.listening));
    citizen.postfach(&["inbox", "--json"]).exits(8);
    let after = citizen.postfach(&["inbox", "--offline", "--json"]).ok().json();
    assert_eq!(after["messages"].as_array().unwrap().len(), 2, "what was known is kept");
}
