//! The mutants: what each takes away, as exact text.

/// Where an edit is made, what it finds there, exactly once, and what it puts in its place.
pub(crate) type Edit = (&'static str, &'static str, &'static str);

/// A weakening of the algorithms that some model must notice.
#[derive(Debug)]
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// A test that is likely to notice: tried first.
    pub(crate) likely: &'static str,
    pub(crate) edits: &'static [Edit],
}

const fn mutant(name: &'static str, likely: &'static str, edits: &'static [Edit]) -> Mutant {
    Mutant { name, likely, edits }
}

pub(crate) const MUTANTS: &[Mutant] = &[
    // Orderings.
    mutant(
        "P0: the producer that attaches loads the head Relaxed",
        "attach::a_producer_succeeds_and_writes_at_once",
        &[("spsc.rs", "cursors.head.0.load(Acquire); // P0,", "cursors.head.0.load(Relaxed); // P0,")],
    ),
    mutant(
        "P1: the producer loads the head Relaxed",
        "stream::elements_wrap_around",
        &[("spsc.rs", "cursors.head.0.load(Acquire); // P1,", "cursors.head.0.load(Relaxed); // P1,")],
    ),
    mutant(
        "P2: the producer publishes Relaxed",
        "stream::elements_wrap_around",
        &[(
            "spsc.rs",
            "cursors.tail.0.store(self.tail, Release);",
            "cursors.tail.0.store(self.tail, Relaxed);",
        )],
    ),
    mutant(
        "C1: the consumer loads the tail Relaxed",
        "stream::elements_wrap_around",
        &[("spsc.rs", "cursors.tail.0.load(Acquire); // C1,", "cursors.tail.0.load(Relaxed); // C1,")],
    ),
    mutant(
        "C2: the consumer releases Relaxed",
        "stream::elements_wrap_around",
        &[(
            "spsc.rs",
            "cursors.head.0.store(self.head, Release);",
            "cursors.head.0.store(self.head, Relaxed);",
        )],
    ),
    mutant(
        "E1: the end is marked Relaxed",
        "closing::everything_before_the_end_is_received",
        &[(
            "stream.rs",
            "self.word.store(stream | CLOSED, Release);",
            "self.word.store(stream | CLOSED, Relaxed);",
        )],
    ),
    mutant(
        "E2: the end is looked for Relaxed",
        "closing::closing_wakes_a_consumer",
        &[(
            "stream.rs",
            "self.word.load(Acquire); // E2, with E1\n        if word & STATE != CLOSED {",
            "self.word.load(Relaxed); // E2, with E1\n        if word & STATE != CLOSED {",
        )],
    ),
    mutant(
        "a watcher looks Relaxed",
        "stream::a_watcher_sees_no_more_read_than_written",
        &[("mod.rs", "Ordering::Acquire)", "Ordering::Relaxed)")],
    ),
    // Fences and barriers.
    mutant(
        "N: no fence between progress and the look at the word",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "fence(SeqCst); // N,", "// N,")],
    ),
    mutant(
        "W: no fence between announcing a waiter and its look",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "fence(SeqCst); // W,", "// W,")],
    ),
    mutant(
        "A: no fence between news and the wake",
        "signal::news_wakes",
        &[("signal.rs", "fence(SeqCst); // A,", "// A,")],
    ),
    mutant(
        "N: the fence is only Acquire and Release",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "fence(SeqCst); // N,", "fence(crate::sync::Ordering::AcqRel); // N,")],
    ),
    mutant(
        "W: the fence is only Acquire and Release",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "fence(SeqCst); // W,", "fence(crate::sync::Ordering::AcqRel); // W,")],
    ),
    mutant(
        "S: no barrier after the switch to fences",
        "signal::waiting_is_allowed_late",
        &[("signal.rs", "if sync::settle() {", "{")],
    ),
    mutant(
        "S: the barrier comes before the switch to fences",
        "signal::waiting_is_allowed_late",
        &[
            ("signal.rs", "self.word.fetch_or(FENCED, SeqCst);", ""),
            (
                "signal.rs",
                "self.word.fetch_or(SETTLED, SeqCst);",
                "self.word.fetch_or(FENCED | SETTLED, SeqCst);",
            ),
        ],
    ),
    mutant(
        "S: the barrier is taken as passed before it is",
        "signal::whoever_allows_waiting_may_die_doing_it",
        &[(
            "signal.rs",
            "self.word.fetch_or(FENCED, SeqCst);",
            "self.word.fetch_or(FENCED | SETTLED, SeqCst);",
        )],
    ),
    mutant(
        "S: the barrier is taken as passed where it is refused",
        "signal::a_stranger_is_there",
        &[("signal.rs", "if sync::settle() {", "sync::settle();\n            {")],
    ),
    mutant(
        "W0: no barrier before the look",
        "signal::no_wake_up_is_lost_without_fences",
        &[("signal.rs", "word & SETTLED == 0 && !sync::heavy()", "false")],
    ),
    mutant(
        "W0: no barrier where a stranger is",
        "signal::a_stranger_is_there",
        &[("signal.rs", "word & SETTLED == 0 && !", "word & (FENCED | SETTLED) == 0 && !")],
    ),
    mutant(
        "W0: the barrier comes before the waiter is announced",
        "signal::no_wake_up_is_lost_without_fences",
        &[
            (
                "signal.rs",
                "            key = self.word.fetch_or",
                "            sync::heavy();\n            key = self.word.fetch_or",
            ),
            ("signal.rs", "word & SETTLED == 0 && !sync::heavy()", "false"),
        ],
    ),
    mutant(
        "N: no fence unless a waiter is seen before it",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "if word & (FENCED | WAITING) != 0 {", "if word & WAITING != 0 {")],
    ),
    mutant(
        "fences are required without the switch to them",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "self.word.store(FENCED | SETTLED, Relaxed);", "self.word.store(SETTLED, Relaxed);")],
    ),
    // Waiting and waking.
    mutant(
        "the wake is skipped",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "            self.wake(word);\n", "")],
    ),
    mutant(
        "the word is changed and nobody woken",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "        futex::wake_all(&self.word);\n", "")],
    ),
    mutant(
        "the word is not changed before the wake",
        "signal::news_wakes",
        &[(
            "signal.rs",
            "match self.word.compare_exchange(word, next, Relaxed, Relaxed) {",
            "match Ok::<u32, u32>(next) {",
        )],
    ),
    mutant(
        "a wake does not clear the bit",
        "signal::a_wake_clears_the_bit",
        &[("signal.rs", "self.next_epoch(word, WAITING);", "self.next_epoch(word, 0);")],
    ),
    mutant(
        "a waiter does not announce itself",
        "signal::no_wake_up_is_lost",
        &[(
            "signal.rs",
            "self.word.fetch_or(WAITING, Relaxed) | WAITING;",
            "self.word.load(Relaxed) | WAITING;",
        )],
    ),
    mutant(
        "no look after announcing",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "let found = look()?;", "let (_, found) = (look, None);")],
    ),
    mutant(
        "the sleep is on the word as it is then, not as announced",
        "signal::no_wake_up_is_lost",
        &[(
            "signal.rs",
            "futex::wait(&self.word, key, timeout());",
            "futex::wait(&self.word, self.word.load(Relaxed), timeout());",
        )],
    ),
    mutant(
        "another one's announcement is taken for one's own",
        "signal::a_waiter_may_die_before_its_barrier",
        &[("signal.rs", "if announced.0 != Some(key) {", "if key & WAITING == 0 {")],
    ),
    mutant(
        "an announcement is believed after a wake",
        "signal::waiting_on_without_fences",
        &[(
            "signal.rs",
            "if announced.0 != Some(key) {",
            "if announced.0.is_some() {\n            key = self.word.fetch_or(WAITING, Relaxed) | WAITING;\n        } else {",
        )],
    ),
    mutant(
        "progress is only looked for before announcing",
        "signal::no_wake_up_is_lost",
        &[
            (
                "signal.rs",
                "let mut key = self.word.load",
                "let found = look()?;\n        let mut key = self.word.load",
            ),
            (
                "signal.rs",
                "        let found = look()?;\n        if found.is_none()",
                "        if found.is_none()",
            ),
        ],
    ),
    // Positions.
    mutant(
        "the cached head is not refreshed",
        "stream::elements_wrap_around",
        &[("spsc.rs", "        self.head = head;\n        Ok(", "        Ok(")],
    ),
    mutant(
        "the producer never looks at the head again",
        "stream::elements_wrap_around",
        &[("spsc.rs", "let head = cursors.head.0.load(Acquire); // P1,", "let head = self.head; // P1,")],
    ),
    mutant(
        "the cached tail is not refreshed",
        "stream::elements_wrap_around",
        &[("spsc.rs", "        self.tail = tail;\n", "        let _ = tail;\n")],
    ),
    mutant(
        "there is room for one more",
        "stream::elements_wrap_around",
        &[(
            "spsc.rs",
            ".wrapping_add(need) <= self.capacity {",
            ".wrapping_add(need) <= self.capacity + need {",
        )],
    ),
    mutant(
        "the padding is published by a store of its own",
        "stream::records_wrap_around_with_padding",
        &[(
            "spsc.rs",
            "        self.tail = self.tail.wrapping_add(units);\n",
            "        let start = self.tail;\n        self.tail = start.wrapping_add(units);\n        if self.tail / self.capacity != start / self.capacity { cursors.tail.0.store(self.tail & !(self.capacity - 1), Release); }\n",
        )],
    ),
    mutant(
        "a record may wrap around",
        "stream::records_wrap_around_with_padding",
        &[(
            "record.rs",
            "if need > room { room } else { 0 }",
            "if need > room && room == 0 { room } else { 0 }",
        )],
    ),
    mutant(
        "a drain takes only what was seen before",
        "stream::a_drain_takes_what_came_meanwhile",
        &[
            (
                "spsc.rs",
                "            self.look(cursors)?;\n",
                "            return self.look(cursors).map(|()| self.known());\n",
            ),
            (
                "spsc.rs",
                "let tail = cursors.tail.0.load(Acquire);",
                "let tail = if self.head == self.tail { cursors.tail.0.load(Acquire) } else { self.tail };",
            ),
        ],
    ),
    mutant(
        "the padding has no header",
        "stream::records_wrap_around_with_padding",
        &[("spsc.rs", "record::write_padding(slots, position, skip);", "")],
    ),
    mutant(
        "the padding is not passed over",
        "stream::records_wrap_around_with_padding",
        &[("spsc.rs", "        self.pass(padding);\n", "")],
    ),
    mutant(
        "a record is published before it is written",
        "stream::a_batch_is_seen_whole",
        &[(
            "spsc.rs",
            "        Ok(self.has_room(cursors, held + skip + need)?.then_some(skip))\n",
            "        let room = self.has_room(cursors, held + skip + need)?;\n        if room { cursors.tail.0.store(self.tail.wrapping_add(held + skip + need), Release); }\n        Ok(room.then_some(skip))\n",
        )],
    ),
    mutant(
        "a record is released before it is read",
        "stream::records_wrap_around_with_padding",
        &[(
            "spsc.rs",
            "Found::Message(len) => Ok(Some(len)),",
            "Found::Message(len) => { cursors.head.0.store(self.head.wrapping_add(record::span(len)), Release); Ok(Some(len)) }",
        )],
    ),
    mutant(
        "what is claimed counts as published",
        "stream::what_is_dropped_leaves_no_trace",
        &[(
            "spsc.rs",
            "        Ok(self.has_room(cursors, held + skip + need)?.then_some(skip))\n",
            "        let room = self.has_room(cursors, held + skip + need)?;\n        if room { self.tail = self.tail.wrapping_add(skip + need); }\n        Ok(room.then_some(skip))\n",
        )],
    ),
    mutant(
        "what is published is not remembered",
        "stream::elements_wrap_around",
        &[("spsc.rs", "        self.tail = self.tail.wrapping_add(units);\n", "")],
    ),
    mutant(
        "what is released is not remembered",
        "stream::elements_wrap_around",
        &[("spsc.rs", "        self.released = self.head;\n", "")],
    ),
    mutant(
        "a consumer takes over at the tail",
        "takeover::a_polling_consumer_dies_at_every_step",
        &[(
            "spsc.rs",
            "let head = cursors.head.0.load(Relaxed);",
            "let head = cursors.tail.0.load(Relaxed);",
        )],
    ),
    mutant(
        "a producer takes over at the head",
        "takeover::a_polling_producer_dies_at_every_step",
        &[(
            "spsc.rs",
            "let tail = cursors.tail.0.load(Relaxed);",
            "let tail = cursors.head.0.load(Relaxed);",
        )],
    ),
    mutant(
        "a producer takes over as if the ring were empty",
        "attach::a_producer_succeeds_and_writes_at_once",
        &[(
            "spsc.rs",
            "Ok(Self { capacity, tail, head })",
            "{ let _ = head; Ok(Self { capacity, tail, head: tail }) }",
        )],
    ),
    // Streams.
    mutant(
        "no look after the end was seen",
        "closing::closing_wakes_a_consumer",
        &[(
            "stream.rs",
            "if let Some(found) = again()? {",
            "let _ = again;\n        if let Some(found) = None {",
        )],
    ),
    mutant(
        "an end is told again and again",
        "closing::every_end_is_told_once",
        &[(
            "stream.rs",
            "let _ = self.word.compare_exchange(word, told, Relaxed, Relaxed);",
            "let _ = told;",
        )],
    ),
    mutant(
        "telling an end ends the next stream as well",
        "closing::every_end_is_told_once",
        &[(
            "stream.rs",
            "let _ = self.word.compare_exchange(word, told, Relaxed, Relaxed);",
            "self.word.store(told, Relaxed);",
        )],
    ),
    mutant(
        "streams are not counted",
        "closing::every_end_is_told_once",
        &[("stream.rs", "before.wrapping_add(STATE + 1) | OPEN", "before | OPEN")],
    ),
    mutant(
        "a new producer does not begin a stream",
        "closing::every_end_is_told_once",
        &[(
            "stream.rs",
            "self.word.store(before.wrapping_add(STATE + 1) | OPEN, Relaxed);",
            "let _ = before;",
        )],
    ),
    // Many producers and many consumers.
    mutant(
        "mpmc T1: the tail is first loaded Relaxed",
        "mpmc::stream::everybody_sends_and_receives",
        &[("mpmc.rs", "tail.0.load(Acquire)); // T1,", "tail.0.load(Relaxed)); // T1,")],
    ),
    mutant(
        "mpmc H1: the head is first loaded Relaxed",
        "mpmc::stream::everybody_sends_and_receives",
        &[(
            "mpmc.rs",
            "let seen = Turn(self.cursors.head.0.load(Acquire)); // H1,",
            "let seen = Turn(self.cursors.head.0.load(Relaxed)); // H1,",
        )],
    ),
    mutant(
        "mpmc T2, H2: a claim releases nothing",
        "mpmc::stream::everybody_sends_and_receives",
        &[("mpmc.rs", "next.0, AcqRel, Acquire)", "next.0, Acquire, Acquire)")],
    ),
    mutant(
        "mpmc T1, H1: a claim that fails acquires nothing",
        "mpmc::stream::everybody_sends_and_receives",
        &[("mpmc.rs", "next.0, AcqRel, Acquire)", "next.0, AcqRel, Relaxed)")],
    ),
    mutant(
        "mpmc T1, H1: the counter that has moved is loaded Relaxed",
        "mpmc::stream::a_claim_comes_a_lap_late",
        &[("mpmc.rs", "let now = Turn(counter.load(Acquire));", "let now = Turn(counter.load(Relaxed));")],
    ),
    mutant(
        "mpmc M1: a free slot is seen Relaxed",
        "mpmc::stream::everybody_sends_and_receives",
        &[("mpmc.rs", "load(Acquire)); // M1,", "load(Relaxed)); // M1,")],
    ),
    mutant(
        "mpmc M2: a slot is released Relaxed",
        "mpmc::stream::everybody_sends_and_receives",
        &[("mpmc.rs", "next.0, Release); // M2,", "next.0, Relaxed); // M2,")],
    ),
    mutant(
        "mpmc M3: a message is published Relaxed",
        "mpmc::stream::everybody_sends_and_receives",
        &[("mpmc.rs", "Stage::Ready).0, Release); // M3,", "Stage::Ready).0, Relaxed); // M3,")],
    ),
    mutant(
        "mpmc M3: a claim is given up Relaxed",
        "mpmc::stream::a_slot_that_was_given_up_is_written_again",
        &[("mpmc.rs", "Stage::Tombstone).0, Release); // M3,", "Stage::Tombstone).0, Relaxed); // M3,")],
    ),
    mutant(
        "mpmc M4: a message is seen Relaxed",
        "mpmc::stream::everybody_sends_and_receives",
        &[(
            "mpmc.rs",
            "let slot = Turn(self.slot(ticket).load(Acquire)); // M4,",
            "let slot = Turn(self.slot(ticket).load(Relaxed)); // M4,",
        )],
    ),
    mutant(
        "mpmc M4: a message is adopted Relaxed",
        "mpmc::stream::what_is_put_back_is_adopted_early",
        &[("mpmc.rs", "mine.0, Acquire, Relaxed)", "mine.0, Relaxed, Relaxed)")],
    ),
    mutant(
        "mpmc M5: a claim is recorded Relaxed",
        "mpmc::death::a_consumer_dies_at_every_step_of_putting_back",
        &[("mpmc.rs", "unrecorded, recorded, Release, Relaxed)", "unrecorded, recorded, Relaxed, Relaxed)")],
    ),
    mutant(
        "mpmc G1: the count of returns is loaded Relaxed",
        "mpmc::death::the_repairer_of_a_consumer_dies_at_every_step",
        &[("mpmc.rs", "returns.0.load(Acquire) // G1,", "returns.0.load(Relaxed) // G1,")],
    ),
    mutant(
        "mpmc G2: repair counts returns Relaxed",
        "mpmc::death::the_repairer_of_a_consumer_dies_at_every_step",
        &[("repair.rs", "fetch_add(1, Release); // G2,", "fetch_add(1, Relaxed); // G2,")],
    ),
    mutant(
        "mpmc G2: putting back counts returns Relaxed",
        "mpmc::stream::what_is_put_back_is_adopted_early",
        &[("mpmc.rs", "fetch_add(1, Release); // G2,", "fetch_add(1, Relaxed); // G2,")],
    ),
    mutant(
        "mpmc M2, M3: repair changes slots Relaxed",
        "mpmc::stream::a_slot_of_a_dead_producer_is_written_again",
        &[("repair.rs", "right.0, Release, Relaxed)", "right.0, Relaxed, Relaxed)")],
    ),
    mutant(
        "mpmc O1: taking a bit out orders nothing",
        "mpmc::closing::the_last_end_tells_of_all_messages",
        &[(
            "openers.rs",
            "fetch_and(!bit(seat), AcqRel)",
            "fetch_and(!bit(seat), crate::sync::Ordering::Relaxed)",
        )],
    ),
    mutant(
        "mpmc O1: the look at the bits is Relaxed",
        "mpmc::closing::an_end_that_is_marked_for_another_tells_of_its_messages",
        &[(
            "openers.rs",
            "self.seats.load(Acquire)",
            "{ let _ = Acquire; self.seats.load(crate::sync::Ordering::Relaxed) }",
        )],
    ),
    mutant(
        "mpmc O2: no fence between coming and the look at the stream",
        "mpmc::closing::whoever_comes_while_the_last_one_closes_and_stays_has_a_stream",
        &[("openers.rs", "fence(SeqCst); // O2,", "// O2,")],
    ),
    mutant(
        "mpmc O3: no fence between marking the end and the look at the bits",
        "mpmc::closing::whoever_comes_while_the_last_one_closes_and_stays_has_a_stream",
        &[("openers.rs", "fence(SeqCst); // O3,", "// O3,")],
    ),
    mutant(
        "mpmc O4: no fence between going and the look at the stream",
        "mpmc::closing::whoever_comes_while_the_last_one_closes_has_an_end",
        &[("openers.rs", "fence(SeqCst); // O4,", "// O4,")],
    ),
    mutant(
        "mpmc E1: the last of several marks the end Relaxed",
        "mpmc::closing::an_end_that_is_marked_for_another_tells_of_its_messages",
        &[("stream.rs", "word | CLOSED, Release, Relaxed)", "word | CLOSED, Relaxed, Relaxed)")],
    ),
    mutant(
        "mpmc E2: one of many looks for the end Relaxed",
        "mpmc::closing::two_producers_close",
        &[(
            "stream.rs",
            "let word = self.word.load(Acquire); // E2, with E1\n        let stream",
            "let word = self.word.load(Relaxed); // E2, with E1\n        let stream",
        )],
    ),
    mutant(
        "mpmc: no claim is recorded",
        "mpmc::death::a_producer_dies_before_another_one_claims",
        &[("mpmc.rs", "            self.record(seen, from, to);\n", "            let _ = (from, to);\n")],
    ),
    mutant(
        "mpmc: a claim is recorded after the counter has moved on",
        "mpmc::death::a_producer_dies_behind_a_dead_one",
        &[
            (
                "mpmc.rs",
                "        if !seen.names(seat) {\n            self.record(seen, from, to);\n        }\n",
                "",
            ),
            (
                "mpmc.rs",
                "counter.compare_exchange(seen.0, next.0, AcqRel, Acquire).map(drop).map_err(Turn)",
                "let done = counter.compare_exchange(seen.0, next.0, AcqRel, Acquire).map(drop).map_err(Turn); self.record(seen, from, to); done",
            ),
        ],
    ),
    mutant(
        "mpmc: a claim is recorded under the next claimer's name",
        "mpmc::death::a_producer_dies_before_another_one_claims",
        &[(
            "mpmc.rs",
            "self.record(seen, from, to);",
            "self.record(Turn::new(seen.ticket(), seat, Stage::Free), from, to);",
        )],
    ),
    mutant(
        "mpmc: a claim names nobody",
        "mpmc::death::a_producer_dies_before_another_one_claims",
        &[(
            "mpmc.rs",
            "let next = Turn::new(after(seen.ticket(), 1), seat, Stage::Free);",
            "let next = Turn::new(after(seen.ticket(), 1), 63, Stage::Free);",
        )],
    ),
    mutant(
        "mpmc: repair does not look at the tail",
        "mpmc::death::a_polling_producer_dies_at_every_step",
        &[("repair.rs", "if tail.seat() == seat {", "if tail.seat() == seat && seat > 63 {")],
    ),
    mutant(
        "mpmc: repair does not look at the head",
        "mpmc::death::a_polling_consumer_dies_at_every_step",
        &[("repair.rs", "if head.seat() == seat {", "if head.seat() == seat && seat > 63 {")],
    ),
    mutant(
        "mpmc: repair publishes what was being written",
        "mpmc::death::the_repairer_of_a_producer_dies_at_every_step",
        &[(
            "repair.rs",
            "(Turn::of(slot.ticket(), Stage::Tombstone),",
            "(Turn::of(slot.ticket(), Stage::Ready),",
        )],
    ),
    mutant(
        "mpmc: repair returns what was to be dropped",
        "mpmc::death::the_repairer_dies_at_every_step_of_dropping",
        &[(
            "repair.rs",
            "(Turn::of(after(slot.ticket(), self.rows.capacity), Stage::Free), &mut",
            "(Turn::of(slot.ticket(), Stage::Returned), &mut",
        )],
    ),
    mutant(
        "mpmc: repair drops what was to be returned",
        "mpmc::death::the_repairer_of_a_consumer_dies_at_every_step",
        &[(
            "repair.rs",
            "(Turn::of(slot.ticket(), Stage::Returned), &mut",
            "(Turn::of(after(slot.ticket(), self.rows.capacity), Stage::Free), &mut",
        )],
    ),
    mutant(
        "mpmc: repair puts right what others left",
        "mpmc::death::repair_leaves_others_alone",
        &[(
            "repair.rs",
            "            if slot.seat() != seat {\n                continue;\n            }\n",
            "",
        )],
    ),
    mutant(
        "mpmc: repair does not count returns",
        "mpmc::death::the_repairer_of_a_consumer_dies_at_every_step",
        &[("repair.rs", "        self.cursors.returns.0.fetch_add(1, Release); // G2,", "        // G2,")],
    ),
    mutant(
        "mpmc: repair counts returns before it marks them",
        "mpmc::death::the_repairer_of_a_consumer_dies_at_every_step",
        &[
            ("repair.rs", "        self.cursors.returns.0.fetch_add(1, Release); // G2,", "        // G2,"),
            (
                "repair.rs",
                "        let mut repaired = Repaired::default();\n",
                "        let mut repaired = Repaired::default();\n        self.cursors.returns.0.fetch_add(1, Release);\n",
            ),
        ],
    ),
    mutant(
        "mpmc: repair wakes no consumer",
        "mpmc::blocking::repair_wakes_a_consumer",
        &[("repair.rs", "        self.cursors.items.0.wake_all();\n", "")],
    ),
    mutant(
        "mpmc: repair wakes no producer",
        "mpmc::blocking::repair_wakes_a_producer",
        &[("repair.rs", "        self.cursors.space.0.wake_all();\n", "")],
    ),
    mutant(
        "mpmc: a dead producer keeps the stream open",
        "mpmc::closing::a_dead_producer_keeps_no_stream_open",
        &[("repair.rs", "        self.cursors.openers.0.take_out(seat);\n", "")],
    ),
    mutant(
        "mpmc: a tombstone is not buried",
        "mpmc::stream::a_claim_that_is_dropped_is_passed_over",
        &[(
            "mpmc.rs",
            "                self.bury(ticket, slot);\n                Err(seen)\n",
            "                Ok(Next::Nothing)\n",
        )],
    ),
    mutant(
        "mpmc: a tombstone is buried and not passed over",
        "mpmc::stream::a_claim_that_is_dropped_is_passed_over",
        &[(
            "mpmc.rs",
            "(distance, Some(_)) if distance == self.rows.capacity as i64 => {",
            "(distance, Some(_)) if distance == self.rows.capacity as i64 && distance < 0 => {",
        )],
    ),
    mutant(
        "mpmc: burying wakes no producer",
        "mpmc::blocking::passing_over_wakes_a_producer",
        &[("mpmc.rs", "            self.cursors.space.0.notify_some(1);\n", "")],
    ),
    mutant(
        "mpmc: putting back counts no return",
        "mpmc::stream::what_is_put_back_is_adopted",
        &[("mpmc.rs", "        self.cursors.returns.0.fetch_add(1, Release); // G2, with G1\n", "")],
    ),
    mutant(
        "mpmc: nothing is adopted",
        "mpmc::stream::what_is_put_back_is_adopted",
        &[("mpmc.rs", "        if now == *seen {", "        if now >= *seen {")],
    ),
    mutant(
        "mpmc: returns are forgotten after one is found",
        "mpmc::stream::all_that_is_put_back_is_adopted",
        &[(
            "mpmc.rs",
            "        if found.is_none() {\n            *seen = now;",
            "        if found.is_some() {\n            *seen = now;",
        )],
    ),
    mutant(
        "mpmc: nobody passes a wake-up on",
        "mpmc::blocking::a_consumer_wakes_another",
        &[(
            "mpmc.rs",
            "self.slot(next).load(Relaxed) == Turn::of(next, stage).0",
            "self.slot(next).load(Relaxed) == Turn::of(next, stage).0 && next == ticket",
        )],
    ),
    mutant(
        "wake_some: one is woken for many",
        "signal::several_sleepers_are_woken",
        &[("signal.rs", "futex::wake(&self.word, many) < many", "futex::wake(&self.word, 1) < 1")],
    ),
    mutant(
        "wake_some: the bit is cleared though some sleep on",
        "signal::several_sleepers_are_woken",
        &[(
            "signal.rs",
            "self.next_epoch(self.word.load(Relaxed), 0);",
            "self.next_epoch(self.word.load(Relaxed), WAITING);",
        )],
    ),
    mutant(
        "wake_some: the bit is left where nobody is known to sleep",
        "signal::a_wake_of_some_clears_the_bit",
        &[(
            "signal.rs",
            "        if futex::wake(&self.word, many) < many {\n            self.wake(self.word.load(Relaxed));",
            "        if futex::wake(&self.word, many) < many {\n            self.next_epoch(self.word.load(Relaxed), 0);",
        )],
    ),
    mutant(
        "wake_some: the bit is cleared and nobody woken again",
        "signal::several_sleepers_are_woken",
        &[(
            "signal.rs",
            "        if futex::wake(&self.word, many) < many {\n            self.wake(self.word.load(Relaxed));",
            "        if futex::wake(&self.word, many) < many {\n            self.next_epoch(self.word.load(Relaxed), WAITING);",
        )],
    ),
    mutant(
        "wake_some: a wake does not add to the epoch",
        "signal::several_sleepers_are_woken",
        &[("signal.rs", "(word & !bits).wrapping_add(EPOCH)", "(word & !bits)")],
    ),
    mutant(
        "mpmc: the end that came with a newcomer is not taken back",
        "mpmc::closing::whoever_comes_while_the_last_one_closes_and_stays_has_a_stream",
        &[(
            "openers.rs",
            "                stream.open_if_ended();\n            }\n            fence",
            "            }\n            fence",
        )],
    ),
    mutant(
        "mpmc: whoever takes an end back does not look again",
        "mpmc::closing::whoever_comes_while_the_last_one_closes_has_an_end",
        &[(
            "openers.rs",
            "            nobody = now;\n",
            "            if !nobody { break; }\n            nobody = now;\n            if !nobody { stream.open_if_ended(); break; }\n",
        )],
    ),
    mutant(
        "mpmc: the first that closes ends the stream",
        "mpmc::closing::two_producers_close",
        &[(
            "openers.rs",
            "        if self.take_out(seat) != 0 {\n            return false;\n        }\n",
            "        self.take_out(seat);\n",
        )],
    ),
    mutant(
        "mpmc: no look after the end was seen",
        "mpmc::closing::two_producers_close",
        &[(
            "stream.rs",
            "        let found = again()?;\n        if matches!(found, Drained::Ended) {",
            "        let _ = again;\n        let found = Drained::Ended;\n        if matches!(found, Drained::Ended) {",
        )],
    ),
    mutant(
        "mpmc: one of many is told an end again and again",
        "mpmc::closing::two_producers_close",
        &[("stream.rs", "            *told = Some(stream);\n", "            let _ = &told;\n")],
    ),
    mutant(
        "mpmc: an end is told to one of many only",
        "mpmc::closing::each_consumer_is_told_once",
        &[(
            "stream.rs",
            "(word & STATE != OPEN && told != Some(stream))",
            "(word & STATE == CLOSED && told != Some(stream))",
        )],
    ),
];

/// Weakenings that no model can notice, because what they take away is given elsewhere; `README.md` says where.
/// `--equivalent` checks that this is still so.
pub(crate) const EQUIVALENT: &[Mutant] = &[
    mutant(
        "fences are switched on Relaxed",
        "signal::waiting_is_allowed_late",
        &[("signal.rs", "self.word.fetch_or(FENCED, SeqCst);", "self.word.fetch_or(FENCED, Relaxed);")],
    ),
    mutant(
        "the barrier is noted Relaxed",
        "signal::whoever_allows_waiting_may_die_doing_it",
        &[("signal.rs", "self.word.fetch_or(SETTLED, SeqCst);", "self.word.fetch_or(SETTLED, Relaxed);")],
    ),
    mutant(
        "mpmc M2: a tombstone is buried Relaxed",
        "mpmc::stream::a_claim_that_is_dropped_is_passed_over",
        &[(
            "mpmc.rs",
            "next.0, Release, Relaxed).is_ok() {\n            self.cursors.space",
            "next.0, Relaxed, Relaxed).is_ok() {\n            self.cursors.space",
        )],
    ),
    mutant(
        "mpmc T1, H1: a claim acquires nothing beyond the first look",
        "mpmc::stream::everybody_sends_and_receives",
        &[("mpmc.rs", "next.0, AcqRel, Acquire)", "next.0, Release, Acquire)")],
    ),
    mutant(
        "mpmc O1: coming orders nothing",
        "mpmc::closing::two_producers_close",
        &[(
            "openers.rs",
            "fetch_or(bit(seat), AcqRel)",
            "fetch_or(bit(seat), crate::sync::Ordering::Relaxed)",
        )],
    ),
    mutant(
        "mpmc M3: a message is put back Relaxed",
        "mpmc::stream::what_is_put_back_is_adopted",
        &[("mpmc.rs", "Stage::Returned).0, Release); // M3,", "Stage::Returned).0, Relaxed); // M3,")],
    ),
];
