//! A further node is made by commands, and one that does not belong to the deployment does not start.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use postfach_tests::nodes::Nodes;
use postfach_tests::{Deployment, Run, Server, Vault};

#[track_caller]
fn reason(run: &Run, is: &str) {
    assert!(run.talk().contains(&format!("\"{is}\"")), "{}", run.talk());
}

#[test]
fn a_further_node_gets_the_log_keys_sealed_and_not_the_registrars() {
    let nodes = Nodes::serving(2);
    let bundle = nodes.vault.path("node-1.age");
    assert_eq!(fs::metadata(&bundle).unwrap().permissions().mode() & 0o777, 0o600);
    let key = fs::read_to_string(nodes.d.data().join("keys/keys-log.key")).unwrap();
    assert_eq!(fs::read_to_string(nodes.data(1).join("keys/keys-log.key")).unwrap(), key);
    let (sealed, key) = (fs::read(&bundle).unwrap(), key.trim().as_bytes());
    assert!(!sealed.windows(key.len()).any(|window| window == key));
    for secret in ["postfachd.toml", "keys/keys-log.key", "keys/evidence-log.key", "tls/server.key"] {
        let mode = fs::metadata(nodes.data(1).join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{secret}");
    }
    let plain = String::from_utf8(nodes.vault.opened("node-1.age")).unwrap();
    let registrar = fs::read_to_string(nodes.d.data().join("registrar.key")).unwrap();
    let root = fs::read_to_string(nodes.d.data().join("tls/root.key")).unwrap();
    for secret in [registrar.trim(), root.lines().nth(1).unwrap()] {
        assert!(!plain.contains(secret));
    }
    assert!(!nodes.data(1).join("registrar.key").exists());

    // Nothing is overwritten, and what cannot be opened leaves nothing.
    reason(&nodes.export(&nodes.d.data(), "node-1.age").exits(9), "FILE_EXISTS");
    reason(&nodes.join("node-1.age", &nodes.data(1)).exits(9), "FOLDER_NOT_EMPTY");
    let stranger = Vault::with(&nodes.d, "stranger.key", &[]);
    let new = nodes.d.root().join("new");
    let mut wrong = nodes;
    wrong.vault.identity = stranger.identity;
    wrong.join("node-1.age", &new).exits(7);
    assert!(!new.exists());
}

#[test]
fn data_in_a_folder_is_for_one_node() {
    let nodes = Nodes::serving(1);
    let mut other = Deployment::serving_in_folder();
    reason(&nodes.export(&other.data(), "one.age").exits(2), "ONE_NODE_ONLY");
    assert!(!nodes.vault.path("one.age").exists());
    other.stop();
}

#[test]
fn a_node_of_another_deployment_does_not_start_on_this_database() {
    let nodes = Nodes::serving(1);
    let other = Deployment::on_postgres();
    let settings = other.data().join("postfachd.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let (theirs, ours) = (other.database().unwrap().url(), nodes.d.database().unwrap().url());
    assert!(text.contains(&theirs));
    fs::write(&settings, text.replace(&theirs, &ours)).unwrap();
    let Err((code, log)) = Server::start(&other.data()) else { panic!("it serves") };
    assert_eq!(code, 9, "{log}");
    assert!(log.contains("belongs to another deployment") && log.contains("postfachd node join"), "{log}");
    reason(&other.operator(&["admin", "status"]).exits(9), "OTHER_DEPLOYMENT");
    // Nor does one whose keys are not those on its card.
    fs::write(&settings, &text).unwrap();
    let keys_log = other.data().join("keys/keys-log.key");
    fs::copy(nodes.d.data().join("keys/keys-log.key"), &keys_log).unwrap();
    let Err((code, log)) = Server::start(&other.data()) else { panic!("it serves") };
    assert!(code == 8 && log.contains("not the key on the service card"), "{log}");
    nodes.d.audit(&[]).ok();
}

#[test]
fn commands_on_a_stopped_node_are_as_good_as_those_of_a_running_one() {
    let mut nodes = Nodes::serving(2);
    nodes.kill(1);
    let data = nodes.data(1);
    let words =
        ["admin", "activation-code", "create", "--count", "1", "--json", "--data", data.to_str().unwrap()];
    let made = nodes.d.postfachd(&words).ok().json();
    let code = made["codes"][0].as_str().unwrap().to_owned();
    let anna = postfach_tests::Citizen::at(&nodes.d, "anna");
    anna.register(&code, &["--no-passphrase"]).ok();
    let amt = nodes.d.authority("stadt");
    amt.send_plain(&anna.address(), "Eins");
    let key = nodes.d.data().join("registrar.key");
    let revoke = ["admin", "authority", "revoke", "--registrar-key", key.to_str().unwrap(), "--id", "stadt"];
    let more = ["--reason", "key lost", "--json", "--data", data.to_str().unwrap()];
    nodes.d.postfachd(&[&revoke[..], &more].concat()).ok();
    let refused = amt.postfach(&["authority", "events", "--json"]);
    assert_eq!(refused.code, 5, "{}", refused.talk());
    nodes.d.audit(&["--blobs"]).ok();
}
