//! Who has files mapped, as far as /proc shows it: other programs' watchers, and rings whose name is gone.
//!
//! Seats tell who takes part, in whatever container. This tells more, but only of processes that are visible
//! here and may be looked at: in a container usually its own.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::makedev;

/// Which file: its device and inode.
type File = (u64, u64);

/// A process that maps a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) program: String,
}

/// A file that is mapped although its name is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// What it was called, as its user sees it.
    pub(crate) path: PathBuf,
    /// Something to open it by.
    pub(crate) handle: Option<PathBuf>,
    pub(crate) by: Vec<Process>,
}

/// Whether a path ends in the number that the kernel shows for a file made without a name: `#224209`.
fn is_number(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix('#').is_some_and(|number| number.bytes().all(|it| it.is_ascii_digit()))
}

/// What /proc shows.
#[derive(Debug, Default)]
pub(crate) struct Mapped {
    by: HashMap<File, Vec<Process>>,
    pub(crate) deleted: Vec<Deleted>,
    /// Processes that may not be looked at.
    pub(crate) hidden: usize,
}

impl Mapped {
    /// Looks at every process there is to see.
    pub(crate) fn scan() -> Self {
        Self::scan_under(Path::new("/proc"))
    }

    fn scan_under(proc: &Path) -> Self {
        let mut mapped = Self::default();
        let mut deleted: BTreeMap<File, Deleted> = BTreeMap::new();
        let pids = fs::read_dir(proc)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        for pid in pids {
            let home = proc.join(pid.to_string());
            let Ok(maps) = fs::read(home.join("maps")) else {
                // One that has ended meanwhile is not hidden.
                mapped.hidden += usize::from(home.exists());
                continue;
            };
            let maps = String::from_utf8_lossy(&maps);
            let mut files: Vec<Mapping> = maps.lines().filter_map(parse).collect();
            // A file may be mapped in parts.
            files.sort_by_key(|it| it.file);
            files.dedup_by_key(|it| it.file);
            if files.is_empty() {
                continue;
            }
            let program = fs::read_to_string(home.join("comm")).unwrap_or_default();
            let process = Process { pid, program: program.trim_end().to_owned() };
            for Mapping { file, path, range } in files {
                mapped.by.entry(file).or_default().push(process.clone());
                let Some(path) = path.strip_suffix(" (deleted)") else { continue };
                let entry = deleted.entry(file).or_insert_with(|| Deleted {
                    path: path.into(),
                    handle: None,
                    by: Vec::new(),
                });
                entry.by.push(process.clone());
                // Whoever made it without a name, as a ring's creator does, never sees the one that it got.
                if is_number(&entry.path) {
                    entry.path = path.into();
                }
                if entry.handle.is_none() {
                    entry.handle = handle(&home, file, range);
                }
            }
        }
        mapped.by.values_mut().for_each(|by| by.sort());
        // It may have a name all the same, the one that its creator does not see.
        let is_nameless = |deleted: &Deleted| {
            deleted.handle.as_ref().is_some_and(|it| fs::metadata(it).is_ok_and(|meta| meta.nlink() == 0))
        };
        mapped.deleted = deleted.into_values().filter(is_nameless).collect();
        mapped
    }

    /// Who maps the file at `path`.
    pub(crate) fn by(&self, path: &Path) -> &[Process] {
        let file = fs::metadata(path).ok().map(|meta| (meta.dev(), meta.ino()));
        file.and_then(|file| self.by.get(&file)).map_or(&[], Vec::as_slice)
    }
}

/// A file that a process shares with others.
#[derive(Debug, PartialEq, Eq)]
struct Mapping<'a> {
    file: File,
    path: &'a str,
    range: &'a str,
}

/// `7f0d8000-7f0d9000 rw-s 00000000 00:2d 2   /dev/shm/orders`; what is private or has no file is nothing to us.
fn parse(line: &str) -> Option<Mapping<'_>> {
    let mut rest = line;
    let mut next = || {
        let (field, after) = rest.split_once(' ')?;
        rest = after.trim_start();
        Some(field)
    };
    let (range, permissions, _offset, device, inode) = (next()?, next()?, next()?, next()?, next()?);
    let (major, minor) = device.split_once(':')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    let file = (makedev(number(major)?, number(minor)?), inode.parse().ok()?);
    // Neither anonymous memory nor that of other interfaces is a ring.
    let is_file = rest.starts_with('/')
        && !["/memfd:", "/SYSV", "/dev/zero", "/[aio]", "/i915"].iter().any(|it| rest.starts_with(it));
    (permissions.ends_with('s') && file.1 != 0 && is_file).then_some(Mapping { file, path: rest, range })
}

/// A name under which a mapped file can be opened again although it has none of its own: participants keep their
/// descriptor; the mapping itself serves only the privileged.
fn handle(home: &Path, file: File, range: &str) -> Option<PathBuf> {
    let is_it = |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| (meta.dev(), meta.ino()) == file);
    let descriptors = fs::read_dir(home.join("fd")).into_iter().flatten();
    let mut descriptors = descriptors.filter_map(|entry| Some(entry.ok()?.path()));
    descriptors.find(is_it).or_else(|| Some(home.join("map_files").join(range)).filter(is_it))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use memmap2::MmapOptions;
    use nix::sys::stat::makedev;

    use super::{Mapped, Mapping, is_number, parse};

    #[test]
    fn lines_of_shared_files_count() {
        let line = "7f0d8000-7f0d9000 rw-s 00000000 00:2d 2                          /dev/shm/a b (deleted)";
        let mapping = Mapping {
            file: (makedev(0, 0x2d), 2),
            path: "/dev/shm/a b (deleted)",
            range: "7f0d8000-7f0d9000",
        };
        assert_eq!(parse(line), Some(mapping));
        for line in [
            "7f0d8000-7f0d9000 r-xp 00000000 fe:00 11 /usr/bin/cat",
            "7f0d8000-7f0d9000 rw-s 00000000 00:01 11 /memfd:x (deleted)",
            "7f0d8000-7f0d9000 rw-s 00000000 00:01 11 /SYSV00000000 (deleted)",
            "7f0d8000-7f0d9000 rw-p 00000000 00:00 0 ",
            "7f0d8000-7f0d9000 rw-p 00000000 00:00 0 [heap]",
            "",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_file_made_without_a_name_has_a_number() {
        assert!(is_number("/dev/shm/#224209".as_ref()));
        assert!(!is_number("/dev/shm/orders".as_ref()) && !is_number("/".as_ref()));
    }

    #[test]
    fn a_mapped_file_is_found_also_without_its_name() {
        let path = std::path::PathBuf::from(format!("/dev/shm/podring-mapped-{}", std::process::id()));
        std::fs::write(&path, [0; 4096]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let map = MmapOptions::new().len(4096).map_raw(&file).unwrap();
        let me = std::process::id();
        let mapped = Mapped::scan();
        assert!(mapped.by(&path).iter().any(|process| process.pid == me));
        std::fs::remove_file(&path).unwrap();
        let mapped = Mapped::scan();
        let deleted = mapped.deleted.iter().find(|deleted| deleted.path == path).expect("it is mapped");
        assert!(deleted.by.iter().any(|process| process.pid == me));
        assert!(deleted.handle.as_ref().unwrap().starts_with("/proc"));
        assert_eq!(mapped.by(&path), []);
        drop(map);
        assert!(Mapped::scan().deleted.iter().all(|deleted| deleted.path != path));
    }
}
