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
        &[("stream.rs", "self.word.load(Acquire); // E2,", "self.word.load(Relaxed); // E2,")],
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
        &[("signal.rs", "sync::settle(); // S,", "// S,")],
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
        "waiting is allowed without the switch to fences",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "self.word.store(FENCED | SETTLED, Relaxed);", "self.word.store(SETTLED, Relaxed);")],
    ),
    // Waiting and waking.
    mutant(
        "the wake is skipped",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "        self.wake(word);\n", "")],
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
            "match self.word.compare_exchange(word, woken, Relaxed, Relaxed) {",
            "match Ok::<u32, u32>(woken) {",
        )],
    ),
    mutant(
        "a wake does not clear the bit",
        "signal::a_wake_clears_the_bit",
        &[("signal.rs", "(word & !WAITING).wrapping_add(EPOCH)", "word.wrapping_add(EPOCH)")],
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
        "progress is only looked for before announcing",
        "signal::no_wake_up_is_lost",
        &[
            (
                "signal.rs",
                "let key = self.word.fetch_or",
                "let found = look()?;\n        let key = self.word.fetch_or",
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
            "        self.published = self.tail;\n",
            "        if self.tail / self.capacity != self.published / self.capacity { cursors.tail.0.store(self.tail & !(self.capacity - 1), Release); }\n        self.published = self.tail;\n",
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
        &[("spsc.rs", "record::write_padding(slots, self.tail, skip);", "")],
    ),
    mutant(
        "the padding is not passed over",
        "stream::records_wrap_around_with_padding",
        &[("spsc.rs", "            self.pass(bytes);\n", "")],
    ),
    mutant(
        "a record is published before it is written",
        "stream::a_batch_is_seen_whole",
        &[(
            "spsc.rs",
            "        let skip = record::skip(self.tail, need, self.capacity);\n",
            "        let skip = record::skip(self.tail, need, self.capacity);\n        if self.has_room(cursors, skip + need)? { cursors.tail.0.store(self.tail.wrapping_add(skip + need), Release); }\n",
        )],
    ),
    mutant(
        "a record is released before it is read",
        "stream::records_wrap_around_with_padding",
        &[
            (
                "spsc.rs",
                "Found::Message(len) => Ok(",
                "Found::Message(len) => { cursors.head.0.store(self.head.wrapping_add(record::span(len)), Release); Ok(",
            ),
            ("spsc.rs", "(record::HEADER), len))),", "(record::HEADER), len))) }"),
        ],
    ),
    mutant(
        "what is abandoned is not forgotten",
        "stream::what_is_dropped_leaves_no_trace",
        &[("spsc.rs", "        self.tail = self.published;\n", "")],
    ),
    mutant(
        "what is published is not remembered",
        "stream::elements_wrap_around",
        &[("spsc.rs", "        self.published = self.tail;\n", "")],
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
            "Ok(Self { capacity, tail, published: tail, head })",
            "{ let _ = head; Ok(Self { capacity, tail, published: tail, head: tail }) }",
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
];

/// Weakenings that no model can notice, because what they take away is given elsewhere; `README.md` says where.
/// `--equivalent` checks that this is still so.
pub(crate) const EQUIVALENT: &[Mutant] = &[
    mutant(
        "a wake does not add to the epoch",
        "signal::no_wake_up_is_lost",
        &[("signal.rs", "(word & !WAITING).wrapping_add(EPOCH)", "(word & !WAITING)")],
    ),
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
];
