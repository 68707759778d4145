//! Why two sides do not see the same memory: from their two fingerprints, or from one's own alone.

use super::fingerprint::Fingerprint;

/// The number of the first IPC namespace of a kernel, always the same.
const INITIAL_IPC: u64 = 0xEFFF_FFFF;

/// How to make a volume of RAM.
pub(super) const CREATE_VOLUME: &str = "docker volume create --opt type=tmpfs --opt device=tmpfs \
                                        --opt o=size=256m,mode=1777 rings";
/// How to give both sides one memory, whatever they had before.
pub(super) const ONE_VOLUME: &str = "docker volume create --opt type=tmpfs --opt device=tmpfs \
                                     --opt o=size=256m,mode=1777 rings\n\
                                     docker run -v rings:/dev/shm:nocopy ...   # both containers";
/// How to share Docker's own /dev/shm.
pub(super) const JOIN: &str = "docker run --ipc=shareable --name A ...\n\
                               docker run --ipc=container:A ...   # after each restart of A, too";

/// A cause and what mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// One word, for machines.
    pub(super) name: &'static str,
    pub(super) text: String,
    pub(super) remedy: &'static str,
}

fn cause(name: &'static str, text: impl Into<String>, remedy: &'static str) -> Cause {
    Cause { name, text: text.into(), remedy }
}

/// Why `mine` and `theirs` are not the same memory; `None` if they are.
pub(super) fn difference(mine: &Fingerprint, theirs: &Fingerprint) -> Option<Cause> {
    if mine.is_same_memory(theirs) {
        return None;
    }
    if mine.boot != theirs.boot {
        let text = "the two sides run on different kernels (two hosts, two virtual machines, or one of \
                    them was \
                    booted again since): memory is never shared between kernels";
        return Some(cause("two-kernels", text, "run both sides on one host; in Kubernetes, in one pod"));
    }
    let modes = [mine.mode.as_str(), theirs.mode.as_str()];
    let one_is = |mode: &str| modes.contains(&mode);
    let both_are = |mode: &str| modes == [mode, mode];
    let side = |mode: &str| if mine.mode == mode { "this side" } else { "the other side" };
    Some(if one_is("absent") {
        let text =
            format!("{} has no such directory: it runs with --ipc=none, or --dir is wrong", side("absent"));
        cause("absent", text, ONE_VOLUME)
    } else if one_is("private-tmpfs") {
        let text = format!("{} has a --tmpfs there, and that is never shared", side("private-tmpfs"));
        cause("private-tmpfs", text, ONE_VOLUME)
    } else if one_is("container-layer") {
        let text = format!(
            "{} has a directory of its container's own layer there: nothing is mounted, and nobody else \
             sees it",
            side("container-layer")
        );
        cause("container-layer", text, ONE_VOLUME)
    } else if mine.ipc.is_some() && mine.ipc == theirs.ipc && mine.mode != theirs.mode {
        // The namespace came with a /dev/shm, and one of the two has something else mounted over it. Two of the
        // same kind say nothing: the number may be another namespace's, from before a restart.
        let host = if mine.ipc == Some(INITIAL_IPC) { " (the host's)" } else { "" };
        let text = format!(
            "both are in one IPC namespace{host}, but a volume at the directory wins over --ipc, and they \
             do not \
             mount the same one: this side has {}, the other {}",
            what(mine),
            what(theirs)
        );
        cause("volume-wins", text, "mount the same volume on both sides, or on neither")
    } else if both_are("docker-shm") {
        let text = "each side has a /dev/shm of Docker's own: the second was not started with \
                    --ipc=container:FIRST, the first not with --ipc=shareable, or the first was restarted after \
                    the second had joined it (it gets a new /dev/shm then, and the second keeps the old one)";
        cause("not-joined", text, JOIN)
    } else if both_are("tmpfs-volume") || both_are("host-sized") {
        let text = "two different volumes, or one name on two Docker daemons (a job and its \
                    Docker-in-Docker), or \
                    the volume was emptied in between: one of RAM is, when its last container stops";
        cause(
            "two-volumes",
            text,
            "docker inspect --format '{{json .Mounts}}' A B   # both must name one volume",
        )
    } else if both_are("disk-volume") {
        if mine.volume == theirs.volume {
            let text = format!(
                "both have a volume named {}, and still two directories: two Docker daemons (a job and its \
                 Docker-in-Docker), or it was removed and made anew in between",
                mine.volume.as_deref().unwrap_or("?")
            );
            cause(
                "two-daemons",
                text,
                "start both containers with the same daemon: compare `docker info --format {{.ID}}`",
            )
        } else {
            let text =
                format!("two different volumes: this side has {}, the other {}", what(mine), what(theirs));
            cause(
                "two-volumes",
                text,
                "mount the same volume on both sides (compose prefixes names with its project's)",
            )
        }
    } else if mine.mode == theirs.mode {
        let text = format!("both have {}, but not the same one", what(mine));
        cause("two-directories", text, "mount the same directory on both sides")
    } else {
        let text = format!(
            "the two sides are set up differently: this side has {}, the other {}",
            what(mine),
            what(theirs)
        );
        cause("different-modes", text, ONE_VOLUME)
    })
}

/// What one side has, in words.
fn what(side: &Fingerprint) -> String {
    match side.mode.as_str() {
        "docker-shm" => "Docker's own /dev/shm".to_owned(),
        "host" => "the host's /dev/shm".to_owned(),
        "host-sized" => "the host's /dev/shm or a volume without size=".to_owned(),
        "tmpfs-volume" => "a tmpfs volume".to_owned(),
        "disk-volume" => format!("the volume {} on disk", side.volume.as_deref().unwrap_or("?")),
        "disk-directory" => "a directory on disk".to_owned(),
        other => format!("something else ({other})"),
    }
}

/// What may be the cause if the other side does not come, likeliest first.
pub(super) fn alone(mine: &Fingerprint) -> Vec<Cause> {
    let own = match mine.mode.as_str() {
        "docker-shm" => cause(
            "not-joined",
            "this side has Docker's own /dev/shm, which is private unless the other side runs with \
             --ipc=container:THIS and this one with --ipc=shareable (or the other way round); and a donor that was \
             restarted has a new one, while those who had joined keep the old",
            JOIN,
        ),
        "private-tmpfs" => cause("private-tmpfs", "a --tmpfs is never shared", ONE_VOLUME),
        "container-layer" => {
            cause("container-layer", "nothing is mounted there: it is this container's own layer", ONE_VOLUME)
        }
        "absent" => cause("absent", "there is no such directory here", ONE_VOLUME),
        "host" => cause(
            "different-modes",
            "this side has the host's /dev/shm: the other one needs --ipc=host or -v /dev/shm:/dev/shm, \
             and no \
             volume there, which would win",
            "docker run -v /dev/shm:/dev/shm ...   # both containers",
        ),
        _ => cause(
            "two-volumes",
            format!(
                "this side has {}: the other one has another volume there or none, or its daemon is \
                 another one \
                 (Docker-in-Docker)",
                what(mine)
            ),
            "docker inspect --format '{{json .Mounts}}' A B   # both must name one volume",
        ),
    };
    let absent = cause(
        "not-started",
        "the other side was not started, uses another name, or gave up before",
        "run the same command on both sides at the same time; --timeout 60s waits longer",
    );
    vec![own, absent]
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::{Fingerprint, Memory};
    use super::{INITIAL_IPC, alone, difference};

    fn side(mode: &str, minor: u64, ipc: u64) -> Fingerprint {
        let memory = Some(Memory { device: (0, minor), inode: 1, fsid: minor });
        let (boot, mode) = ("5f1c8a20".to_owned(), mode.to_owned());
        Fingerprint { boot, memory, ipc: Some(ipc), uid: 1000, mode, volume: None }
    }

    fn named(mode: &str, minor: u64, volume: &str) -> Fingerprint {
        Fingerprint { volume: Some(volume.to_owned()), ..side(mode, minor, minor) }
    }

    #[test]
    fn every_difference_has_its_cause() {
        let absent = Fingerprint { memory: None, ..side("absent", 9, 9) };
        let elsewhere = Fingerprint { boot: "0".to_owned(), ..side("tmpfs-volume", 1, 1) };
        let host = INITIAL_IPC;
        for (mine, theirs, expected) in [
            (side("docker-shm", 1, 1), elsewhere, "two-kernels"),
            (side("docker-shm", 1, 1), side("docker-shm", 2, 2), "not-joined"),
            (side("tmpfs-volume", 1, 1), absent, "absent"),
            (side("tmpfs-volume", 1, 1), side("private-tmpfs", 2, 2), "private-tmpfs"),
            (side("tmpfs-volume", 1, 1), side("container-layer", 2, 2), "container-layer"),
            (side("host", 1, host), side("tmpfs-volume", 2, host), "volume-wins"),
            (side("docker-shm", 1, 7), side("tmpfs-volume", 2, 7), "volume-wins"),
            (side("tmpfs-volume", 1, 1), side("tmpfs-volume", 2, 2), "two-volumes"),
            (side("tmpfs-volume", 1, 7), side("tmpfs-volume", 2, 7), "two-volumes"),
            (side("docker-shm", 1, 7), side("docker-shm", 2, 7), "not-joined"),
            (named("disk-volume", 1, "a"), named("disk-volume", 2, "b"), "two-volumes"),
            (named("disk-volume", 1, "a"), named("disk-volume", 2, "a"), "two-daemons"),
            (side("disk-directory", 1, 1), side("disk-directory", 2, 2), "two-directories"),
            (side("docker-shm", 1, 1), side("tmpfs-volume", 2, 2), "different-modes"),
        ] {
            for (mine, theirs) in [(&mine, &theirs), (&theirs, &mine)] {
                let cause = difference(mine, theirs).expect("they differ");
                assert_eq!(cause.name, expected, "{mine} {theirs}");
                assert!(!cause.text.is_empty() && !cause.remedy.is_empty());
            }
            assert_eq!(difference(&mine, &mine.clone()).is_none(), mine.memory.is_some());
        }
    }

    #[test]
    fn the_side_at_fault_is_named() {
        let (mine, theirs) = (side("private-tmpfs", 1, 1), side("tmpfs-volume", 2, 2));
        assert!(difference(&mine, &theirs).expect("they differ").text.starts_with("this side has a --tmpfs"));
        assert!(
            difference(&theirs, &mine).expect("they differ").text.starts_with("the other side has a --tmpfs")
        );
    }

    #[test]
    fn one_side_alone_guesses_from_its_own_mode() {
        for (mode, expected) in [
            ("docker-shm", "not-joined"),
            ("private-tmpfs", "private-tmpfs"),
            ("container-layer", "container-layer"),
            ("absent", "absent"),
            ("host", "different-modes"),
            ("tmpfs-volume", "two-volumes"),
            ("disk-volume", "two-volumes"),
        ] {
            let causes = alone(&side(mode, 1, 1));
            assert_eq!(causes.iter().map(|cause| cause.name).collect::<Vec<_>>(), [expected, "not-started"]);
        }
    }
}
