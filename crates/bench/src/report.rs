//! What a run measured, for people and as JSON.

use std::io::Write as _;
use std::time::Duration;

use serde::Serialize;

/// One line on standard output.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A closed pipe is the reader's wish.
    let _ = writeln!(out, "{line}");
}

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// What was measured.
    pub name: String,
    /// Things per second.
    pub per_second: f64,
    /// Latencies in milliseconds, where calls were timed one by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// CPU seconds of the server per wall second, where measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cores: Option<f64>,
    /// Receipts that were verified after the measurement.
    #[serde(skip_serializing_if = "is_zero")]
    pub verified: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(value: &usize) -> bool {
    *value == 0
}

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half of all calls were faster.
    pub p50_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1,000.
    pub p999_ms: f64,
}

impl Latency {
    /// From single measurements; `None` without any.
    pub fn of(mut samples: Vec<Duration>) -> Option<Self> {
        if samples.is_empty() {
            return None;
        }
        samples.sort_unstable();
        let at = |permille: usize| {
            let index = (samples.len() * permille / 1000).min(samples.len() - 1);
            samples[index].as_secs_f64() * 1000.0
        };
        Some(Self { p50_ms: at(500), p99_ms: at(990), p999_ms: at(999) })
    }
}

impl Figure {
    /// A bare limit, without latencies.
    pub fn limit(name: impl Into<String>, per_second: f64) -> Self {
        Self { name: name.into(), per_second, latency: None, server_cores: None, verified: 0 }
    }

    /// One line of the table.
    pub fn line(&self) -> String {
        let rate = format!("{:<44} {:>10.0}/s", self.name, self.per_second);
        match self.latency {
            Some(Latency { p50_ms, p99_ms, p999_ms }) => {
                let cores = self.server_cores.map(|cores| format!("  {cores:.2} cores")).unwrap_or_default();
                format!("{rate}  p50 {p50_ms:>7.2}  p99 {p99_ms:>7.2}  p99.9 {p999_ms:>7.2} ms{cores}")
            }
            None => rate,
        }
    }
}

/// One command of the client, as a whole process.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The command's words.
    pub name: String,
    /// From start to end.
    pub milliseconds: f64,
    /// Largest resident memory in KiB (VmHWM).
    pub peak_kib: u64,
}

impl Run {
    /// One line of the table.
    pub fn line(&self) -> String {
        #[allow(clippy::cast_precision_loss)] // far below 2^52
        let mebibytes = self.peak_kib as f64 / 1024.0;
        format!("postfach {:<46} {:>9.1} ms {:>7.1} MiB", self.name, self.milliseconds, mebibytes)
    }
}

/// Logical processors.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
