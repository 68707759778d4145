// refused: E0499
// about: cannot borrow `tx` as mutable more than once

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let batch = tx.batch();
    tx.send(b"out of turn")?;
    batch.publish();
    Ok(())
}
