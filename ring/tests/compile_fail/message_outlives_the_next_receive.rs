// refused: E0499
// about: cannot borrow `rx` as mutable more than once

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").consumer()?;
    let first = rx.recv()?;
    let second = rx.recv()?;
    assert_eq!(first.len(), second.len());
    Ok(())
}
