// refused: E0277
// about: Pod
// about: is not satisfied

fn main() {
    drop(podring::spsc("mistake").typed::<&'static u8>());
}
