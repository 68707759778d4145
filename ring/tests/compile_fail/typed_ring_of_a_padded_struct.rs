// refused: E0277
// about: Pod
// about: is not satisfied

#[derive(Clone, Copy)]
#[repr(C)]
struct Padded {
    small: u8,
    large: u64,
}

fn main() {
    let padded = Padded { small: 1, large: 2 };
    assert!(padded.large > padded.small.into());
    drop(podring::spsc("mistake").typed::<Padded>());
}
