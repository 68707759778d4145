//! The judge is judged first: told of outcomes that are wrong, it must say so.

use crate::board::Got;
use crate::judge::{Course, Found, Survived};
use crate::model::{Kind, Model};
use crate::operations::SENT;
use crate::window::Glance;

fn glance(model: &Model) -> Glance {
    Glance {
        tail: model.tail,
        head: model.head,
        stream: model.stream,
        handed: model.handed,
        counted: model.counted,
        seats: [1, 2],
    }
}

fn got(number: u64, marked: bool) -> Got {
    Got { number: Some(number), marked }
}

/// Two messages; a third is being sent, or the first received.
fn ring() -> Model {
    let mut ring = Model::new(Kind::Bytes);
    ring.open();
    assert!(ring.send(SENT[0]) && ring.send(SENT[1]));
    ring
}

/// Returns how many wrong outcomes were refused. Panics if one was not, or a right one was.
pub(crate) fn check() -> usize {
    let before = ring();
    let mut after = before.clone();
    assert!(after.send(SENT[2]));
    let sending = Course { before: before.clone(), after, borrows: false };
    let mut after = before.clone();
    after.receive();
    let receiving = Course { before, after, borrows: true };
    let mut closed = receiving.before.clone();
    closed.close();
    let closing = Course { before: receiving.before.clone(), after: closed, borrows: false };

    let found = |model: &Model, ended| Found { glance: glance(model), ended, saw: 0 };
    let survived =
        |received: &[Got], ends| Survived { received: received.to_vec(), ends, producer_first: false };
    let [one, two, three] = SENT.map(|number| got(number, false));
    let torn = Got { number: None, marked: false };
    let unsent = found(&sending.before, false);
    let sent = found(&sending.after, true);
    let mut refused = 0;
    let mut judge = |name: &str, course: &Course, found: Found, survived: &Survived, right: bool| {
        let mut wrong = course.decided(&found);
        wrong.extend(course.accounted(&found, survived));
        assert_eq!(wrong.is_empty(), right, "the judge is wrong about this: {name}: {wrong:?}");
        refused += usize::from(!right);
    };

    judge("nothing sent", &sending, unsent, &survived(&[one, two], 0), true);
    judge("sent", &sending, sent, &survived(&[one, two, three], 0), true);
    judge("sent and lost", &sending, sent, &survived(&[one, two], 0), false);
    judge("sent and torn", &sending, sent, &survived(&[one, two, torn], 0), false);
    judge("another message torn", &sending, unsent, &survived(&[torn, two], 0), false);
    judge("not sent and there", &sending, unsent, &survived(&[one, two, three], 0), false);
    judge("twice", &sending, sent, &survived(&[one, two, three, three], 0), false);
    judge("out of order", &sending, sent, &survived(&[two, one, three], 0), false);
    judge("an end nobody marked", &sending, sent, &survived(&[one, two, three], 1), false);
    judge("returned and not sent", &sending, found(&sending.before, true), &survived(&[one, two], 0), false);
    let mut halfway = unsent;
    halfway.glance.tail += 8;
    judge("a tail between two messages", &sending, halfway, &survived(&[one, two], 0), false);
    let mut uncounted = sent;
    uncounted.glance.counted = sending.before.counted;
    judge("sent and not counted", &sending, uncounted, &survived(&[one, two, three], 0), false);

    let mut held = found(&receiving.before, false);
    held.glance.handed = receiving.before.places[0].end;
    let marked = got(SENT[0], true);
    judge("held", &receiving, held, &survived(&[marked, two], 0), true);
    judge("held and not marked", &receiving, held, &survived(&[one, two], 0), false);
    judge("held and not delivered again", &receiving, held, &survived(&[two], 0), false);
    judge("too many marks", &receiving, held, &survived(&[marked, got(SENT[1], true)], 0), false);
    let seen = Found { saw: 1, ..found(&receiving.before, false) };
    judge("seen before it was noted", &receiving, seen, &survived(&[one, two], 0), false);
    let released = Found { saw: 1, ..found(&receiving.after, true) };
    let unseen = found(&receiving.after, false);
    judge("released before it was seen", &receiving, unseen, &survived(&[two], 0), false);
    judge("released", &receiving, released, &survived(&[two], 0), true);
    judge("released and delivered again", &receiving, released, &survived(&[one, two], 0), false);
    let mut late = released;
    late.glance.counted = receiving.before.counted;
    judge("released and not counted", &receiving, late, &survived(&[two], 0), false);

    let closed = found(&closing.after, true);
    judge("the end", &closing, closed, &survived(&[one, two], 1), true);
    judge("the end lost", &closing, closed, &survived(&[one, two], 0), false);
    judge("the end twice", &closing, closed, &survived(&[one, two], 2), false);
    let taken_back = Survived { producer_first: true, ..survived(&[one, two], 0) };
    judge("the end taken back", &closing, closed, &taken_back, true);
    let mut strange = closed;
    strange.glance.stream += 4;
    judge("another stream", &closing, strange, &survived(&[one, two], 1), false);
    refused
}
