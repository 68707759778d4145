//! Threads of one process, not pinned: a stream and a round trip, begun at once by a start gate.

mod gate;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use podring::{Consumer, Producer};
use podring_bench::scratch::Scratch;

use gate::Gate;

const SIZE: usize = 64;

fn ends(scratch: &Scratch, what: &str) -> (Producer, Consumer) {
    let ring = scratch.ring(what);
    let ends =
        (ring.options().producer().expect("a fresh ring"), ring.options().consumer().expect("the same ring"));
    // Its file goes with `scratch`.
    std::mem::forget(ring);
    ends
}

/// Runs `other` in a thread and `ours` here, both from the moment the gate opens.
fn together(other: impl FnOnce() + Send, ours: impl FnOnce()) -> Duration {
    let gate = Gate::default();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            gate.pass();
            other();
        });
        let start = Instant::now();
        gate.open();
        ours();
        start.elapsed()
    })
}

fn stream(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let (mut tx, mut rx) = ends(&scratch, "stream");
    let mut group = c.benchmark_group("threads");
    group.throughput(Throughput::Elements(1));
    group.bench_function("stream/64", |b| {
        b.iter_custom(|count| {
            together(
                || {
                    for seq in 0..count {
                        let mut claim = tx.claim(SIZE).expect("an open ring");
                        claim.fill(seq as u8);
                        claim.commit();
                    }
                },
                || {
                    for seq in 0..count {
                        let message = rx.recv().expect("an open ring");
                        assert!(message.iter().all(|&byte| byte == seq as u8), "message {seq}");
                    }
                },
            )
        });
    });
    group.finish();
}

fn round_trip(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let (mut ping_tx, mut ping_rx) = ends(&scratch, "ping");
    let (mut pong_tx, mut pong_rx) = ends(&scratch, "pong");
    c.bench_function("threads/round_trip/64", |b| {
        b.iter_custom(|count| {
            together(
                || {
                    for _ in 0..count {
                        pong_tx.send(&ping_rx.recv().expect("an open ring")).expect("an open ring");
                    }
                },
                || {
                    for seq in 0..count {
                        ping_tx.send(&[seq as u8; SIZE]).expect("an open ring");
                        let answer = pong_rx.recv().expect("an open ring");
                        assert!(answer.iter().all(|&byte| byte == seq as u8), "answer {seq}");
                    }
                },
            )
        });
    });
}

criterion_group!(benches, stream, round_trip);
criterion_main!(benches);
