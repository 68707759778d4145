//! What can go wrong in a run, and the exit code it stands for.

use std::fmt;

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
    /// A message did not hold what was sent: the figure would be worthless.
    Content(String),
    /// The other process ended badly, or did not end.
    Partner(String),
    /// The options do not go together.
    Usage(String),
}

impl Error {
    /// Wraps a failed system call.
    pub fn os(doing: impl Into<String>, source: impl Into<std::io::Error>) -> Self {
        Self::Os { doing: doing.into(), source: source.into() }
    }

    /// The exit code of a program that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Content(_) => 5,
            Self::Ring(_) | Self::Os { .. } | Self::Partner(_) => 1,
        }
    }
}

impl From<podring::Error> for Error {
    fn from(error: podring::Error) -> Self {
        Self::Ring(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring(error) => error.fmt(f),
            Self::Os { doing, source } => write!(f, "{doing}: {source}"),
            Self::Content(what) => write!(f, "wrong content: {what}"),
            Self::Partner(what) => write!(f, "the other process: {what}"),
            Self::Usage(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ring(error) => Some(error),
            Self::Os { source, .. } => Some(source),
            Self::Content(_) | Self::Partner(_) | Self::Usage(_) => None,
        }
    }
}
