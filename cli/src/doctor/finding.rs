//! What a check has found: how bad it is, what it saw, and what mends it.

use std::fmt;

use serde_json::{Map, Value, json};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but not as well, or not for sure.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

/// One line of the report.
#[derive(Debug)]
pub(super) struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    remedies: Vec<String>,
    facts: Map<String, Value>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, found)
    }

    pub(super) fn warn(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, found)
    }

    pub(super) fn fail(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Verdict::Fail, found)
    }

    pub(super) fn new(check: &'static str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { check, verdict, found: found.into(), remedies: Vec::new(), facts: Map::new() }
    }

    /// A command or a piece of YAML that mends it.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedies.push(remedy.into());
        self
    }

    /// A fact for machines; where it has a unit, the key ends in it.
    pub(super) fn fact(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(key.to_owned(), value.into());
        self
    }

    pub(super) fn check(&self) -> &'static str {
        self.check
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.verdict
    }

    #[cfg(test)]
    pub(super) fn remedies(&self) -> &[String] {
        &self.remedies
    }

    /// The line, and one line for each remedy.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{:<4}  {:<12}  {}", self.verdict, self.check, self.found);
        for remedy in &self.remedies {
            text.push_str("\n                    -> ");
            text.push_str(&remedy.replace('\n', "\n                       "));
        }
        text
    }

    pub(super) fn member(&self) -> Value {
        let mut member = self.facts.clone();
        member.insert("check".to_owned(), self.check.into());
        member.insert("verdict".to_owned(), self.verdict.to_string().into());
        member.insert("found".to_owned(), self.found.clone().into());
        member.insert("remedies".to_owned(), json!(self.remedies));
        Value::Object(member)
    }
}
