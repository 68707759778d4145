//! Rings that never were, for tests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use podring::inspect::{Kind, Report, Seat, State};
use podring::{Role, Stats};

/// When the fixed rings were made.
pub(crate) fn epoch() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_433_945)
}

/// A ring nobody has used.
pub(crate) fn report(name: &str) -> Report {
    Report {
        name: name.to_owned(),
        path: format!("/dev/shm/{name}").into(),
        state: State::Live,
        kind: Kind::Bytes,
        layout: podring::inspect::LAYOUT_VERSION,
        capacity: 1 << 20,
        slots: None,
        largest_message: (1 << 19) - 8,
        drops_orphans: None,
        element: None,
        bytes: (1 << 20) + 24576,
        used: 0,
        written: 0,
        read: 0,
        closed: false,
        created: epoch(),
        creator_uid: 0,
        creator: "maker@web-1".to_owned(),
        id: [7; 16],
        mode: 0o600,
        uid: 0,
        gid: 0,
        seats: Vec::new(),
        waiting_for: Vec::new(),
        last_activity: epoch(),
    }
}

/// A living participant that has passed on so many messages of 10 bytes.
pub(crate) fn seat(index: u8, role: Role, messages: u64) -> Seat {
    let side = match role {
        Role::Producer => "web",
        Role::Consumer => "db",
    };
    Seat {
        index,
        role,
        live: true,
        left: false,
        repaired: false,
        pid: 1,
        program: format!("{side}-app"),
        host: format!("{side}-{index}"),
        since: epoch(),
        stats: Stats { messages, bytes: messages.saturating_mul(10), attaches: 1, ..Stats::default() },
    }
}
