// refused: E0505
// about: cannot move out of `drain` because it is borrowed

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").consumer()?;
    let mut drain = rx.drain()?;
    let bytes = drain.next()?.expect("a message");
    drop(drain);
    assert!(bytes.is_empty());
    Ok(())
}
