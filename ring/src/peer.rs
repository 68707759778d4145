//! Who takes part.

use std::fmt;
use std::time::SystemTime;

/// What a participant does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends.
    Producer,
    /// Receives.
    Consumer,
}

impl Role {
    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Producer => Self::Consumer,
            Self::Consumer => Self::Producer,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        })
    }
}

/// A participant, as it described itself. For display only: nothing is ever decided by these facts, since
/// a process id means nothing outside its own namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// What it does.
    pub role: Role,
    /// Its seat in the ring.
    pub seat: u8,
    /// Its process id, in its own PID namespace.
    pub pid: u32,
    /// Its program's name.
    pub program: String,
    /// Its host name; in a container, usually the container's id.
    pub host: String,
    /// When it attached.
    pub since: SystemTime,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or = |text: &str| if text.is_empty() { "unknown".to_owned() } else { text.to_owned() };
        write!(f, "{} '{}' on {} (pid {} there)", self.role, or(&self.program), or(&self.host), self.pid)
    }
}
