//! The disk that forgets (`tests/shim/disk.c`): compiled once, loaded below `postfachd`, and told to fail.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::disk::Disk;
use crate::process::{binary, repository_root};

/// The library, compiled by the C compiler that the build needs anyway.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = repository_root().join("tests/shim/disk.c");
        let beside = binary("postfachd");
        // Written beside its name, because tests of another process may do the same.
        let made = beside.with_file_name(format!("postfach-disk-shim.{}", std::process::id()));
        let library = beside.with_file_name("postfach-disk-shim.so");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let words = ["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"];
        let done =
            Command::new(compiler).args(words).arg(&made).arg(source).args(["-ldl", "-lpthread"]).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        fs::rename(&made, &library).unwrap();
        library
    })
}

/// What fails below the watched folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writing into files.
    Write,
    /// Flushing a file.
    Flush,
    /// Flushing a folder.
    FlushFolder,
    /// Making, renaming and, on a read-only disk, opening for writing and deleting.
    Name,
}

/// Error numbers of Linux.
pub mod errno {
    /// None: a flush that waits for ever.
    pub const HANG: i32 = -1;
    /// The disk does not work.
    pub const IO: i32 = 5;
    /// No space left.
    pub const NO_SPACE: i32 = 28;
    /// Read-only.
    pub const READ_ONLY: i32 = 30;
}

/// The shim over one folder: where its trace goes, and what it is told.
pub struct Shim {
    folder: PathBuf,
    aside: PathBuf,
    /// Processes so far: each has a trace of its own, since the last record of a killed one may be cut.
    traces: Cell<u32>,
    control: File,
    control_path: PathBuf,
    ignore_flushes: bool,
}

impl Shim {
    /// A shim that watches `folder`; `aside` is an existing folder outside of it.
    pub fn new(folder: &Path, aside: &Path) -> Self {
        let control_path = aside.join("shim.control");
        let control = OpenOptions::new()
            .write(true)
            .read(true)
            .create(true)
            .truncate(true)
            .open(&control_path)
            .unwrap();
        control.write_all_at(&[0; 56], 0).unwrap();
        let shim = Self {
            folder: folder.to_owned(),
            aside: aside.to_owned(),
            traces: Cell::new(0),
            control,
            control_path,
            ignore_flushes: false,
        };
        shim.room(None);
        shim
    }

    /// From the next start on, flushing does nothing and says that it did.
    pub fn ignore_flushes(&mut self) {
        self.ignore_flushes = true;
    }

    fn trace(&self, number: u32) -> PathBuf {
        self.aside.join(format!("shim.trace.{number}"))
    }

    /// Plays everything since the last time, and forgets it.
    pub fn play(&self, disk: &mut Disk) {
        for number in 0..self.traces.take() {
            let path = self.trace(number);
            // A process that was killed at once has none.
            let Ok(trace) = fs::read(&path) else { continue };
            disk.play(&self.folder, &trace);
            fs::remove_file(path).unwrap();
        }
    }

    /// The environment that loads it, for one process.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let number = self.traces.replace(self.traces.get() + 1);
        let mut environment = vec![
            ("LD_PRELOAD", library().to_owned()),
            ("POSTFACH_SHIM_FOLDER", self.folder.clone()),
            ("POSTFACH_SHIM_TRACE", self.trace(number)),
            ("POSTFACH_SHIM_CONTROL", self.control_path.clone()),
        ];
        if self.ignore_flushes {
            environment.push(("POSTFACH_SHIM_IGNORE_FSYNC", "1".into()));
        }
        environment
    }

    /// A kind of step fails with this error, so many times; `None` for always. Error 0 mends it.
    pub fn fail(&self, step: Step, error: i32, times: Option<u32>) {
        self.fail_after(0, step, error, times);
    }

    /// The same after so many steps that go well.
    pub fn fail_after(&self, skip: u32, step: Step, error: i32, times: Option<u32>) {
        let at = match step {
            Step::Write => 8,
            Step::Flush => 20,
            Step::FlushFolder => 32,
            Step::Name => 44,
        };
        let left = times.map_or(-1, |times| i32::try_from(times).unwrap());
        let skip = i32::try_from(skip).unwrap();
        // The error last: it is what switches the others on.
        self.control.write_all_at(&left.to_ne_bytes(), at + 4).unwrap();
        self.control.write_all_at(&skip.to_ne_bytes(), at + 8).unwrap();
        self.control.write_all_at(&error.to_ne_bytes(), at).unwrap();
    }

    /// Bytes that may still be written; `None` for any.
    pub fn room(&self, bytes: Option<u64>) {
        let left = bytes.map_or(-1, |bytes| i64::try_from(bytes).unwrap());
        self.control.write_all_at(&left.to_ne_bytes(), 0).unwrap();
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        self.room(None);
        for step in [Step::Write, Step::Flush, Step::FlushFolder, Step::Name] {
            self.fail(step, 0, None);
        }
    }
}
