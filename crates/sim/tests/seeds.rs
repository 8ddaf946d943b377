//! Seeds: each a cluster under faults that must keep its invariants, and heal.
//!
//! `SIM_SEEDS=n` runs n seeds, from `SIM_FROM` on, `SIM_SEED=k` that one; `SIM_TRACE=file` takes the trace of a failure.

use ottla_sim::Run;

/// What a run of the tests has time for.
const SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn every_seed_keeps_the_invariants_and_heals() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let from = number("SIM_FROM").unwrap_or(0);
            from..from + number("SIM_SEEDS").unwrap_or(SEEDS)
        }
    };
    let mut acknowledged = 0;
    for seed in seeds {
        match Run::of(seed).go_and_explain() {
            Ok(report) => {
                assert!(report.after_heal > 0, "seed {seed} served nobody after the faults");
                acknowledged += report.acknowledged;
            }
            Err(failure) => {
                if let Some(path) = std::env::var_os("SIM_TRACE") {
                    std::fs::write(path, failure.trace.join("\n")).expect("the trace is written");
                }
                panic!("{failure}")
            }
        }
    }
    println!("{acknowledged} records were acknowledged");
}
