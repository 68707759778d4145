//! What the children do while they are stepped through: everything else is done before and after.

use std::path::Path;
use std::time::Duration;

use podring::inspect::{Remove, remove};
use podring::{Create, Error};

use crate::board::Board;
use crate::handles::{RING, bytes, typed};
use crate::message::{bytes_of, element_of, number, number_of, number_of_element};
use crate::model::{Kind, Model};
use crate::starts::{LEN, LONG};
use crate::trace::stand_still;

/// What operations send.
pub(crate) const SENT: [u64; 3] = [number(1000, LEN), number(1001, LEN), number(1002, LEN)];
const SENT_LONG: u64 = number(1003, LONG);
/// Long enough to fall asleep.
const NAP: Duration = Duration::from_millis(2);

/// Where a child works.
pub(crate) struct Post<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) board: &'a Board,
}

impl Post<'_> {
    /// The operation: between the two marks.
    #[inline(always)]
    fn inside<T>(&self, operation: impl FnOnce() -> T) -> T {
        self.board.begin();
        let result = operation();
        self.board.end();
        result
    }

    /// Says whether it went well, and waits to be killed.
    fn done(&self, well: bool) {
        self.board.expect(well);
        stand_still();
    }
}

/// An operation: what the child does, and what that does to the ring.
#[derive(Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) act: Act,
    /// What the child does to the ring before the operation.
    pub(crate) before: fn(&mut Model),
    /// What the operation does to the ring.
    pub(crate) effect: fn(&mut Model),
}

const fn operation(
    name: &'static str,
    act: Act,
    before: fn(&mut Model),
    effect: fn(&mut Model),
) -> Operation {
    Operation { name, act, before, effect }
}

impl Operation {
    /// Whether the child's code looks at messages in place, between receiving and releasing them.
    pub(crate) fn borrows(&self) -> bool {
        [RECV.name, DRAIN.name].contains(&self.name)
    }
}

fn nothing(_: &mut Model) {}

fn send_one(ring: &mut Model) {
    ring.send(SENT[0]);
}

fn send_three(ring: &mut Model) {
    // All or, where not all fit, as many as fit.
    let _ = SENT.into_iter().all(|number| ring.send(number));
}

fn receive_one(ring: &mut Model) {
    ring.receive();
}

fn receive_all(ring: &mut Model) {
    while ring.receive().is_some() {}
}

fn attach_producer(ring: &mut Model) {
    ring.open();
}

pub(crate) const SEND: Operation = operation(
    "send",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let message = bytes_of(SENT[0]);
        let sent = post.inside(|| tx.send(&message));
        post.done(sent.is_ok());
    },
    attach_producer,
    send_one,
);

pub(crate) const TRY_SEND: Operation = operation(
    "try_send",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let message = bytes_of(SENT[0]);
        let sent = post.inside(|| tx.try_send(&message));
        post.done(sent.is_ok());
    },
    attach_producer,
    send_one,
);

pub(crate) const SEND_LONG: Operation = operation(
    "send",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let message = bytes_of(SENT_LONG);
        let sent = post.inside(|| tx.send(&message));
        post.done(sent.is_ok());
    },
    attach_producer,
    |ring| {
        ring.send(SENT_LONG);
    },
);

pub(crate) const SEND_WAIT: Operation = operation(
    "send_timeout",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let message = bytes_of(SENT[0]);
        let sent = post.inside(|| tx.send_timeout(&message, NAP));
        post.done(matches!(sent, Err(Error::Timeout { .. })));
    },
    attach_producer,
    nothing,
);

pub(crate) const CLAIM: Operation = operation(
    "claim, commit",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let message = bytes_of(SENT[0]);
        let well = post.inside(|| match tx.try_claim(message.len()) {
            Ok(Some(mut claim)) => {
                claim.copy_from_slice(&message);
                claim.commit();
                true
            }
            Ok(None) => true,
            Err(_) => false,
        });
        post.done(well);
    },
    attach_producer,
    send_one,
);

pub(crate) const CLAIM_DROP: Operation = operation(
    "claim, drop",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let message = bytes_of(SENT[0]);
        let well = post.inside(|| match tx.try_claim(message.len()) {
            Ok(Some(mut claim)) => {
                claim.copy_from_slice(&message);
                drop(claim);
                true
            }
            Ok(None) => true,
            Err(_) => false,
        });
        post.done(well);
    },
    attach_producer,
    nothing,
);

pub(crate) const BATCH: Operation = operation(
    "batch of three",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let messages = SENT.map(bytes_of);
        let well = post.inside(|| {
            let mut batch = tx.batch();
            for message in &messages {
                match batch.try_send(message) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => return false,
                }
            }
            batch.publish();
            true
        });
        post.done(well);
    },
    attach_producer,
    send_three,
);

/// The third message meets a full ring: what the batch holds is published, and the call waits.
pub(crate) const BATCH_WAIT: Operation = operation(
    "batch, waiting for space",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let messages = SENT.map(bytes_of);
        let last = post.inside(|| {
            let mut batch = tx.batch();
            messages.iter().try_for_each(|message| batch.send_timeout(message, NAP))
        });
        post.done(matches!(last, Err(Error::Timeout { .. })));
    },
    attach_producer,
    send_three,
);

pub(crate) const CLOSE: Operation = operation(
    "close",
    |post| {
        let mut tx = bytes(post.dir).producer().expect("a producer");
        let closed = post.inside(|| tx.close());
        post.done(closed.is_ok());
    },
    attach_producer,
    Model::close,
);

pub(crate) const PRODUCER_LEAVES: Operation = operation(
    "producer leaves",
    |post| {
        let tx = bytes(post.dir).producer().expect("a producer");
        post.inside(|| drop(tx));
        post.done(true);
    },
    attach_producer,
    nothing,
);

pub(crate) const CONSUMER_LEAVES: Operation = operation(
    "consumer leaves",
    |post| {
        let rx = bytes(post.dir).consumer().expect("a consumer");
        post.inside(|| drop(rx));
        post.done(true);
    },
    nothing,
    nothing,
);

pub(crate) const RECV: Operation = operation(
    "recv, drop",
    |post| {
        let mut rx = bytes(post.dir).consumer().expect("a consumer");
        let mut copy = vec![0; LONG];
        let received = post.inside(|| {
            rx.try_recv().map(|message| {
                message.map(|message| {
                    copy[..message.len()].copy_from_slice(&message);
                    post.board.see();
                    message.len()
                })
            })
        });
        post.done(whole(received, &copy));
    },
    nothing,
    receive_one,
);

pub(crate) const RELEASE: Operation = operation(
    "release",
    |post| {
        let mut rx = bytes(post.dir).consumer().expect("a consumer");
        let message = rx.recv().expect("a message");
        post.board.see();
        let well = number_of(&message).is_some();
        post.inside(|| drop(message));
        post.done(well);
    },
    |ring| ring.hand_out(1),
    receive_one,
);

pub(crate) const RECV_INTO: Operation = operation(
    "recv_into",
    |post| {
        let mut rx = bytes(post.dir).consumer().expect("a consumer");
        let mut copy = vec![0; LONG];
        let received = post.inside(|| rx.try_recv_into(&mut copy));
        post.done(whole(received, &copy));
    },
    nothing,
    receive_one,
);

pub(crate) const RECV_END: Operation = operation(
    "recv of the end",
    |post| {
        let mut rx = bytes(post.dir).consumer().expect("a consumer");
        let end = post.inside(|| rx.try_recv().map(|message| message.is_some()));
        post.done(matches!(end, Err(Error::Closed { .. })));
    },
    nothing,
    Model::tell,
);

pub(crate) const RECV_WAIT: Operation = operation(
    "recv_timeout",
    |post| {
        let mut rx = bytes(post.dir).consumer().expect("a consumer");
        let late = post.inside(|| rx.recv_timeout(NAP).map(drop));
        post.done(matches!(late, Err(Error::Timeout { .. })));
    },
    nothing,
    nothing,
);

pub(crate) const DRAIN: Operation = operation(
    "drain",
    |post| {
        let mut rx = bytes(post.dir).consumer().expect("a consumer");
        let well = post.inside(|| match rx.try_drain() {
            Ok(Some(mut drain)) => loop {
                match drain.next() {
                    Ok(Some(_)) => post.board.see(),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            },
            Ok(None) => true,
            Err(_) => false,
        });
        post.done(well);
    },
    nothing,
    receive_all,
);

/// Whether a copy, if there is one, is a whole message.
fn whole(received: Result<Option<usize>, Error>, copy: &[u8]) -> bool {
    match received {
        Ok(Some(len)) => number_of(&copy[..len]).is_some(),
        Ok(None) => true,
        Err(_) => false,
    }
}

pub(crate) const ATTACH_PRODUCER: Operation = operation(
    "producer attaches",
    |post| {
        let tx = post.inside(|| bytes(post.dir).producer());
        post.done(tx.is_ok());
    },
    nothing,
    attach_producer,
);

pub(crate) const ATTACH_CONSUMER: Operation = operation(
    "consumer attaches",
    |post| {
        let rx = post.inside(|| bytes(post.dir).consumer());
        post.done(rx.is_ok());
    },
    nothing,
    nothing,
);

pub(crate) const TYPED_ATTACH_PRODUCER: Operation = operation(
    "typed producer attaches",
    |post| {
        let tx = post.inside(|| typed(post.dir).producer());
        post.done(tx.is_ok());
    },
    nothing,
    attach_producer,
);

pub(crate) const TYPED_ATTACH_CONSUMER: Operation = operation(
    "typed consumer attaches",
    |post| {
        let rx = post.inside(|| typed(post.dir).consumer());
        post.done(rx.is_ok());
    },
    nothing,
    nothing,
);

pub(crate) const TYPED_SEND: Operation = operation(
    "typed try_send",
    |post| {
        let mut tx = typed(post.dir).producer().expect("a producer");
        let element = element_of(SENT[0]);
        let sent = post.inside(|| tx.try_send(&element));
        post.done(sent.is_ok());
    },
    attach_producer,
    send_one,
);

pub(crate) const TYPED_SEND_ALL: Operation = operation(
    "typed send_all of three",
    |post| {
        let mut tx = typed(post.dir).producer().expect("a producer");
        let elements = SENT.map(element_of);
        let sent = post.inside(|| tx.send_all(&elements));
        post.done(sent.is_ok());
    },
    attach_producer,
    send_three,
);

pub(crate) const TYPED_CLAIM: Operation = operation(
    "typed claim of three, commit",
    |post| {
        let mut tx = typed(post.dir).producer().expect("a producer");
        let elements = SENT.map(element_of);
        let well = post.inside(|| match tx.try_claim(elements.len()) {
            Ok(Some(mut places)) => {
                let count = places.len();
                places.copy_from_slice(&elements[..count]);
                places.commit();
                true
            }
            Ok(None) => true,
            Err(_) => false,
        });
        post.done(well);
    },
    attach_producer,
    |ring| {
        let capacity = Kind::Typed.capacity();
        let in_one_piece = (capacity - ring.tail % capacity) as usize;
        let _ = SENT.into_iter().take(in_one_piece).all(|number| ring.send(number));
    },
);

pub(crate) const TYPED_CLOSE: Operation = operation(
    "typed close",
    |post| {
        let mut tx = typed(post.dir).producer().expect("a producer");
        let closed = post.inside(|| tx.close());
        post.done(closed.is_ok());
    },
    attach_producer,
    Model::close,
);

pub(crate) const TYPED_RECV: Operation = operation(
    "typed try_recv",
    |post| {
        let mut rx = typed(post.dir).consumer().expect("a consumer");
        let got = post.inside(|| rx.try_recv());
        post.done(got.is_ok_and(|got| got.is_none_or(|element| number_of_element(&element).is_some())));
    },
    nothing,
    receive_one,
);

pub(crate) const TYPED_RECV_MANY: Operation = operation(
    "typed recv_many",
    |post| {
        let mut rx = typed(post.dir).consumer().expect("a consumer");
        let mut elements = [[0; 4]; 3];
        let count = post.inside(|| rx.recv_many(&mut elements));
        let whole = |count| elements[..count].iter().all(|element| number_of_element(element).is_some());
        post.done(count.is_ok_and(whole));
    },
    nothing,
    |ring| {
        (0..3).map_while(|_| ring.receive()).for_each(|_| ());
    },
);

pub(crate) const TYPED_DRAIN: Operation = operation(
    "typed drain of three",
    |post| {
        let mut rx = typed(post.dir).consumer().expect("a consumer");
        let drained = post.inside(|| {
            let drain = rx.try_drain(3)?;
            Ok::<_, Error>(drain.is_none_or(|drain| drain.iter().all(|one| number_of_element(one).is_some())))
        });
        post.done(drained.is_ok_and(|whole| whole));
    },
    nothing,
    |ring| {
        let capacity = Kind::Typed.capacity();
        let in_one_piece = capacity - ring.head % capacity;
        (0..in_one_piece.min(3)).map_while(|_| ring.receive()).for_each(|_| ());
    },
);

/// What a child does.
pub(crate) type Act = fn(&Post<'_>);

/// Ways to make a ring: name, what the child does, and whether file systems have unnamed files.
pub(crate) const MAKERS: [(&str, Act, bool); 5] = [
    (
        "producer creates",
        |post| {
            let tx = post.inside(|| bytes(post.dir).producer());
            post.done(tx.is_ok());
        },
        true,
    ),
    (
        "consumer creates",
        |post| {
            let rx = post.inside(|| bytes(post.dir).create(Create::New).consumer());
            post.done(rx.is_ok());
        },
        true,
    ),
    (
        "typed producer creates",
        |post| {
            let tx = post.inside(|| typed(post.dir).producer());
            post.done(tx.is_ok());
        },
        true,
    ),
    (
        "make",
        |post| {
            let made = post.inside(|| bytes(post.dir).make());
            post.done(made.is_ok());
        },
        true,
    ),
    (
        "create by a passing name",
        |post| {
            crate::refuse::unnamed_files();
            let tx = post.inside(|| bytes(post.dir).producer());
            post.done(tx.is_ok());
        },
        false,
    ),
];

pub(crate) fn remove_ring(post: &Post<'_>) {
    let removed = post.inside(|| remove(post.dir, RING, Remove::IfStale));
    post.done(removed.is_ok());
}
