//! Names and text from inside a letter, on their way to a terminal and a disk.
#![no_main]

use postfach_domain::cleaning::{block, file_name, is_unsafe, line, numbered};
use postfach_fuzz::{bounded, seeds, target, text};

fn start() -> Vec<Vec<u8>> {
    seeds::of_texts([
        "Anlage.txt",
        "../../etc/passwd",
        "con.txt",
        "a\u{202e}fdp.exe",
        "\u{1b}[2J",
        "x\r\ny",
        "...",
    ])
}

target!(seeds: start(), |data| {
    let given = text!(data);
    let (name, line, block) = bounded(data.len(), 64, || (file_name(given), line(given), block(given)));
    assert!(!line.chars().any(is_unsafe));
    assert!(!block.chars().any(|c| is_unsafe(c) && c != '\n' && c != '\t'));
    assert!(!name.is_empty() && name.len() <= 240 && !name.starts_with(['.', '-', ' ']));
    assert!(!name.ends_with(['.', ' ']) && !name.contains(['/', '\\', ':', '\0']) && !name.chars().any(is_unsafe));
    assert_eq!(file_name(&name), name, "a clean name is changed");
    assert!(numbered(&name, 2).len() <= 255);
});
