// refused: E0004
// about: non-exhaustive patterns
// about: Error

fn main() {
    let Err(error) = podring::spsc("mistake").producer() else { return };
    match error {
        podring::Error::NameInvalid { .. } => {}
        podring::Error::OptionInvalid { .. } => {}
    }
}
