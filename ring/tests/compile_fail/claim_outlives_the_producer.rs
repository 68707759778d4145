// refused: E0505
// about: cannot move out of `tx` because it is borrowed

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let claim = tx.claim(8)?;
    drop(tx);
    claim.commit();
    Ok(())
}
