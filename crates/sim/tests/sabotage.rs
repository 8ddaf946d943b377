//! The invariants bite: each deliberate breakage of a driver is caught, by a rule that it breaks.

use ottla_sim::{Run, Sabotage, Swarm};

/// Seeds in which a breakage must have shown.
const SEEDS: u64 = 60;

/// Runs seeds until one breaks one of these rules; the same seeds are whole without the breakage.
fn caught(sabotage: Sabotage, by: &[&str], shape: fn(&mut Swarm)) {
    let run = |seed| Run { sabotage: Some(sabotage), shape, ..Run::of(seed) };
    let violations = (0..SEEDS).filter_map(|seed| run(seed).go().err());
    let failure = violations.into_iter().find(|failure| by.contains(&failure.violation.name));
    let failure = failure.unwrap_or_else(|| panic!("{sabotage:?} is not caught"));
    println!("{sabotage:?}: seed {}: {:?}", failure.seed, failure.violation);
    let honest = Run { sabotage: None, ..run(failure.seed) };
    assert_eq!(honest.go_and_explain().err(), None);
}

/// Leaders change often, and leave tails behind.
fn stormy(swarm: &mut Swarm) {
    swarm.kills = true;
    swarm.cuts = true;
    swarm.one_way_cuts = true;
    swarm.resets = true;
    swarm.fault_phase_us = 3_000_000;
    swarm.fault_every_us = 60_000;
}

fn stormy_with_power_cuts(swarm: &mut Swarm) {
    stormy(swarm);
    swarm.power_cuts = true;
    swarm.flush_messages = 1;
}

/// What counts is written, not flushed, and single nodes lose power.
fn unflushed(swarm: &mut Swarm) {
    stormy(swarm);
    swarm.power_cuts = true;
    swarm.clean_stops = true;
    swarm.flush_messages = i64::MAX;
    swarm.min_isr = 2;
    swarm.brokers = 3;
    swarm.replication_factor = 3;
}

fn bad_calls(swarm: &mut Swarm) {
    stormy(swarm);
    swarm.bad_calls = true;
    swarm.bad_feeds = true;
}

#[test]
fn a_follower_that_does_not_cut_its_log_never_gets_in_sync() {
    caught(Sabotage::IgnoreDiverging, &["I24"], stormy);
}

#[test]
fn a_follower_that_hides_its_last_epoch_keeps_another_history() {
    caught(Sabotage::HideLastEpoch, &["I1", "I2", "I13", "I14", "I17"], stormy);
}

#[test]
fn cutting_at_the_high_watermark_loses_or_forks() {
    caught(Sabotage::TruncateToHighWatermark, &["I1", "I2", "I13", "I17", "I11"], stormy);
}

#[test]
fn a_pending_isr_must_count() {
    caught(Sabotage::ForgetPending, &["I17"], bad_calls);
}

#[test]
fn an_isr_comes_by_the_feed_alone() {
    caught(Sabotage::ApplyFromAnswer, &["I18"], bad_calls);
}

#[test]
fn an_unclean_stop_must_be_told() {
    caught(Sabotage::UncleanAsClean, &["I1", "I2", "I11"], unflushed);
}

#[test]
fn a_flush_must_be_done_before_it_is_reported() {
    caught(Sabotage::LieAboutFlushes, &["I1", "I17"], stormy_with_power_cuts);
}

#[test]
fn stale_data_must_not_be_taken() {
    caught(Sabotage::TakeStaleData, &["I1", "I2", "I13", "I14", "I17"], stormy);
}

#[test]
fn producers_are_read_again_from_a_log_that_was_cut() {
    caught(Sabotage::KeepCutProducers, &["I5", "I20"], stormy);
}

#[test]
fn broker_epochs_must_be_heeded() {
    caught(Sabotage::ForgetBrokerEpochs, &["I1", "I2", "I17"], stormy);
}

#[test]
fn a_restarted_broker_waits_for_its_registration() {
    caught(Sabotage::TrustOldImage, &["I15"], stormy);
}

fn stormy_and_compacted(swarm: &mut Swarm) {
    stormy(swarm);
    swarm.compacts = true;
}

#[test]
fn what_is_not_committed_must_not_be_compacted() {
    caught(Sabotage::CompactAboveHighWatermark, &["I1", "I2", "I12"], stormy_and_compacted);
}

/// Replicas begin anew, and old ones come back with tails of their own.
fn with_new_disks(swarm: &mut Swarm) {
    stormy_and_compacted(swarm);
    swarm.new_disks = true;
    swarm.brokers = 3;
    swarm.partitions = 3;
    swarm.replication_factor = 3;
    swarm.min_isr = 1;
    swarm.fault_phase_us = 6_000_000;
    swarm.fault_every_us = 40_000;
}

#[test]
fn an_epoch_of_which_compaction_leaves_nothing_hides_where_logs_part() {
    caught(Sabotage::ForgetEpochHeads, &["I1", "I2", "I12", "I13", "I14"], with_new_disks);
}
