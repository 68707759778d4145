// refused: E0515
// about: `rx`

fn receive() -> podring::Message<'static> {
    let mut rx = podring::spsc("mistake").consumer().expect("a consumer");
    rx.recv().expect("a message")
}

fn main() {
    drop(receive());
}
