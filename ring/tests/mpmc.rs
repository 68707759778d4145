//! Rings with many producers and many consumers: the contract, as one process sees it.

#[path = "common/mod.rs"]
mod common;

use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn smoke_many_threads_every_message_once() {
    let name = format!("mpmc-smoke-{}", std::process::id());
    const EACH: u64 = 20_000;
    podring::mpmc(&name).slots(64).largest_message(16).make().expect("made");
    let sum = AtomicU64::new(0);
    let count = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for producer in 0..3u64 {
            let name = name.clone();
            scope.spawn(move || {
                let mut tx = podring::mpmc(&name).producer().expect("seat");
                for i in 0..EACH {
                    tx.send(&(producer * EACH + i).to_le_bytes()).expect("sent");
                }
                tx.close().expect("closed");
            });
        }
        for _ in 0..3 {
            let (name, sum, count) = (name.clone(), &sum, &count);
            scope.spawn(move || {
                let mut rx = podring::mpmc(&name).consumer().expect("seat");
                loop {
                    match rx.recv() {
                        Ok(message) => {
                            sum.fetch_add(
                                u64::from_le_bytes((*message).try_into().expect("8 bytes")),
                                Ordering::Relaxed,
                            );
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(podring::Error::Closed { .. }) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    podring::inspect::remove(podring::DEFAULT_DIR.as_ref(), &name, podring::inspect::Remove::Force)
        .expect("removed");
    assert_eq!(count.into_inner(), 3 * EACH);
    assert_eq!(sum.into_inner(), (0..3 * EACH).sum::<u64>());
}
