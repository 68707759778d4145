//! What differs between processors: where a child stands, what it is about to do, and how it takes a step.

use nix::Result;
use nix::libc::c_void;
use nix::sys::ptrace;
use nix::unistd::Pid;

use crate::trace::Stop;

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("single steps are written for x86-64 and aarch64");

/// The address of the next instruction.
pub(crate) fn place(pid: Pid) -> Result<u64> {
    let registers = ptrace::getregs(pid)?;
    #[cfg(target_arch = "x86_64")]
    let place = registers.rip;
    #[cfg(target_arch = "aarch64")]
    let place = registers.pc;
    Ok(place)
}

fn code_at(pid: Pid, place: u64) -> Result<[u8; 8]> {
    Ok(ptrace::read(pid, place as *mut c_void)?.to_ne_bytes())
}

/// Whether the next instruction enters the kernel.
pub(crate) fn at_call(pid: Pid) -> Result<bool> {
    let code = code_at(pid, place(pid)?)?;
    #[cfg(target_arch = "x86_64")]
    let call = code.starts_with(&[0x0f, 0x05]); // syscall
    #[cfg(target_arch = "aarch64")]
    let call = code.starts_with(&[0x01, 0x00, 0x00, 0xd4]); // svc #0
    Ok(call)
}

/// One instruction.
#[cfg(target_arch = "x86_64")]
pub(crate) fn step(pid: Pid, wait: impl Fn() -> Stop) -> Result<Stop> {
    ptrace::step(pid, None)?;
    Ok(wait())
}

/// One instruction, or a whole sequence from a load-exclusive to its store-exclusive: every stop would take
/// the reservation away, and the loop around them would never end. Nothing is stored in between.
#[cfg(target_arch = "aarch64")]
pub(crate) fn step(pid: Pid, wait: impl Fn() -> Stop) -> Result<Stop> {
    use crate::exclusive::{LONGEST, ends};

    const BREAK: [u8; 4] = 0xd420_0000_u32.to_le_bytes();
    let start = place(pid)?;
    let mut code = [0; LONGEST];
    for (index, word) in code.iter_mut().enumerate() {
        let bytes = code_at(pid, start + 4 * index as u64)?;
        *word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        if index == 0 && !crate::exclusive::is_load(*word) {
            break;
        }
    }
    let ends = ends(&code);
    if ends.is_empty() {
        ptrace::step(pid, None)?;
        return Ok(wait());
    }
    let mut saved = Vec::new();
    for end in ends {
        let at = start.wrapping_add_signed(4 * end) as *mut c_void;
        let before = ptrace::read(pid, at)?;
        let mut bytes = before.to_ne_bytes();
        bytes[..4].copy_from_slice(&BREAK);
        saved.push((at, before));
        ptrace::write(pid, at, i64::from_ne_bytes(bytes))?;
    }
    ptrace::cont(pid, None)?;
    let stop = wait();
    if !matches!(stop, Stop::Lost(_)) {
        // Backwards: two ends may lie side by side, and each word holds two instructions.
        for (at, before) in saved.into_iter().rev() {
            ptrace::write(pid, at, before)?;
        }
    }
    Ok(stop)
}
