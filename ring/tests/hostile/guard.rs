//! Memory that nobody may touch, on both sides of a mapped ring: an access that misses the segment by up to a
//! gigabyte ends the process by a signal instead of hitting something else.

use std::path::Path;

use nix::libc;

const GUARD: usize = 1 << 30;
const PAGE: usize = 4096;
/// Pieces that fill the small holes in the address space, so that a ring is mapped below [`ceiling`].
const FILLERS: usize = 64;
const FILLER: usize = 32 * 1024;

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

/// Takes the holes and a large piece of the address space, once: what is mapped next lies right below it.
pub(crate) fn ceiling() {
    for _ in 0..FILLERS {
        reserve(0, FILLER);
    }
    reserve(0, GUARD);
}

/// The guards of one mapping, given back when dropped.
#[derive(Debug)]
pub(crate) struct Guards(Vec<(usize, usize)>);

impl Guards {
    /// Around this process's mapping of a file, as far as there is room. `None` if a side is not guarded.
    pub(crate) fn around(path: &Path) -> Option<Self> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let line = maps.lines().find(|line| line.ends_with(path.to_str().expect("plain paths")))?;
        let (start, rest) = line.split_once('-')?;
        let end = rest.split(' ').next()?;
        let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
        let mut guards = Self(Vec::new());
        let below = guards.add(|len| start - len) || is_untouchable(&maps, |_, above| above == start);
        let above = guards.add(|_| end) || is_untouchable(&maps, |below, _| below == end);
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

/// Whether the mapping that `which` finds by its ends admits no access.
fn is_untouchable(maps: &str, which: impl Fn(usize, usize) -> bool) -> bool {
    maps.lines().any(|line| {
        let Some((range, rest)) = line.split_once(' ') else { return false };
        let ends =
            range.split_once('-').map(|(a, b)| (usize::from_str_radix(a, 16), usize::from_str_radix(b, 16)));
        matches!(ends, Some((Ok(start), Ok(end))) if which(start, end)) && rest.starts_with("---")
    })
}

impl Drop for Guards {
    fn drop(&mut self) {
        for &(at, len) in &self.0 {
            // SAFETY: mapped by `add`, and never given to anybody.
            unsafe { libc::munmap(at as *mut libc::c_void, len) };
        }
    }
}
