//! What every command prints at its end, and with which exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use podring::Error;
use serde_json::{Map, Value, json};

use crate::environment;

/// Version of the JSON objects; raised when a key changes its meaning or goes away.
pub(crate) const SCHEMA: u32 = 1;

/// Exit status of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Failure = 1,
    Usage = 2,
    /// Not found, busy, or incompatible.
    Unavailable = 3,
    /// Loss, duplicate, reorder or corruption.
    Damaged = 5,
    Timeout = 124,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a command did: a text for people, and the same as JSON members.
#[derive(Debug)]
pub(crate) struct Summary {
    text: String,
    members: Map<String, Value>,
}

impl Summary {
    /// `members` is a JSON object.
    pub(crate) fn new(command: &str, text: String, members: Value) -> Self {
        let mut members = match members {
            Value::Object(members) => members,
            other => Map::from_iter([("result".to_owned(), other)]),
        };
        members.insert("command".to_owned(), command.into());
        Self { text, members }
    }

    /// The same without a text for people: nothing had been done yet.
    pub(crate) fn without_text(mut self) -> Self {
        self.text.clear();
        self
    }

    fn into_object(mut self, environment: &Value) -> Value {
        self.members.insert("schema".to_owned(), SCHEMA.into());
        self.members.insert("environment".to_owned(), environment.clone());
        Value::Object(self.members)
    }
}

/// Why a command ended without success, and what it had done until then.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    kind: &'static str,
    message: String,
    summary: Option<Box<Summary>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self { exit, kind, message: message.into(), summary: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "Usage", message)
    }

    /// A refusal of the operating system outside the library.
    pub(crate) fn io(doing: &str, error: &io::Error) -> Self {
        Self::new(Exit::Failure, "Os", format!("{doing} failed: {error}"))
    }

    /// For commands that look at a ring or remove it: they neither create one nor wait for it.
    pub(crate) fn of_onlooker(error: Error) -> Self {
        let message = match &error {
            Error::NotFound { ring, dir, seen, .. } => {
                let seen = seen.as_ref().map_or_else(String::new, |seen| format!(" ({seen})"));
                format!(
                    "ring '{ring}' not found: no such file in {}{seen}; `podring ls` shows what there is, \
                     `podring doctor` what this directory is",
                    dir.display()
                )
            }
            Error::RoleTaken { ring, holder, .. } => {
                format!(
                    "ring '{ring}' is in use: {holder} is attached; stop it first, or remove the ring with --force"
                )
            }
            _ => return error.into(),
        };
        Self::from(error).with_message(message)
    }

    pub(crate) fn with_summary(mut self, summary: Summary) -> Self {
        self.summary = Some(Box::new(summary));
        self
    }

    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    pub(crate) fn with_message(mut self, message: String) -> Self {
        self.message = message;
        self
    }

    #[cfg(test)]
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn error(&self) -> Value {
        json!({ "kind": self.kind, "message": self.message })
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::NameInvalid { .. } | Error::OptionInvalid { .. } => Exit::Usage,
            Error::NotFound { .. }
            | Error::NoDirectory { .. }
            | Error::Exists { .. }
            | Error::RoleTaken { .. }
            | Error::NotARing { .. }
            | Error::Truncated { .. }
            | Error::Version { .. }
            | Error::Mismatch { .. } => Exit::Unavailable,
            Error::Corrupt { .. } => Exit::Damaged,
            Error::Timeout { .. } => Exit::Timeout,
            _ => Exit::Failure,
        };
        Self::new(exit, error.kind(), error.to_string())
    }
}

/// Where results go: text or JSON; standard output, or standard error where data has the other.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    /// As it was at the start: a command may bind itself to one CPU.
    environment: Value,
    data_on_stdout: bool,
}

impl Output {
    pub(crate) fn new(json: bool, data_on_stdout: bool) -> Self {
        let environment = if json { environment::describe() } else { Value::Null };
        Self { json, environment, data_on_stdout }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints what a command did.
    pub(crate) fn finish(&self, summary: Summary) -> Result<(), Failure> {
        if self.json {
            self.print(&summary.into_object(&self.environment).to_string())
        } else if summary.text.is_empty() {
            Ok(())
        } else {
            self.print(&summary.text)
        }
    }

    /// Prints why it ended, after what it had done until then.
    pub(crate) fn fail(&self, failure: &Failure) -> Exit {
        if !(self.json && self.data_on_stdout) {
            if let (Some(summary), false) = (&failure.summary, self.json)
                && !summary.text.is_empty()
            {
                // Whatever becomes of it, the failure follows.
                let _ = self.print(&summary.text);
            }
            print_error_line(&format!("podring: {}", failure.message));
        }
        if self.json {
            let mut object = match &failure.summary {
                Some(summary) => {
                    let (text, members) = (String::new(), summary.members.clone());
                    Summary { text, members }.into_object(&self.environment)
                }
                None => json!({ "schema": SCHEMA, "environment": self.environment }),
            };
            object["error"] = failure.error();
            let _ = self.print(&object.to_string());
        }
        failure.exit
    }

    /// What [`Output::fail`] would print of a failure that knows of no summary, and on which descriptors.
    pub(crate) fn last_words(&self, failure: &Failure) -> Vec<(i32, Vec<u8>)> {
        let mut words = Vec::new();
        if !(self.json && self.data_on_stdout) {
            words.push((2, format!("podring: {}\n", failure.message).into_bytes()));
        }
        if self.json {
            let object =
                json!({ "schema": SCHEMA, "environment": self.environment, "error": failure.error() });
            words.push((if self.data_on_stdout { 2 } else { 1 }, format!("{object}\n").into_bytes()));
        }
        words
    }

    /// Progress for people: silent where standard error must hold exactly one JSON object.
    pub(crate) fn note(&self, text: &str) {
        if !(self.json && self.data_on_stdout) {
            print_error_line(&format!("podring: {text}"));
        }
    }

    fn print(&self, line: &str) -> Result<(), Failure> {
        if !self.data_on_stdout {
            return print_line(line);
        }
        print_error_line(line);
        Ok(())
    }
}

/// A JSON object that holds nothing but an error.
pub(crate) fn error_object(kind: &str, message: &str) -> Value {
    json!({
        "schema": SCHEMA,
        "error": { "kind": kind, "message": message },
        "environment": environment::describe(),
    })
}

/// Prints a line on standard output. A reader that went away is a quiet end, as for `head`.
pub(crate) fn print_line(line: &str) -> Result<(), Failure> {
    print_next_line(line).map(|_| ())
}

/// The same for a command that has more to say: false when nobody reads any more.
pub(crate) fn print_next_line(line: &str) -> Result<bool, Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::io("writing to standard output", &error)),
    }
}

/// Prints a line on standard error; there is nowhere left to report a failure of that.
fn print_error_line(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
