//! A whole cluster in one process: the machines of `ottla-metadata` and `ottla-replication` together, under
//! a network, disks, clients and a clock that a seed decides on.
//!
//! The shells are models of the real ones (what brokers and controllers do with the machines' effects), as
//! small as they can be while they still lose, delay, repeat and race as the real ones do. A run has a
//! phase of faults, in which the invariants must hold, and one of peace, in which the cluster must heal.
//! Never shipped.

mod audit;
mod broker;
mod calls;
mod client;
mod dice;
mod disk;
mod event;
mod faults;
mod following;
mod invariants;
mod ledger;
mod life;
mod links;
mod metadata;
mod quorum;
mod replica;
mod sabotage;
mod stream;
mod swarm;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use sabotage::Sabotage;
pub use swarm::Swarm;
pub use world::Violation;

use world::World;

/// Within so much simulated time a cluster without faults is whole, and serves.
const HEAL_US: u64 = 12_000_000;
/// Lines of the trace that a failure shows.
const SHOWN_LINES: usize = 60;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Things that happened.
    pub events: u64,
    /// Records that were acknowledged to acks=all.
    pub acknowledged: usize,
    /// Appends that were acknowledged after the last fault.
    pub after_heal: u64,
}

/// A run in which something did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The run's seed.
    pub seed: u64,
    /// What its circumstances were.
    pub swarm: Swarm,
    /// What did not hold. A machine's own assertion has the name `panic`.
    pub violation: Violation,
    /// The last things that happened, if they were noted.
    pub trace: Vec<String>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let from = self.trace.len().saturating_sub(SHOWN_LINES);
        for line in &self.trace[from..] {
            writeln!(f, "{line}")?;
        }
        let Violation { name, what } = &self.violation;
        writeln!(f, "{:?}", self.swarm)?;
        write!(f, "SIM_SEED={}: {name} does not hold: {what}", self.seed)
    }
}

/// One run, and how.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Decides on everything.
    pub seed: u64,
    /// What the shells do wrong.
    pub sabotage: Option<Sabotage>,
    /// Note what happens.
    pub trace: bool,
    /// Changes the circumstances that the seed has drawn.
    pub shape: fn(&mut Swarm),
}

impl Run {
    /// A run as its seed has it.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self { seed, sabotage: None, trace: false, shape: |_| {} }
    }

    /// Runs it.
    ///
    /// # Errors
    /// Something did not hold.
    pub fn go(&self) -> Result<Report, Box<Failure>> {
        self.go_with_trace().0
    }

    /// Runs it, and says what happened.
    ///
    /// # Errors
    /// Something did not hold.
    pub fn go_with_trace(&self) -> (Result<Report, Box<Failure>>, Vec<String>) {
        let mut world = World::new(self.seed, self.sabotage, self.trace, self.shape);
        let ended = catch_unwind(AssertUnwindSafe(|| run(&mut world)));
        let (violation, after_heal) = match ended {
            Ok(after_heal) => (world.violation.take(), after_heal),
            Err(panic) => {
                let text = panic
                    .downcast_ref::<String>()
                    .cloned()
                    .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                let what = text.unwrap_or_default();
                (Some(Violation { name: "panic", what }), 0)
            }
        };
        let trace: Vec<String> = world.trace.take().unwrap_or_default().into();
        let result = match violation {
            None => Ok(Report {
                events: world.events,
                acknowledged: world.ledger.acknowledged(),
                after_heal,
            }),
            Some(violation) => {
                let (seed, swarm) = (self.seed, world.swarm);
                Err(Box::new(Failure { seed, swarm, violation, trace: trace.clone() }))
            }
        };
        (result, trace)
    }

    /// Runs it, and again with a trace if it fails.
    ///
    /// # Errors
    /// Something did not hold.
    pub fn go_and_explain(&self) -> Result<Report, Box<Failure>> {
        self.go().or_else(|_| Self { trace: true, ..*self }.go())
    }
}

/// Faults, then peace. How many appends were acknowledged in peace.
fn run(world: &mut World) -> u64 {
    world.start();
    world.begin_faults();
    let end_us = world.now_us + world.swarm.fault_phase_us;
    world.run_until(end_us, |_| false);
    world.heal();
    let done = |world: &World| world.producers.iter().map(|it| it.done).sum::<u64>();
    let before = done(world);
    let bound_us = world.now_us + HEAL_US;
    // Clients go on for a while, so that there is something to be served.
    world.run_until(world.now_us + 300_000, |_| false);
    let whole = world.run_until(bound_us, |world| world.i24_is_whole().is_ok());
    if !whole {
        world.judge("I24", world.i24_is_whole());
    }
    world.run_until(world.now_us + 200_000, |_| false);
    world.quiet = true;
    let served = world.run_until(bound_us, |world| world.i24_is_served().is_ok());
    if !served {
        world.judge("I24", world.i24_is_served());
    }
    // Nothing is to be done any more, and so nothing changes.
    world.run_until(world.now_us + 600_000, |_| false);
    world.judge("I24", world.i24_is_whole());
    world.audit();
    for id in world.ids() {
        world.audit_producers(id);
    }
    world.i1_all_is_read();
    done(world) - before
}
