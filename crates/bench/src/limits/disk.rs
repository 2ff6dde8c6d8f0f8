//! How often the disk makes 4 KiB durable.

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// `fdatasync` calls per second after a 4 KiB write each, one writer.
pub fn fdatasync_per_second(folder: &Path, length: Duration) -> std::io::Result<f64> {
    let mut file = File::create(folder.join("fdatasync.probe"))?;
    let block = [0x5a_u8; 4096];
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < length {
        file.seek(SeekFrom::Start(u64::from(count % 1024) * 4096))?;
        file.write_all(&block)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(f64::from(count) / begin.elapsed().as_secs_f64())
}

/// Type of the file system that holds a folder, as the kernel names it.
pub fn file_system(folder: &Path) -> String {
    let Ok(folder) = folder.canonicalize() else { return "unknown".to_owned() };
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut best = ("", "unknown");
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(place), Some(kind)) = (words.next(), words.next()) else { continue };
        if folder.starts_with(place) && place.len() >= best.0.len() {
            best = (place, kind);
        }
    }
    best.1.to_owned()
}
