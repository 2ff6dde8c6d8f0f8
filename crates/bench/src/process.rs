//! What the kernel tells of a process: CPU, memory, children, and, with `strace`, how often it made some system calls.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// Largest resident memory of a process so far, in KiB; 0 when it has ended.
pub fn peak_kib(process: u32) -> u64 {
    status_line(process, "VmHWM:").and_then(|l| l.trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// CPU seconds that a process has used so far.
pub fn cpu_seconds(process: u32) -> f64 {
    stat(process).map_or(0.0, |stat| seconds(stat.own_ticks))
}

/// CPU seconds of a process, its children, and the children that it has seen end.
pub fn family_cpu_seconds(process: u32) -> f64 {
    let ended = stat(process).map_or(0, |stat| stat.ended_children_ticks);
    let living: u64 = family(process).into_iter().filter_map(stat).map(|stat| stat.own_ticks).sum();
    seconds(ended + living)
}

/// A process and its children.
pub fn family(process: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return vec![process] };
    let processes = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_child = |child: &u32| stat(*child).is_some_and(|stat| stat.parent == process);
    std::iter::once(process).chain(processes.filter(is_child)).collect()
}

/// The kernel's 100 ticks a second.
#[allow(clippy::cast_precision_loss)] // far below 2^52
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / 100.0
}

struct Stat {
    parent: u32,
    own_ticks: u64,
    ended_children_ticks: u64,
}

fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    parse_stat(&text)
}

/// proc(5): the name may hold blanks and brackets; counting begins behind its last bracket.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, fields) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = |first: usize| {
        Some(fields.get(first)?.parse::<u64>().ok()? + fields.get(first + 1)?.parse::<u64>().ok()?)
    };
    Some(Stat {
        parent: fields.get(1)?.parse().ok()?,
        own_ticks: ticks(11)?,
        ended_children_ticks: ticks(13)?,
    })
}

fn status_line(process: u32, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
}

/// Runs `work` while `strace` counts how often the processes make the named system calls (and what they start meanwhile).
/// They are slower for it: never measure time here. `None` where `strace` is not installed.
pub async fn count_calls(
    processes: &[u32],
    calls: &[&str],
    work: impl Future<Output = Result<()>>,
) -> Result<Option<u64>> {
    let summary = tempfile::NamedTempFile::new()?;
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-c", "-q", "-e", &format!("trace={}", calls.join(","))])
        .arg("-o")
        .arg(summary.path());
    for process in processes {
        strace.args(["-p", &process.to_string()]);
    }
    let strace = match strace.stdin(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(child) => Tracer(child),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("strace"),
    };
    let begin = Instant::now();
    while !processes.iter().all(|process| status_line(*process, "TracerPid:").is_some_and(|by| by != "0")) {
        ensure!(begin.elapsed() < Duration::from_secs(5), "strace cannot attach");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    work.await?;
    drop(strace);
    Ok(Some(counted(&fs::read_to_string(summary.path())?, calls)))
}

/// Detaches and writes its summary when it ends.
struct Tracer(Child);

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// Sum of the named calls in the table that `strace -c` prints; it is empty where none was made.
fn counted(summary: &str, calls: &[&str]) -> u64 {
    let rows = summary.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let named = rows.filter(|row| row.last().is_some_and(|name| calls.contains(name)));
    named.filter_map(|row| row.get(3)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_process_may_be_named_like_its_own_fields() {
        let stat = parse_stat("7 (a) b (c) S 5 7 7 0 -1 4194560 1 2 3 4 30 12 400 50 20 0 1 0 100").unwrap();
        assert_eq!((stat.parent, stat.own_ticks, stat.ended_children_ticks), (5, 42, 450));
        assert!(parse_stat("7 (a) S 5 7").is_none());
        assert!(parse_stat("").is_none());
    }

    #[test]
    fn we_belong_to_our_own_family() {
        let own = std::process::id();
        assert!(family(own).contains(&own));
        assert!(peak_kib(own) > 0);
        assert_eq!(peak_kib(u32::MAX), 0);
    }

    #[test]
    fn calls_are_read_from_the_summary() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
                       ------ ----------- ----------- --------- --------- ----------------\n \
                       90.00    0.052171         130       400         1 fdatasync\n \
                       10.00    0.000100         100         3           fsync\n\
                       ------ ----------- ----------- --------- --------- ----------------\n\
                       100.00    0.052271         130       403         1 total\n";
        assert_eq!(counted(summary, &["fsync", "fdatasync"]), 403);
        assert_eq!(counted(summary, &["fsync"]), 3);
        assert_eq!(counted("", &["fsync"]), 0);
    }
}
