//! Runs the program with tiny counts: that it measures, checks, prints and cleans up. Not how fast.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A directory in shared memory for one test, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let path = Path::new(podring::DEFAULT_DIR).join(format!("bench-smoke-{test}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn entries(&self) -> usize {
        std::fs::read_dir(&self.0).unwrap().count()
    }

    fn bench(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_podring-bench"));
        command.arg("--dir").arg(&self.0).args(arguments);
        command
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

const TINY: [&str; 6] =
    ["--count=100", "--runs=2", "--floor-count=20", "--wait=adaptive,park", "--capacity=64K", "--batch=8"];

#[test]
fn every_case_gives_a_figure_and_nothing_stays() {
    let dir = Dir::new("json");
    let output = run(dir.bench(&[&TINY[..], &["--json", "--size=8,64,1000"]].concat()));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["schema"], 1);
    assert!(result["environment"]["kernel"].as_str().unwrap().contains('.'));
    assert!(result["floor"]["line_each_ns"].as_f64().unwrap() > 0.0);

    let trips = result["round_trips"].as_array().unwrap();
    assert_eq!(trips.len(), 2 * (3 + 2), "two ways to wait; byte rings of three sizes, typed rings of two");
    for trip in trips {
        assert_eq!(trip["count"], 200, "{trip}");
        let (p50, p99, max) = (&trip["p50_ns"], &trip["p99_ns"], &trip["max_ns"]);
        assert!(0.0 < p50.as_f64().unwrap() && p50.as_f64() <= p99.as_f64(), "{trip}");
        assert!(p99.as_f64() <= max.as_f64(), "{trip}");
        assert!(trip["p50_per_floor_line_each"].as_f64().unwrap() > 0.0, "{trip}");
    }

    let streams = result["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 2 * (3 * 4 + 2 * 2));
    for stream in streams {
        let rate = stream["msgs_per_s"].as_f64().unwrap();
        let size = stream["message_bytes"].as_f64().unwrap();
        assert!(rate > 0.0, "{stream}");
        assert!((stream["bytes_per_s"].as_f64().unwrap() / (rate * size) - 1.0).abs() < 1e-6, "{stream}");
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn a_table_for_people() {
    let dir = Dir::new("table");
    let output = run(dir.bench(&[&TINY[..], &["--size=64", "--mode=latency"]].concat()));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["kernel", "a line for each direction", "Round trips, nanoseconds", "p99.99", "adaptive"] {
        assert!(text.contains(word), "{word:?} is not in\n{text}");
    }
    assert!(!text.contains("Streams"), "{text}");
}

#[test]
fn spinning_on_both_sides() {
    let dir = Dir::new("spin");
    // Few: where there is one CPU, each turn costs a slice of the scheduler.
    let few = ["--count=20", "--runs=1", "--floor-count=4", "--wait=spin", "--size=64", "--json"];
    let output = run(dir.bench(&few));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["round_trips"].as_array().unwrap().len(), 2);
    assert_eq!(result["streams"].as_array().unwrap().len(), 6);
    assert_eq!(dir.entries(), 0);
}

#[test]
fn a_failed_run_leaves_nothing() {
    let dir = Dir::new("fail");
    let output = dir
        .bench(&["--size=64K", "--capacity=4K", "--mode=throughput", "--style=copy", "--count=10"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("65536") && message.contains("stream-0"), "{message}");
    assert_eq!(dir.entries(), 0);
}

#[test]
fn bad_options_are_told() {
    let dir = Dir::new("usage");
    for (arguments, told) in [
        (&["--size=7"][..], "multiples of 8"),
        (&["--cpu=0"][..], "pair of CPU numbers"),
        (&["--cpu=0,99999"][..], "99999"),
        (&["--size=24", "--mode=throughput", "--style=typed"][..], "nothing to measure"),
    ] {
        let output = dir.bench(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(told), "{arguments:?}: {message}");
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn killed_outright_it_leaves_nothing() {
    let dir = Dir::new("kill");
    // More than can be done before the kill; progress is only for terminals, so look for the ring itself.
    let mut bench = dir
        .bench(&["--count=1000000000", "--mode=throughput", "--style=copy", "--size=64", "--patience=3600"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let ring = || {
        let own = std::fs::read_dir(&dir.0).unwrap().flatten().next()?;
        std::fs::read_dir(own.path()).ok()?.flatten().next()
    };
    while ring().is_none() {
        assert!(Instant::now() < deadline, "no ring appeared");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(Pid::from_raw(bench.id() as i32), Signal::SIGKILL).unwrap();
    bench.wait().unwrap();
    // The pipe ends when the last process that writes to it has gone: partner and janitor too.
    let mut rest = String::new();
    BufReader::new(bench.stdout.take().unwrap()).read_line(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert_eq!(dir.entries(), 0);
}
