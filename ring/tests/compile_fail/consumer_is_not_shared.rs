// refused: E0277
// about: cannot be shared between threads safely
// about: Consumer

fn main() -> podring::Result<()> {
    let rx = podring::spsc("mistake").consumer()?;
    std::thread::scope(|scope| {
        scope.spawn(|| rx.stats());
        scope.spawn(|| rx.stats());
    });
    Ok(())
}
