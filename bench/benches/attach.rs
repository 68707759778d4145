//! Coming and going: making a ring, attaching to one, detaching.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use podring_bench::scratch::Scratch;

fn attach(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let mut group = c.benchmark_group("attach");
    for capacity in [64 << 10, 1 << 20] {
        let ring = scratch.ring("attach");
        let options = || ring.options().capacity(capacity);
        let _kept = options().producer().expect("a fresh ring");
        group.bench_function(BenchmarkId::new("attach_detach", capacity), |b| {
            b.iter(|| drop(options().consumer().expect("the consumer's seat is free")));
        });
        group.bench_function(BenchmarkId::new("create_remove", capacity), |b| {
            b.iter_batched(
                || scratch.ring("create"),
                |ring| {
                    drop(ring.options().capacity(capacity).producer().expect("a fresh ring"));
                    drop(ring);
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, attach);
criterion_main!(benches);
