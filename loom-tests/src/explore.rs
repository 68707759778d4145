//! Running a model: every interleaving up to a bound, what must be reached, and what it cost.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Arc, Once};

use crate::world;

/// What holds in a model beside its roles.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Close loom's hole: see `Word::looked`.
    pub(crate) shadows: bool,
    /// Each thread's first wait returns at once, for no reason.
    pub(crate) restless: bool,
    /// `membarrier(2)` works; where it does not, the library relies on bounded sleeps.
    pub(crate) membarrier: bool,
}

type Setup<S> = Arc<dyn Fn() -> S + Send + Sync>;

/// What one thread of a model does.
pub type Play<S> = Arc<dyn Fn(&S) + Send + Sync>;

/// A model to be run: a name, its rules, and what makes its run a proof of anything.
#[derive(Debug, Clone)]
#[must_use = "a model proves nothing until it is run"]
pub struct Model {
    name: String,
    rules: Rules,
    preemptions: usize,
    at_least: u64,
    must_reach: &'static [&'static str],
    must_not_reach: &'static [&'static str],
    left_only: bool,
    quiet: bool,
}

/// What a model's run came to.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Executions, over both orders of starting.
    pub executions: u64,
    /// Outcomes that some execution reached.
    pub reached: BTreeSet<&'static str>,
}

impl Model {
    /// A model with loom's hole closed, a `membarrier` that works, and no sleep that ends for no reason.
    /// Threads are preempted at most twice per execution, or `LOOM_PREEMPTIONS` times.
    pub fn new(name: impl Into<String>) -> Self {
        let preemptions = std::env::var("LOOM_PREEMPTIONS")
            .map_or(2, |bound| bound.parse().expect("LOOM_PREEMPTIONS is a small number"));
        let rules = Rules { shadows: true, restless: false, membarrier: true };
        Self {
            name: name.into(),
            rules,
            preemptions,
            at_least: 2,
            must_reach: &[],
            must_not_reach: &[],
            left_only: false,
            quiet: false,
        }
    }

    /// At least so many executions, in either order of starting, or the search was none. The figures in the models
    /// are about half of what two preemptions took when they were written.
    pub fn at_least(mut self, executions: u64) -> Self {
        self.at_least = executions;
        self
    }

    /// Outcomes that some execution must reach (see [`reach`]).
    pub fn must_reach(mut self, outcomes: &'static [&'static str]) -> Self {
        self.must_reach = outcomes;
        self
    }

    /// Outcomes that no execution may reach.
    pub fn must_not_reach(mut self, outcomes: &'static [&'static str]) -> Self {
        self.must_not_reach = outcomes;
        self
    }

    /// Each thread's first sleep ends at once, for no reason.
    pub fn restless(mut self) -> Self {
        self.rules.restless = true;
        self
    }

    /// `membarrier(2)` is refused.
    pub fn without_membarrier(mut self) -> Self {
        self.rules.membarrier = false;
        self
    }

    /// loom as it comes, with its hole.
    pub fn stock(mut self) -> Self {
        self.rules.shadows = false;
        self
    }

    /// Any number of preemptions.
    pub fn unbounded(mut self) -> Self {
        self.preemptions = usize::MAX;
        self
    }

    /// One preemption fewer than other models: for more threads, or longer lives.
    pub fn fewer_preemptions(mut self) -> Self {
        self.preemptions -= 1;
        self
    }

    /// One preemption more than other models: for short lives.
    pub fn more_preemptions(mut self) -> Self {
        self.preemptions += 1;
        self
    }

    /// Only the order in which the left role is the first thread.
    pub fn left_first(mut self) -> Self {
        self.left_only = true;
        self
    }

    /// Says nothing unless it fails: one of many.
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs two roles, started in both orders.
    ///
    /// # Panics
    ///
    /// If an execution fails, if too few were explored, or if an outcome was not reached.
    pub fn pair<S: 'static>(
        self,
        setup: impl Fn() -> S + Send + Sync + 'static,
        left: impl Fn(&S) + Send + Sync + 'static,
        right: impl Fn(&S) + Send + Sync + 'static,
        check: impl Fn(&S) + Send + Sync + 'static,
    ) -> Account {
        self.cast(setup, vec![Arc::new(left), Arc::new(right)], check)
    }

    /// Runs any number of roles up to loom's four, started in the order given and in the reverse one.
    ///
    /// # Panics
    ///
    /// If an execution fails, if too few were explored, or if an outcome was not reached.
    pub fn cast<S: 'static>(
        self,
        setup: impl Fn() -> S + Send + Sync + 'static,
        roles: Vec<Play<S>>,
        check: impl Fn(&S) + Send + Sync + 'static,
    ) -> Account {
        // One piece of code for all models of a kind: the checker is large, and compiled for each.
        self.explore(Arc::new(setup), roles, Arc::new(check))
    }

    fn explore<S: 'static>(self, setup: Setup<S>, roles: Vec<Play<S>>, check: Play<S>) -> Account {
        let mut account = Account::default();
        let mut counts = Vec::new();
        let reversed = roles.iter().rev().cloned().collect();
        let orders = [("left first", roles), ("right first", reversed)];
        for (order, roles) in orders.into_iter().take(if self.left_only { 1 } else { 2 }) {
            let (executions, reached) = self.run(order, setup.clone(), roles, check.clone());
            assert!(
                executions >= self.at_least,
                "model {}, {order}: {executions} executions explore less than the {} it takes",
                self.name,
                self.at_least
            );
            account.executions += executions;
            account.reached.extend(reached);
            counts.push(executions);
        }
        self.report(&account, &counts);
        account
    }

    fn run<S: 'static>(
        &self,
        order: &str,
        setup: Setup<S>,
        roles: Vec<Play<S>>,
        check: Play<S>,
    ) -> (u64, BTreeSet<&'static str>) {
        announce_failures();
        world::take_account();
        let rules = self.rules;
        let mut loom = loom::model::Builder::new();
        loom.max_threads = roles.len();
        loom.max_branches = 20_000;
        loom.preemption_bound = (self.preemptions != usize::MAX).then_some(self.preemptions);
        // These end a search early, and report success.
        (loom.max_permutations, loom.max_duration, loom.checkpoint_file) = (None, None, None);
        let search = move || {
            world::begin(rules, roles.len());
            let shared = Rc::new(setup());
            world::run();
            let play = |role: &Play<S>| {
                let (shared, role, check) = (shared.clone(), role.clone(), check.clone());
                move || {
                    role(&shared);
                    if world::finish() {
                        check(&shared);
                    }
                }
            };
            for role in &roles[1..] {
                loom::thread::spawn(play(role));
            }
            play(&roles[0])();
        };
        if let Err(failure) = catch_unwind(AssertUnwindSafe(|| loom.check(search))) {
            println!("model {}, {order}: failed in execution {}", self.name, world::executions());
            resume_unwind(failure);
        }
        world::take_account()
    }

    fn report(&self, account: &Account, orders: &[u64]) {
        let Account { executions, reached } = account;
        if !self.quiet {
            let bound = match self.preemptions {
                usize::MAX => "any number of".to_owned(),
                bound => format!("up to {bound}"),
            };
            println!(
                "model {}: {executions} executions {orders:?}, {bound} preemptions; reached {reached:?}",
                self.name
            );
        }
        for outcome in self.must_reach {
            assert!(reached.contains(outcome), "model {}: no execution reached {outcome:?}", self.name);
        }
        for outcome in self.must_not_reach {
            assert!(!reached.contains(outcome), "model {}: an execution reached {outcome:?}", self.name);
        }
    }
}

/// Notes an outcome of the present execution.
pub fn reach(outcome: &'static str) {
    world::reach(outcome);
}

/// Runs `life` on the calling thread, which dies before its step number `steps` (counted from 0) if it has that
/// many. Returns whether it survived. A step is an operation on shared memory, also on payload.
pub fn mortal(steps: usize, life: impl FnOnce()) -> bool {
    world::set_lives(Some(steps));
    let end = catch_unwind(AssertUnwindSafe(life));
    world::set_lives(None);
    match end {
        Ok(()) => true,
        Err(cause) if cause.is::<world::Death>() => false,
        Err(failure) => resume_unwind(failure),
    }
}

/// Says in which execution a panic came, also where a second one aborts the process.
fn announce_failures() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            eprintln!("in execution {}:", world::executions());
            usual(info);
        }));
    });
}
