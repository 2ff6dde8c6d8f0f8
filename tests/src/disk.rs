//! What is left of a folder after a power cut: rebuilt from how it was before and from the shim's trace.
//!
//! The rules are those that POSIX gives and no more. What was written to a file is there once the file was flushed after
//! it; a name is there, or gone, once its folder was flushed. Of everything else nothing is left ([`Cut::Worst`]), or
//! any part ([`Cut::Random`]): pages of 4 KiB of each write, and the first few changes of each folder, in their order.
//! A rename that is flushed in the folder that it leaves is flushed in the other one, as journalling file systems do.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

/// Pages that a disk writes whole.
const PAGE: usize = 4096;
/// Bytes of a record's head in the trace.
const HEAD: usize = 32;

/// A file or folder for all time, where an inode's number is given to another when it is free.
type Id = u64;

/// What becomes of that which was not flushed.
pub enum Cut<'a> {
    /// Nothing of it is left.
    Worst,
    /// Each piece is left where this says yes.
    Random(&'a mut dyn FnMut() -> bool),
}

#[derive(Clone)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Clone)]
enum Entry {
    Add(String, Id),
    Remove(String),
    /// Within one folder, at once.
    Move(String, String, Id),
    /// To another folder: gone here no sooner than it is there.
    Leave {
        name: String,
        to: Id,
    },
}

#[derive(Default)]
struct Content {
    durable: Vec<u8>,
    pending: Vec<(u64, Change)>,
}

#[derive(Default)]
struct Names {
    now: BTreeMap<String, Id>,
    durable: BTreeMap<String, Id>,
    pending: Vec<(u64, Entry)>,
}

/// A folder as the disk has it, beside how programs see it.
pub struct Disk {
    root: Id,
    files: HashMap<Id, Content>,
    folders: HashMap<Id, Names>,
    modes: HashMap<Id, u32>,
    /// What an inode's number stands for now.
    ids: HashMap<u64, Id>,
    /// Flushes that have begun: what had happened by then.
    flushes: HashMap<u64, (Id, u64)>,
    /// Counts what happens.
    moment: u64,
}

impl Disk {
    /// A folder at rest, all of it flushed.
    pub fn load(folder: &Path) -> Self {
        let mut disk = Self {
            root: 0,
            files: HashMap::new(),
            folders: HashMap::new(),
            modes: HashMap::new(),
            ids: HashMap::new(),
            flushes: HashMap::new(),
            moment: 0,
        };
        disk.root = disk.load_folder(folder);
        disk
    }

    fn load_folder(&mut self, folder: &Path) -> Id {
        let own = fs::metadata(folder).unwrap();
        let own = self.new_id(own.ino(), own.mode());
        let mut names = Names::default();
        for entry in fs::read_dir(folder).unwrap() {
            let (entry, path) = entry.map(|entry| (entry.file_name(), entry.path())).unwrap();
            let meta = fs::symlink_metadata(&path).unwrap();
            let name = entry.into_string().unwrap();
            let id = if meta.is_dir() {
                self.load_folder(&path)
            } else if meta.is_file() && !name.ends_with("-shm") {
                let content = Content { durable: fs::read(&path).unwrap(), pending: Vec::new() };
                let id = self.new_id(meta.ino(), meta.mode());
                self.files.insert(id, content);
                id
            } else {
                continue;
            };
            names.durable.insert(name, id);
        }
        names.now = names.durable.clone();
        self.folders.insert(own, names);
        own
    }

    /// Something new under an inode's number.
    fn new_id(&mut self, inode: u64, mode: u32) -> Id {
        let id = self.modes.len() as Id;
        self.ids.insert(inode, id);
        self.modes.insert(id, mode);
        id
    }

    /// What the number stands for; something without a name where it was never seen.
    fn id(&mut self, inode: u64) -> Id {
        self.ids.get(&inode).copied().unwrap_or_else(|| self.new_id(inode, 0o600))
    }

    /// Plays everything that the shim saw below `folder`. The last record may be cut: the process was killed.
    pub fn play(&mut self, folder: &Path, trace: &[u8]) {
        let mut rest = trace;
        while let Some((head, after)) = rest.split_at_checked(HEAD) {
            let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap());
            let long = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().unwrap());
            let (one, two) = (word(4) as usize, word(8) as usize);
            let Some((data, after)) = after.split_at_checked(one + two) else { return };
            rest = after;
            let (data, other) = data.split_at(one);
            self.moment += 1;
            let inside = |path: &[u8]| {
                let path =
                    Path::new(std::str::from_utf8(path).unwrap()).strip_prefix(folder).unwrap().to_owned();
                path.components()
                    .map(|part| part.as_os_str().to_str().unwrap().to_owned())
                    .collect::<Vec<_>>()
            };
            match word(0) {
                1 => {
                    let id = self.new_id(long(16), 0o600);
                    self.files.insert(id, Content::default());
                    self.enter(&inside(data), |name| Entry::Add(name, id));
                }
                2 => {
                    let at = usize::try_from(long(24)).unwrap();
                    self.change(long(16), Change::Write { at, data: data.to_vec() });
                }
                3 => self.change(long(16), Change::Length(usize::try_from(long(24)).unwrap())),
                4 => self.rename(&inside(data), &inside(other)),
                5 => self.enter(&inside(data), Entry::Remove),
                6 => {
                    let id = self.id(long(16));
                    self.enter(&inside(data), |name| Entry::Add(name, id));
                }
                7 => {
                    let id = self.new_id(long(16), 0o700);
                    self.folders.insert(id, Names::default());
                    self.enter(&inside(data), |name| Entry::Add(name, id));
                }
                8 => {
                    let begun = (self.id(long(16)), self.moment);
                    self.flushes.insert(long(24), begun);
                }
                9 => self.flushed(long(24)),
                other => panic!("record of kind {other} in the trace"),
            }
        }
    }

    /// The folder that a path's last name stands in, as programs see it.
    fn parent(&self, path: &[String]) -> (Id, String) {
        let (name, folders) = path.split_last().expect("a path below the folder");
        let mut at = self.root;
        for part in folders {
            at = self.folders[&at].now[part];
        }
        (at, name.clone())
    }

    fn change(&mut self, inode: u64, change: Change) {
        let (moment, id) = (self.moment, self.id(inode));
        self.files.entry(id).or_default().pending.push((moment, change));
    }

    fn enter(&mut self, path: &[String], entry: impl FnOnce(String) -> Entry) {
        let (folder, name) = self.parent(path);
        self.enter_at(folder, entry(name));
    }

    fn enter_at(&mut self, folder: Id, entry: Entry) {
        let moment = self.moment;
        let names = self.folders.get_mut(&folder).expect("a known folder");
        apply_entry(&mut names.now, &entry);
        names.pending.push((moment, entry));
    }

    fn rename(&mut self, from: &[String], to: &[String]) {
        let ((left, old), (entered, new)) = (self.parent(from), self.parent(to));
        let id = self.folders[&left].now[&old];
        if left == entered {
            return self.enter_at(left, Entry::Move(old, new, id));
        }
        self.enter_at(entered, Entry::Add(new, id));
        self.enter_at(left, Entry::Leave { name: old, to: entered });
    }

    /// What had happened to a file or folder when its flush began is on disk.
    fn flushed(&mut self, flush: u64) {
        let Some((id, until)) = self.flushes.remove(&flush) else { return };
        if let Some(content) = self.files.get_mut(&id) {
            let count = content.pending.iter().take_while(|(moment, _)| *moment < until).count();
            for (_, change) in content.pending.drain(..count) {
                apply(&mut content.durable, &change, &mut || true);
            }
        }
        self.flush_names(id, until);
    }

    fn flush_names(&mut self, folder: Id, until: u64) {
        let Some(names) = self.folders.get_mut(&folder) else { return };
        let count = names.pending.iter().take_while(|(moment, _)| *moment < until).count();
        let done: Vec<(u64, Entry)> = names.pending.drain(..count).collect();
        for (moment, entry) in done {
            if let Entry::Leave { to, .. } = entry {
                self.flush_names(to, moment + 1);
            }
            let names = self.folders.get_mut(&folder).expect("it was there");
            apply_entry(&mut names.durable, &entry);
        }
    }

    /// Cuts the power, and writes what is left to a new folder.
    pub fn cut(mut self, cut: Cut<'_>, target: &Path) {
        if let Cut::Random(keep) = cut {
            // In a fixed order, so that a seed decides.
            let mut files: Vec<_> = self.files.iter_mut().collect();
            files.sort_by_key(|(id, _)| **id);
            for (_, content) in files {
                for (_, change) in content.pending.drain(..) {
                    apply(&mut content.durable, &change, keep);
                }
            }
            let mut folders: Vec<Id> = self.folders.keys().copied().collect();
            folders.sort_unstable();
            for folder in folders {
                let kept = self.folders[&folder].pending.iter().take_while(|_| keep()).last();
                if let Some(until) = kept.map(|(moment, _)| moment + 1) {
                    self.flush_names(folder, until);
                }
            }
        }
        self.write(self.root, target);
    }

    fn write(&self, folder: Id, target: &Path) {
        fs::DirBuilder::new().mode(0o700).create(target).unwrap();
        for (name, id) in &self.folders[&folder].durable {
            let path = target.join(name);
            if self.folders.contains_key(id) {
                self.write(*id, &path);
                continue;
            }
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
            file.write_all(self.files.get(id).map_or(&[], |content| &content.durable)).unwrap();
        }
        let mode = self.modes.get(&folder).map_or(0o700, |mode| mode & 0o777);
        fs::set_permissions(target, fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn apply_entry(names: &mut BTreeMap<String, Id>, entry: &Entry) {
    match entry {
        Entry::Add(name, id) => drop(names.insert(name.clone(), *id)),
        Entry::Remove(name) | Entry::Leave { name, .. } => drop(names.remove(name)),
        Entry::Move(old, new, id) => {
            names.remove(old);
            names.insert(new.clone(), *id);
        }
    }
}

/// Does a change, page by page.
fn apply(content: &mut Vec<u8>, change: &Change, keep: &mut dyn FnMut() -> bool) {
    match change {
        Change::Length(length) => {
            if keep() {
                content.resize(*length, 0);
            }
        }
        Change::Write { at, data } => {
            let mut done = 0;
            while done < data.len() {
                let from = at + done;
                let piece = (PAGE - from % PAGE).min(data.len() - done);
                if keep() {
                    content.resize(content.len().max(from + piece), 0);
                    content[from..from + piece].copy_from_slice(&data[done..done + piece]);
                }
                done += piece;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, inode: u64, number: u64, one: &[u8], two: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [kind, u32::try_from(one.len()).unwrap(), u32::try_from(two.len()).unwrap(), 0] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        for long in [inode, number] {
            bytes.extend_from_slice(&long.to_ne_bytes());
        }
        [&bytes[..], one, two].concat()
    }

    /// A new file is there with its bytes only where the file and then its folder were flushed.
    #[test]
    fn names_and_bytes_need_a_flush_each() {
        let folder = tempfile::tempdir().unwrap();
        let live = folder.path().join("live");
        fs::create_dir(&live).unwrap();
        fs::write(live.join("old"), b"old").unwrap();
        let root = fs::metadata(&live).unwrap().ino();
        let path = |name: &str| live.join(name).to_str().unwrap().as_bytes().to_vec();
        let begin = |inode, number| record(8, inode, number, b"", b"");
        let end = |inode, number| record(9, inode, number, b"", b"");
        let made = [record(1, 7, 0, &path("new.tmp"), b""), record(2, 7, 0, b"hello", b"")].concat();
        let moved = record(4, 0, 0, &path("new.tmp"), &path("old"));
        let left = |parts: &[&[u8]], name: &str| {
            let mut disk = Disk::load(&live);
            disk.play(&live, &parts.concat());
            let target = folder.path().join(name);
            disk.cut(Cut::Worst, &target);
            let mut names: Vec<_> = fs::read_dir(&target)
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            (names, fs::read(target.join("old")).unwrap())
        };
        let old = (vec!["old".to_owned()], b"old".to_vec());
        assert_eq!(left(&[&made, &moved], "a"), old);
        let (file, names) = ([begin(7, 1), end(7, 1)].concat(), [begin(root, 2), end(root, 2)].concat());
        assert_eq!(left(&[&made, &file, &moved], "b"), old);
        assert_eq!(left(&[&made, &moved, &names], "c").1, b"");
        assert_eq!(left(&[&made, &file, &moved, &names], "d"), (old.0.clone(), b"hello".to_vec()));
        // What happens after a flush began, or before one that never ended, is not in it.
        assert_eq!(left(&[&made, &file, &begin(root, 2), &moved, &end(root, 2)], "e").1, b"old");
        assert_eq!(left(&[&made, &file, &moved, &begin(root, 2)], "f"), old);
        // A record that was cut ends the trace.
        assert_eq!(left(&[&made, &file, &moved, &names[..40]], "g"), old);
    }

    #[test]
    fn a_torn_write_leaves_whole_pages() {
        let mut content = vec![1; 3 * PAGE];
        let mut turn = false;
        let change = Change::Write { at: 100, data: vec![2; 2 * PAGE] };
        apply(&mut content, &change, &mut || {
            turn = !turn;
            turn
        });
        assert_eq!(content[99..PAGE], [&[1][..], &[2; PAGE - 100][..]].concat());
        assert!(content[PAGE..2 * PAGE].iter().all(|byte| *byte == 1));
        assert!(content[2 * PAGE..2 * PAGE + 100].iter().all(|byte| *byte == 2));
    }
}
