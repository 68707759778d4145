//! What the other programs do, done right: what is refused there is refused for its mistake alone.

fn main() -> podring::Result<()> {
    let mut tx = podring::spsc("right").producer()?;
    let mut rx = podring::spsc("right").consumer()?;
    let mut claim = tx.claim(3)?;
    claim.copy_from_slice(b"abc");
    claim.commit();
    let mut batch = tx.batch();
    batch.send(b"one")?;
    batch.claim(5)?.commit();
    batch.publish();
    let first = rx.recv()?;
    let length = first.len();
    drop(first);
    let second = rx.recv()?;
    assert!(second.len() >= length);
    drop(second);
    let mut drain = rx.drain()?;
    while let Some(message) = drain.next()? {
        assert!(!message.is_empty());
    }
    drop(drain);
    // Handles move between threads.
    std::thread::spawn(move || tx.close()).join().expect("a thread")?;
    std::thread::spawn(move || drop(rx)).join().expect("a thread");
    match podring::spsc("right").producer() {
        Err(podring::Error::RoleTaken { holder, .. }) => println!("{holder}"),
        Err(other) => return Err(other),
        Ok(_) => {}
    }
    #[cfg(typed)]
    {
        let mut tx = podring::spsc("right").typed::<[f64; 4]>().producer()?;
        tx.send(&[1.0; 4])?;
        std::thread::spawn(move || drop(tx)).join().expect("a thread");
    }
    Ok(())
}
