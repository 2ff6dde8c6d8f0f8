//! A file far larger than the memory that anybody may use for it, on a disk with holes.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::os::unix::fs::FileExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use postfach_tests::person::text;
use postfach_tests::process::{peak_kib, program_kib};
use postfach_tests::{Deployment, S3Server};

const MIB: u64 = 1024 * 1024;
/// Largest resident memory of sender, server and reader (PERFORMANCE: 64 MiB each).
const LIMIT_KIB: u64 = 64 * 1024;
/// Pages of its own program that a server of a release build has in memory.
const PROGRAM_KIB: u64 = 16 * 1024;

/// Length of the file in MiB: `POSTFACH_BIG_MIB`, or enough to see that memory does not grow with it.
fn len() -> u64 {
    let wanted = std::env::var("POSTFACH_BIG_MIB").ok().map(|value| value.parse::<u64>().unwrap());
    wanted.unwrap_or(160) * MIB
}

/// Zeros with islands of bytes that nothing can compress, from the first byte to the last.
fn with_islands(path: &str) {
    let (file, len) = (File::create(path).unwrap(), len());
    file.set_len(len).unwrap();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for number in 0..40 {
        let island: Vec<u8> = (0..8192).flat_map(|_| next().to_le_bytes()).collect();
        let last = len - island.len() as u64;
        let at = match number {
            0 => 0,
            1 => last,
            _ => next() % last,
        };
        file.write_all_at(&island, at).unwrap();
    }
}

fn same(one: &str, other: &str) -> bool {
    let open = |path| BufReader::with_capacity(1 << 20, File::open(path).unwrap());
    let (mut one, mut other) = (open(one), open(other));
    let (mut a, mut b) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let n = one.read(&mut a).unwrap();
        other.read_exact(&mut b[..n]).unwrap();
        match n {
            0 => return other.read(&mut b).unwrap() == 0,
            _ if a[..n] != b[..n] => return false,
            _ => {}
        }
    }
}

/// Runs a command to its end; its standard output, and the most memory that it had, in KiB.
fn watched(command: &mut Command) -> (String, u64) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut peak = 0;
    // The answer is far smaller than a pipe.
    let status = loop {
        peak = peak.max(peak_kib(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut answer = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answer).unwrap();
    assert!(status.success(), "{answer}");
    (answer, peak)
}

/// Largest memory of the server. A debug build is a larger program, which is no matter of the file: what it has in memory
/// beyond a release build's does not count.
fn peak_of_server(process: u32) -> u64 {
    let larger = if cfg!(debug_assertions) { program_kib(process).saturating_sub(PROGRAM_KIB) } else { 0 };
    peak_kib(process).saturating_sub(larger)
}

#[test]
fn a_big_file_goes_through_in_flat_memory() {
    goes_through(&Deployment::serving());
}

#[test]
fn a_big_file_goes_through_to_s3_in_flat_memory() {
    let server = S3Server::shared();
    goes_through(&Deployment::on_s3(&S3Server::place(&server.bucket(), server.address())));
}

#[allow(clippy::print_stderr)] // the figures are what the long form is run for
fn goes_through(d: &Deployment) {
    let (amt, citizen) = (d.authority("stadt"), d.citizen("anna"));
    let file = amt.folder().join("plan.bin").to_str().unwrap().to_owned();
    with_islands(&file);
    let words = ["authority", "send", "--subject", "Plan", "--body", "x", "--json", "--attach", &file];
    let (answer, sender) = watched(amt.command().args(words).args(["--to", &citizen.address()]));
    let sent: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let id = text(&sent["message_id"]);
    citizen.json(&["read", &id]);
    let (_, reader) = watched(citizen.command().args(["attachment", "save", &id, "-o", "out", "--json"]));
    let server = peak_of_server(d.server().pid());
    eprintln!("{} MiB: sender {sender}, server {server}, reader {reader} KiB", len() / MIB);
    assert!(same(&file, citizen.folder().join("out/plan.bin").to_str().unwrap()));
    for (who, peak) in [("sender", sender), ("server", server), ("reader", reader)] {
        assert!(peak > 0 && peak < LIMIT_KIB, "{who}: {peak} KiB");
    }
}
