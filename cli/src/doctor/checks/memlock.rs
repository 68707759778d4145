//! Whether a ring can be swapped out, and how much memory may be locked against that.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::super::finding::Finding;
use super::super::place::Place;
use crate::human;

const CHECK: &str = "memlock";

pub(super) fn check(place: &Place, needed: u64) -> Finding {
    let noswap =
        place.mount.as_ref().is_some_and(|mount| mount.fs_options.iter().any(|option| option == "noswap"));
    let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map_or(0, |(soft, _)| soft);
    judge(limit, if noswap { Some(0) } else { place.swap }, needed)
}

fn judge(limit: u64, swap: Option<u64>, needed: u64) -> Finding {
    let lockable = if limit == RLIM_INFINITY { "any amount".to_owned() } else { human::bytes(limit) };
    let finding = match swap {
        None | Some(0) => Finding::ok(
            CHECK,
            format!(
                "{lockable} can be locked; nothing is swapped out \
                                                      here"
            ),
        ),
        Some(swap) if limit >= needed => Finding::ok(
            CHECK,
            format!(
                "{lockable} can be locked, enough for a program that locks its rings (mlock) against \
                     {} of swap",
                human::bytes(swap)
            ),
        ),
        Some(swap) => Finding::warn(
            CHECK,
            format!(
                "{lockable} can be locked, the wished ring has {}, and there are {} of swap: an idle ring \
                 may be swapped out",
                human::bytes(needed),
                human::bytes(swap)
            ),
        )
        .remedy(
            "docker volume create --opt type=tmpfs --opt device=tmpfs --opt \
                 o=size=256m,mode=1777,noswap rings   # Linux 6.4",
        )
        .remedy("docker run --ulimit memlock=-1:-1 ...   # for a program that calls mlock"),
    };
    let limit = (limit != RLIM_INFINITY).then_some(limit);
    finding.fact("memlock_bytes", limit).fact("swap_bytes", swap).fact("needed_bytes", needed)
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::RLIM_INFINITY;

    use super::super::super::finding::Verdict;
    use super::judge;

    #[test]
    fn swap_matters_where_a_ring_cannot_be_locked() {
        assert_eq!(judge(8 << 20, Some(0), 1 << 30).verdict(), Verdict::Ok);
        assert_eq!(judge(8 << 20, Some(1 << 30), 1 << 20).verdict(), Verdict::Ok);
        assert_eq!(judge(8 << 20, Some(1 << 30), 64 << 20).verdict(), Verdict::Warn);
        assert_eq!(judge(RLIM_INFINITY, Some(1 << 30), 64 << 20).verdict(), Verdict::Ok);
    }
}
