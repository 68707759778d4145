//! A kernel without unnamed files, for the calling process.

use nix::libc;

/// The bit that tells `O_TMPFILE` from `O_DIRECTORY`.
const UNNAMED: u32 = (libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

/// From here on the process is told that its file systems have no unnamed files.
pub(crate) fn unnamed_files() {
    let call_number = 0;
    let low_half_of_flags = 16 + 2 * 8;
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let if_equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let if_set = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let line = |code, k, jt, jf| libc::sock_filter { code, k, jt, jf };
    let mut lines = [
        line(load, call_number, 0, 0),
        line(if_equal, libc::SYS_openat as u32, 0, 3),
        line(load, low_half_of_flags, 0, 0),
        line(if_set, UNNAMED, 0, 1),
        line(answer, libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32, 0, 0),
        line(answer, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: lines.len() as u16, filter: lines.as_mut_ptr() };
    nix::sys::prctl::set_no_new_privs().expect("a process may give up privileges");
    // SAFETY: the program outlives the call, which copies it.
    let refused = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(refused, 0, "a filter for one's own system calls: {}", std::io::Error::last_os_error());
}
