//! A reader that knows only the C2SP texts follows both logs over plain HTTP.

use std::process::Command;

use postfach_tests::{Deployment, Run, repository_root};

#[test]
fn an_independent_reader_rebuilds_both_logs() {
    let d = Deployment::serving();
    let amt = d.authority("stadt");
    let citizen = d.citizen("anna");
    for n in 0..5 {
        amt.send_plain(&citizen.address(), &format!("Nummer {n}"));
    }
    citizen.inbox();
    let script = repository_root().join("tests/node/follow_log.mjs");
    for log in ["keys", "evidence"] {
        let run = Run::of(
            Command::new("node")
                .arg(&script)
                .args(["--url", &d.url(), "--log", log])
                .arg("--card")
                .arg(d.card()),
        )
        .ok();
        let report = run.json();
        assert!(report["size"].as_u64().unwrap() >= 3, "{report}");
        assert_eq!(report["entries"], report["size"], "{report}");
    }
}
