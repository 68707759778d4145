// refused: E0594
// about: DerefMut
// about: Message

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").consumer()?;
    let mut message = rx.recv()?;
    message[0] = 1;
    Ok(())
}
