//! What the fuzz targets do with the bytes they are given. Each is a plain function of bytes that panics if
//! something is wrong; `targets/` gives them to libFuzzer.

mod bytes;
mod model;
pub mod script;
pub mod segment;

#[path = "../../ring/tests/hostile/guard.rs"]
mod guard;

use std::path::PathBuf;
use std::sync::OnceLock;

/// A directory of this process's own, in shared memory: `PODRING_FUZZ_DIR`, or one below /dev/shm.
fn dir() -> &'static PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let root = std::env::var_os("PODRING_FUZZ_DIR").map_or_else(|| "/dev/shm".into(), PathBuf::from);
        let dir = root.join(format!("podring-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory in shared memory");
        dir
    })
}
