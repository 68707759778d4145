// refused: E0499
// about: cannot borrow `tx` as mutable more than once

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let first = tx.claim(8)?;
    let second = tx.claim(8)?;
    first.commit();
    second.commit();
    Ok(())
}
