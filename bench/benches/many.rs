//! Queues of many: single operations in one thread, what the code costs when no line crosses between CPUs; then
//! threads of one process, not pinned. podring's beside what there is besides, with the feature `peers`.

mod gate;

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use podring_bench::board::Board;
use podring_bench::case::{Case, Mode, Place, WaitName};
use podring_bench::content;
use podring_bench::scratch::Scratch;
use podring_bench::subjects::{self, Subject, Visitor};
use podring_bench::transport::{Rx, Spec, Transport, Tx};

use gate::Gate;

const SUBJECTS: &[Subject] = &[
    Subject::PodringMpmc,
    Subject::PodringMpmcTyped,
    #[cfg(feature = "peers")]
    Subject::BoundMpmc,
    #[cfg(feature = "peers")]
    Subject::ArrayQueue,
];
const CAPACITY: usize = 1 << 18;

fn case(subject: Subject, size: usize) -> Case {
    Case {
        mode: Mode::Mpmc,
        subject,
        size,
        capacity: CAPACITY,
        // Threads may be more than CPUs; what only spins gives its turn away.
        wait: if subject.waits().contains(&WaitName::Adaptive) { WaitName::Adaptive } else { WaitName::Spin },
        batch: 1,
        place: Place::Thread,
        rate: 0.0,
        producers: 1,
        consumers: 1,
        handicap_ns: 0,
    }
}

/// What each benchmark is made of.
struct Bench<'a, 'b> {
    group: &'a mut BenchmarkGroup<'b, WallTime>,
    case: Case,
    spec: Spec,
    board: Board,
}

impl<'a, 'b> Bench<'a, 'b> {
    fn new(
        group: &'a mut BenchmarkGroup<'b, WallTime>,
        scratch: &Scratch,
        subject: Subject,
        size: usize,
    ) -> Self {
        let case = case(subject, size);
        let spec = Spec {
            dir: scratch.dir().to_owned(),
            name: scratch.name("many"),
            size,
            capacity: case.capacity,
            wait: case.wait,
            batch: case.batch,
            handicap_ns: 0,
        };
        let board = Board::make(scratch.dir().join(scratch.name("board"))).expect("a page");
        Self { group, case, spec, board }
    }

    fn id(&self) -> BenchmarkId {
        BenchmarkId::new(self.case.subject.name(), self.case.size)
    }
}

/// One message there and back, both ends in one thread.
struct Alone<'a, 'b>(Bench<'a, 'b>);

impl Visitor for Alone<'_, '_> {
    type Out = ();

    fn visit<T: Transport, const WORDS: usize>(self) {
        let bench = self.0;
        let (id, size) = (bench.id(), bench.case.size);
        let queue = T::create(&bench.spec).expect("a fresh queue");
        let mut tx = queue.tx(bench.board.poll()).expect("a writing end");
        let mut rx = queue.rx(bench.board.poll()).expect("a reading end");
        let mut seq = 0;
        bench.group.bench_function(id, |b| {
            b.iter(|| {
                tx.send(black_box(size), |bytes| content::fill::<WORDS>(bytes, seq)).expect("room for one");
                let right = rx.recv(|bytes| content::check::<WORDS>(bytes, size, seq)).expect("one is there");
                assert!(right, "message {seq}");
                seq += 1;
            });
        });
    }
}

/// As many producers as consumers, each for so many messages; the time is that of the last one.
struct Threads<'a, 'b> {
    bench: Bench<'a, 'b>,
    each: usize,
}

impl Visitor for Threads<'_, '_> {
    type Out = ();

    fn visit<T: Transport, const WORDS: usize>(self) {
        let Self { bench, each } = self;
        let (id, board) = (bench.id(), &bench.board);
        let queue = &T::create(&bench.spec).expect("a fresh queue");
        // An error here is told; in one of the threads it would leave the others waiting for their start.
        drop((
            queue.tx(board.poll()).expect("a writing end"),
            queue.rx(board.poll()).expect("a reading end"),
        ));
        bench.group.bench_function(id, |b| {
            b.iter_custom(|count| crew::<T, WORDS>(queue, board, bench.case.size, each, count));
        });
    }
}

fn crew<T: Transport, const WORDS: usize>(
    queue: &T,
    board: &Board,
    size: usize,
    each: usize,
    count: u64,
) -> Duration {
    let (ready, gate) = (&Barrier::new(2 * each + 1), &Gate::default());
    std::thread::scope(|scope| {
        let begin = || {
            ready.wait();
            gate.pass();
        };
        let mut threads = Vec::new();
        for number in 0..each as u64 {
            threads.push(scope.spawn(move || {
                let mut tx = queue.tx(board.poll()).expect("a writing end");
                begin();
                for seq in 0..count {
                    let number = number << 48 | seq;
                    tx.send(black_box(size), |bytes| content::fill::<WORDS>(bytes, number))
                        .expect("an open queue");
                }
                Instant::now()
            }));
            threads.push(scope.spawn(move || {
                let mut rx = queue.rx(board.poll()).expect("a reading end");
                begin();
                // As many as one producer sends: which ones is left to chance.
                for _ in 0..count {
                    let whole = |bytes: &[u8]| {
                        content::number(bytes)
                            .is_some_and(|number| content::check::<WORDS>(bytes, size, number))
                    };
                    assert!(rx.recv(whole).expect("an open queue"), "a torn message");
                }
                Instant::now()
            }));
        }
        ready.wait();
        let start = Instant::now();
        gate.open();
        let ends = threads.into_iter().map(|thread| thread.join().expect("a thread that ends"));
        ends.max().map_or(Duration::ZERO, |end| end - start)
    })
}

fn group<'a>(c: &'a mut Criterion, name: &str, messages: usize) -> BenchmarkGroup<'a, WallTime> {
    let mut group = c.benchmark_group(name);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(messages as u64));
    group
}

fn alone(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    let mut group = group(c, "many/send_recv", 1);
    for size in [16, 64, 256] {
        for &subject in SUBJECTS {
            let bench = Bench::new(&mut group, &scratch, subject, size);
            subjects::visit(&case(subject, size), Alone(bench)).expect("a size that all have");
        }
    }
    group.finish();
}

fn threads(c: &mut Criterion) {
    let scratch = Scratch::new(podring::DEFAULT_DIR.as_ref()).expect("a directory for the rings");
    for each in [1, 2] {
        let mut group = group(c, &format!("many/threads_{each}_{each}"), each);
        for &subject in SUBJECTS {
            let bench = Bench::new(&mut group, &scratch, subject, 64);
            subjects::visit(&case(subject, 64), Threads { bench, each }).expect("a size that all have");
        }
        group.finish();
    }
}

criterion_group!(benches, alone, threads);
criterion_main!(benches);
