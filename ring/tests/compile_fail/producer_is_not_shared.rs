// refused: E0277
// about: cannot be shared between threads safely
// about: Producer

fn share(_: &(impl Sync + ?Sized)) {}

fn main() -> podring::Result<()> {
    share(&podring::spsc("mistake").producer()?);
    Ok(())
}
