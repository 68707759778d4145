// refused: E0382
// about: use of moved value: `claim`

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let claim = tx.claim(8)?;
    claim.commit();
    claim.commit();
    Ok(())
}
