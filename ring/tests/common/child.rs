//! Other processes: the test binary runs itself again and plays a role.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const ROLE: &str = "PODRING_TEST_ROLE";
const ARGS: &str = "PODRING_TEST_ARGS";
/// What a child says on standard error when it cannot do its part here.
const SKIP: &str = "SKIPPED: ";

/// What a role does, given its arguments.
pub(crate) type Play = fn(&[String]);

/// The body of the test named `child` that every file with roles has. Does nothing unless started by `spawn`.
pub(crate) fn play(roles: &[(&str, Play)]) {
    let Ok(role) = std::env::var(ROLE) else { return };
    // A child that outlives a killed test would hold its seat.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).expect("a child dies with its parent");
    let args = std::env::var(ARGS).unwrap_or_default();
    let args: Vec<String> = args.split('\n').map(str::to_owned).collect();
    let (_, play) = roles.iter().find(|(name, _)| *name == role).expect("a role of this file");
    play(&args);
}

/// Ends a child whose part cannot be played on this machine, saying why.
pub(crate) fn skip(why: &str) -> ! {
    eprintln!("{SKIP}{why}");
    std::process::exit(0)
}

/// A process playing a role; killed when dropped.
pub(crate) struct Child {
    process: std::process::Child,
    role: String,
    /// Whether it may be refused a namespace of its own.
    unshares: bool,
}

/// Starts a child. The thread that starts it must outlive it.
pub(crate) fn spawn(role: &str, args: &[&str]) -> Child {
    start(Command::new(myself()), role, args, false)
}

/// Starts a child that may mount what it likes, seen by nobody else: as root, or as root of a user namespace
/// of its own.
pub(crate) fn spawn_mounting(role: &str, args: &[&str]) -> Child {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private"]);
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg(myself());
    start(command, role, args, true)
}

/// Starts a child that a seccomp filter refuses one system call, from before its `main` on.
#[allow(unsafe_code)]
pub(crate) fn spawn_forbidding(call: libc::c_long, role: &str, args: &[&str]) -> Child {
    let mut command = Command::new(myself());
    // SAFETY: the closure runs in the child before exec, and makes two system calls with memory of its own stack.
    unsafe { command.pre_exec(move || forbid(call as u32)) };
    start(command, role, args, false)
}

#[allow(unsafe_code)]
fn forbid(call: u32) -> std::io::Result<()> {
    let step = |code: u32, k: u32, jt, jf| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut filter = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0), // the call's number
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call, 0, 1),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32, 0, 0),
        step(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: integers only.
    let private = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the program and its filter live until the call returns; the kernel copies them.
    let filtered =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if private == 0 && filtered == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

fn myself() -> std::path::PathBuf {
    std::env::current_exe().expect("the test's own binary")
}

fn start(mut command: Command, role: &str, args: &[&str], unshares: bool) -> Child {
    let process = command
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .env(ARGS, args.join("\n"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("another process");
    Child { process, role: role.to_owned(), unshares }
}

impl Child {
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).expect("a child of ours");
    }

    /// SIGKILL; returns when the process is gone. It must not have ended in another way before, unless well.
    #[track_caller]
    pub(crate) fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        let status = self.process.wait().expect("a child of ours");
        if !was_killed(status) && !status.success() {
            let errors = self.errors();
            panic!("{} failed before it was killed: {errors}", self.role);
        }
    }

    /// Whether it still runs; panics if it failed.
    #[track_caller]
    pub(crate) fn is_running(&mut self) -> bool {
        match self.process.try_wait().expect("a child of ours") {
            None => true,
            Some(status) => {
                let errors = if status.success() { String::new() } else { self.errors() };
                assert!(status.success(), "{} failed: {errors}", self.role);
                false
            }
        }
    }

    /// Waits for it to end well. Returns whether it played its part, false if it had to skip it.
    #[track_caller]
    pub(crate) fn finish(mut self, limit: Duration) -> bool {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(start.elapsed() < limit, "{} still runs after {limit:?}", self.role);
            std::thread::sleep(Duration::from_millis(1));
        };
        let errors = self.errors();
        if self.unshares && errors.starts_with("unshare: ") {
            eprintln!("{SKIP}{}: no mount namespace: {errors}", self.role);
            return false;
        }
        assert!(status.success(), "{} failed ({status}): {errors}", self.role);
        if let Some((_, why)) = errors.split_once(SKIP) {
            eprintln!("{SKIP}{}: {why}", self.role);
            return false;
        }
        true
    }

    /// Waits for it to end, however. Returns how, and what it said.
    pub(crate) fn end(mut self, limit: Duration) -> (ExitStatus, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("a child of ours") {
                break status;
            }
            assert!(start.elapsed() < limit, "{} still runs after {limit:?}", self.role);
            std::thread::sleep(Duration::from_millis(1));
        };
        (status, self.errors())
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.process.stderr {
            let _ = stderr.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(Signal::SIGKILL as i32)
}

/// A path as an argument.
pub(crate) fn arg(path: &Path) -> &str {
    path.to_str().expect("paths of tests are plain")
}
