//! Everything that can go wrong, each with what to do about it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::directory::Directory;
use crate::peer::{Peer, Role};

/// What a call returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed. The text ([`Display`](fmt::Display)) names the ring, what was found, what was
/// expected, and the remedy. Nothing was sent, received or changed unless the variant says so.
#[non_exhaustive]
pub enum Error {
    /// The name cannot be a ring's.
    NameInvalid {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An option has a value that cannot work.
    OptionInvalid {
        /// The ring's name.
        ring: Arc<str>,
        /// The option.
        option: &'static str,
        /// The value as given.
        value: String,
        /// What values work.
        why: String,
    },
    /// There is no ring of this name, and the caller did not want to create it.
    NotFound {
        /// The ring's name.
        ring: Arc<str>,
        /// Where it was looked for.
        dir: PathBuf,
        /// What that looks like to this process.
        seen: Option<Box<Directory>>,
        /// How long.
        waited: Duration,
    },
    /// There is something of this name, and the caller wanted a new ring.
    Exists {
        /// The ring's name.
        ring: Arc<str>,
        /// What exists.
        path: PathBuf,
    },
    /// The directory that holds rings is not there.
    NoDirectory {
        /// The ring's name.
        ring: Arc<str>,
        /// The directory.
        dir: PathBuf,
    },
    /// The file system is too small or too full. Nothing was allocated.
    NoSpace {
        /// The ring's name.
        ring: Arc<str>,
        /// The directory.
        dir: PathBuf,
        /// Bytes the ring needs, its header included.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// Bytes the file system has in all.
        total: u64,
    },
    /// The control group's memory limit leaves too little: going on would end in the kernel's OOM killer.
    MemoryLimit {
        /// The ring's name.
        ring: Arc<str>,
        /// Bytes the ring needs, its header included.
        needed: u64,
        /// Bytes that the limit allows in all.
        limit: u64,
        /// Bytes in use that cannot be reclaimed.
        used: u64,
    },
    /// The file system is mounted read-only.
    ReadOnly {
        /// The ring's name.
        ring: Arc<str>,
        /// What could not be written.
        path: PathBuf,
    },
    /// The kernel forbids it to this user.
    Permission {
        /// The ring's name.
        ring: Arc<str>,
        /// What could not be opened.
        path: PathBuf,
        /// The user id of this process.
        uid: u32,
        /// The user id of the owner, where it could be found out.
        owner: Option<u32>,
        /// The permission bits, where they could be found out.
        mode: Option<u32>,
    },
    /// The ring belongs to another user than the one asked for.
    WrongOwner {
        /// The ring's name.
        ring: Arc<str>,
        /// The owner's user id.
        found: u32,
        /// The user id asked for.
        expected: u32,
    },
    /// What is under the name is not a ring.
    NotARing {
        /// The ring's name.
        ring: Arc<str>,
        /// What was opened.
        path: PathBuf,
        /// What it is instead.
        what: String,
    },
    /// The file is shorter or longer than the ring it holds, or has holes.
    Truncated {
        /// The ring's name.
        ring: Arc<str>,
        /// Bytes found.
        found: u64,
        /// Bytes the ring's header states.
        expected: u64,
    },
    /// The ring has a layout that this version of podring does not know.
    Version {
        /// The ring's name.
        ring: Arc<str>,
        /// The layout found.
        found: u32,
        /// The layout this version writes and reads.
        expected: u32,
    },
    /// A word of the segment holds what no participant writes: a defect, or a hostile peer.
    Corrupt {
        /// The ring's name.
        ring: Arc<str>,
        /// Which word.
        field: &'static str,
        /// What it held.
        value: u64,
        /// What it was compared with.
        expected: u64,
    },
    /// The ring exists with other properties than asked for.
    Mismatch {
        /// The ring's name.
        ring: Arc<str>,
        /// Which property.
        what: &'static str,
        /// What the ring has.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// Somebody else holds the seat.
    RoleTaken {
        /// The ring's name.
        ring: Arc<str>,
        /// The role that is taken.
        role: Role,
        /// Who holds it, as far as it has said.
        holder: Box<Peer>,
    },
    /// Every seat of the ring is taken by somebody alive.
    SeatsTaken {
        /// The ring's name.
        ring: Arc<str>,
        /// How many seats it has.
        seats: usize,
    },
    /// The message is larger than the ring takes.
    TooLarge {
        /// The ring's name.
        ring: Arc<str>,
        /// The message's length in bytes.
        len: usize,
        /// The largest message in bytes.
        largest: usize,
    },
    /// The message is larger than the caller's buffer. It stays in the ring.
    BufferTooSmall {
        /// The ring's name.
        ring: Arc<str>,
        /// The buffer's length in bytes.
        buffer: usize,
        /// The message's length in bytes.
        len: usize,
    },
    /// The time given has passed.
    Timeout {
        /// The ring's name.
        ring: Arc<str>,
        /// What was waited for: "message", "space" or "peer".
        what: &'static str,
        /// How long.
        waited: Duration,
        /// Whether the other side was attached at the end.
        peer_attached: bool,
    },
    /// The producer has marked the end of the stream, and all of it has been received.
    Closed {
        /// The ring's name.
        ring: Arc<str>,
    },
    /// The other side died, all it sent has been received, and the caller asked to be told.
    PeerDied {
        /// The ring's name.
        ring: Arc<str>,
        /// Who died.
        who: Box<Peer>,
    },
    /// The ring was removed or re-created under its name, and nobody else is attached to this one.
    Replaced {
        /// The ring's name.
        ring: Arc<str>,
        /// Where it was.
        path: PathBuf,
    },
    /// The process was forked, and this is the child: the handle belongs to the parent.
    Forked {
        /// The ring's name.
        ring: Arc<str>,
    },
    /// Any other refusal of the operating system.
    Os {
        /// The ring's name.
        ring: Arc<str>,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// The variant's name, for machines: `"NoSpace"`, `"Timeout"`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NameInvalid { .. } => "NameInvalid",
            Self::OptionInvalid { .. } => "OptionInvalid",
            Self::NotFound { .. } => "NotFound",
            Self::Exists { .. } => "Exists",
            Self::NoDirectory { .. } => "NoDirectory",
            Self::NoSpace { .. } => "NoSpace",
            Self::MemoryLimit { .. } => "MemoryLimit",
            Self::ReadOnly { .. } => "ReadOnly",
            Self::Permission { .. } => "Permission",
            Self::WrongOwner { .. } => "WrongOwner",
            Self::NotARing { .. } => "NotARing",
            Self::Truncated { .. } => "Truncated",
            Self::Version { .. } => "Version",
            Self::Corrupt { .. } => "Corrupt",
            Self::Mismatch { .. } => "Mismatch",
            Self::RoleTaken { .. } => "RoleTaken",
            Self::SeatsTaken { .. } => "SeatsTaken",
            Self::TooLarge { .. } => "TooLarge",
            Self::BufferTooSmall { .. } => "BufferTooSmall",
            Self::Timeout { .. } => "Timeout",
            Self::Closed { .. } => "Closed",
            Self::PeerDied { .. } => "PeerDied",
            Self::Replaced { .. } => "Replaced",
            Self::Forked { .. } => "Forked",
            Self::Os { .. } => "Os",
        }
    }

    #[cold]
    pub(crate) fn corrupt(ring: &Arc<str>, found: crate::algo::corrupt::Corrupt) -> Self {
        Self::Corrupt { ring: ring.clone(), field: found.field, value: found.value, expected: found.expected }
    }
}

/// As [`Display`](fmt::Display), after the variant's name: what a `main` that returns a [`Result`] prints.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.kind())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Os { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A size as people write it; exact bytes where the unit would hide something.
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match units.iter().find(|(unit, _)| self.0 >= *unit) {
            Some((unit, label)) if self.0 % unit == 0 => write!(f, "{} {label}", self.0 / unit),
            Some((unit, label)) => write!(f, "{:.1} {label}", self.0 as f64 / *unit as f64),
            None => write!(f, "{} bytes", self.0),
        }
    }
}

/// The value for an option such as `--shm-size` that has room for `needed` bytes: MiB, rounded up to a
/// power of two, and never exactly full.
fn roomy_mib(needed: u64) -> u64 {
    (needed / (1 << 20) + 1).next_power_of_two()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameInvalid { name, why } => write!(
                f,
                "ring name {name:?} is not valid: {why}; a name is 1 to 255 letters, digits, '.', '_' or '-', \
                 with an optional leading slash"
            ),
            Self::OptionInvalid { ring, option, value, why } => {
                write!(f, "ring '{ring}': {option} cannot be {value}: {why}")
            }
            Self::NotFound { ring, dir, seen, waited } => {
                write!(f, "ring '{ring}' not found: no such file in {}", dir.display())?;
                if let Some(seen) = seen {
                    write!(f, " ({seen})")?;
                }
                write!(
                    f,
                    " after {:.1} s; start the side that creates it, or let this side create it; in containers, \
                     check that both mount the same volume at {}: `podring doctor --with {ring}` on both sides says \
                     whether they see the same memory, and why not",
                    waited.as_secs_f64(),
                    dir.display()
                )
            }
            Self::Exists { ring, path } => write!(
                f,
                "ring '{ring}' exists already: {}; open it instead, or remove it with `podring rm {ring}`",
                path.display()
            ),
            Self::NoDirectory { ring, dir } => write!(
                f,
                "ring '{ring}': the directory {} does not exist; a container run with --ipc=none has no \
                 /dev/shm: mount a tmpfs volume there (docker: -v VOLUME:/dev/shm), or name another directory; \
                 `podring doctor` says more",
                dir.display()
            ),
            Self::NoSpace { ring, dir, needed, free, total } => {
                // Room for what the others have, too.
                let mib = roomy_mib(needed.saturating_add(total.saturating_sub(*free)));
                write!(
                    f,
                    "ring '{ring}' needs {} ({needed} bytes) and {} has {} free of {}; give it more with docker \
                     --shm-size={mib}m, with a tmpfs volume (docker volume create --opt type=tmpfs --opt \
                     device=tmpfs --opt o=size={mib}m,mode=1777), or with emptyDir.sizeLimit: {mib}Mi in \
                     Kubernetes; or ask for a smaller capacity, or remove rings nobody uses (podring rm --stale)",
                    Size(*needed),
                    dir.display(),
                    Size(*free),
                    Size(*total),
                )
            }
            Self::MemoryLimit { ring, needed, limit, used } => write!(
                f,
                "ring '{ring}' needs {} ({needed} bytes), but the memory limit of this container is {} and {} of \
                 it is in use: the kernel would kill the process; raise the limit (docker --memory={}m, \
                 Kubernetes resources.limits.memory) or ask for a smaller capacity",
                Size(*needed),
                Size(*limit),
                Size(*used),
                roomy_mib(needed.saturating_add(*used))
            ),
            Self::ReadOnly { ring, path } => write!(
                f,
                "ring '{ring}': {} is on a read-only mount, and a participant writes; mount the volume without \
                 ':ro' (watching with `podring ls` and `podring info` works read-only)",
                path.display()
            ),
            Self::Permission { ring, path, uid, owner, mode } => {
                write!(f, "ring '{ring}': this process (uid {uid}) may not write {}", path.display())?;
                if let Some(owner) = owner {
                    write!(f, ", which belongs to uid {owner}")?;
                }
                if let Some(mode) = mode {
                    write!(f, " with mode {mode:04o}")?;
                }
                write!(
                    f,
                    "; run both sides as the same user, or create the ring with a wider mode (0666, or 0660 and a \
                     common group); if it is the directory, mount a tmpfs volume made with o=mode=1777, with \
                     ':nocopy' (docker gives an empty volume the mode of the image's directory)"
                )
            }
            Self::WrongOwner { ring, found, expected } => write!(
                f,
                "ring '{ring}' belongs to uid {found}, expected uid {expected}; remove it if it is not yours to \
                 trust, or change the owner asked for"
            ),
            Self::NotARing { ring, path, what } => write!(
                f,
                "{} is not a ring: {what}; choose another name than '{ring}', or remove it",
                path.display()
            ),
            Self::Truncated { ring, found, expected } => write!(
                f,
                "ring '{ring}' has {found} bytes of memory where its header says {expected}: it was cut, grown \
                 or punched after its creation; remove it with `podring rm --force {ring}` and let it be created anew"
            ),
            Self::Version { ring, found, expected } => write!(
                f,
                "ring '{ring}' has layout {found}, this version of podring knows layout {expected}; use the same \
                 version on both sides, or remove it with `podring rm --force {ring}`"
            ),
            Self::Corrupt { ring, field, value, expected } => write!(
                f,
                "ring '{ring}' is corrupt: {field} holds {value:#x}, which does not go with {expected:#x}; a \
                 participant is defective or hostile; stop both sides and remove it with `podring rm --force {ring}`"
            ),
            Self::Mismatch { ring, what, found, expected } => write!(
                f,
                "ring '{ring}' exists with {what} {found}, asked for was {expected}; use the same value on both \
                 sides, or remove the ring"
            ),
            Self::RoleTaken { ring, role, holder } => write!(
                f,
                "ring '{ring}' already has a {role}: {holder}; a ring has one {role} at a time, and the seat \
                 becomes free when that process ends"
            ),
            Self::SeatsTaken { ring, seats } => write!(
                f,
                "ring '{ring}' has {seats} seats, and a living participant in each; `podring info {ring}` shows who they \
                 are; a seat becomes free when its participant goes: use fewer, or a second ring"
            ),
            Self::TooLarge { ring, len, largest } => write!(
                f,
                "ring '{ring}': a message of {len} bytes is larger than the {largest} this ring takes; split it, \
                 or create the ring with a larger capacity (twice the largest message and 16 bytes), or, if it has \
                 slots for many participants, with a larger largest message"
            ),
            Self::BufferTooSmall { ring, buffer, len } => write!(
                f,
                "ring '{ring}': the next message has {len} bytes and the buffer {buffer}; the message stays in \
                 the ring, receive it with a larger buffer"
            ),
            Self::Timeout { ring, what, waited, peer_attached } => {
                write!(f, "ring '{ring}': no {what} within {:.3} s; ", waited.as_secs_f64())?;
                if *peer_attached {
                    write!(f, "the other side is attached and slow")
                } else {
                    write!(
                        f,
                        "the other side is not attached: has it been started, and with the same volume? \
                         `podring doctor --with {ring}` on both sides says whether they see the same memory"
                    )
                }
            }
            Self::Closed { ring } => write!(f, "ring '{ring}' is closed: the stream has ended"),
            Self::PeerDied { ring, who } => write!(
                f,
                "ring '{ring}': {who} died without closing; everything it had sent has been received; restart it, \
                 or wait for its successor with PeerLoss::Wait"
            ),
            Self::Replaced { ring, path } => write!(
                f,
                "ring '{ring}' was removed or re-created under {}, and nobody else is attached to the one this \
                 process holds; open it again",
                path.display()
            ),
            Self::Forked { ring } => write!(
                f,
                "ring '{ring}': this process is a fork, and the handle belongs to its parent; open the ring \
                 again in the child"
            ),
            Self::Os { ring, doing, source } => write!(f, "ring '{ring}': {doing} failed: {source}"),
        }
    }
}
