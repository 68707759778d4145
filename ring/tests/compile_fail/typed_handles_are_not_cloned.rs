// refused: E0599
// about: no method named `clone`
// about: TypedProducer
// about: no method named `clone`
// about: TypedConsumer

fn main() -> podring::Result<()> {
    drop(podring::spsc("mistake").typed::<u64>().producer()?.clone());
    drop(podring::spsc("mistake").typed::<u64>().consumer()?.clone());
    Ok(())
}
