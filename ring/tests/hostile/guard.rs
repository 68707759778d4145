//! Memory that nobody may touch, on both sides of a mapped ring: an access that misses the segment by up to a
//! gigabyte ends the process by a signal instead of hitting something else.

use std::path::Path;

use nix::libc;

const GUARD: usize = 1 << 30;
const PAGE: usize = 4096;

fn reserve(at: usize, len: usize) -> Option<usize> {
    let fixed = if at == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | fixed;
    // SAFETY: a new mapping, which replaces none.
    let got = unsafe { libc::mmap(at as *mut libc::c_void, len, libc::PROT_NONE, flags, -1, 0) };
    if got == libc::MAP_FAILED {
        return None;
    }
    if at != 0 && got as usize != at {
        // A kernel that does not know the flag takes the address for a hint.
        // SAFETY: what was just mapped, by nobody used.
        unsafe { libc::munmap(got, len) };
        return None;
    }
    Some(got as usize)
}

/// Takes the holes between mappings, and a large piece of the address space: what is mapped next lies right below it.
pub(crate) fn ceiling() {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("this process's mappings");
    let mappings: Vec<_> = maps.lines().filter_map(mapping).collect();
    for pair in mappings.windows(2) {
        let (from, to) = (pair[0].end, pair[1].start);
        // The heap grows upwards, the stack downwards.
        if from < to && to - from < GUARD && pair[0].what != "[heap]" && pair[1].what != "[stack]" {
            reserve(from, to - from);
        }
    }
    reserve(0, GUARD);
}

/// A line of `/proc/self/maps`.
struct Mapping<'a> {
    start: usize,
    end: usize,
    is_untouchable: bool,
    what: &'a str,
}

fn mapping(line: &str) -> Option<Mapping<'_>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    Some(Mapping {
        start: usize::from_str_radix(start, 16).ok()?,
        end: usize::from_str_radix(end, 16).ok()?,
        is_untouchable: rest.starts_with("---"),
        // Address, rights, offset, device, inode, then the name, if any, which may have spaces in it.
        what: rest.splitn(5, ' ').nth(4).unwrap_or_default().trim_start(),
    })
}

/// The guards of one mapping, given back when dropped.
#[derive(Debug)]
pub(crate) struct Guards(Vec<(usize, usize)>);

impl Guards {
    /// Around this process's mapping of a file, as far as there is room. `None` if a side is not guarded.
    pub(crate) fn around(path: &Path) -> Option<Self> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let mappings: Vec<_> = maps.lines().filter_map(mapping).collect();
        let path = path.to_str().expect("plain paths");
        let &Mapping { start, end, .. } = mappings.iter().find(|one| one.what == path)?;
        let is_untouchable = |which: &dyn Fn(&Mapping<'_>) -> bool| {
            mappings.iter().any(|one| one.is_untouchable && which(one))
        };
        let mut guards = Self(Vec::new());
        let below = guards.add(|len| start - len) || is_untouchable(&|one| one.end == start);
        let above = guards.add(|_| end) || is_untouchable(&|one| one.start == end);
        (below && above).then_some(guards)
    }

    fn add(&mut self, place: impl Fn(usize) -> usize) -> bool {
        let mut len = GUARD;
        while len >= PAGE {
            if let Some(at) = reserve(place(len), len) {
                self.0.push((at, len));
                return true;
            }
            len /= 2;
        }
        false
    }
}

impl Drop for Guards {
    fn drop(&mut self) {
        for &(at, len) in &self.0 {
            // SAFETY: mapped by `add`, and never given to anybody.
            unsafe { libc::munmap(at as *mut libc::c_void, len) };
        }
    }
}
