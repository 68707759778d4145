//! Single operations, both ends in one thread: what the code costs when no line crosses between CPUs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use podring::{Consumer, Producer};
use podring_bench::scratch::Scratch;

const SIZES: [usize; 4] = [8, 64, 1024, 65536];
const BATCH: usize = 32;

/// Both ends of a byte ring.
fn ends(scratch: &Scratch, capacity: usize) -> (Producer, Consumer) {
    let ring = scratch.ring("operations");
    let tx = ring.options().capacity(capacity).producer().expect("a fresh ring");
    let rx = ring.options().capacity(capacity).consumer().expect("the same ring");
    // The ring is needed no longer than its name: both ends hold it. Its file goes with `scratch`.
    std::mem::forget(ring);
    (tx, rx)
}

fn byte_ring(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let mut group = c.benchmark_group("bytes");
    for size in SIZES {
        let (mut tx, mut rx) = ends(&scratch, 8 << 20);
        let message = vec![0x5a; size];
        let mut copy = vec![0; size];
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new("send_recv_into", size), |b| {
            b.iter(|| {
                tx.send(black_box(&message)).expect("room for one");
                rx.recv_into(black_box(&mut copy)).expect("one is there")
            });
        });
        group.bench_function(BenchmarkId::new("send_recv_borrowed", size), |b| {
            b.iter(|| {
                tx.send(black_box(&message)).expect("room for one");
                black_box(rx.recv().expect("one is there")[size - 1]);
            });
        });
        group.bench_function(BenchmarkId::new("claim_commit_recv", size), |b| {
            b.iter(|| {
                let mut claim = tx.claim(black_box(size)).expect("room for one");
                claim[size - 1] = 1;
                claim.commit();
                black_box(rx.recv().expect("one is there")[size - 1]);
            });
        });
        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function(BenchmarkId::new("batch_of_32_drain", size), |b| {
            b.iter(|| {
                let mut batch = tx.batch();
                for _ in 0..BATCH {
                    batch.send(black_box(&message)).expect("room for a batch");
                }
                batch.publish();
                let mut drain = rx.drain().expect("a batch is there");
                let mut seen = 0;
                while let Some(message) = drain.next().expect("a whole record") {
                    black_box(message[size - 1]);
                    seen += 1;
                }
                assert_eq!(seen, BATCH);
            });
        });
    }
    group.finish();
}

fn typed_ring(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let mut group = c.benchmark_group("typed");
    let ring = scratch.ring("typed");
    let options = || ring.options().typed::<[u64; 8]>().type_name("words");
    let mut tx = options().producer().expect("a fresh ring");
    let mut rx = options().consumer().expect("the same ring");
    let element = [7; 8];
    group.throughput(Throughput::Elements(1));
    group.bench_function("send_recv/64", |b| {
        b.iter(|| {
            tx.send(black_box(&element)).expect("room for one");
            rx.recv().expect("one is there")
        });
    });
    let block = [element; BATCH];
    let mut copy = [[0; 8]; BATCH];
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("send_all_recv_many/64", |b| {
        b.iter(|| {
            tx.send_all(black_box(&block)).expect("room for a batch");
            let mut seen = 0;
            while seen < BATCH {
                seen += rx.recv_many(black_box(&mut copy[seen..])).expect("a batch is there");
            }
        });
    });
    group.finish();
}

fn empty_ring(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let (_tx, mut rx) = ends(&scratch, 1 << 20);
    c.bench_function("empty/try_recv", |b| {
        b.iter(|| assert!(rx.try_recv().expect("a good ring").is_none()));
    });
}

criterion_group!(operations, byte_ring, typed_ring, empty_ring);
criterion_main!(operations);
