// refused: E0277
// about: cannot be shared between threads safely
// about: TypedProducer
// about: TypedConsumer

fn share(_: &(impl Sync + ?Sized)) {}

fn main() -> podring::Result<()> {
    share(&podring::spsc("mistake").typed::<u64>().producer()?);
    share(&podring::spsc("mistake").typed::<u64>().consumer()?);
    Ok(())
}
