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

/// Whether the instruction at `place` enters the kernel.
pub(crate) fn is_call(pid: Pid, place: u64) -> Result<bool> {
    let code = code_at(pid, place)?;
    #[cfg(target_arch = "x86_64")]
    let call = code.starts_with(&[0x0f, 0x05]); // syscall
    #[cfg(target_arch = "aarch64")]
    let call = code.starts_with(&[0x01, 0x00, 0x00, 0xd4]); // svc #0
    Ok(call)
}

/// Puts a breakpoint at `place`. Returns the code that was there.
pub(crate) fn plant(pid: Pid, place: u64) -> Result<[u8; 8]> {
    let code = code_at(pid, place)?;
    let mut planted = code;
    planted[..BREAK.len()].copy_from_slice(BREAK);
    restore(pid, place, planted)?;
    Ok(code)
}

/// Puts the code back.
pub(crate) fn restore(pid: Pid, place: u64, code: [u8; 8]) -> Result<()> {
    ptrace::write(pid, place as *mut c_void, i64::from_ne_bytes(code))
}

/// After the breakpoint at `place` was met: lets the child go on with the instruction that is there.
pub(crate) fn back_to(pid: Pid, place: u64) -> Result<()> {
    #[cfg(target_arch = "x86_64")]
    {
        // The processor has passed the breakpoint.
        let mut registers = ptrace::getregs(pid)?;
        registers.rip = place;
        ptrace::setregs(pid, registers)
    }
    #[cfg(target_arch = "aarch64")]
    {
        // The processor stands before the breakpoint.
        let _ = (pid, place);
        Ok(())
    }
}

#[cfg(target_arch = "x86_64")]
const BREAK: &[u8] = &[0xcc]; // int3
#[cfg(target_arch = "aarch64")]
const BREAK: &[u8] = &[0x00, 0x00, 0x20, 0xd4]; // brk #0

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
        let at = start.wrapping_add_signed(4 * end);
        saved.push((at, plant(pid, at)?));
    }
    ptrace::cont(pid, None)?;
    let stop = wait();
    if !matches!(stop, Stop::Lost(_)) {
        // Backwards: two ends may lie side by side, and what was saved holds two instructions.
        for (at, code) in saved.into_iter().rev() {
            restore(pid, at, code)?;
        }
    }
    Ok(stop)
}
