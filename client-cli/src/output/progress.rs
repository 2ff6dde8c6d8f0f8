//! A progress bar on standard error for long transfers. Not here: when a transfer runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Transfers below this many bytes finish before a bar could be read.
const WORTH_A_BAR: u64 = 4 * 1024 * 1024;

/// Shows how far a transfer is, or nothing.
#[derive(Clone)]
pub struct Bar {
    drawn: ProgressBar,
    allowed: bool,
    total: Arc<AtomicU64>,
}

impl Bar {
    /// A bar with a label; it never draws where `allowed` is false.
    pub fn new(label: &str, allowed: bool) -> Self {
        let drawn = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) =
            ProgressStyle::with_template("{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        {
            drawn.set_style(style.progress_chars("=> "));
        }
        drawn.set_message(super::safe::line(label));
        Self { drawn, allowed, total: Arc::new(AtomicU64::new(0)) }
    }

    /// `done` of `total` bytes are through.
    pub fn set(&self, done: u64, total: u64) {
        if !self.allowed || total < WORTH_A_BAR {
            return;
        }
        if self.total.swap(total, Ordering::Relaxed) != total {
            self.drawn.set_draw_target(ProgressDrawTarget::stderr());
            self.drawn.set_length(total);
            self.drawn.set_position(done);
            // What was there before this run says nothing of the line.
            self.drawn.reset_eta();
        }
        self.drawn.set_position(done);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.drawn.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        // The last clone takes the bar away, also on an error.
        if Arc::strong_count(&self.total) == 1 {
            self.drawn.finish_and_clear();
        }
    }
}
