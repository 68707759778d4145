//! Where an operation takes place: what is there before it, and what is checked after a kill in it.

use std::path::{Path, PathBuf};

use podring::inspect::{Remove, State, list, remove, report};

use crate::board::{Board, Got};
use crate::handles::{RING, Receiver, Sender};
use crate::judge::{Course, Found, Survived};
use crate::model::{CLOSED, Kind, Model, STREAM_STATE};
use crate::operations::Post;
use crate::parked::{PARKED, Peer, comes, send_on};
use crate::survivors::{clear, drain, left_behind, names, nobody_is_alive, take_over};
use crate::trace::Forked;
use crate::window::{Glance, Window};

/// What there is to be checked.
pub(crate) enum Scene {
    /// A ring, and nobody else.
    Alone { bytes: Vec<u8>, course: Course },
    /// A ring, and a peer that sleeps.
    Parked { bytes: Vec<u8>, course: Course, peer: Peer },
    /// Nothing; a ring is made.
    Birth { kind: Kind, unnamed: bool },
    /// A ring that is removed.
    Removal { bytes: Vec<u8>, course: Course },
}

/// Which side of the deciding store or call a child was killed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    Beyond,
    /// The operation decides nothing.
    Neither,
}

/// What a kill led to.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) wrong: Vec<String>,
    pub(crate) side: Side,
    /// Sleeps of the parked peer that its slice ended.
    pub(crate) rescues: u64,
    /// Messages accounted for.
    pub(crate) messages: u64,
}

/// The place of one kill: prepared, then looked at.
pub(crate) struct Stage<'a> {
    scene: &'a Scene,
    dir: &'a Path,
    board: &'a Board,
    window: Option<Window>,
    sleeper: Option<Forked>,
}

/// What stands there right before a kill.
pub(crate) struct Before {
    glance: Option<Glance>,
    names: Vec<String>,
    ended: bool,
    saw: usize,
    deaths: u64,
}

impl<'a> Stage<'a> {
    /// Puts everything in its place for one child.
    pub(crate) fn set(scene: &'a Scene, post: &Post<'a>) -> Self {
        let Post { dir, board } = *post;
        board.clear();
        let path = dir.join(RING);
        let mut stage = Self { scene, dir, board, window: None, sleeper: None };
        match scene {
            Scene::Birth { .. } => clear(dir),
            Scene::Alone { bytes, .. } | Scene::Parked { bytes, .. } | Scene::Removal { bytes, .. } => {
                if !path.exists() {
                    std::fs::write(&path, bytes).expect("room for a ring");
                }
                let window = Window::open(&path).expect("the ring's file");
                window.reset(bytes);
                stage.window = Some(window);
            }
        }
        if let Scene::Parked { peer, course, .. } = scene {
            stage.sleeper = Some(peer.park(dir, board, course.before.kind));
        }
        stage
    }

    /// Another view of the segment, if it is there before the operation.
    pub(crate) fn view(&self) -> Option<Window> {
        self.window.as_ref().and_then(|_| Window::open(&self.path()).ok())
    }

    fn path(&self) -> PathBuf {
        self.dir.join(RING)
    }

    /// Looks at everything while the child stands still for the last time.
    pub(crate) fn look(&self, ended: bool) -> Before {
        Before {
            glance: self.window.as_ref().map(Window::glance),
            names: names(self.dir),
            ended,
            saw: self.board.saw(),
            deaths: self.board.deaths(),
        }
    }

    /// Checks what is left now that the child is gone. `odd` lets survivors come in the other order.
    pub(crate) fn check(self, before: &Before, odd: bool) -> Verdict {
        let mut verdict = Verdict { wrong: Vec::new(), side: Side::Neither, rescues: 0, messages: 0 };
        if !self.board.is_well() {
            verdict.wrong.push("the operation returned something else than it should".into());
        }
        let now = names(self.dir);
        if now != before.names {
            verdict.wrong.push(format!("the kill changed the directory: {:?}, now {now:?}", before.names));
        }
        let checked = match self.scene {
            Scene::Alone { course, .. } => self.check_alone(course, before, odd, &mut verdict),
            Scene::Parked { course, peer, .. } => self.check_parked(course, *peer, before, &mut verdict),
            Scene::Birth { kind, unnamed } => self.check_birth(*kind, *unnamed, before, odd, &mut verdict),
            Scene::Removal { course, .. } => self.check_removal(course, before, odd, &mut verdict),
        };
        verdict.wrong.extend(checked.err());
        verdict
    }

    fn found(before: &Before) -> Result<Found, String> {
        let glance = before.glance.ok_or("there is no segment to look at")?;
        Ok(Found { glance, ended: before.ended, saw: before.saw })
    }

    fn check_alone(
        &self,
        course: &Course,
        before: &Before,
        odd: bool,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let found = Self::found(before)?;
        let now = self.window.as_ref().map(Window::glance);
        if now != before.glance {
            verdict.wrong.push(format!("the dead one went on: {:?}, now {now:?}", before.glance));
        }
        verdict.side = side(course, &found.glance);
        verdict.wrong.extend(course.decided(&found));
        verdict.wrong.extend(nobody_is_alive(self.dir));
        if self.window.as_ref().is_some_and(Window::is_settled_too_soon) {
            verdict.wrong.push("settled, and publishers need not fence".into());
        }
        let survived = take_over(self.dir, course.before.kind, odd)?;
        verdict.messages = survived.received.len() as u64;
        verdict.wrong.extend(course.accounted(&found, &survived));
        verdict.wrong.extend(left_behind(self.dir));
        Ok(())
    }

    fn check_removal(
        &self,
        course: &Course,
        before: &Before,
        odd: bool,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let there = before.names == [RING];
        verdict.side = if there { Side::Before } else { Side::Beyond };
        if before.ended && there {
            verdict.wrong.push("it is removed and still there".into());
        }
        if there {
            return self.check_alone(course, before, odd, verdict).map(|()| verdict.side = Side::Before);
        }
        let survived = take_over(self.dir, course.before.kind, odd)?;
        if !survived.received.is_empty() {
            verdict.wrong.push(format!("a new ring holds {:?}", survived.received));
        }
        verdict.wrong.extend(left_behind(self.dir));
        Ok(())
    }

    fn check_birth(
        &self,
        kind: Kind,
        unnamed: bool,
        before: &Before,
        odd: bool,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let there = before.names == [RING];
        verdict.side = if there { Side::Beyond } else { Side::Before };
        if before.ended && !there {
            verdict.wrong.push("it was made and is not there".into());
        }
        if there {
            let made = report(self.dir, RING).map_err(|error| format!("a half-made ring: {error}"))?;
            if made.state != State::Stale || made.used != 0 || made.written != 0 {
                verdict.wrong.push(format!("a new ring that is not new: {made:?}"));
            }
        }
        for name in before.names.iter().filter(|name| *name != RING) {
            let passing = name.len() == 41 && name.starts_with(".podring-");
            if unnamed || !passing || there {
                verdict.wrong.push(format!("{name} is left"));
            }
            self.clear_away(name)?;
        }
        let survived = take_over(self.dir, kind, odd)?;
        if !survived.received.is_empty() || survived.ends != 0 {
            verdict.wrong.push(format!("a new ring holds {survived:?}"));
        }
        verdict.wrong.extend(left_behind(self.dir));
        Ok(())
    }

    /// A passing name that its dead creator left: shown, dead, and removed on request.
    fn clear_away(&self, name: &str) -> Result<(), String> {
        let shown = list(self.dir).map_err(|error| format!("the directory cannot be listed: {error}"))?;
        let shown = shown.into_iter().find(|listing| listing.name == name);
        if shown.is_none_or(|listing| listing.state == State::Live) {
            return Err(format!("{name} is not shown, or is shown as live"));
        }
        remove(self.dir, name, Remove::Force).map_err(|error| format!("{name} cannot be removed: {error}"))
    }

    fn check_parked(
        mut self,
        course: &Course,
        peer: Peer,
        before: &Before,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let found = Self::found(before)?;
        verdict.side = side(course, &found.glance);
        if before.deaths != 0 {
            verdict.wrong.push("a living peer was taken for dead".into());
        }
        let sleeper = self.sleeper.take().ok_or("nobody sleeps")?;
        if peer.is_consumer() {
            self.wake_consumer(course, peer, &sleeper, &found, verdict)?;
        } else {
            self.wake_producer(course, peer, &found, verdict)?;
        }
        let mut end = None;
        comes(|| {
            end = sleeper.has_ended();
            end.is_some()
        });
        if end != Some(true) || !self.board.is_well() {
            verdict.wrong.push(format!("the peer did not end well: {end:?}"));
        }
        verdict.rescues = self.board.rescues();
        let survived = take_over(self.dir, course.before.kind, false)?;
        if !survived.received.is_empty() || survived.ends != 0 {
            verdict.wrong.push(format!("the peer left {survived:?}"));
        }
        verdict.wrong.extend(left_behind(self.dir));
        Ok(())
    }

    /// A consumer slept while a producer was killed.
    fn wake_consumer(
        &self,
        course: &Course,
        peer: Peer,
        sleeper: &Forked,
        found: &Found,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let (before, after, glance) = (&course.before, &course.after, &found.glance);
        for (what, value, from, to) in [
            ("tail", glance.tail, before.tail, after.tail),
            ("stream", glance.stream, before.stream, after.stream),
        ] {
            // The consumer may have been told of the end already.
            let told = what == "stream" && to & STREAM_STATE == CLOSED && value == to + 1;
            if !(value == to || told || value == from && !found.ended) {
                verdict.wrong.push(format!("{what} is {value}, was {from}, becomes {to}"));
            }
        }
        let published = course.after.places.iter().filter(|place| place.end <= glance.tail);
        let mut expected: Vec<u64> = published.map(|place| place.number).collect();
        let closed = glance.stream & STREAM_STATE != 0;
        let all_logged = |count: usize| self.board.logged().len() >= count;
        if peer.looks_around() {
            if !comes(|| all_logged(expected.len())) {
                return Err(format!("published, and not delivered to the sleeper: {expected:?}"));
            }
            if closed && !comes(|| self.board.ends() > 0) {
                return Err("the sleeper was not told of the end".into());
            }
        }
        if peer == Peer::ReportingConsumer && !comes(|| self.board.deaths() > 0) {
            return Err("the sleeper was not told of the death".into());
        }
        let kind = before.kind;
        let mut tx = Sender::attach(self.dir, kind).map_err(|error| format!("no successor: {error}"))?;
        if !comes(|| all_logged(expected.len())) {
            return Err(format!("the successor did not wake the sleeper for {expected:?}"));
        }
        // Asleep again: now it is the successor's message that must wake it.
        let asleep = || self.window.as_ref().is_some_and(|window| peer.is_asleep(sleeper, window));
        if !comes(asleep) {
            return Err("the sleeper does not go back to sleep".into());
        }
        expected.extend(send_on(&mut tx).map_err(|error| format!("the successor cannot send: {error}"))?);
        if !comes(|| all_logged(expected.len())) {
            return Err("the sleeper does not hear the successor".into());
        }
        let whole = |&number: &u64| Got { number: Some(number), marked: false };
        let (expected, logged): (Vec<Got>, _) = (expected.iter().map(whole).collect(), self.board.logged());
        if logged != expected {
            verdict.wrong.push(format!("the sleeper got {logged:?}, expected {expected:?}"));
        }
        // A successor that comes before the sleeper has looked takes an end back.
        let (least, most) = (u64::from(closed && peer.looks_around()), u64::from(closed));
        if !(least..=most).contains(&self.board.ends()) {
            verdict.wrong.push(format!("the sleeper was told of {} ends", self.board.ends()));
        }
        verdict.messages = logged.len() as u64;
        Ok(())
    }

    /// A producer slept, the ring being full, while a consumer was killed.
    fn wake_producer(
        &self,
        course: &Course,
        peer: Peer,
        found: &Found,
        verdict: &mut Verdict,
    ) -> Result<(), String> {
        let (before, after, glance) = (&course.before, &course.after, &found.glance);
        let head_is_right = glance.head == after.head || glance.head == before.head && !found.ended;
        if !head_is_right {
            verdict
                .wrong
                .push(format!("head is {}, was {}, becomes {}", glance.head, before.head, after.head));
        }
        let released = glance.head == after.head;
        let has_sent = || !self.board.logged().is_empty();
        if peer.looks_around() && released && !comes(has_sent) {
            return Err("there is room, and the sleeper does not notice".into());
        }
        if !released && has_sent() {
            verdict.wrong.push("the sleeper sent into a full ring".into());
        }
        let kind = before.kind;
        let mut rx = Receiver::attach(self.dir, kind).map_err(|error| format!("no successor: {error}"))?;
        if released && !comes(has_sent) {
            return Err("the successor did not wake the sleeper".into());
        }
        let (mut received, ends) = drain(&mut rx)?;
        if !comes(has_sent) {
            return Err("the sleeper did not send".into());
        }
        received.extend(drain(&mut rx)?.0);
        verdict.messages = received.len() as u64;
        let last = received.pop();
        if last != Some(Got { number: Some(PARKED), marked: false }) {
            verdict.wrong.push(format!("the sleeper's message comes as {last:?}"));
        }
        // The sleeper has moved the tail since: what counts here is what was there before it did.
        let glance = Glance { tail: before.tail, ..*glance };
        let survived = Survived { received, ends, producer_first: true };
        verdict.wrong.extend(course.accounted(&Found { glance, ..*found }, &survived));
        Ok(())
    }
}

fn side(course: &Course, glance: &Glance) -> Side {
    let words = |model: &Model| [model.tail, model.head, model.stream];
    let now = [glance.tail, glance.head, glance.stream];
    let before = words(&course.before);
    // A living peer moves the others.
    let decides: Vec<usize> = (0..3).filter(|&index| before[index] != words(&course.after)[index]).collect();
    if decides.is_empty() {
        Side::Neither
    } else if decides.iter().all(|&index| now[index] == before[index]) {
        Side::Before
    } else {
        Side::Beyond
    }
}
