// refused: E0499
// about: cannot borrow `rx` as mutable more than once

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").consumer()?;
    let mut drain = rx.drain()?;
    drop(rx.try_recv()?);
    drain.next()?;
    Ok(())
}
