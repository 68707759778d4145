//! What can go wrong in a run, and the exit code it stands for.

use std::fmt;

use crate::case::Case;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a run did not give a figure.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The library refused or failed.
    Ring(podring::Error),
    /// A system call failed.
    Os {
        /// What was being done.
        doing: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It happened while a case was run.
    During(String, Box<Self>),
    /// A message did not hold what was sent: the figure would be worthless.
    Content(String),
    /// The other process ended badly, or did not end.
    Partner(String),
    /// Another side has failed, and says why.
    Abandoned,
    /// The user stopped it before there was a figure.
    Interrupted,
    /// The options do not go together.
    Usage(String),
}

impl Error {
    /// Wraps a failed system call.
    pub fn os(doing: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Os { doing: doing.into(), source: source.into() }
    }

    /// Says during which case it happened.
    pub fn of(self, case: &Case) -> Self {
        Self::During(case.name(), Box::new(self))
    }

    /// The exit code of a program that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::During(_, error) => error.exit_code(),
            Self::Usage(_) => 2,
            Self::Content(_) => 5,
            Self::Interrupted => 130,
            Self::Ring(_) | Self::Os { .. } | Self::Partner(_) | Self::Abandoned => 1,
        }
    }
}

impl From<podring::Error> for Error {
    fn from(error: podring::Error) -> Self {
        match error {
            // Nobody closes a ring here before its end, but a side that has failed.
            podring::Error::Closed { .. } => Self::Abandoned,
            error => Self::Ring(error),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(error) => error.fmt(f),
            Self::During(case, error) => write!(f, "{case}: {error}"),
            Self::Os { doing, source } => write!(f, "{doing}: {source}"),
            Self::Content(what) => write!(f, "wrong content: {what}"),
            Self::Partner(what) => write!(f, "the other process: {what}"),
            Self::Abandoned => f.write_str("the other process: failed (see above)"),
            Self::Interrupted => f.write_str("stopped before there was a figure"),
            Self::Usage(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ring(error) => Some(error),
            Self::During(_, error) => Some(error),
            Self::Os { source, .. } => Some(source),
            Self::Content(_) | Self::Partner(_) | Self::Abandoned | Self::Interrupted | Self::Usage(_) => {
                None
            }
        }
    }
}
