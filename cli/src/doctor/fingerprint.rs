//! Which memory this is, in one line that a person, or the other side's doctor, can compare.

use std::fmt;
use std::fs;

use nix::sys::stat::{major, minor};

use super::place::Place;
use super::sharing::Sharing;

/// Which memory a process sees, and what explains why another one sees a different one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// The kernel, until it is booted again.
    pub(super) boot: String,
    /// The directory; `None` if there is none.
    pub(super) memory: Option<Memory>,
    /// The IPC namespace.
    pub(super) ipc: Option<u64>,
    pub(super) uid: u32,
    /// The word for [`Sharing`].
    pub(super) mode: String,
    /// The name of a volume on disk; that of one of RAM cannot be seen from inside.
    pub(super) volume: Option<String>,
}

/// A directory, among all that this kernel has had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) device: (u64, u64),
    pub(super) inode: u64,
    pub(super) fsid: u64,
}

impl Fingerprint {
    pub(super) fn of(place: &Place) -> Self {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let memory = place.dir_facts.as_ref().map(|facts| Memory {
            device: (major(facts.device), minor(facts.device)),
            inode: facts.inode,
            fsid: facts.fsid,
        });
        let volume = match &place.sharing {
            Sharing::DiskVolume { name } => Some(name.clone()),
            _ => None,
        };
        Self {
            // The first group is random enough to tell two machines apart.
            boot: boot.split('-').next().unwrap_or_default().trim().to_owned(),
            memory,
            ipc: place.ipc,
            uid: place.uid.as_raw(),
            mode: place.sharing.to_string(),
            volume,
        }
    }

    /// Eight digits that are equal where the memory is the same; `none` without a directory.
    pub(super) fn short(&self) -> String {
        let Some(memory) = self.memory else { return "none".to_owned() };
        let (major, minor) = memory.device;
        let text = format!("{}/{major}:{minor}/{}/{:x}", self.boot, memory.inode, memory.fsid);
        // FNV-1a, folded: for people to compare, nothing is decided by it.
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let folded = (hash >> 32) ^ (hash & 0xFFFF_FFFF);
        format!("{:04x}-{:04x}", folded >> 16, folded & 0xFFFF)
    }

    /// Whether both are the same directory of the same kernel.
    pub(super) fn is_same_memory(&self, other: &Self) -> bool {
        self.boot == other.boot && self.memory.is_some() && self.memory == other.memory
    }

    /// Reads what [`fmt::Display`] wrote. Keys that are not known are of a later version.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let value =
            |key: &str| text.trim().split(',').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        let wanted = |key: &str| {
            value(key).ok_or_else(|| {
                format!(
                    "no \"{key}=\" in it; pass the whole line that `podring doctor` printed behind \
                         \"fingerprint\""
                )
            })
        };
        let number = |key: &str, text: &str, radix| {
            u64::from_str_radix(text, radix).map_err(|error| format!("{key}={text}: {error}"))
        };
        let memory = match value("dev") {
            None => None,
            Some(device) => {
                let (major, minor) = device.split_once(':').ok_or("dev= is not MAJOR:MINOR")?;
                Some(Memory {
                    device: (number("dev", major, 10)?, number("dev", minor, 10)?),
                    inode: number("ino", wanted("ino")?, 10)?,
                    fsid: number("fsid", wanted("fsid")?, 16)?,
                })
            }
        };
        let uid = wanted("uid")?;
        Ok(Self {
            boot: wanted("boot")?.to_owned(),
            memory,
            ipc: value("ipc").map(|ipc| number("ipc", ipc, 10)).transpose()?,
            uid: uid.parse().map_err(|error| format!("uid={uid}: {error}"))?,
            mode: wanted("mode")?.to_owned(),
            volume: value("volume").map(str::to_owned),
        })
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memory={},boot={}", self.short(), self.boot)?;
        if let Some(Memory { device: (major, minor), inode, fsid }) = self.memory {
            write!(f, ",dev={major}:{minor},ino={inode},fsid={fsid:x}")?;
        }
        if let Some(ipc) = self.ipc {
            write!(f, ",ipc={ipc}")?;
        }
        write!(f, ",uid={},mode={}", self.uid, self.mode)?;
        match &self.volume {
            Some(volume) => write!(f, ",volume={volume}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, Memory};

    fn example() -> Fingerprint {
        Fingerprint {
            boot: "5f1c8a20".to_owned(),
            memory: Some(Memory { device: (0, 61), inode: 1, fsid: 0x8e2a_c81f_0000_0001 }),
            ipc: Some(4_026_532_221),
            uid: 1000,
            mode: "disk-volume".to_owned(),
            volume: Some("rings".to_owned()),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = example().to_string();
        let end = ",boot=5f1c8a20,dev=0:61,ino=1,fsid=8e2ac81f00000001,ipc=4026532221,uid=1000,mode=disk-volume,volume=rings";
        assert!(text.starts_with("memory=") && text.ends_with(end), "{text}");
        assert_eq!(Fingerprint::parse(&format!(" {text},later=1\n")), Ok(example()));
        let absent =
            Fingerprint { memory: None, ipc: None, volume: None, mode: "absent".to_owned(), ..example() };
        assert_eq!(Fingerprint::parse(&absent.to_string()), Ok(absent));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "memory=1a2b-3c4d",
            "boot=1,uid=0",
            "boot=1,dev=0,ino=1,fsid=1,uid=0,mode=x",
            "boot=1,uid=x,mode=x",
        ] {
            assert!(Fingerprint::parse(text).is_err(), "{text}");
        }
        assert!(Fingerprint::parse("boot=1,uid=0").unwrap_err().contains("the whole line"));
    }

    #[test]
    fn each_part_of_the_identity_counts() {
        let (mine, memory) = (example(), example().memory.expect("a memory"));
        let other = |memory| Fingerprint { memory: Some(memory), ..example() };
        for different in [
            Fingerprint { boot: "0".to_owned(), ..example() },
            other(Memory { device: (0, 62), ..memory }),
            other(Memory { inode: 2, ..memory }),
            // A device number is used again when its file system is gone.
            other(Memory { fsid: 1, ..memory }),
        ] {
            assert!(!mine.is_same_memory(&different), "{different}");
            assert_ne!(mine.short(), different.short());
        }
        let elsewhere = Fingerprint { uid: 0, ipc: None, mode: "x".to_owned(), volume: None, ..example() };
        assert!(mine.is_same_memory(&elsewhere));
        let absent = Fingerprint { memory: None, ..example() };
        assert!(!absent.is_same_memory(&absent.clone()));
    }
}
