//! Building the models and running each in a process of its own, since some failures abort the process.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The built models.
#[derive(Debug)]
pub struct Suite {
    executable: PathBuf,
}

/// What running one test came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The test's name.
    pub test: String,
    /// Whether it passed.
    pub passed: bool,
    /// Executions of all its models, also of the one that failed.
    pub executions: u64,
    /// How long it took.
    pub took: Duration,
    /// What it printed.
    pub output: String,
}

impl Suite {
    /// Builds the tests of the package whose manifest is in `package`, in `target` if given.
    ///
    /// # Errors
    ///
    /// What cargo says.
    pub fn build(package: &Path, target: Option<&Path>) -> Result<Self, String> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(package).args(["test", "--test", "models", "--no-run", "--message-format=json"]);
        if let Some(target) = target {
            command.arg("--offline").arg("--target-dir").arg(target);
        }
        let output = command.stderr(Stdio::piped()).output().map_err(|error| error.to_string())?;
        let messages = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let rendered = messages.lines().filter_map(|line| string_in(line, "\"rendered\":\""));
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(rendered.fold(errors, |all, message| all + &message));
        }
        let executable = messages
            .lines()
            .filter(|line| line.contains("\"name\":\"models\"") && line.contains("\"kind\":[\"test\"]"))
            .find_map(|line| string_in(line, "\"executable\":\""))
            .ok_or("cargo built no test named models")?;
        Ok(Self { executable: executable.into() })
    }

    /// The names of all tests.
    ///
    /// # Errors
    ///
    /// If the built program does not run.
    pub fn tests(&self) -> Result<Vec<String>, String> {
        let output = self.command().args(["--list", "--format", "terse"]).output();
        let output = output.map_err(|error| format!("{}: {error}", self.executable.display()))?;
        let list = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(list.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.executable);
        command.env("RUST_BACKTRACE", "0");
        command
    }

    /// Runs one test.
    ///
    /// # Errors
    ///
    /// If the process cannot be started, or does not end within `limit`.
    pub fn run(&self, test: &str, limit: Duration) -> Result<Outcome, String> {
        let start = Instant::now();
        let mut command = self.command();
        command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        // Read as it comes, so that no pipe fills up.
        let reader = |pipe: Option<Box<dyn Read + Send>>| {
            std::thread::spawn(move || {
                let mut text = Vec::new();
                let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut text));
                String::from_utf8_lossy(&text).into_owned()
            })
        };
        let out = reader(stdout.map(|pipe| Box::new(pipe) as _));
        let err = reader(stderr.map(|pipe| Box::new(pipe) as _));
        let status = wait_until(&mut child, start + limit);
        let output = out.join().unwrap_or_default() + &err.join().unwrap_or_default();
        let status = status.map_err(|error| format!("{test}: {error}\n{output}"))?;
        Ok(Outcome {
            test: test.into(),
            passed: status.success(),
            executions: executions_in(&output),
            took: start.elapsed(),
            output,
        })
    }

    /// Runs tests, `jobs` at a time, and shows each outcome to `each` as it comes.
    ///
    /// # Errors
    ///
    /// As [`Suite::run`].
    pub fn run_all(
        &self,
        tests: &[String],
        jobs: usize,
        limit: Duration,
        each: impl Fn(&Outcome) + Sync,
    ) -> Result<Vec<Outcome>, String> {
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(Vec::new());
        let work = || {
            while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = self.run(test, limit);
                if let Ok(outcome) = &outcome {
                    each(outcome);
                }
                outcomes.lock().expect("no holder panics").push(outcome);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..jobs.max(1) {
                scope.spawn(work);
            }
        });
        outcomes.into_inner().expect("no holder panics").into_iter().collect()
    }
}

fn wait_until(child: &mut Child, deadline: Instant) -> Result<std::process::ExitStatus, String> {
    loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return Err("did not end in time".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The executions a test's output tells of: those of models that ended, and of the one that failed.
fn executions_in(output: &str) -> u64 {
    let number = |text: &str| {
        text.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse::<u64>().ok()
    };
    output
        .lines()
        .filter(|line| line.contains("model "))
        .filter_map(|line| match line.split_once(": failed in execution ") {
            Some((_, rest)) => number(rest),
            None => number(line[..line.find(" executions")?].rsplit(' ').next()?),
        })
        .sum::<u64>()
}

/// The JSON string that follows `key` in a line, with the escapes that cargo's messages have.
fn string_in(line: &str, key: &str) -> Option<String> {
    let mut rest = line[line.find(key)? + key.len()..].chars();
    let mut text = String::new();
    loop {
        match rest.next()? {
            '"' => return Some(text),
            '\\' => match rest.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'u' => {
                    let code = u32::from_str_radix(&rest.by_ref().take(4).collect::<String>(), 16).ok()?;
                    text.extend(char::from_u32(code));
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
}
