//! Mistakes that the compiler refuses. Each file in `compile_fail/` is one, and says on its first lines with
//! which error, and what the compiler's words must be about:
//!
//! ```text
//! // refused: E0499
//! // about: `rx`
//! ```
//!
//! `right.rs` makes none of them, and must compile. Texts are not compared as a whole: they change with
//! every compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// The library as it was built for this test, and what it was built with.
#[derive(Debug)]
struct Library {
    rlib: PathBuf,
    deps: PathBuf,
    out: PathBuf,
}

impl Library {
    /// Beside this test's own binary; of several builds, the newest that a program without mistakes compiles
    /// against.
    fn find() -> Self {
        let deps = std::env::current_exe().expect("this binary").parent().expect("its directory").to_owned();
        let mut builds: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(&deps)
            .expect("the directory of libraries")
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                let name = path.file_name()?.to_str()?;
                let library = name.starts_with("libpodring-") && name.ends_with(".rlib");
                Some((library.then(|| path.metadata())?.ok()?.modified().ok()?, path))
            })
            .collect();
        builds.sort_by(|a, b| b.cmp(a));
        let out = std::env::temp_dir().join(format!("podring-compile-fail-{}", std::process::id()));
        std::fs::create_dir_all(&out).expect("a directory for what is compiled");
        let mut words = String::new();
        for (_, rlib) in builds {
            let library = Self { rlib, deps: deps.clone(), out: out.clone() };
            let outcome = library.compile(&cases().join("right.rs"));
            if outcome.status.success() {
                return library;
            }
            words = text(&outcome);
        }
        panic!("no library in {} that right.rs compiles against:\n{words}", deps.display());
    }

    fn compile(&self, program: &Path) -> Output {
        // Cargo says which toolchain it runs the tests with.
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let mut command = Command::new(rustc);
        command
            .args(["--edition", "2024", "--crate-type", "bin", "--emit", "metadata", "--cap-lints", "allow"])
            .arg("--extern")
            .arg(format!("podring={}", self.rlib.display()))
            .arg("-L")
            .arg(format!("dependency={}", self.deps.display()))
            .arg("--out-dir")
            .arg(&self.out);
        if cfg!(feature = "bytemuck") {
            command.args(["--cfg", "typed"]);
        }
        command.arg(program).output().expect("the compiler")
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.out);
    }
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail")
}

fn text(outcome: &Output) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

/// What a case says of itself: `// key: value` on its first lines.
fn stated<'a>(source: &'a str, key: &str) -> Vec<&'a str> {
    let lines = source.lines().take_while(|line| line.starts_with("// "));
    lines.filter_map(|line| line[3..].strip_prefix(key)?.strip_prefix(": ")).collect()
}

/// What is wrong with a case's refusal, if something is.
fn judge(source: &str, outcome: &Output) -> Option<String> {
    let text = text(outcome);
    let codes = stated(source, "refused");
    let [code] = codes[..] else { return Some(format!("it states no code, or several: {codes:?}")) };
    if outcome.status.success() {
        return Some("it compiles, and must not".into());
    }
    let expected = format!("error[{code}]");
    // Beside the reasons, one line only counts them.
    let mut reasons =
        text.lines().filter(|line| line.starts_with("error") && !line.contains("aborting due to"));
    if !reasons.all(|line| line.starts_with(&expected)) || !text.contains(&expected) {
        return Some(format!("it is not refused with {code} alone:\n{text}"));
    }
    let missing = stated(source, "about").into_iter().find(|about| !text.contains(about));
    missing.map(|about| format!("nothing about {about}:\n{text}"))
}

#[test]
fn each_mistake_is_refused_for_the_reason_it_states() {
    let library = Library::find();
    let (mut count, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(cases()).expect("the cases") {
        let path = entry.expect("a case").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        if name == "right.rs" || (name.starts_with("typed_") && !cfg!(feature = "bytemuck")) {
            continue;
        }
        let source = std::fs::read_to_string(&path).expect("a case");
        wrong.extend(judge(&source, &library.compile(&path)).map(|why| format!("{name}: {why}")));
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    println!("{count} mistakes refused");
    assert!(count >= 20, "only {count} mistakes were tried");
}
