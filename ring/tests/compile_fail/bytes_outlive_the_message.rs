// refused: E0505
// about: cannot move out of `message` because it is borrowed

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").consumer()?;
    let message = rx.recv()?;
    let bytes: &[u8] = &message;
    drop(message);
    assert!(bytes.is_empty());
    Ok(())
}
