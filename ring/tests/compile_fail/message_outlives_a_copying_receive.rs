// refused: E0499
// about: cannot borrow `rx` as mutable more than once

fn main() -> podring::Result<()> {
    let mut rx = podring::spsc("mistake").consumer()?;
    let first = rx.try_recv()?.expect("a message");
    let bytes: &[u8] = &first;
    rx.recv_into(&mut [0; 16])?;
    assert!(bytes.is_empty());
    Ok(())
}
