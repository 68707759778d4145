// refused: E0499
// about: cannot borrow `tx` as mutable more than once

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let claim = tx.claim(8)?;
    tx.send(b"too early")?;
    claim.commit();
    Ok(())
}
