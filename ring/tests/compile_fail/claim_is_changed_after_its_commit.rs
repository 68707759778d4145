// refused: E0382
// about: borrow of moved value: `claim`

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let mut claim = tx.claim(8)?;
    claim.commit();
    claim[0] = 1;
    Ok(())
}
