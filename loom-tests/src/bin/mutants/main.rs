//! Weakens the algorithms one line at a time and requires that some model notices, each time.
//!
//! Works on a copy of this package and of `ring/src/algo` below the target directory. Prints what killed each
//! mutant, as a table in Markdown. Fails if a mutant survives, does not compile, or its text is no longer there.
//! Arguments select mutants by a part of their names. `--likely` runs only the tests that the list names as likely to
//! notice: quicker where many survive, as while mutants are written. `--equivalent` takes instead the weakenings that are said to
//! change nothing, and requires that no model notices.

mod list;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use list::{EQUIVALENT, MUTANTS, Mutant};
use podring_loom_tests::runner::{Outcome, Suite};

/// The longest a test may take under a mutant: several times what the longest takes without.
const LIMIT: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let (options, wanted): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let outcome = match options.as_slice() {
        [] => run(MUTANTS, &wanted, Tests::All, Expected::Killed),
        [option] if option == "--likely" => run(MUTANTS, &wanted, Tests::Likely, Expected::Killed),
        [option] if option == "--equivalent" => run(EQUIVALENT, &wanted, Tests::All, Expected::Survives),
        _ => Err(format!("unknown options: {}", options.join(" "))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mutants: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is tried on each mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tests {
    All,
    Likely,
}

/// What is to become of each mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Killed,
    Survives,
}

fn run(list: &[Mutant], wanted: &[String], tests: Tests, expected: Expected) -> Result<(), String> {
    let start = Instant::now();
    let bench = Bench::prepare()?;
    let mutants: Vec<_> = list
        .iter()
        .filter(|mutant| wanted.is_empty() || wanted.iter().any(|part| mutant.name.contains(part.as_str())))
        .collect();
    // Before the long part: whether all of them still are what they were meant to be.
    let mut lost = Vec::new();
    for mutant in &mutants {
        lost.extend(bench.mutate(mutant).err());
        bench.restore()?;
    }
    if !lost.is_empty() {
        return Err(lost.join("\n"));
    }
    if mutants.is_empty() {
        return Err(format!("no mutant is named like {wanted:?}"));
    }
    let order =
        bench.baseline(|test| tests == Tests::All || mutants.iter().any(|mutant| mutant.likely == test))?;
    println!("| mutant | killed by | executions | how |\n|---|---|---:|---|");
    let mut survivors = Vec::new();
    for mutant in &mutants {
        bench.mutate(mutant)?;
        let killer = bench.killer(mutant, &order, tests);
        bench.restore()?;
        match killer? {
            Some(killer) => println!(
                "| {} | `{}` | {} | {} |",
                mutant.name,
                killer.test,
                killer.executions,
                complaint(&killer.output)
            ),
            None => {
                println!("| {} | **nothing** | | |", mutant.name);
                survivors.push(mutant.name);
            }
        }
    }
    let killed = mutants.len() - survivors.len();
    println!("\n{killed} of {} mutants killed, {:.0} s", mutants.len(), start.elapsed().as_secs_f64());
    match expected {
        Expected::Killed if survivors.is_empty() => Ok(()),
        Expected::Killed => Err(format!("no model notices: {}", survivors.join("; "))),
        Expected::Survives if killed == 0 => Ok(()),
        Expected::Survives => Err("what is said to change nothing does".into()),
    }
}

/// The copy that is mutated.
#[derive(Debug)]
struct Bench {
    /// The algorithms as they are.
    original: PathBuf,
    /// The workspace of the copy.
    copy: PathBuf,
}

impl Bench {
    fn prepare() -> Result<Self, String> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.parent().ok_or("the package is in a workspace")?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        // target/debug/mutants
        let target = program.ancestors().nth(2).ok_or("this program is in a target directory")?;
        let copy = target.join("mutants").join("workspace");
        let bench = Self { original: root.join("ring/src/algo"), copy };
        let copied = bench.copy.join("loom-tests");
        match fs::remove_dir_all(&bench.copy) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(at(&bench.copy)(error)),
            _ => {}
        }
        copy_tree(&package.join("src"), &copied.join("src"))?;
        copy_tree(&package.join("tests"), &copied.join("tests"))?;
        copy_file(&package.join("Cargo.toml"), &copied.join("Cargo.toml"))?;
        copy_file(&root.join("Cargo.lock"), &bench.copy.join("Cargo.lock"))?;
        let manifest = root.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).map_err(at(&manifest))?;
        let members = text.lines().find(|line| line.starts_with("members = "));
        let members = members.ok_or("the workspace's manifest lists its members on one line")?;
        let text = text.replace(members, "members = [\"loom-tests\"]");
        write(&bench.copy.join("Cargo.toml"), &text)?;
        bench.restore()?;
        Ok(bench)
    }

    fn algo(&self) -> PathBuf {
        self.copy.join("ring/src/algo")
    }

    fn restore(&self) -> Result<(), String> {
        copy_tree(&self.original, &self.algo())
    }

    /// Applies a mutant's edits to the copy.
    fn mutate(&self, mutant: &Mutant) -> Result<(), String> {
        for (file, old, new) in mutant.edits {
            let path = self.algo().join(file);
            let text = fs::read_to_string(&path).map_err(at(&path))?;
            let found = text.matches(old).count();
            if found != 1 {
                return Err(format!("{}: {file} has this {found} times, not once: {old}", mutant.name));
            }
            write(&path, &text.replace(old, new))?;
        }
        Ok(())
    }

    fn build(&self) -> Result<Suite, String> {
        let target = self.copy.with_file_name("target");
        Suite::build(&self.copy.join("loom-tests"), Some(&target))
    }

    /// Those of the `wanted` tests that can kill, quickest first. Without a mutant they pass.
    fn baseline(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, String> {
        let suite = self.build()?;
        let mut tests = suite.tests()?;
        // These expect a failure of their own, or do not run the algorithms.
        tests.retain(|test| {
            !test.starts_with("litmus::") && !test.contains("without_a_barrier") && wanted(test)
        });
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let mut outcomes = suite.run_all(&tests, jobs, LIMIT, |_| {})?;
        if let Some(failed) = outcomes.iter().find(|outcome| !outcome.passed) {
            return Err(format!("{} fails without any mutant:\n{}", failed.test, failed.output));
        }
        outcomes.sort_by_key(|outcome| outcome.took);
        Ok(outcomes.into_iter().map(|outcome| outcome.test).collect())
    }

    /// The first test that fails.
    fn killer(&self, mutant: &Mutant, order: &[String], tests: Tests) -> Result<Option<Outcome>, String> {
        let suite = self.build().map_err(|error| format!("{} does not compile:\n{error}", mutant.name))?;
        if !order.iter().any(|test| test == mutant.likely) {
            return Err(format!("{}: there is no test {}", mutant.name, mutant.likely));
        }
        let rest = order.iter().map(String::as_str).filter(|&test| test != mutant.likely);
        let all = std::iter::once(mutant.likely).chain(rest.filter(|_| tests == Tests::All));
        for test in all {
            // What does not end has noticed nothing.
            match suite.run(test, LIMIT) {
                Ok(outcome) if !outcome.passed => return Ok(Some(outcome)),
                Ok(_) => {}
                Err(error) => eprintln!("{}: {error}", mutant.name),
            }
        }
        Ok(None)
    }
}

/// What a failed test complains of: the line after the one that says where.
fn complaint(output: &str) -> String {
    let mut lines = output.lines().skip_while(|line| !line.contains("panicked at"));
    let line = lines.nth(1).unwrap_or("it aborted").trim();
    line.replace('|', "\\|").chars().take(90).collect()
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}")
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(at(path))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), String> {
    // Only what differs, so that cargo rebuilds no more than it must.
    let text = fs::read(from).map_err(at(from))?;
    if fs::read(to).is_ok_and(|present| present == text) {
        return Ok(());
    }
    fs::write(to, text).map_err(at(to))
}

fn copy_tree(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            copy_file(&entry.path(), &target)?;
        }
    }
    Ok(())
}
