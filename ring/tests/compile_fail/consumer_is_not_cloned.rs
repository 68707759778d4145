// refused: E0599
// about: no method named `clone`
// about: Consumer`

fn main() -> podring::Result<()> {
    let rx = podring::spsc("mistake").consumer()?;
    drop(rx.clone());
    Ok(())
}
