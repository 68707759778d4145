//! Files in place of the standard streams: an image made FROM scratch has no shell to redirect with.

use std::fs::File;
use std::path::Path;

use nix::unistd::{dup2_stdin, dup2_stdout};

use crate::output::Failure;

/// Reads standard input from a file from now on.
pub(crate) fn input_from(path: &Path) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::io(&format!("opening {}", path.display()), error);
    let file = File::open(path).map_err(|error| failed(&error))?;
    dup2_stdin(&file).map_err(|errno| failed(&errno.into()))
}

/// Writes standard output to a file from now on, made anew.
pub(crate) fn output_to(path: &Path) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| Failure::io(&format!("creating {}", path.display()), error);
    let file = File::create(path).map_err(|error| failed(&error))?;
    dup2_stdout(&file).map_err(|errno| failed(&errno.into()))
}
