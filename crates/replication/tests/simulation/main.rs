//! A three-replica partition under drop, delay, reorder, crash, power loss, false suspicion and stale
//! metadata: replicas, a model of the controller and of the network in one process, driven by a seed.
//! After every step the invariants hold; after the faults everything heals.

mod controller;
mod disk;
mod invariants;
mod world;

use world::{Rng, World};

/// Runs a seed: faults, then healing.
fn run(seed: u64, steps: usize, flush_messages: i64) {
    // Shown only if the run fails.
    println!("seed {seed}, flush.messages {flush_messages}");
    let mut world = World::new(seed, flush_messages);
    for step in 0..steps {
        world.fault_step();
        world.check(step);
    }
    world.heal();
    println!("{}", world.summary());
    invariants::i24_healed(&world);
}

#[test]
fn flushed_positions_count_and_power_losses_lose_nothing_acknowledged() {
    for seed in 0..100 {
        run(seed, 3000, 1);
    }
}

#[test]
fn written_positions_count_and_process_crashes_lose_nothing_acknowledged() {
    for seed in 10_000..10_100 {
        run(seed, 3000, i64::MAX);
    }
}

#[test]
fn a_long_run() {
    for (seed, flush_messages) in [(77_000, 1), (77_001, i64::MAX)] {
        run(seed, 20_000, flush_messages);
    }
}

/// The simulation itself is deterministic: the same seed gives the same history.
#[test]
fn the_same_seed_gives_the_same_history() {
    let history = |seed| {
        let mut world = World::new(seed, 1);
        (0..500).for_each(|_| world.fault_step());
        world.history()
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}

#[test]
fn the_generator_spreads() {
    let mut rng = Rng::new(1);
    let heads = (0..1000).filter(|_| rng.one_in(2)).count();
    assert!((400..600).contains(&heads), "{heads}");
}
