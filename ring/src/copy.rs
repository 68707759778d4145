//! Copying into the ring, and out of memory that somebody else may be writing to.
#![allow(unsafe_code)]

/// From this many bytes on, the processor's own string copy is faster than a loop of words.
const LARGE: usize = 1024;
/// Up to this many bytes, a message is written word by word.
const SHORT: usize = 256;
/// An element of so many bytes is one load and one store; only larger ones gain by words.
#[cfg(feature = "bytemuck")]
const PAIR: usize = 16;

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

/// Copies `count` elements from shared memory into private memory, as [`out_of_ring`].
///
/// # Safety
///
/// `from` is readable and `to` writable for `count` elements, both aligned for them, and the two do not overlap.
#[cfg(feature = "bytemuck")]
#[inline(always)]
pub(crate) unsafe fn elements_out_of_ring<T>(from: *const T, to: *mut T, count: usize) {
    let (from, to, len) = (from.cast::<u8>(), to.cast::<u8>(), count * size_of::<T>());
    let copy: unsafe fn(*const u8, *mut u8, usize) = match align_of::<T>() {
        _ if len >= LARGE => large,
        1 => units::<u8>,
        2 => units::<u16>,
        4 => units::<u32>,
        _ => units::<u64>,
    };
    // SAFETY: as promised by the caller; a type's size is a multiple of its alignment.
    unsafe { copy(from, to, len) };
}

#[inline(always)]
unsafe fn small(from: *const u8, to: *mut u8, len: usize) {
    let whole = len & !7;
    // SAFETY: as promised by the caller of `out_of_ring`.
    unsafe { units::<u64>(from, to, whole) };
    if whole < len {
        #[allow(clippy::cast_ptr_alignment)]
        let place = from.wrapping_add(whole).cast::<u64>();
        // SAFETY: the source is aligned to eight and readable to the next multiple of eight.
        let word = unsafe { place.read_volatile() }.to_ne_bytes();
        // SAFETY: the rest fits the private buffer; the word is our own copy.
        unsafe { std::ptr::copy_nonoverlapping(word.as_ptr(), to.wrapping_add(whole), len - whole) };
    }
}

/// Calls `copy` for the place of each unit in `len` bytes, in order: four in a row between two looks at whether it is over.
#[inline(always)]
fn each(len: usize, size: usize, copy: impl Fn(usize)) {
    const ROW: usize = 4;
    let mut at = 0;
    while len - at >= ROW * size {
        (0..ROW).for_each(|unit| copy(at + unit * size));
        at += ROW * size;
    }
    while at < len {
        copy(at);
        at += size;
    }
}

/// Copies `len` bytes, a multiple of the unit's size, from where it is aligned: unit by unit, for of anything
/// larger the compiler makes single bytes when told to read it once.
#[inline(always)]
unsafe fn units<U: Copy>(from: *const u8, to: *mut u8, len: usize) {
    each(len, size_of::<U>(), |at| {
        // SAFETY: inside `len`. Volatile: memory outside of Rust's allocations that may change under us.
        let unit = unsafe { from.wrapping_add(at).cast::<U>().read_volatile() };
        // SAFETY: inside `len` of the caller's private buffer, any alignment.
        unsafe { to.wrapping_add(at).cast::<U>().write_unaligned(unit) };
    });
}

/// Copies `count` elements from private memory into the ring, where nobody else writes: word by word, if they are of
/// words. An element that has just been put together was stored in words, and a wider load of what several stores have
/// left waits until all stores before them are in the cache, those to lines of the other side included.
///
/// # Safety
///
/// `from` is readable and `to` writable for `count` elements, both aligned for them, and the two do not overlap.
#[cfg(feature = "bytemuck")]
#[inline(always)]
pub(crate) unsafe fn elements_into_ring<T>(from: *const T, to: *mut T, count: usize) {
    let len = count * size_of::<T>();
    if align_of::<T>() < 8 || len <= PAIR || len > SHORT {
        // SAFETY: as promised by the caller.
        unsafe { std::ptr::copy_nonoverlapping(from, to, count) };
        return;
    }
    let (from, to) = (from.cast::<u64>(), to.cast::<u64>());
    for at in 0..len / 8 {
        // SAFETY: inside `len`, which is a multiple of the alignment.
        let word = unsafe { from.wrapping_add(at).read() };
        // SAFETY: as the load. Volatile keeps the compiler from making wider stores of it, and with them wider loads.
        unsafe { to.wrapping_add(at).write_volatile(word) };
    }
}

/// Copies a message from the caller's memory to a claimed place.
///
/// # Safety
///
/// `from` is readable and `to` writable for `len` bytes, the two do not overlap, and `to` is aligned to eight.
#[inline(always)]
pub(crate) unsafe fn into_ring(from: *const u8, to: *mut u8, len: usize) {
    if len > SHORT {
        // SAFETY: as promised by the caller.
        unsafe { std::ptr::copy_nonoverlapping(from, to, len) };
        return;
    }
    // Word by word: a wider store may lie across two lines, and then needs both from the other side at once.
    let whole = len & !7;
    each(whole, 8, |at| {
        // SAFETY: inside `len`.
        let word = unsafe { from.wrapping_add(at).cast::<u64>().read_unaligned() };
        #[allow(clippy::cast_ptr_alignment)] // promised by the caller
        let place = to.wrapping_add(at).cast::<u64>();
        // SAFETY: inside `len`, aligned. Volatile keeps the compiler from making wider stores of it.
        unsafe { place.write_volatile(word) };
    });
    // Only if there is a rest: a call to copy nothing is as dear as two words.
    if whole < len {
        // SAFETY: inside `len`.
        unsafe {
            std::ptr::copy_nonoverlapping(from.wrapping_add(whole), to.wrapping_add(whole), len - whole)
        };
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))] // Miri knows no assembly
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

#[cfg(any(not(target_arch = "x86_64"), miri))]
unsafe fn large(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: as promised by the caller.
    unsafe { small(from, to, len) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(align(8))]
    struct Aligned([u8; 4096]);

    fn numbered() -> Aligned {
        let mut bytes = Aligned([0; 4096]);
        bytes.0.iter_mut().enumerate().for_each(|(index, byte)| *byte = (index * 31 % 251) as u8);
        bytes
    }

    fn lengths() -> impl Iterator<Item = usize> {
        // Each way of copying, and both sides of every border; Miri takes its time.
        let (short, long) = if cfg!(miri) { (20, 1023..1025) } else { (300, 1000..1100) };
        (0..short).chain([255, 256, 257]).chain(long).chain([4096])
    }

    #[test]
    fn every_length_copies_exactly_its_bytes() {
        let source = numbered();
        for len in lengths() {
            let mut target = vec![0xEE; len + 1];
            // SAFETY: both are long enough, apart, and the source is aligned.
            unsafe { out_of_ring(source.0.as_ptr(), target.as_mut_ptr(), len) };
            assert_eq!(&target[..len], &source.0[..len], "{len} bytes");
            assert_eq!(target[len], 0xEE, "{len} bytes: one too many");
        }
    }

    #[test]
    fn every_length_is_written_with_exactly_its_bytes() {
        let source = numbered();
        for len in lengths().filter(|&len| len < 4096) {
            let mut target = Aligned([0xEE; 4096]);
            // From an odd address: the caller's memory is aligned to nothing.
            let from = source.0[1..].as_ptr();
            // SAFETY: both are long enough, apart, and the target is aligned.
            unsafe { into_ring(from, target.0.as_mut_ptr(), len) };
            assert_eq!(&target.0[..len], &source.0[1..=len], "{len} bytes");
            assert_eq!(target.0[len..], [0xEE; 4096][len..], "{len} bytes: one too many");
        }
    }

    #[cfg(feature = "bytemuck")]
    #[test]
    fn elements_are_copied_whole() {
        fn check<T: bytemuck::Pod + PartialEq + std::fmt::Debug>(count: usize) {
            let source = numbered();
            let elements: &[T] = bytemuck::cast_slice(&source.0[..count * size_of::<T>()]);
            let mut target = vec![T::zeroed(); count + 1];
            // SAFETY: both are long enough and aligned, and apart.
            unsafe { elements_out_of_ring(elements.as_ptr(), target.as_mut_ptr(), count) };
            assert_eq!(&target[..count], elements);
            assert_eq!(target[count], T::zeroed(), "one too many");
            target.fill(T::zeroed());
            // SAFETY: as above.
            unsafe { elements_into_ring(elements.as_ptr(), target.as_mut_ptr(), count) };
            assert_eq!(&target[..count], elements);
            assert_eq!(target[count], T::zeroed(), "one too many");
        }
        for count in [0, 1, 3, 100, 300] {
            check::<u8>(count);
            check::<[u16; 3]>(count);
            check::<[u32; 2]>(count);
            check::<u64>(count);
            check::<[u64; 2]>(count.min(200));
            check::<[u64; 5]>(count.min(100));
        }
    }
}
