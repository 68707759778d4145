// refused: E0499
// about: cannot borrow `rx` as mutable more than once at a time

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").typed::<u64>().consumer()?;
    let drain = rx.drain(10)?;
    rx.recv()?;
    assert!(drain.is_empty());
    Ok(())
}
