//! What is wrong with a set-up, and the error each thing gets: its variant and its text.

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use common::child::{arg, play, skip, spawn, spawn_mounting};
use common::words::Words;
use common::{MOMENT, SOON, Scratch, refused, ring_in, watchdog};
use nix::libc;
use nix::sys::stat::Mode;
use podring::{Create, Error, Wait, inspect};

const SMALL: usize = 4096;
const MIB: usize = 1 << 20;

#[test]
#[ignore = "the other processes of the tests in this file, which start them"]
fn child() {
    play(&[
        ("small-tmpfs", small_tmpfs),
        ("limitless-tmpfs", limitless_tmpfs),
        ("read-only", read_only),
        ("memory-limit", memory_limit),
        ("other-user", other_user),
        ("umask", umask),
        ("signals", signals),
        ("occupy", occupy),
    ]);
}

// --- names -------------------------------------------------------------------------------------------------

#[test]
fn malformed_names_are_refused() {
    let scratch = Scratch::new("names");
    let long = "x".repeat(256);
    for (name, why) in [
        ("", "it is empty"),
        ("/", "it is empty"),
        (".", "it is a directory"),
        ("..", "it is a directory"),
        ("a/b", "a character that is not allowed"),
        ("../up", "a character that is not allowed"),
        ("//a", "a character that is not allowed"),
        ("a b", "a character that is not allowed"),
        ("a\n", "a character that is not allowed"),
        ("a\0", "a character that is not allowed"),
        ("\u{fc}ber", "a character that is not allowed"),
        (long.as_str(), "longer than 255 bytes"),
    ] {
        let said =
            &["ring name", "is not valid", why, "1 to 255 letters, digits, '.', '_' or '-'", "leading slash"];
        refused(scratch.ring(name).producer(), "NameInvalid", said);
        refused(scratch.ring(name).make(), "NameInvalid", said);
        refused(inspect::report(scratch.dir(), name), "NameInvalid", said);
        refused(inspect::remove(scratch.dir(), name, inspect::Remove::Force), "NameInvalid", said);
    }
    assert!(scratch.names().is_empty());
    for name in ["x", "a.b_c-D9", &"y".repeat(255), "...", ".hidden", "-"] {
        scratch.ring(name).capacity(SMALL).make().expect(name);
    }
}

// --- room --------------------------------------------------------------------------------------------------

/// Mounts a tmpfs with these options on a directory that goes with the namespace.
fn mount_tmpfs(at: &Path, options: &str) {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    fs::create_dir_all(at).expect("a mount point");
    let target = CString::new(at.as_os_str().as_bytes()).expect("a path");
    let data = CString::new(options).expect("options");
    // SAFETY: four strings that live through the call.
    let refused = unsafe {
        libc::mount(c"tmpfs".as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), 0, data.as_ptr().cast())
    };
    if refused != 0 {
        skip(&format!("mounting a tmpfs: {}", std::io::Error::last_os_error()));
    }
}

fn small_tmpfs(args: &[String]) {
    let dir = Path::new(&args[0]);
    mount_tmpfs(dir, "size=1m,mode=1777");
    let said = &[
        "ring 'ring' needs 1.0 MiB (1073152 bytes)",
        &args[0],
        "has 1 MiB free of 1 MiB",
        "--shm-size=2m",
        "o=size=2m,mode=1777",
        "emptyDir.sizeLimit: 2Mi",
        "smaller capacity",
        "podring rm --stale",
    ];
    let error = refused(ring_in(dir, "ring").capacity(MIB).producer(), "NoSpace", said);
    let Error::NoSpace { needed, free, total, .. } = error else { unreachable!("checked") };
    assert_eq!((needed, free, total), (24_576 + MIB as u64, MIB as u64, MIB as u64));
    // The classic: a 64 MiB /dev/shm asked for 128 MiB.
    let huge = ring_in(dir, "ring").capacity(128 * MIB).make();
    refused(huge, "NoSpace", &["128.0 MiB", "--shm-size=256m"]);
    assert_eq!(fs::read_dir(dir).expect("the directory").count(), 0, "nothing is left behind");
    let free = || nix::sys::statvfs::statvfs(dir).expect("statvfs").blocks_available();
    let all = free();
    // What fits, fits; and what does not fit any more is refused, until there is room again.
    let mut tx = ring_in(dir, "one").capacity(MIB / 2).producer().expect("it fits");
    // The remedy counts what the first takes: a file system of the size it has would not mend it.
    let said =
        &["ring 'two' needs 536 KiB", "488 KiB free of 1 MiB", "--shm-size=2m", "emptyDir.sizeLimit: 2Mi"];
    refused(ring_in(dir, "two").capacity(MIB / 2).producer(), "NoSpace", said);
    tx.send(&[1; 1000]).expect("send");
    for count in 0.. {
        if let Err(error) = ring_in(dir, &format!("small-{count}")).capacity(SMALL).make() {
            assert_eq!(error.kind(), "NoSpace", "{error}");
            assert!(count > 5, "there was room for more than {count}");
            break;
        }
    }
    let mut rx =
        ring_in(dir, "one").consumer().expect("a full file system is no matter to a ring that is there");
    assert_eq!(&*rx.recv().expect("recv"), &[1; 1000]);
    drop((tx, rx));
    for listing in inspect::list(dir).expect("the list") {
        inspect::remove(dir, &listing.name, inspect::Remove::IfStale).expect("nobody is there");
    }
    assert_eq!(free(), all, "all of it is given back");
}

#[test]
fn a_ring_that_does_not_fit_is_refused_when_it_is_made() {
    let scratch = Scratch::new("space");
    spawn_mounting("small-tmpfs", &[arg(&scratch.beside("mount"))]).finish(SOON);
}

fn limitless_tmpfs(args: &[String]) {
    let dir = Path::new(&args[0]);
    mount_tmpfs(dir, "size=0,mode=1777");
    let mut tx = ring_in(dir, "ring").producer().expect("no limit is room enough");
    let mut rx = ring_in(dir, "ring").consumer().expect("a consumer");
    tx.send(b"x").expect("send");
    assert_eq!(&*rx.recv().expect("recv"), b"x");
}

#[test]
fn a_file_system_without_a_limit_has_room() {
    let scratch = Scratch::new("limitless");
    spawn_mounting("limitless-tmpfs", &[arg(&scratch.beside("mount"))]).finish(SOON);
}

/// A memory control group of its own, removed at the end.
struct Group(std::path::PathBuf);

impl Group {
    fn make(limit: usize) -> Result<Self, String> {
        let name = format!("podring-test-{}", std::process::id());
        let tried = |error: std::io::Error| error.to_string();
        let (root, file) = if Path::new("/sys/fs/cgroup/memory").is_dir() {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
        } else {
            ("/sys/fs/cgroup", "memory.max")
        };
        let group = Self(Path::new(root).join(name));
        fs::create_dir(&group.0).map_err(tried)?;
        fs::write(group.0.join(file), limit.to_string()).map_err(tried)?;
        Ok(group)
    }

    fn move_in(&self, pid: u32) -> Result<(), String> {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).map_err(|error| error.to_string())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn memory_limit(args: &[String]) {
    let (dir, board) = (Path::new(&args[0]), Words::map(Path::new(&args[1])));
    board.set(0, 1);
    common::eventually("the limit is set", || board.get(1) == 1);
    let said = &[
        "ring 'ring' needs 128.0 MiB (134242304 bytes)",
        "memory limit of this container is 64 MiB",
        "in use: the kernel would kill the process",
        "docker --memory=256m",
        "resources.limits.memory",
        "smaller capacity",
    ];
    let error = refused(ring_in(dir, "ring").capacity(128 * MIB).producer(), "MemoryLimit", said);
    let Error::MemoryLimit { limit, used, .. } = error else { unreachable!("checked") };
    assert!(limit == 64 * MIB as u64 && used < limit, "{limit} {used}");
    assert_eq!(fs::read_dir(dir).expect("the directory").count(), 0, "nothing is left behind");
    let mut tx = ring_in(dir, "ring").capacity(MIB).producer().expect("what fits, fits");
    tx.send(&[1; 1000]).expect("send");
    inspect::remove(dir, "ring", inspect::Remove::Force).expect("remove");
}

#[test]
fn a_memory_limit_too_small_is_an_error_and_not_a_kill() {
    let scratch = Scratch::new("memory");
    let board = Words::make(&scratch.beside("board"), 2);
    let group = match Group::make(64 * MIB) {
        Ok(group) => group,
        Err(why) => {
            eprintln!(
                "SKIPPED: no memory control group can be made here ({why}); the unit tests of the limit remain"
            );
            return;
        }
    };
    let limited = spawn("memory-limit", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
    common::eventually("it is there", || board.get(0) == 1);
    if let Err(why) = group.move_in(limited.pid()) {
        eprintln!("SKIPPED: no process can be moved to a memory control group here: {why}");
        return;
    }
    board.set(1, 1);
    assert!(limited.finish(SOON));
}

// --- what is under the name --------------------------------------------------------------------------------

#[test]
fn foreign_and_empty_files_are_not_rings_and_stay_as_they_are() {
    let scratch = Scratch::new("foreign");
    for (content, what) in [
        (Vec::new(), "its 0 bytes are too few"),
        (b"short".to_vec(), "its 5 bytes are too few"),
        (vec![0; 511], "its 511 bytes are too few"),
        (vec![0; 100_000], "does not begin with podring's mark"),
        (b"{\"json\": true}".repeat(1000), "does not begin with podring's mark"),
    ] {
        fs::write(scratch.path("ring"), &content).expect("a file");
        let said = &["rings/ring is not a ring", what, "choose another name than 'ring', or remove it"];
        refused(scratch.ring("ring").producer(), "NotARing", said);
        refused(scratch.ring("ring").create(Create::Never).consumer(), "NotARing", said);
        refused(inspect::report(scratch.dir(), "ring"), "NotARing", said);
        refused(inspect::remove(scratch.dir(), "ring", inspect::Remove::IfStale), "NotARing", said);
        refused(scratch.ring("ring").create(Create::New).producer(), "Exists", &["exists already"]);
        assert_eq!(fs::read(scratch.path("ring")).expect("the file"), content, "it is not ours to touch");
        let listing = inspect::list(scratch.dir()).expect("the list").pop().expect("the file");
        assert_eq!((listing.state, listing.bytes), (inspect::State::Foreign, content.len() as u64));
    }
}

#[test]
fn what_is_no_file_is_not_a_ring() {
    let scratch = Scratch::new("no-file");
    let target = scratch.beside("target");
    ring_in(target.parent().expect("a parent"), "target").make().expect("a ring");
    symlink(&target, scratch.path("link")).expect("a link");
    symlink(scratch.beside("nowhere"), scratch.path("dangling")).expect("a link");
    fs::create_dir(scratch.path("directory")).expect("a directory");
    nix::unistd::mkfifo(&scratch.path("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
    let _socket = std::os::unix::net::UnixListener::bind(scratch.path("socket")).expect("a socket");
    for (name, what) in [
        ("link", "it is a symbolic link"),
        ("dangling", "it is a symbolic link"),
        ("directory", "it is a directory"),
        ("pipe", "it is a pipe"),
        ("socket", "it is a socket"),
    ] {
        let _watchdog = watchdog(SOON, "opening what is no file");
        let said = &["is not a ring", what, "choose another name"];
        refused(scratch.ring(name).producer(), "NotARing", said);
        refused(scratch.ring(name).consumer(), "NotARing", said);
        refused(inspect::report(scratch.dir(), name), "NotARing", &["is not a ring"]);
        refused(scratch.ring(name).make(), "Exists", &["exists already"]);
    }
    assert!(inspect::list(scratch.dir()).expect("the list").is_empty(), "only regular files are listed");
    assert!(!scratch.beside("nowhere").exists(), "nothing is made through a link");
}

fn ring_file(scratch: &Scratch, capacity: usize) -> fs::File {
    let mut tx = scratch.ring("ring").capacity(capacity).producer().expect("a ring");
    tx.send(b"content").expect("send");
    fs::OpenOptions::new().read(true).write(true).open(scratch.path("ring")).expect("its file")
}

#[test]
fn a_file_cut_or_grown_is_refused_with_both_lengths() {
    let scratch = Scratch::new("cut");
    let file = ring_file(&scratch, 65_536);
    let whole = 24_576 + 65_536;
    for found in [512, 4096, 24_576, whole - 1, whole - 4096, whole + 1, whole + 4096] {
        file.set_len(found).expect("another length");
        let (found_text, whole_text) = (found.to_string(), whole.to_string());
        let said = &[
            "ring 'ring' has",
            &found_text,
            &whole_text,
            "cut, grown or punched",
            "podring rm --force ring",
        ];
        let error = refused(scratch.ring("ring").consumer(), "Truncated", said);
        assert!(matches!(error, Error::Truncated { found: f, expected: e, .. } if (f, e) == (found, whole)));
        refused(inspect::report(scratch.dir(), "ring"), "Truncated", said);
        let listing = inspect::list(scratch.dir()).expect("the list").pop().expect("the file");
        assert_eq!(listing.state, inspect::State::Damaged);
    }
    file.set_len(511).expect("another length");
    refused(scratch.ring("ring").consumer(), "NotARing", &["511 bytes are too few"]);
    inspect::remove(scratch.dir(), "ring", inspect::Remove::Force).expect("what the text says");
    scratch.ring("ring").producer().expect("made anew");
}

#[test]
fn a_file_with_holes_is_refused() {
    let scratch = Scratch::new("holes");
    let file = ring_file(&scratch, 65_536);
    let whole = 24_576 + 65_536;
    let mode =
        nix::fcntl::FallocateFlags::FALLOC_FL_PUNCH_HOLE | nix::fcntl::FallocateFlags::FALLOC_FL_KEEP_SIZE;
    nix::fcntl::fallocate(&file, mode, 32_768, 8192).expect("a hole");
    let (left, whole_text) = ((whole - 8192).to_string(), whole.to_string());
    refused(scratch.ring("ring").consumer(), "Truncated", &["punched", &left, &whole_text]);
    // A copy that skips zeros, as cp --sparse makes it.
    file.set_len(4096).expect("a cut");
    file.set_len(whole).expect("a hole at the end");
    refused(scratch.ring("ring").producer(), "Truncated", &["4096 bytes", &whole_text]);
}

// --- the identity ------------------------------------------------------------------------------------------

/// FNV-1a, 64 bits, as docs/layout.md has it.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Changes bytes of the identity, and makes the checksum right again.
fn forge(scratch: &Scratch, at: usize, bytes: &[u8]) {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().read(true).write(true).open(scratch.path("ring")).expect("the file");
    let mut identity = [0; 512];
    file.read_exact_at(&mut identity, 0).expect("the identity");
    identity[at..at + bytes.len()].copy_from_slice(bytes);
    let sum = checksum(&identity[..504]);
    identity[504..].copy_from_slice(&sum.to_le_bytes());
    file.write_all_at(&identity, 0).expect("the forged identity");
}

#[test]
fn older_and_newer_layouts_are_named() {
    let scratch = Scratch::new("layouts");
    for found in [0_u32, 2, 77, u32::MAX] {
        let _ = fs::remove_file(scratch.path("ring"));
        ring_file(&scratch, SMALL);
        forge(&scratch, 8, &found.to_le_bytes());
        let text = format!("has layout {found}, this version of podring knows layout 1");
        let said = &["ring 'ring'", &text, "use the same version on both sides", "podring rm --force ring"];
        let error = refused(scratch.ring("ring").consumer(), "Version", said);
        assert!(matches!(error, Error::Version { found: f, expected: 1, .. } if f == found));
        refused(inspect::report(scratch.dir(), "ring"), "Version", said);
        let listing = inspect::list(scratch.dir()).expect("the list").pop().expect("the file");
        assert_eq!(listing.state, inspect::State::Incompatible { layout: found });
    }
    // Of another layout not even the checksum's place is known.
    fs::write(scratch.path("ring"), [&b"PODRING\0\x09\0\0\0"[..], &[0xAB; 600]].concat()).expect("a file");
    refused(scratch.ring("ring").consumer(), "Version", &["has layout 9"]);
}

#[test]
fn a_single_flipped_bit_anywhere_in_the_identity_is_refused() {
    use std::os::unix::fs::FileExt;
    let scratch = Scratch::new("flipped");
    let file = ring_file(&scratch, SMALL);
    let mut good = [0; 512];
    file.read_exact_at(&mut good, 0).expect("the identity");
    for at in 0..512 {
        let mut bad = good;
        bad[at] ^= 1 << (at % 8);
        file.write_all_at(&bad, 0).expect("the flipped identity");
        let kind = match at {
            0..8 => "NotARing",
            8..12 => "Version",
            _ => "Corrupt",
        };
        let error = refused(scratch.ring("ring").consumer(), kind, &[]);
        if kind == "Corrupt" {
            let text = error.to_string();
            assert!(text.contains("ring 'ring' is corrupt: identity checksum holds 0x"), "{text}");
            assert!(text.contains("stop both sides and remove it with `podring rm --force ring`"), "{text}");
        }
    }
    file.write_all_at(&good, 0).expect("the good identity");
    scratch.ring("ring").consumer().expect("the good one is accepted");
}

#[test]
fn every_field_of_the_identity_is_checked_on_its_own() {
    let scratch = Scratch::new("fields");
    let max = u64::MAX.to_le_bytes();
    let number = |value: u64| value.to_le_bytes();
    let fields = [
        // The kind and layout share a word; their halves are tried below.
        ("total length", 16, vec![number(0), number(4096), number(28_673), max], "Corrupt", "total length"),
        ("data offset", 24, vec![number(0), number(8192), number(24_577), max], "Corrupt", "data offset"),
        (
            "capacity",
            32,
            vec![number(0), number(2048), number(4097), number(6000), max],
            "Corrupt",
            "capacity",
        ),
        (
            "capacity too large",
            32,
            vec![number(8192), number(1 << 63), number(1 << 40)],
            "Corrupt",
            "total length",
        ),
        ("stride", 40, vec![number(0), number(2), number(8), max], "Corrupt", "stride"),
        ("largest", 48, vec![number(2041), number(4096), number(1 << 33), max], "Corrupt", "largest message"),
        ("name hash", 56, vec![number(0), number(1), max], "Corrupt", "element type hash"),
        ("element size", 64, vec![number(1), number(8), max], "Mismatch", "element type"),
        ("element alignment", 72, vec![number(1), number(8), max], "Mismatch", "element type"),
    ];
    for (field, at, values, kind, said) in &fields {
        for value in values {
            let _ = fs::remove_file(scratch.path("ring"));
            ring_file(&scratch, SMALL);
            forge(&scratch, *at, value);
            let error = refused(scratch.ring("ring").consumer(), kind, &["ring 'ring'", said]);
            assert!(!error.to_string().is_empty(), "{field}");
        }
    }
    for kind in [0_u32, 2, 3, u32::MAX] {
        let _ = fs::remove_file(scratch.path("ring"));
        ring_file(&scratch, SMALL);
        forge(&scratch, 12, &kind.to_le_bytes());
        let error = refused(scratch.ring("ring").consumer(), "Corrupt", &["ring 'ring' is corrupt"]);
        assert!(
            matches!(error, Error::Corrupt { field: "kind" | "stride" | "element alignment", .. }),
            "{error}"
        );
    }
    let _ = fs::remove_file(scratch.path("ring"));
    ring_file(&scratch, SMALL);
    forge(&scratch, 208, b"u64");
    refused(scratch.ring("ring").consumer(), "Corrupt", &["element type hash"]);
    // A name that would draw on a terminal.
    let _ = fs::remove_file(scratch.path("ring"));
    ring_file(&scratch, SMALL);
    forge(&scratch, 112, b"\x1b[31mred\n");
    let creator = inspect::report(scratch.dir(), "ring").expect("a report").creator;
    assert!(!creator.chars().any(char::is_control), "{creator:?}");
}

#[test]
fn a_ring_of_another_kind_is_a_mismatch() {
    let scratch = Scratch::new("kinds");
    let _bytes = scratch.ring("bytes").capacity(SMALL).producer().expect("a producer");
    #[cfg(feature = "bytemuck")]
    {
        let as_typed = scratch.ring("bytes").typed::<u64>().consumer();
        refused(as_typed, "Mismatch", &["ring 'bytes' exists with kind bytes", "asked for was typed"]);
        let _typed = scratch.ring("typed").typed::<u64>().producer().expect("a producer");
        let as_bytes = scratch.ring("typed").consumer();
        refused(as_bytes, "Mismatch", &["ring 'typed' exists with kind typed", "asked for was bytes"]);
        let other = scratch.ring("typed").typed::<i64>().consumer();
        let said = &["u64 (8 bytes, aligned to 8)", "asked for was i64 (8 bytes, aligned to 8)"];
        refused(other, "Mismatch", said);
    }
}

// --- who may ------------------------------------------------------------------------------------------------

/// Becomes another user and tries what it may not.
fn other_user(args: &[String]) {
    let dir = Path::new(&args[0]);
    let nobody = nix::unistd::Uid::from_raw(65_534);
    nix::unistd::setgid(nix::unistd::Gid::from_raw(65_534)).expect("another group");
    nix::unistd::setuid(nobody).expect("another user");
    let said = &[
        "ring 'private': this process (uid 65534) may not write",
        "rings/private",
        "belongs to uid 0",
        "mode 0600",
        "run both sides as the same user",
        "0666",
        "o=mode=1777",
    ];
    let error = refused(ring_in(dir, "private").consumer(), "Permission", said);
    let Error::Permission { uid, owner, mode, .. } = error else { unreachable!("checked") };
    assert_eq!((uid, owner, mode), (65_534, Some(0), Some(0o600)));
    refused(ring_in(dir, "readable").consumer(), "Permission", &["mode 0644"]);
    refused(inspect::report(dir, "private"), "Permission", &["ring 'private'"]);
    let readable = inspect::report(dir, "readable").expect("watching needs read permission alone");
    assert_eq!((readable.uid, readable.mode), (0, 0o644));
    refused(inspect::remove(dir, "readable", inspect::Remove::Force), "Permission", &["ring 'readable'"]);
    let listing = inspect::list(dir).expect("the list");
    let state = |name: &str| listing.iter().find(|entry| entry.name == name).map(|entry| entry.state);
    assert_eq!(state("private"), Some(inspect::State::Unreadable));
    let refused_dir = ring_in(dir, "mine").producer();
    refused(refused_dir, "Permission", &["ring 'mine'", "rings, which belongs to uid 0 with mode 0755"]);
    // With a mode that allows it, and an owner as expected, or not.
    let mut rx = ring_in(dir, "shared").owner(0).consumer().expect("mode 0666 lets others in");
    assert_eq!(&*rx.recv().expect("recv"), b"for all");
    drop(rx);
    let said = &["ring 'shared' belongs to uid 0, expected uid 65534"];
    refused(ring_in(dir, "shared").owner(65_534).consumer(), "WrongOwner", said);
}

#[test]
fn another_user_is_told_who_may() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let scratch = Scratch::new("users");
    fs::set_permissions(scratch.dir(), fs::Permissions::from_mode(0o755)).expect("a mode");
    scratch.ring("private").make().expect("a ring");
    scratch.ring("readable").mode(0o644).make().expect("a ring");
    let mut tx = scratch.ring("shared").mode(0o666).producer().expect("a ring");
    tx.send(b"for all").expect("send");
    assert!(spawn("other-user", &[arg(scratch.dir())]).finish(SOON));
}

#[test]
fn a_ring_of_the_wrong_owner_is_refused() {
    let scratch = Scratch::new("owner");
    let me = nix::unistd::geteuid().as_raw();
    let mut tx = scratch.ring("ring").owner(me).producer().expect("one's own");
    tx.send(b"x").expect("send");
    scratch.ring("ring").owner(me).consumer().expect("one's own");
    let text = format!("ring 'ring' belongs to uid {me}, expected uid {}", me + 1);
    let error =
        refused(scratch.ring("ring").owner(me + 1).consumer(), "WrongOwner", &[&text, "yours to trust"]);
    assert!(matches!(error, Error::WrongOwner { found, expected, .. } if (found, expected) == (me, me + 1)));
}

fn umask(args: &[String]) {
    let dir = Path::new(&args[0]);
    nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
    for mode in [0o600, 0o660, 0o666, 0o777, 0o644] {
        let name = format!("ring-{mode:o}");
        let _tx = ring_in(dir, &name).capacity(SMALL).mode(mode).producer().expect("a producer");
        assert_eq!(
            dir.join(&name).metadata().expect("the file").mode() & 0o7777,
            mode,
            "as asked, not as masked"
        );
    }
    let _tx = ring_in(dir, "default").producer().expect("a producer");
    assert_eq!(dir.join("default").metadata().expect("the file").mode() & 0o7777, 0o600);
}

#[test]
fn the_mode_is_as_asked_whatever_the_umask() {
    let scratch = Scratch::new("umask");
    assert!(spawn("umask", &[arg(scratch.dir())]).finish(SOON));
}

fn read_only(args: &[String]) {
    let (dir, mount) = (Path::new(&args[0]), Path::new(&args[1]));
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    fs::create_dir_all(mount).expect("a mount point");
    let source = CString::new(dir.as_os_str().as_bytes()).expect("a path");
    let target = CString::new(mount.as_os_str().as_bytes()).expect("a path");
    let none = std::ptr::null();
    // SAFETY: strings that live through the call.
    let bound = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), none, libc::MS_BIND, none.cast()) };
    // A user namespace may not clear flags that the mount has.
    let flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
    // SAFETY: as above.
    let remounted = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), none, flags, none.cast()) };
    if bound != 0 || remounted != 0 {
        skip(&format!("a read-only bind mount: {}", std::io::Error::last_os_error()));
    }
    let said = &["ring 'ring'", &args[1], "read-only mount", "without ':ro'", "podring ls"];
    refused(ring_in(mount, "ring").consumer(), "ReadOnly", said);
    refused(ring_in(mount, "missing").producer(), "ReadOnly", &["ring 'missing'", "read-only mount"]);
    refused(ring_in(mount, "missing").make(), "ReadOnly", &["read-only mount"]);
    refused(inspect::remove(mount, "ring", inspect::Remove::Force), "ReadOnly", &["ring 'ring'"]);
    let report = inspect::report(mount, "ring").expect("watching works read-only");
    assert_eq!((report.state, report.seats.len()), (inspect::State::Live, 1));
    assert_eq!(inspect::list(mount).expect("the list").len(), 1);
}

#[test]
fn a_read_only_mount_is_named() {
    let scratch = Scratch::new("read-only");
    let _tx = scratch.ring("ring").producer().expect("a producer");
    spawn_mounting("read-only", &[arg(scratch.dir()), arg(&scratch.beside("mount"))]).finish(SOON);
}

#[test]
fn a_missing_directory_is_named() {
    let scratch = Scratch::new("no-dir");
    let dir = scratch.beside("nowhere");
    let said = &[
        "ring 'ring': the directory",
        "nowhere does not exist",
        "--ipc=none",
        "-v VOLUME:/dev/shm",
        "podring doctor",
    ];
    refused(ring_in(&dir, "ring").producer(), "NoDirectory", said);
    refused(ring_in(&dir, "ring").make(), "NoDirectory", said);
    refused(ring_in(&dir, "ring").create(Create::Never).consumer(), "NoDirectory", said);
    refused(ring_in(&dir, "ring").create(Create::New).consumer(), "NoDirectory", said);
    refused(inspect::report(&dir, "ring"), "NoDirectory", said);
    refused(inspect::list(&dir), "NoDirectory", &["nowhere does not exist", "--ipc=none"]);
    // A file where the directory should be.
    fs::write(&dir, b"").expect("a file");
    refused(ring_in(&dir, "ring").producer(), "NoDirectory", &["nowhere"]);
}

// --- who is there ------------------------------------------------------------------------------------------

fn occupy(args: &[String]) {
    let board = Words::map(Path::new(&args[1]));
    let _tx = ring_in(Path::new(&args[0]), "ring").producer().expect("a producer");
    board.set(0, 1);
    loop {
        thread::park();
    }
}

#[test]
fn a_second_producer_is_told_who_is_the_first() {
    let scratch = Scratch::new("second");
    let board = Words::make(&scratch.beside("board"), 1);
    let first = spawn("occupy", &[arg(scratch.dir()), arg(&scratch.beside("board"))]);
    common::eventually("the first is there", || board.get(0) == 1);
    let host = fs::read_to_string("/proc/sys/kernel/hostname").expect("a host name");
    let who = format!("on {} (pid {} there)", host.trim(), first.pid());
    let said = &["ring 'ring' already has a producer: producer 'faults", &who, "one producer at a time"];
    let error = refused(scratch.ring("ring").producer(), "RoleTaken", said);
    let Error::RoleTaken { holder, .. } = error else { unreachable!("checked") };
    assert_eq!(holder.pid, first.pid());
    refused(inspect::remove(scratch.dir(), "ring", inspect::Remove::IfStale), "RoleTaken", &[&who]);
    first.kill();
    scratch.ring("ring").producer().expect("free");
}

#[test]
fn a_peer_that_never_comes_is_a_time_out() {
    let scratch = Scratch::new("never-comes");
    let mut rx = scratch.ring("ring").consumer().expect("a consumer");
    let said = &[
        "ring 'ring': no message within 0.0",
        "the other side is not attached",
        "podring doctor --with ring",
    ];
    let error = refused(rx.recv_timeout(MOMENT), "Timeout", said);
    assert!(matches!(error, Error::Timeout { waited, peer_attached: false, .. } if waited >= MOMENT));
    refused(rx.wait_for_peer(MOMENT), "Timeout", &["ring 'ring': no peer within 0.0", "not attached"]);
    let start = Instant::now();
    let missing = scratch.ring("missing").create(Create::Never).open_timeout(MOMENT).producer();
    let dir = scratch.dir().display().to_string();
    let said = &[
        "ring 'missing' not found",
        &dir,
        "after 0.0 s",
        "same volume",
        "podring doctor --with missing` on both sides",
    ];
    let error = refused(missing, "NotFound", said);
    assert!(matches!(error, Error::NotFound { waited, .. } if waited >= MOMENT));
    assert!(start.elapsed() < SOON);
}

/// Two containers that see different directories never meet: what was looked at is half the answer.
#[test]
fn what_was_looked_at_is_named_with_a_ring_that_is_not_there() {
    let scratch = Scratch::new("looked-at");
    fs::set_permissions(scratch.dir(), fs::Permissions::from_mode(0o1755)).expect("a mode");
    let owner = scratch.dir().metadata().expect("the directory").uid();
    let missing = || scratch.ring("missing").create(Create::Never).open_timeout(Duration::ZERO).consumer();
    let text = format!("mode 1755 of uid {owner}, empty) after");
    let error = refused(missing(), "NotFound", &[&text, " free, "]);
    let Error::NotFound { seen: Some(seen), .. } = error else { unreachable!("checked") };
    let system = nix::sys::statvfs::statvfs(scratch.dir()).expect("statvfs");
    assert_eq!(seen.total, system.blocks() * system.fragment_size());
    assert_eq!((seen.mode, seen.uid, seen.entries), (0o1755, owner, Some(0)));
    scratch.ring("other").make().expect("a ring");
    refused(missing(), "NotFound", &[", 1 file) after"]);
    let report = refused(inspect::report(scratch.dir(), "missing"), "NotFound", &["1 file)"]);
    assert!(matches!(report, Error::NotFound { seen: Some(_), .. }));
}

// --- removed and re-created --------------------------------------------------------------------------------

#[test]
fn a_ring_removed_under_a_lone_participant_is_reported() {
    for recreate in [false, true] {
        for wait in [Wait::Spin, Wait::Adaptive, Wait::Park] {
            let scratch = Scratch::new("replaced");
            let _watchdog = watchdog(SOON, "a replaced ring");
            let quick = || scratch.ring("ring").capacity(SMALL).wait(wait).slice(Duration::from_millis(2));
            let mut rx = quick().consumer().expect("a consumer");
            refused(rx.recv_timeout(MOMENT), "Timeout", &["not attached"]);
            inspect::remove(scratch.dir(), "ring", inspect::Remove::Force).expect("remove");
            if recreate {
                scratch.ring("ring").capacity(SMALL).make().expect("another ring of that name");
            }
            let said = &[
                "ring 'ring' was removed or re-created",
                "rings/ring",
                "nobody else is attached",
                "open it again",
            ];
            refused(rx.recv(), "Replaced", said);
            refused(rx.recv_timeout(MOMENT), "Replaced", said);
            // Also with time-outs shorter than a slice.
            refused(rx.recv_timeout(Duration::from_micros(100)), "Replaced", said);
            refused(rx.wait_for_peer(SOON), "Replaced", said);
            drop(rx);
            let mut tx = quick().producer().expect("the ring that is there now");
            while tx.try_send(&[0; 500]).expect("try_send") {}
            inspect::remove(scratch.dir(), "ring", inspect::Remove::Force).expect("remove");
            if recreate {
                scratch.ring("ring").capacity(SMALL).make().expect("another ring of that name");
            }
            refused(tx.send(&[0; 500]), "Replaced", said);
            refused(tx.claim(500), "Replaced", said);
        }
    }
}

#[test]
fn a_ring_removed_under_two_goes_on_until_one_is_alone() {
    let scratch = Scratch::new("replaced-two");
    let _watchdog = watchdog(SOON, "a replaced ring");
    let quick = || scratch.ring("ring").slice(Duration::from_millis(2));
    let mut tx = quick().producer().expect("a producer");
    let mut rx = quick().consumer().expect("a consumer");
    inspect::remove(scratch.dir(), "ring", inspect::Remove::Force).expect("remove");
    let mut other = scratch.ring("ring").producer().expect("another ring of that name");
    other.send(b"elsewhere").expect("send");
    for number in 0..10_u8 {
        refused(rx.recv_timeout(Duration::from_millis(5)), "Timeout", &["attached and slow"]);
        tx.send(&[number]).expect("send");
        assert_eq!(*rx.recv().expect("recv"), [number]);
    }
    tx.send(b"last").expect("send");
    drop(tx);
    assert_eq!(&*rx.recv().expect("what was sent comes first"), b"last");
    refused(rx.recv(), "Replaced", &["open it again"]);
    drop(rx);
    let mut rx = quick().consumer().expect("open it again");
    assert_eq!(&*rx.recv().expect("recv"), b"elsewhere");
}

#[test]
fn a_relative_directory_is_where_it_was_when_the_ring_was_opened() {
    // Through a link that is turned elsewhere, since the process's directory is shared with other tests.
    let scratch = Scratch::new("turned");
    let link = scratch.beside("link");
    symlink(scratch.dir(), &link).expect("a link");
    let mut rx = ring_in(&link, "ring").slice(Duration::from_millis(2)).consumer().expect("a consumer");
    refused(rx.recv_timeout(MOMENT), "Timeout", &[]);
    fs::remove_file(&link).expect("the link");
    let elsewhere = scratch.beside("elsewhere");
    fs::create_dir(&elsewhere).expect("another directory");
    symlink(&elsewhere, &link).expect("a link");
    refused(rx.recv_timeout(MOMENT), "Replaced", &["open it again"]);
}

// --- signals -----------------------------------------------------------------------------------------------

extern "C" fn nothing(_: libc::c_int) {}

/// A signal every millisecond, with a handler that does nothing and interrupts every system call.
fn storm() {
    // SAFETY: a zeroed sigaction is one without flags (so without SA_RESTART) and with an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = nothing as *const () as usize;
    // SAFETY: the structure lives through the call; the handler touches nothing.
    let installed = unsafe { libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()) };
    assert_eq!(installed, 0);
    let every = libc::timeval { tv_sec: 0, tv_usec: 1000 };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: as above.
    let started = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut()) };
    assert_eq!(started, 0);
}

/// Signals of a timer go to any thread of a process, first of all to its first, which here is the test
/// harness's: so the storm is over a forked child, which has no other thread.
fn signals(args: &[String]) {
    // SAFETY: the child is the only thread of its process; the others hold no lock that it needs, and the C
    // library makes its allocator fit for use.
    match unsafe { nix::unistd::fork() }.expect("a fork") {
        nix::unistd::ForkResult::Child => {
            std::panic::set_hook(Box::new(|panic| {
                eprintln!("in the storm: {panic}");
                // SAFETY: takes a number and does not return.
                unsafe { libc::_exit(9) }
            }));
            in_the_storm(Path::new(&args[0]));
            // SAFETY: as above.
            unsafe { libc::_exit(0) }
        }
        nix::unistd::ForkResult::Parent { child } => {
            let status = nix::sys::wait::waitpid(child, None).expect("a child of ours");
            assert!(matches!(status, nix::sys::wait::WaitStatus::Exited(_, 0)), "{status:?}");
        }
    }
}

fn in_the_storm(dir: &Path) {
    storm();
    let mut tx = ring_in(dir, "large").capacity(64 * MIB).producer().expect("a large ring, made in a storm");
    let mut rx = ring_in(dir, "large").wait(Wait::Park).consumer().expect("a consumer");
    let limit = Duration::from_millis(150);
    let start = Instant::now();
    refused(rx.recv_timeout(limit), "Timeout", &["no message"]);
    assert!(start.elapsed() >= limit, "interrupted is not timed out: {:?}", start.elapsed());
    assert!(start.elapsed() < SOON, "interrupted is not begun anew");
    let start = Instant::now();
    refused(ring_in(dir, "missing").create(Create::Never).open_timeout(limit).consumer(), "NotFound", &[]);
    assert!(start.elapsed() >= limit);
    let sender = thread::spawn(move || {
        // The storm stays over the receiver.
        let alarm = nix::sys::signal::SigSet::from(nix::sys::signal::Signal::SIGALRM);
        alarm.thread_block().expect("a mask");
        thread::sleep(Duration::from_millis(100));
        tx.send(b"through").expect("send");
        tx
    });
    assert_eq!(&*rx.recv().expect("recv"), b"through");
    let mut tx = sender.join().expect("no panic");
    let start = Instant::now();
    while tx.try_send(&[1; MIB]).expect("try_send") {}
    refused(tx.send_timeout(&[1; MIB], limit), "Timeout", &["no space"]);
    assert!(start.elapsed() >= limit);
    refused(tx.send_timeout(&[1; MIB], Duration::ZERO), "Timeout", &["attached and slow"]);
    drop(rx);
    refused(tx.wait_for_peer(limit), "Timeout", &["no peer"]);
    refused(ring_in(dir, "large").producer(), "RoleTaken", &[]);
    assert_eq!(inspect::list(dir).expect("the list").len(), 1);
    inspect::remove(dir, "large", inspect::Remove::Force).expect("remove");
}

#[test]
fn a_storm_of_signals_neither_fails_nor_prolongs_anything() {
    let scratch = Scratch::new("signals");
    assert!(spawn("signals", &[arg(scratch.dir())]).finish(SOON));
}
