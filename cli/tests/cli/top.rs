//! top in a terminal of its own: it shows rings, and gives the terminal back however it ends.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::scratch::{Scratch, wait_until};

struct Terminal {
    child: Child,
    master: File,
    slave: OwnedFd,
    /// What it wrote, and the picture that this makes.
    screen: Arc<Mutex<(String, vt100::Parser)>>,
}

impl Terminal {
    fn start(scratch: &Scratch, args: &str) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = scratch.podring(args);
        let child = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let master = File::from(pty.master);
        let screen = Arc::new(Mutex::new((String::new(), vt100::Parser::new(24, 120, 0))));
        let (mut reader, seen) = (master.try_clone().unwrap(), Arc::clone(&screen));
        // Ends when the last holder of the other end has closed it.
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                let mut seen = seen.lock().unwrap();
                seen.0.push_str(&String::from_utf8_lossy(&bytes[..read]));
                seen.1.process(&bytes[..read]);
            }
        });
        Self { child, master, slave: pty.slave, screen }
    }

    fn screen(&self) -> String {
        self.screen.lock().unwrap().1.screen().contents()
    }

    fn wait_for(&self, what: &str) {
        wait_until(what, || self.screen().contains(what));
    }

    fn wait_for_code(&self, code: &str) {
        wait_until(code, || self.screen.lock().unwrap().0.contains(code));
    }

    /// Whether lines are edited and typed letters shown, as a shell leaves it.
    fn is_usable(&self) -> bool {
        tcgetattr(&self.slave).unwrap().local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    #[track_caller]
    fn ends_well(mut self) {
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.screen());
        assert!(self.is_usable(), "the terminal is not as it was");
        // The other screen has been left, and the cursor is back.
        self.wait_for_code("\x1b[?1049l");
        self.wait_for_code("\x1b[?25h");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn keys_and_signals_end_it_and_the_terminal_is_as_it_was() {
    let scratch = Scratch::new("top");
    scratch.feed("send orders -f lines", b"one\n").expect(0);
    let start = || {
        let terminal = Terminal::start(&scratch, "top -i 100ms");
        terminal.wait_for("orders");
        assert!(!terminal.is_usable(), "it reads keys, not lines");
        terminal
    };
    for keys in ["q", "\x03", "\rq"] {
        let mut terminal = start();
        terminal.master.write_all(keys.as_bytes()).unwrap();
        terminal.ends_well();
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let terminal = start();
        kill(Pid::from_raw(i32::try_from(terminal.child.id()).unwrap()), signal).unwrap();
        terminal.ends_well();
    }
}

#[test]
fn it_ends_with_its_terminal() {
    let scratch = Scratch::new("top-gone");
    let pty = openpty(None, None).unwrap();
    // The child must not hold the end that goes.
    for fd in [&pty.master, &pty.slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
    }
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = scratch.podring("top -i 100ms");
    let mut child = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    drop(command);
    drop(pty.slave);
    let mut master = File::from(pty.master);
    assert!(master.read(&mut [0; 4096]).unwrap() > 0, "it draws");
    drop(master);
    wait_until("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_ring_that_comes_later_shows() {
    let scratch = Scratch::new("top-later");
    let mut terminal = Terminal::start(&scratch, "top -i 50ms");
    terminal.wait_for("no rings here yet");
    scratch.run("create afterwards").expect(0);
    terminal.wait_for("afterwards");
    terminal.master.write_all(b"\r").unwrap();
    terminal.wait_for("largest message");
    scratch.run("rm afterwards").expect(0);
    terminal.wait_for("afterwards is gone");
    terminal.master.write_all(b"q").unwrap();
    terminal.ends_well();
}

#[test]
fn without_a_terminal_it_says_what_to_use() {
    let scratch = Scratch::new("top-pipe");
    scratch.run("top").expect(2).says(&["podring stat", "docker exec -it"]);
    scratch.run("top --json").expect(2).says(&["stat --json"]);
    let mut terminal = Terminal::start(&scratch, "top nothing");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(3));
    terminal.wait_for("not found");
    assert!(terminal.is_usable());
}
