// refused: E0505
// about: cannot move out of `batch` because it is borrowed

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let mut batch = tx.batch();
    let claim = batch.claim(8)?;
    batch.publish();
    claim.commit();
    Ok(())
}
