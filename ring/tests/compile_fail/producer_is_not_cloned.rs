// refused: E0599
// about: no method named `clone`
// about: Producer`

fn main() -> podring::Result<()> {
    let tx = podring::spsc("mistake").producer()?;
    drop(tx.clone());
    Ok(())
}
