//! Copying out of memory that somebody else may be writing to.
#![allow(unsafe_code)]

/// From this many bytes on, the processor's own string copy is faster than a loop of words.
const LARGE: usize = 1024;
/// Bytes that one step of the loop copies.
const STEP: usize = 32;

/// Copies `len` bytes from shared memory into private memory, reading each shared byte exactly once, so that
/// a peer that changes them meanwhile can only change what is copied, not what was concluded from it.
///
/// # Safety
///
/// `from` is readable and `to` writable for `len` bytes, the two do not overlap, and `from` is aligned to
/// eight bytes and readable up to `len` rounded up to eight.
#[inline(always)]
pub(crate) unsafe fn out_of_ring(from: *const u8, to: *mut u8, len: usize) {
    if len >= LARGE {
        // SAFETY: as promised by the caller.
        unsafe { large(from, to, len) }
    } else {
        // SAFETY: as promised by the caller.
        unsafe { small(from, to, len) }
    }
}

#[inline(always)]
unsafe fn small(from: *const u8, to: *mut u8, len: usize) {
    let mut done = 0;
    while done + STEP <= len {
        // SAFETY: inside `len`. Volatile: memory outside of Rust's allocations that may change under us.
        let chunk = unsafe { from.wrapping_add(done).cast::<[u8; STEP]>().read_volatile() };
        // SAFETY: inside `len` of the caller's private buffer, any alignment.
        unsafe { to.wrapping_add(done).cast::<[u8; STEP]>().write_unaligned(chunk) };
        done += STEP;
    }
    while done < len {
        // SAFETY: the source is aligned to eight and readable to the next multiple of eight.
        #[allow(clippy::cast_ptr_alignment)]
        let word = unsafe { from.wrapping_add(done).cast::<u64>().read_volatile() }.to_ne_bytes();
        let rest = (len - done).min(8);
        // SAFETY: `rest` bytes fit the private buffer; the word is our own copy.
        unsafe { std::ptr::copy_nonoverlapping(word.as_ptr(), to.wrapping_add(done), rest) };
        done += rest;
    }
}

#[cfg(target_arch = "x86_64")]
unsafe fn large(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: as promised by the caller; the instruction reads and writes exactly these bytes, once, and the
    // compiler knows nothing of them. The direction flag is clear, as the ABI guarantees.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") len => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags)
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn large(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: as promised by the caller.
    unsafe { small(from, to, len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_copies_exactly_its_bytes() {
        #[repr(align(8))]
        struct Source([u8; 4096]);
        let mut source = Source([0; 4096]);
        source.0.iter_mut().enumerate().for_each(|(index, byte)| *byte = (index * 31 % 251) as u8);
        for len in (0..300).chain(1000..1100).chain([4000, 4096]) {
            let mut target = vec![0xEE; len + 1];
            // SAFETY: both are long enough, apart, and the source is aligned.
            unsafe { out_of_ring(source.0.as_ptr(), target.as_mut_ptr(), len) };
            assert_eq!(&target[..len], &source.0[..len], "{len} bytes");
            assert_eq!(target[len], 0xEE, "{len} bytes: one too many");
        }
    }
}
