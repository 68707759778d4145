//! Hostile peers. Whoever may write a ring's file may break its protocol; what it cannot do is make the others
//! crash, panic, run for ever or touch memory outside the segment. Here it tries.
//!
//! Victims are processes of their own, so that a crash of one is seen as such. `HOSTILE_SECONDS` prolongs the
//! attack on live rings, `PODRING_TEST_SEED` repeats one.

#[path = "../common/mod.rs"]
mod common;

mod attack;
mod board;
mod bounded;
mod files;
mod guard;
mod locks;
mod names;
mod scribble;
mod victims;
mod victims_among_many;

#[test]
#[ignore = "the other processes of these tests, which start them"]
fn child() {
    common::child::play(&[
        ("scribble", scribble::play),
        ("send", victims::send),
        ("receive", victims::receive),
        ("typed-send", victims::typed_send),
        ("typed-receive", victims::typed_receive),
        ("send-among-many", victims_among_many::send),
        ("receive-among-many", victims_among_many::receive),
        ("watch", victims::watch),
        ("squat", locks::squat),
        ("trust", files::trust),
        ("other-user", files::other_user),
        ("rename", names::play),
    ]);
}
