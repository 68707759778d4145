// refused: E0505
// about: cannot move out of `rx` because it is borrowed

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").consumer()?;
    let message = rx.recv()?;
    drop(rx);
    assert!(message.is_empty());
    Ok(())
}
