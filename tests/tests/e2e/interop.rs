//! Another implementation of age opens our letters: npm `age-encryption`, with the exported identity.

use std::process::Command;

use postfach_tests::{Deployment, Run, repository_root};

#[test]
fn an_independent_age_implementation_opens_a_letter() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    let id = amt.send_plain(&citizen.address(), "Für andere Werkzeuge");
    citizen.postfach(&["sync"]).ok();
    citizen.json(&["read", &id]);
    let raw = citizen.folder().join("raw");
    citizen.json(&["raw", &id, "-o", raw.to_str().unwrap()]);
    let identity = citizen.postfach(&["keys", "export", "--age-identity", "--yes"]).ok().stdout;
    let key = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-PQ-1")).unwrap().to_owned();
    let key_file = citizen.write("identity.txt", key.as_bytes());

    let node = repository_root().join("tests/node");
    assert!(node.join("node_modules/age-encryption").is_dir(), "run ./test, or `npm ci` in tests/node");
    for (name, word) in [("letter.age", "Guten Tag."), ("cover.age", "Für andere Werkzeuge")] {
        let run =
            Run::of(Command::new("node").arg(node.join("open.mjs")).arg(&key_file).arg(raw.join(name))).ok();
        assert!(run.stdout.starts_with("MPFE"), "{name}: {:?}", run.stdout);
        assert!(run.stdout.contains(word), "{name}: {:?}", run.stdout);
    }
}
