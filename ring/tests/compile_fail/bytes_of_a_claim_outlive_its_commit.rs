// refused: E0505
// about: cannot move out of `claim` because it is borrowed

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("mistake").producer()?;
    let mut claim = tx.claim(8)?;
    let bytes: &mut [u8] = &mut claim;
    claim.commit();
    bytes[0] = 1;
    Ok(())
}
