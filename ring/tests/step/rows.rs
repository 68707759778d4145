//! The table: every operation in every state it can meet.

use std::path::Path;

use podring::Role;

use crate::board::Board;
use crate::judge::Course;
use crate::model::Kind;
use crate::operations as op;
use crate::operations::{Act, Operation};
use crate::parked::Peer;
use crate::scene::Scene;
use crate::starts::{State, build};

/// One operation in one state.
pub(crate) struct Row {
    pub(crate) operation: &'static str,
    pub(crate) state: String,
    pub(crate) act: Act,
    setting: Setting,
}

enum Setting {
    Ring(Kind, State, Option<Peer>, Operation),
    Nothing(Kind, bool),
    Removal(State),
}

impl Row {
    /// Both names, as filters and tables have them.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.operation, self.state)
    }

    /// Whether the operation goes the same way whatever is in the ring: attaching does.
    pub(crate) fn is_the_same_everywhere(&self) -> bool {
        self.operation.ends_with("attaches")
    }

    /// What is there before the operation.
    pub(crate) fn scene(&self, dir: &Path, board: &Board) -> Scene {
        match &self.setting {
            Setting::Nothing(kind, unnamed) => Scene::Birth { kind: *kind, unnamed: *unnamed },
            Setting::Removal(state) => {
                let start = build(dir, board, Kind::Bytes, *state);
                Scene::Removal {
                    bytes: start.bytes,
                    course: Course { before: start.model.clone(), after: start.model, borrows: false },
                }
            }
            Setting::Ring(kind, state, peer, operation) => {
                let start = build(dir, board, *kind, *state);
                let mut before = start.model;
                (operation.before)(&mut before);
                let mut after = before.clone();
                (operation.effect)(&mut after);
                let (bytes, course) = (start.bytes, Course { before, after, borrows: operation.borrows() });
                match *peer {
                    None => Scene::Alone { bytes, course },
                    Some(peer) => Scene::Parked { bytes, course, peer },
                }
            }
        }
    }
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    use State::{
        Asleep, Closed, ClosedOne, Empty, Full, Held, Long, One, Only, Room, Unpublished, WrapAhead,
        WrapBehind,
    };
    let senders = [Empty, One, Room(1), WrapAhead];
    let receivers = [Empty, One, Room(1), WrapBehind, Full];
    let everything = receivers;
    let mut rows = Vec::new();
    let mut add = |kind, operation: Operation, states: &[State]| {
        rows.extend(states.iter().map(|&state| ring(kind, operation, state, None)));
    };
    let bytes = Kind::Bytes;
    add(bytes, op::SEND, &senders);
    add(bytes, op::SEND_LONG, &[Empty, WrapAhead]);
    add(bytes, op::TRY_SEND, &[Full]);
    add(bytes, op::SEND_WAIT, &[Full]);
    add(bytes, op::CLAIM, &senders);
    add(bytes, op::CLAIM, &[Full]);
    add(bytes, op::CLAIM_DROP, &[Empty, WrapAhead]);
    add(bytes, op::BATCH, &senders);
    add(bytes, op::BATCH, &[Room(3), Full]);
    add(bytes, op::BATCH_WAIT, &[Room(2)]);
    add(bytes, op::RECV, &receivers);
    add(bytes, op::RECV, &[Long, ClosedOne, Held]);
    add(bytes, op::RECV_INTO, &receivers);
    add(bytes, op::RECV_INTO, &[Long, Held]);
    add(bytes, op::RECV_END, &[Closed]);
    add(bytes, op::RECV_WAIT, &[Empty]);
    add(bytes, op::RELEASE, &[One, WrapBehind, Full]);
    add(bytes, op::DRAIN, &[Empty, One, WrapBehind, Held, Full]);
    add(bytes, op::CLOSE, &everything);
    add(bytes, op::PRODUCER_LEAVES, &[Empty, One, Full]);
    add(bytes, op::CONSUMER_LEAVES, &[Empty, One, Full]);
    add(bytes, op::ATTACH_PRODUCER, &everything);
    add(bytes, op::ATTACH_PRODUCER, &[Closed, ClosedOne, Only(Role::Consumer), Held, Unpublished]);
    add(bytes, op::ATTACH_CONSUMER, &everything);
    add(bytes, op::ATTACH_CONSUMER, &[Closed, Only(Role::Producer), Held, Unpublished, Asleep]);
    let typed = Kind::Typed;
    add(typed, op::TYPED_SEND, &[Empty, One, Room(1), WrapAhead, Full]);
    add(typed, op::TYPED_SEND_ALL, &[Empty, Room(3), WrapAhead]);
    add(typed, op::TYPED_RECV, &receivers);
    add(typed, op::TYPED_RECV_MANY, &[One, Room(1), WrapBehind, Full]);
    add(typed, op::TYPED_CLAIM, &[Empty, Room(1), WrapAhead, Full]);
    add(typed, op::TYPED_DRAIN, &[Empty, One, WrapBehind, Full]);
    add(typed, op::TYPED_CLOSE, &[Empty, One]);
    add(typed, op::TYPED_ATTACH_PRODUCER, &[One, Full]);
    add(typed, op::TYPED_ATTACH_CONSUMER, &[One, Full]);

    let consumers = [Peer::Consumer, Peer::DeepConsumer, Peer::ReportingConsumer];
    for (kind, operation) in [
        (bytes, op::SEND),
        (bytes, op::CLAIM),
        (bytes, op::BATCH),
        (bytes, op::CLOSE),
        (typed, op::TYPED_SEND),
        (typed, op::TYPED_CLOSE),
    ] {
        rows.extend(consumers.map(|peer| ring(kind, operation, Empty, Some(peer))));
    }
    for (kind, operation) in
        [(bytes, op::RECV), (bytes, op::RECV_INTO), (bytes, op::DRAIN), (typed, op::TYPED_RECV)]
    {
        let producers = [Peer::Producer, Peer::DeepProducer];
        rows.extend(producers.map(|peer| ring(kind, operation, Full, Some(peer))));
    }
    for (name, act, unnamed) in op::MAKERS {
        let kind = if name.starts_with("typed") { typed } else { bytes };
        let setting = Setting::Nothing(kind, unnamed);
        rows.push(Row { operation: name, state: "nothing is there".into(), act, setting });
    }
    let setting = Setting::Removal(One);
    rows.push(Row { operation: "remove", state: One.name(), act: op::remove_ring, setting });
    rows
}

fn ring(kind: Kind, operation: Operation, state: State, peer: Option<Peer>) -> Row {
    Row {
        operation: operation.name,
        state: peer.map_or_else(|| state.name(), |peer| peer.name().into()),
        act: operation.act,
        setting: Setting::Ring(kind, state, peer, operation),
    }
}
