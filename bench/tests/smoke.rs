//! Runs the program with tiny counts: that it measures, checks, prints and cleans up. Not how fast.

use std::io::{BufRead, BufReader, Read};
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

    /// Whether a program that runs in here has made something of that name.
    fn has(&self, name: &str) -> bool {
        let entries =
            |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten().collect::<Vec<_>>();
        let is_it = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(name);
        entries(&self.0).iter().any(|own| entries(&own.path()).iter().any(is_it))
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

const TINY: [&str; 5] =
    ["--count=100", "--runs=2", "--floor-count=20", "--wait=adaptive,park", "--capacity=64K"];

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_case_gives_a_figure_and_nothing_stays() {
    let dir = Dir::new("json");
    let result = json(&run(dir.bench(&[&TINY[..], &["--json", "--size=8,64,1000", "--batch=1,8"]].concat())));
    assert_eq!(result["schema"], 2);
    assert!(result["environment"]["kernel"].as_str().unwrap().contains('.'));
    for key in
        ["line_each_ns", "futex_round_trip_ns", "copy_one_core_bytes_per_s", "copy_two_cores_bytes_per_s"]
    {
        assert!(result["floor"][key].as_f64().unwrap() > 0.0, "{key}");
    }
    let of = |mode: &str| -> Vec<&Value> {
        result["results"].as_array().unwrap().iter().filter(|row| row["mode"] == mode).collect()
    };
    let trips = of("latency");
    assert_eq!(
        trips.len(),
        2 * (3 * 2 + 2 * 2),
        "two ways to wait; byte rings of three sizes, typed rings of two, copied or in place each"
    );
    for trip in trips {
        assert!(trip["count"].as_f64().unwrap() >= 200.0, "{trip}");
        let (p50, p99, max) = (&trip["p50_ns"], &trip["p99_ns"], &trip["max_ns"]);
        assert!(0.0 < p50.as_f64().unwrap() && p50.as_f64() <= p99.as_f64(), "{trip}");
        assert!(p99.as_f64() <= max.as_f64(), "{trip}");
        assert!(
            trip["p50_per_floor"].as_f64().unwrap() > 0.0 && trip["floor_ns"].as_f64().unwrap() > 0.0,
            "{trip}"
        );
    }
    let streams = of("throughput");
    assert_eq!(streams.len(), 2 * 2 * (3 * 2 + 2 * 2));
    for stream in streams {
        let rate = stream["msgs_per_s"].as_f64().unwrap();
        let size = stream["message_bytes"].as_f64().unwrap();
        assert!(rate > 0.0, "{stream}");
        assert!((stream["bytes_per_s"].as_f64().unwrap() / (rate * size) - 1.0).abs() < 1e-3, "{stream}");
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn an_open_loop_and_a_sleeper() {
    let dir = Dir::new("oneway");
    let arguments = [
        "oneway",
        "wake",
        "--subject=podring",
        "--count=50",
        "--warmup=5",
        "--runs=1",
        "--rate=2K",
        "--floor-count=20",
        "--json",
    ];
    let result = json(&run(dir.bench(&arguments)));
    let rows = result["results"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "two ways to wait, and one to sleep");
    for row in rows {
        assert_eq!(row["rate_per_s"].as_f64(), Some(2000.0), "{row}");
        assert!(row["p50_ns"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["clock_offset_ns"].is_number(), "{row}");
    }
    let sleeper = rows.iter().find(|row| row["mode"] == "wake").unwrap();
    assert_eq!(sleeper["wait"], "park");
    assert!(sleeper["parks"].as_f64().unwrap() > 0.0, "{sleeper}");
}

#[test]
fn many_producers_and_consumers() {
    let dir = Dir::new("mpmc");
    for place in ["process", "thread"] {
        let place = format!("--where={place}");
        let arguments = [
            "mpmc",
            "--size=8,64",
            "--count=500",
            "--runs=1",
            "--wait=adaptive",
            "--batch=1,8",
            "--floor-count=20",
            &place,
            "--json",
        ];
        let result = json(&run(dir.bench(&arguments)));
        let rows = result["results"].as_array().unwrap();
        assert_eq!(
            rows.len(),
            2 * 2 * 2 * 2,
            "bytes and elements, two sizes, single and batches, 1+1 and 2+2"
        );
        for row in rows {
            assert!(row["count"].as_f64().unwrap() >= 500.0, "{row}");
        }
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn queues_of_many_have_sizes_of_their_own() {
    let dir = Dir::new("mpmc-sizes");
    let few = ["mpmc", "--producers=1", "--consumers=2", "--count=200", "--runs=1", "--wait=adaptive"];
    let result = json(&run(dir.bench(&[&few[..], &["--floor-count=20", "--json"]].concat())));
    let named: Vec<(&str, u64)> = result["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["subject"].as_str().unwrap(), row["message_bytes"].as_f64().unwrap() as u64))
        .collect();
    for subject in ["podring-mpmc", "podring-mpmc-typed"] {
        for size in [16, 64, 256] {
            assert!(named.contains(&(subject, size)), "{subject} of {size} is not in {named:?}");
        }
    }
    assert_eq!(named.len(), 2 * 3);
}

/// Lost, doubled and torn messages end a run: each queue is used as it is meant to be, also the peers'.
#[cfg(feature = "peers")]
#[test]
fn every_queue_of_many_carries_everything_once() {
    let dir = Dir::new("mpmc-peers");
    let arguments = [
        "mpmc",
        "--compare",
        "--size=16,256",
        "--batch=1,8",
        "--count=300",
        "--runs=1",
        "--producers=2",
        "--consumers=2",
        "--wait=adaptive",
        "--floor-count=20",
        "--json",
    ];
    let result = json(&run(dir.bench(&arguments)));
    for (subject, place, ways) in [
        ("podring-mpmc", "process", 2),
        ("podring-mpmc-typed", "process", 2),
        ("cloudtoid", "process", 2),
        ("bound-mpmc", "process", 1),
        ("array-queue", "thread", 1),
        ("crossbeam-channel", "thread", 1),
        ("gil-mpmc", "thread", 1),
        ("omango", "thread", 1),
    ] {
        let rows = result["results"].as_array().unwrap();
        let its = rows.iter().filter(|row| row["subject"] == subject && row["where"] == place);
        assert_eq!(
            its.count(),
            2 * ways,
            "{subject}: two sizes, one at a time and in batches if it has them"
        );
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn threads_instead_of_processes() {
    let dir = Dir::new("thread");
    let result = json(&run(dir.bench(&[&TINY[..], &["--json", "--size=64", "--where=thread"]].concat())));
    for row in result["results"].as_array().unwrap() {
        assert_eq!(row["where"], "thread");
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn another_process_serves() {
    let dir = Dir::new("serve");
    let mut server = dir.bench(&["--serve"]).spawn().unwrap();
    let output = dir
        .bench(
            &[&TINY[..], &["latency", "oneway", "throughput", "--json", "--size=64", "--where=container"]]
                .concat(),
        )
        .output()
        .unwrap();
    if !output.status.success() {
        server.kill().unwrap();
    }
    assert!(server.wait().unwrap().success(), "{}", String::from_utf8_lossy(&output.stderr));
    let result = json(&output);
    assert_eq!(result["results"].as_array().unwrap().len(), 8 + 8 + 16);
    assert_eq!(dir.entries(), 0);
}

#[test]
fn a_table_for_people() {
    let dir = Dir::new("table");
    let output = run(dir.bench(&[&TINY[..], &["--size=64", "latency"]].concat()));
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "kernel",
        "one for each direction",
        "futex round trip",
        "Round trips, nanoseconds",
        "p99.99",
        "adaptive",
    ] {
        assert!(text.contains(word), "{word:?} is not in\n{text}");
    }
    assert!(!text.contains("Streams"), "{text}");
}

#[test]
fn every_form_of_the_result() {
    let dir = Dir::new("forms");
    let out = dir.0.join("result");
    let out_option = format!("--out={}", out.display());
    let forms = "--format=json,csv,hgrm,bmf,github,openmetrics,junit,markdown";
    run(dir
        .bench(&[&TINY[..], &["--size=64", "latency", "--fail-if=p50 > 10s", forms, &out_option]].concat()));
    let read = |ending: &str| std::fs::read_to_string(format!("{}.{ending}", out.display())).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("json")).unwrap()["verdicts"][0]["outcome"], "pass");
    assert_eq!(read("csv").lines().count(), 1 + 8);
    assert_eq!(read("hgrm").matches("#[Case = ").count(), 8);
    let bmf: Value = serde_json::from_str(&read("bmf.json")).unwrap();
    assert!(
        bmf["latency/podring/64B/adaptive/process/64KiB"]["latency"]["value"].as_f64().unwrap() > 0.0,
        "{bmf}"
    );
    assert_eq!(serde_json::from_str::<Value>(&read("github.json")).unwrap().as_array().unwrap().len(), 16);
    assert!(read("prom").ends_with("# EOF\n"));
    assert!(read("junit.xml").contains("tests=\"8\" failures=\"0\" errors=\"0\""));
    assert!(read("md").contains("| **pass** "), "{}", read("md"));
}

#[test]
fn a_picture_of_every_mode() {
    let dir = Dir::new("pictures");
    let (plots, page) = (dir.0.join("plots"), dir.0.join("page.html"));
    let options = [format!("--plot={}", plots.display()), format!("--report={}", page.display())];
    let few = ["--size=64", "--count=50", "--runs=1", "--floor-count=20", "--wait=adaptive", "--batch=1,8"];
    let modes = ["latency", "throughput", "mpmc"];
    run(dir.bench(&[&modes[..], &few[..], &options.each_ref().map(String::as_str)[..]].concat()));
    let page = std::fs::read_to_string(page).unwrap();
    for (name, title) in [
        ("latency-64", "Round trips, 64 B messages"),
        ("throughput-single", "Streams, one at a time"),
        ("throughput-batches", "Streams, in batches"),
        ("mpmc-1p1c-single", "Producers and consumers: 1+1, one at a time"),
        ("mpmc-2p2c-single", "Producers and consumers: 2+2, one at a time"),
        ("mpmc-1p1c-batches", "Producers and consumers: 1+1, in batches"),
        ("mpmc-2p2c-batches", "Producers and consumers: 2+2, in batches"),
    ] {
        let svg = std::fs::read_to_string(plots.join(format!("{name}.svg"))).unwrap();
        assert!(svg.contains(title), "{name}: {title:?} is not in\n{svg}");
        assert!(page.contains(title), "{title:?} is not on the page");
    }
    assert_eq!(std::fs::read_dir(&plots).unwrap().count(), 7);
}

#[test]
fn the_gate_has_three_outcomes() {
    let dir = Dir::new("gate");
    let code = |arguments: &[&str]| {
        let tiny = ["latency", "--count=100", "--floor-count=20", "--wait=adaptive", "--subject=podring"];
        dir.bench(&[&tiny[..], arguments].concat()).output().unwrap().status.code()
    };
    assert_eq!(code(&["--fail-if=p50 > 10s"]), Some(0));
    assert_eq!(code(&["--fail-if=p50 > 1ns"]), Some(4));
    let out = dir.0.join("base.json");
    let text = out.display().to_string();
    assert_eq!(code(&["--runs=5", "--format=json", &format!("--out={text}")]), Some(0));
    let mut base: Value = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    let write = |base: &Value| std::fs::write(&out, base.to_string()).unwrap();
    for row in base["results"].as_array_mut().unwrap() {
        for (at, run) in row["runs"].as_array_mut().unwrap().iter_mut().enumerate() {
            // A baseline that differs from itself by more than anything can be told apart.
            run["floor_moved"] = false.into();
            run["p50_ns"] = (10f64.powi(at as i32 * 4)).into();
        }
    }
    write(&base);
    assert_eq!(code(&["--most-runs=5", &format!("--baseline={text}")]), Some(6));
    assert_eq!(code(&["--fail-if=p50 > +10% of baseline"]), Some(2), "no baseline");
}

#[test]
fn a_baseline_that_is_a_program_is_run_in_turn() {
    let dir = Dir::new("turns");
    let own = env!("CARGO_BIN_EXE_podring-bench");
    let output = dir
        .bench(&[
            "latency",
            "--subject=podring",
            "--wait=adaptive",
            "--count=100",
            "--floor-count=20",
            "--most-runs=5",
            "--json",
            &format!("--baseline={own}"),
            "--fail-if=p50 > 1000x baseline",
            "--fail-if=p50 > 10s",
        ])
        .output()
        .unwrap();
    let result = json(&output);
    assert_eq!(result["results"][0]["runs"].as_array().unwrap().len(), 5);
    let verdicts = result["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len(), 2);
    assert!(output.status.code() == Some(0) || output.status.code() == Some(6), "{output:?}");
    assert_eq!(dir.entries(), 0);
}

#[test]
fn targets_are_judged_and_nothing_stays() {
    let dir = Dir::new("targets");
    let mut command = Command::new(env!("CARGO_BIN_EXE_podring-targets"));
    command.arg("--dir").arg(&dir.0).args(["--rounds=1", "--duration=1ms", "--only=large,attach"]);
    let text = String::from_utf8(run(command).stdout).unwrap();
    for part in
        ["| row | target | measured |", "the two-core copy", "| attach and detach | < 1 ms |", "kernel"]
    {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn spinning_on_both_sides() {
    let dir = Dir::new("spin");
    // Few: where there is one CPU, each turn costs a slice of the scheduler.
    let few = ["--count=20", "--runs=1", "--floor-count=4", "--wait=spin", "--size=64", "--json"];
    let result = json(&run(dir.bench(&few)));
    assert_eq!(result["results"].as_array().unwrap().len(), 4 + 8);
    assert_eq!(dir.entries(), 0);
}

#[test]
fn a_failed_run_leaves_nothing() {
    let dir = Dir::new("fail");
    let output = dir
        .bench(&[
            "throughput",
            "--size=64K",
            "--capacity=4K",
            "--subject=podring-copy",
            "--batch=1",
            "--count=10",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("65536") && message.contains("throughput-"), "{message}");
    assert_eq!(dir.entries(), 0);
}

#[test]
fn an_interrupt_prints_what_there_is() {
    let dir = Dir::new("interrupt");
    // The first run is short, the second one endless.
    let mut bench = dir
        .bench(&[
            "throughput",
            "--size=64",
            "--subject=podring",
            "--batch=1",
            "--wait=adaptive",
            "--duration=3600s",
            "--warmup=1",
            "--floor-count=20",
            "--patience=3600",
            "--json",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !dir.has("throughput-") {
        assert!(Instant::now() < deadline, "no ring appeared");
        std::thread::sleep(Duration::from_millis(5));
    }
    // Long enough for the warm-up, which is one message, to be over; if it is not, there is no figure to print.
    std::thread::sleep(Duration::from_secs(1));
    kill(Pid::from_raw(bench.id() as i32), Signal::SIGINT).unwrap();
    let mut text = String::new();
    bench.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(bench.wait().unwrap().code(), Some(130));
    if !text.is_empty() {
        let result: Value = serde_json::from_str(&text).unwrap();
        assert!(result["results"][0]["msgs_per_s"].as_f64().unwrap() > 0.0, "{result}");
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn bad_options_are_told() {
    let dir = Dir::new("usage");
    for (arguments, told) in [
        (&["--size=7"][..], "multiples of 8"),
        (&["--cpu=0"][..], "pair of CPU numbers"),
        (&["--cpu=0,99999"][..], "99999"),
        (&["throughput", "--size=24", "--subject=podring-typed"][..], "nothing to measure"),
        (&["mpmc", "--subject=podring"][..], "one producer"),
        (&["--fail-if=p50 is bad"][..], "not a condition"),
        (&["--format=json,csv"][..], "--out"),
        (&["--baseline=/no such file"][..], "/no such file"),
    ] {
        let output = dir.bench(arguments).output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?}: {message}");
        assert!(message.contains(told), "{arguments:?}: {message}");
    }
    assert_eq!(dir.entries(), 0);
}

#[test]
fn killed_outright_it_leaves_nothing() {
    let dir = Dir::new("kill");
    // More than can be done before the kill; progress is only for terminals, so look for the ring itself.
    let mut bench = dir
        .bench(&[
            "--count=1000000000",
            "throughput",
            "--subject=podring-copy",
            "--size=64",
            "--patience=3600",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !dir.has("throughput-") {
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
