//! Who else sees the directory.

use podring::inspect;

use super::super::explain::{CREATE_VOLUME, JOIN, ONE_VOLUME};
use super::super::finding::Finding;
use super::super::place::Place;
use super::super::sharing::Sharing;
use crate::human;

const CHECK: &str = "sharing";
const EMPTY_DIR: &str = "Kubernetes: volumes: [{name: rings, emptyDir: {medium: Memory, sizeLimit: \
                         256Mi}}], in each \
                         container volumeMounts: [{name: rings, mountPath: /dev/shm}]";

pub(super) fn check(place: &Place) -> Finding {
    let finding = by_mode(place).fact("mode", place.sharing.to_string());
    let finding = finding.fact("dir", place.dir.display().to_string());
    let finding = finding.fact("ipc_namespace", place.ipc).fact("read_only", place.is_read_only());
    match &place.mount {
        Some(mount) => finding
            .fact("fs_type", mount.fs_type.clone())
            .fact("mount_source", mount.source.clone())
            .fact("mount_root", mount.root.display().to_string())
            .fact("mount_point", mount.point.display().to_string()),
        None => finding,
    }
}

fn by_mode(place: &Place) -> Finding {
    let dir = place.dir.display();
    let size = match &place.dir_facts {
        Some(facts) if facts.total > 0 => format!("{} tmpfs", human::bytes(facts.total)),
        _ => "tmpfs".to_owned(),
    };
    let ok = |found: String| Finding::ok(CHECK, found);
    let warn = |found: String| Finding::warn(CHECK, found);
    let fail = |found: String| Finding::fail(CHECK, found);
    match &place.sharing {
        Sharing::DockerShm => match neighbour(place) {
            Some(neighbour) => {
                ok(format!("{dir} is Docker's own ({size}), joined: {neighbour} takes part in a ring here"))
                    .fact("neighbour", neighbour)
            }
            None => warn(format!(
                "{dir} is Docker's own ({size}): private to this container, unless it runs with \
                 --ipc=shareable \
                 and another one with --ipc=container:THIS; one side alone cannot see which: \
                 `podring doctor --with NAME` on both sides does"
            ))
            .remedy(JOIN)
            .remedy(ONE_VOLUME)
            .remedy(EMPTY_DIR),
        },
        Sharing::Host if place.in_container => ok(format!(
            "{dir} is the host's ({size}, --ipc=host): shared with the host and with all that have it"
        )),
        Sharing::Host => ok(format!(
            "{dir} is this machine's ({size}): shared with its processes, and with containers that run with \
             --ipc=host or bind it in"
        )),
        Sharing::HostSized => ok(format!(
            "{dir} is the host's, bound in, or a tmpfs volume without size= ({size}): shared with those that \
             mount the same"
        )),
        Sharing::TmpfsVolume => ok(format!(
            "{dir} is a volume of RAM ({size}): shared with the containers that mount the same \
                        one"
        )),
        Sharing::PrivateTmpfs => fail(format!(
            "{dir} is a --tmpfs ({size}): always private to this container, nobody else can see it"
        ))
        .remedy(ONE_VOLUME)
        .remedy(EMPTY_DIR),
        Sharing::DiskVolume { name } => warn(format!(
            "{dir} is the volume '{name}', a directory on disk: shared, but not RAM, and what is in it \
             survives \
             restarts"
        ))
        .remedy(format!("docker volume rm {name}\n{ONE_VOLUME}"))
        .fact("volume", name.clone()),
        Sharing::DiskDirectory => warn(format!(
            "{dir} is a directory on disk: shared with those that mount the same one, but not RAM, and \
             what is in \
             it survives restarts"
        ))
        .remedy(ONE_VOLUME),
        Sharing::Remote => {
            let what = place.mount.as_ref().map_or("a file system of its own kind", |mount| &mount.fs_type);
            warn(format!(
                "{dir} is on {what}: whether two sides see each other's stores there is not for sure; \
                 memory is \
                 never shared between machines"
            ))
            .remedy("podring doctor --with NAME   # on both sides")
            .remedy(ONE_VOLUME)
        }
        Sharing::ContainerLayer => fail(format!(
            "{dir} is in this container's own layer: nothing is mounted there, nobody else can see it"
        ))
        .remedy(format!("{CREATE_VOLUME}\ndocker run -v rings:{dir}:nocopy ...   # both containers")),
        Sharing::Absent => fail(format!(
            "there is no directory {dir}: a container run with --ipc=none has no /dev/shm, unless a \
             volume is \
             mounted there"
        ))
        .remedy(ONE_VOLUME)
        .remedy("podring --dir DIR ...   # if the rings are elsewhere"),
    }
}

/// A living participant of any ring here, on another host than this one. Host names are for display; but
/// nobody writes a foreign one into memory that is not shared.
fn neighbour(place: &Place) -> Option<String> {
    let mine = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let rings = inspect::list(&place.dir).ok()?;
    let seats = rings.into_iter().filter_map(|listing| listing.report).flat_map(|report| report.seats);
    seats
        .filter(|seat| seat.live && !seat.host.is_empty() && seat.host != mine.trim())
        .map(|seat| human::harmless(&format!("'{}' on {}", seat.program, seat.host)))
        .next()
}
