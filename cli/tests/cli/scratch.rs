//! A directory of rings for one test, and programs that never outlive it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No test waits longer than this for a program to end.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at something that is to happen.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Rings and files of one test, removed at its end.
#[derive(Debug)]
pub(crate) struct Scratch {
    dir: PathBuf,
}

impl Scratch {
    pub(crate) fn new(test: &str) -> Self {
        let dir = PathBuf::from(format!("/dev/shm/podring-cli-{}-{test}", std::process::id()));
        fs::create_dir_all(dir.join("rings")).unwrap();
        Self { dir }
    }

    /// Where the rings are.
    pub(crate) fn rings(&self) -> PathBuf {
        self.dir.join("rings")
    }

    /// A path outside the directory of rings.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The program with `--dir` set.
    pub(crate) fn podring(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podring"));
        command.arg("--dir").arg(self.rings()).args(args.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &str) -> Outcome {
        Running::start(self.podring(args)).outcome()
    }

    /// Runs the program to its end with this on standard input.
    pub(crate) fn feed(&self, args: &str, input: &[u8]) -> Outcome {
        let mut command = self.podring(args);
        command.stdin(Stdio::piped());
        let mut running = Running::start(command);
        running.feed(input);
        running.outcome()
    }

    /// Starts the program; its input is empty.
    pub(crate) fn start(&self, args: &str) -> Running {
        Running::start(self.podring(args))
    }

    /// Starts the program with files for its input and output.
    pub(crate) fn start_with_files(
        &self,
        args: &str,
        input: Option<&Path>,
        output: Option<&Path>,
    ) -> Running {
        let mut command = self.podring(args);
        if let Some(input) = input {
            command.stdin(File::open(input).unwrap());
        }
        if let Some(output) = output {
            command.stdout(File::create(output).unwrap());
        }
        Running::start(command)
    }

    /// What `podring info --json` says.
    pub(crate) fn info(&self, ring: &str) -> Value {
        let outcome = self.run(&format!("info {ring} --json"));
        assert_eq!(outcome.status, 0, "{outcome:?}");
        outcome.json()
    }

    /// Waits until `role` of `ring` is attached.
    pub(crate) fn wait_for_seat(&self, ring: &str, role: &str) {
        wait_until(&format!("{role} of {ring}"), || {
            let outcome = self.run(&format!("info {ring} --json"));
            outcome.status == 0
                && outcome.json()["seats"].as_array().is_some_and(|seats| {
                    seats.iter().any(|seat| seat["role"] == role && seat["live"] == true)
                })
        });
    }

    /// Names in the directory of rings.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.rings()).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            eprintln!("{} stays behind: {error}", self.dir.display());
        }
    }
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Exit status; -9 for SIGKILL and so on.
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.stdout).unwrap()
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        parse(self.text())
    }

    /// The one JSON object on standard error.
    #[track_caller]
    pub(crate) fn json_on_stderr(&self) -> Value {
        parse(&self.stderr)
    }

    /// Fails unless the program ended like this.
    #[track_caller]
    pub(crate) fn expect(&self, status: i32) -> &Self {
        assert_eq!(self.status, status, "{:?}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// Fails unless standard error has all these.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "{part:?} is not in {:?}", self.stderr);
        }
        self
    }
}

#[track_caller]
fn parse(text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
    assert_eq!(value["schema"], 1, "{text}");
    for key in ["kernel", "hostname", "cpus", "podring", "layout"] {
        assert!(!value["environment"][key].is_null(), "{key}: {text}");
    }
    value
}

/// A program that is killed when the test ends before it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Self { child, stdout, stderr }
    }

    /// Writes standard input and ends it. A program that does not want it all is no failure.
    pub(crate) fn feed(&mut self, input: &[u8]) {
        let mut stdin = self.child.stdin.take().unwrap();
        let _ = stdin.write_all(input);
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn outcome(mut self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the program does not end");
            thread::sleep(LOOK_AGAIN);
        };
        use std::os::unix::process::ExitStatusExt;
        let text =
            |stream: Option<JoinHandle<Vec<u8>>>| stream.map_or_else(Vec::new, |it| it.join().unwrap());
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Outcome {
            status: status.code().unwrap_or_else(|| -status.signal().unwrap()),
            stdout,
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn collect(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Waits until something has happened; fails after a minute.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "waiting for {what}");
        thread::sleep(LOOK_AGAIN);
    }
}

/// Bytes that look random and are the same every time.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Joins paths and words into one command line.
pub(crate) fn words(parts: &[&dyn AsRef<OsStr>]) -> String {
    parts.iter().map(|part| part.as_ref().to_str().unwrap()).collect::<Vec<_>>().join(" ")
}
