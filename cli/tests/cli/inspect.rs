//! ls, info, create, rm, completions and man.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::process::Stdio;

use nix::sys::signal::Signal;

use crate::scratch::{Scratch, wait_until};

#[test]
fn create_makes_a_ring_of_the_shape_asked_for() {
    let scratch = Scratch::new("create");
    scratch.run("create r --capacity 100K --largest 1000 --mode 0664").expect(0);
    let info = scratch.info("r");
    assert_eq!(info["capacity_bytes"], 128 << 10);
    assert_eq!(info["largest_message_bytes"], 1000);
    assert_eq!(info["mode"], "0664");
    assert_eq!(info["state"], "stale");
    assert_eq!(info["used_bytes"], 0);
    assert_eq!(info["seats"], serde_json::json!([]));
    let file = fs::metadata(scratch.rings().join("r")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o664);
    assert_eq!(info["file_bytes"], file.len());
    let object = scratch.run("create s --json").expect(0).json();
    assert_eq!((&object["ring"], &object["created"]), (&"s".into(), &true.into()));
    let object = scratch.run("create s --json --exist-ok").expect(0).json();
    assert_eq!(object["created"], false);
}

#[test]
fn ls_shows_rings_and_everything_else() {
    let scratch = Scratch::new("ls");
    assert_eq!(scratch.run("ls").expect(0).text().lines().count(), 1);
    scratch.run("create stale --capacity 64K").expect(0);
    scratch.run("create newer").expect(0);
    fs::write(scratch.rings().join("foreign"), b"something else").unwrap();
    fs::write(scratch.rings().join("evil\x1b[2J"), b"").unwrap();
    make_incompatible(&scratch, "newer");
    let receiver = scratch.start("recv live");
    scratch.wait_for_seat("live", "consumer");
    scratch.feed("send stale -f lines", b"12345678\n").expect(0);

    let outcome = scratch.run("ls");
    let text = outcome.expect(0).text();
    let line = |name: &str| {
        let line =
            text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {text}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(line("NAME")[1..8], ["KIND", "STATE", "OWNER", "MODE", "BYTES", "USED", "FILL"]);
    assert_eq!(line("foreign")[1..3], ["-", "foreign"]);
    assert_eq!(line("newer")[1..3], ["-", "incompatible"]);
    assert_eq!(line("stale")[1..3], ["bytes", "stale"]);
    assert_eq!(line("stale")[4..8], ["0600", "88K", "16", "0%"]);
    let live = line("live");
    assert_eq!(live[1..3], ["bytes", "live"]);
    assert!(
        live[9].starts_with("podring@") && live[9].ends_with(&format!("({})", receiver.pid())),
        "{live:?}"
    );
    assert!(!text.contains('\x1b'), "{text:?}");

    let object = scratch.run("ls --json").expect(0).json();
    let rings = object["rings"].as_array().unwrap();
    let names: Vec<&str> = rings.iter().map(|ring| ring["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["evil\x1b[2J", "foreign", "live", "newer", "stale"]);
    assert_eq!(rings[1]["state"], "foreign");
    assert_eq!(rings[1]["file_bytes"], 14);
    assert_eq!((&rings[3]["state"], &rings[3]["layout"]), (&"incompatible".into(), &99.into()));
    assert_eq!((&rings[4]["state"], &rings[4]["used_bytes"]), (&"stale".into(), &16.into()));
    assert_eq!(rings[2]["seats"][0]["pid"], receiver.pid());
    assert!(rings[2]["created_unix_ns"].as_u64().unwrap() > 1_700_000_000_000_000_000);
    assert_eq!(rings[2]["uid"], nix::unistd::geteuid().as_raw());
}

/// Gives a ring another layout version, and a header that is otherwise whole.
fn make_incompatible(scratch: &Scratch, ring: &str) {
    let file = fs::OpenOptions::new().read(true).write(true).open(scratch.rings().join(ring)).unwrap();
    file.write_all_at(&99_u32.to_le_bytes(), 8).unwrap();
}

#[test]
fn a_ring_that_is_still_mapped_shows_without_its_name() {
    let scratch = Scratch::new("deleted");
    // Stopped: a participant that runs soon notices that the name is gone, and ends. And opened by its name:
    // who makes a ring maps it before it has one.
    scratch.run("create gone").expect(0);
    let receiver = scratch.start("recv gone");
    scratch.wait_for_seat("gone", "consumer");
    let mapped_by = |object: &serde_json::Value| object["mapped_by"][0]["pid"].as_i64();
    let info = scratch.info("gone");
    assert_eq!(mapped_by(&info), Some(i64::from(receiver.pid())), "{info}");
    receiver.signal(Signal::SIGSTOP);
    scratch.run("rm gone --force").expect(0);
    let object = scratch.run("ls --json").expect(0).json();
    let ring = &object["rings"][0];
    assert_eq!((&ring["name"], &ring["state"]), (&"gone".into(), &"deleted".into()), "{object}");
    assert_eq!(mapped_by(ring), Some(i64::from(receiver.pid())), "{object}");
    assert_eq!(ring["seats"][0]["live"], true, "{object}");
    receiver.kill();
    let creator = scratch.start("recv made");
    scratch.wait_for_seat("made", "consumer");
    creator.signal(Signal::SIGSTOP);
    assert_eq!(scratch.run("ls --json").json()["rings"][0]["state"], "live");
    scratch.run("rm made --force").expect(0);
    let object = scratch.run("ls --json").expect(0).json();
    let ring = &object["rings"][0];
    assert!(ring["name"].as_str().unwrap().starts_with('#') && ring["state"] == "deleted", "{object}");
    creator.kill();
    wait_until("it to be gone", || scratch.run("ls --json").json()["rings"] == serde_json::json!([]));
}

#[test]
fn info_shows_everything_about_a_ring() {
    let scratch = Scratch::new("info");
    scratch.feed("send r -f lines --capacity 4K", b"12345678\n12345678\n").expect(0);
    let outcome = scratch.run("info r");
    let text = outcome.expect(0).text();
    for part in [
        "state            stale",
        "capacity         4K (4096 bytes)",
        "used             32 (32 bytes), 0.8% full",
        "stream           closed",
        "seat 0 producer: left, podring@",
        "messages 2, bytes 16",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let info = scratch.info("r");
    assert_eq!(info["fill_percent"], 0.78125);
    assert_eq!(info["written_bytes"], 32);
    assert_eq!(info["closed"], true);
    assert_eq!(info["id"].as_str().unwrap().len(), 32);
    assert_eq!(info["seats"][0]["role"], "producer");
    assert_eq!(info["seats"][0]["left"], true);
    assert_eq!(info["seats"][0]["stats"]["messages"], 2);
    assert_eq!(info["seats"][0]["stats"]["attaches"], 1);
}

#[test]
fn rm_removes_what_nobody_uses() {
    let scratch = Scratch::new("rm");
    for ring in ["a", "b", "c"] {
        scratch.run(&format!("create {ring}")).expect(0);
    }
    assert_eq!(scratch.run("rm a /b").expect(0).text(), "removed a\nremoved /b\n");
    assert_eq!(scratch.names(), ["c"]);
    let outcome = scratch.run("rm nothing c --json");
    let object = outcome.expect(3).json();
    assert_eq!(object["removed"], serde_json::json!(["c"]));
    assert_eq!(object["failed"][0]["name"], "nothing");
    assert_eq!(object["error"]["kind"], "NotFound");
    assert!(scratch.names().is_empty());
}

#[test]
fn rm_refuses_a_ring_in_use_unless_forced() {
    let scratch = Scratch::new("rm-live");
    let mut command = scratch.podring("send r");
    command.stdin(Stdio::piped());
    let mut sender = command.spawn().unwrap();
    scratch.wait_for_seat("r", "producer");
    let outcome = scratch.run("rm r");
    outcome.expect(3).says(&["in use", &format!("pid {}", sender.id()), "--force"]);
    assert_eq!(outcome.text(), "");
    scratch.run("rm --stale").expect(0);
    assert_eq!(scratch.names(), ["r"]);
    scratch.run("rm r --force").expect(0);
    assert!(scratch.names().is_empty());
    sender.kill().unwrap();
    sender.wait().unwrap();
}

#[test]
fn rm_stale_leaves_everything_else_alone() {
    let scratch = Scratch::new("rm-stale");
    scratch.run("create a").expect(0);
    scratch.feed("send b", b"x").expect(0);
    fs::write(scratch.rings().join("foreign"), b"mine").unwrap();
    let receiver = scratch.start("recv live");
    scratch.wait_for_seat("live", "consumer");
    assert_eq!(scratch.run("rm --stale").expect(0).text(), "removed a\nremoved b\n");
    assert_eq!(scratch.names(), ["foreign", "live"]);
    // Killed, not closed: its ring becomes stale at once.
    receiver.kill();
    wait_until("the seat to be free", || scratch.info("live")["state"] == "stale");
    let object = scratch.run("rm --stale --json").expect(0).json();
    assert_eq!(object["removed"], serde_json::json!(["live"]));
    assert_eq!(scratch.run("rm --stale").expect(0).text(), "");
}

#[test]
fn rm_force_removes_a_foreign_file_of_a_ring_name() {
    let scratch = Scratch::new("rm-foreign");
    fs::write(scratch.rings().join("r"), b"mine").unwrap();
    scratch.run("rm r").expect(3);
    scratch.run("rm r --force").expect(0);
    assert!(scratch.names().is_empty());
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let scratch = Scratch::new("completions");
    for (shell, part) in
        [("bash", "_podring()"), ("zsh", "#compdef podring"), ("fish", "complete -c podring")]
    {
        let outcome = scratch.run(&format!("completions {shell}"));
        assert!(outcome.expect(0).text().contains(part), "{shell}");
    }
    assert!(scratch.run("man").expect(0).text().contains(".TH podring 1"));
    assert!(scratch.run("man verify producer").expect(0).text().contains("journal"));
    assert!(scratch.run("man send --json").expect(0).json()["page"].as_str().unwrap().contains(".TH"));
    assert_eq!(scratch.run("completions bash --json").expect(0).json()["shell"], "bash");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let scratch = Scratch::new("help");
    let help = scratch.run("--help");
    assert!(help.expect(0).text().contains("verify"), "{help:?}");
    assert_eq!(help.stderr, "");
    assert_eq!(
        scratch.run("--version").expect(0).text(),
        concat!("podring ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
