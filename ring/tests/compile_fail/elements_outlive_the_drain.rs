// refused: E0505
// about: cannot move out of `drain` because it is borrowed

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").typed::<u64>().consumer()?;
    let drain = rx.drain(10)?;
    let elements = &drain[..];
    drop(drain);
    assert!(elements.is_empty());
    Ok(())
}
