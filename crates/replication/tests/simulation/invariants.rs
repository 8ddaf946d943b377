//! What must hold after every step, each under its name in the list of invariants.

use std::collections::HashMap;

use ottla_protocol::ids::{BrokerId, LeaderEpoch, Offset};
use ottla_replication::Role;

use crate::controller::BROKERS;
use crate::disk::Entry;
use crate::world::World;

/// What has been seen, to compare later states with.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Who has appended under an epoch.
    appenders: HashMap<LeaderEpoch, BrokerId>,
    /// What was below a high watermark.
    committed: HashMap<Offset, Entry>,
    /// High watermarks of leaders by epoch.
    high_watermarks: HashMap<LeaderEpoch, Offset>,
    images: usize,
}

pub(crate) fn check_all(world: &World, seen: &mut Seen) {
    i1_acknowledged_is_on_every_in_sync_replica(world);
    i2_one_value_per_offset(world, seen);
    i13_replicas_are_identical_below_the_high_watermark(world);
    i14_epochs_rise_along_the_log(world);
    i15_epochs_rise_and_one_appends(world, seen);
    i16_isr_is_sound(world, seen);
    i17_leader_counts_on_the_true_isr(world);
}

/// Acknowledged is kept: also by a replica that is down, as its disk would survive.
fn i1_acknowledged_is_on_every_in_sync_replica(world: &World) {
    for member in &world.controller.now().isr {
        let disk = &world.node(*member).disk;
        // What was acknowledged long ago is looked at now and then.
        let recent = if world.is_deep_check() { usize::MAX } else { 20 };
        for (offset, sequence) in world.acknowledged.iter().rev().take(recent) {
            let entry = disk.entries.get(*offset as usize);
            assert_eq!(
                entry.map(|entry| entry.sequence),
                Some(*sequence),
                "I1: broker {member} is in the ISR without the acknowledged record at {offset}"
            );
            assert!(
                !world.counts_flushed() || disk.flushed > *offset,
                "I1: broker {member} has not flushed the acknowledged record at {offset}"
            );
        }
    }
}

fn i2_one_value_per_offset(world: &World, seen: &mut Seen) {
    for id in BROKERS {
        let node = world.node(id);
        let Some(replica) = &node.replica else { continue };
        let from = seen.committed.len().min(replica.offsets().high_watermark as usize);
        let from = if world.is_deep_check() { 0 } else { from };
        let upto = replica.offsets().high_watermark as usize;
        for (offset, entry) in node.disk.entries.iter().enumerate().take(upto).skip(from) {
            let known = *seen.committed.entry(offset as Offset).or_insert(*entry);
            assert_eq!(known, *entry, "I2: broker {id} shows another value at {offset}");
        }
    }
}

fn i13_replicas_are_identical_below_the_high_watermark(world: &World) {
    let up: Vec<_> = BROKERS
        .iter()
        .filter_map(|id| world.node(*id).replica.as_ref().map(|it| (*id, it.offsets())))
        .collect();
    for pair in up.windows(2).filter(|_| world.is_deep_check()) {
        let [(left, left_at), (right, right_at)] = pair else { continue };
        let below = left_at.high_watermark.min(right_at.high_watermark) as usize;
        assert_eq!(
            world.node(*left).disk.entries.get(..below),
            world.node(*right).disk.entries.get(..below),
            "I13: brokers {left} and {right} differ below {below}"
        );
    }
}

fn i14_epochs_rise_along_the_log(world: &World) {
    for id in BROKERS.iter().filter(|_| world.is_deep_check()) {
        let disk = &world.node(*id).disk;
        assert!(
            disk.entries.is_sorted_by_key(|entry| entry.epoch),
            "I14: epochs fall in the log of {id}"
        );
        assert!(
            disk.history().is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1),
            "I14: the history of {id} does not rise: {:?}",
            disk.history()
        );
    }
}

fn i15_epochs_rise_and_one_appends(world: &World, seen: &mut Seen) {
    for (epoch, broker) in &world.appended_under {
        let first = *seen.appenders.entry(*epoch).or_insert(*broker);
        assert_eq!(first, *broker, "I15: two brokers append under epoch {epoch}");
    }
    let images = &world.controller.images;
    for pair in images.get(seen.images.saturating_sub(1)..).unwrap_or_default().windows(2) {
        let [old, new] = pair else { continue };
        assert!(new.leader_epoch >= old.leader_epoch, "I15: the leader epoch fell");
        assert!(new.partition_epoch >= old.partition_epoch, "I15: the partition epoch fell");
        if new.leader != old.leader {
            assert!(new.leader_epoch > old.leader_epoch, "I15: a leader without an epoch");
        }
    }
    for id in BROKERS {
        let Some(replica) = &world.node(id).replica else { continue };
        if let Role::Leader(leader) = replica.role() {
            let high_watermark = replica.offsets().high_watermark;
            let before = seen.high_watermarks.insert(leader.leader_epoch(), high_watermark);
            assert!(
                before.is_none_or(|before| before <= high_watermark),
                "I11: the high watermark fell within an epoch"
            );
        }
    }
}

fn i16_isr_is_sound(world: &World, seen: &mut Seen) {
    for image in world.controller.images.get(seen.images..).unwrap_or_default() {
        assert!(image.isr.iter().all(|id| BROKERS.contains(id)), "I16: ISR beyond the replicas");
        if let Some(leader) = image.leader {
            assert!(image.isr.contains(&leader), "I16: the leader is not in the ISR");
            assert!(!image.broker(leader).fenced, "I16: the leader is fenced");
            assert!(
                image.isr.iter().all(|id| !image.broker(*id).fenced),
                "I16: a fenced member: {image:?}"
            );
        }
    }
    seen.images = world.controller.images.len();
}

/// The leader of the current epoch counts on every replica that the controller has in the ISR.
fn i17_leader_counts_on_the_true_isr(world: &World) {
    let image = world.controller.now();
    for id in BROKERS {
        let Some(replica) = &world.node(id).replica else { continue };
        let Role::Leader(leader) = replica.role() else { continue };
        if leader.leader_epoch() != image.leader_epoch {
            continue;
        }
        for member in image.isr.iter().filter(|member| **member != id) {
            assert!(
                leader.isr().in_maximal(*member),
                "I17: leader {id} does not count on {member}, which is in the ISR {:?}",
                image.isr
            );
        }
    }
}

/// Liveness: after the faults everything is in sync again and nobody waits.
pub(crate) fn i24_healed(world: &World) {
    let image = world.controller.now();
    let mut isr = image.isr.clone();
    isr.sort_unstable();
    assert_eq!(isr, BROKERS, "I24: not every replica is back in sync");
    let first = world.node(1);
    for id in BROKERS {
        let node = world.node(id);
        let offsets = node.replica.as_ref().expect("it is up").offsets();
        assert_eq!(node.disk.entries, first.disk.entries, "I24: broker {id} differs");
        assert_eq!(offsets.high_watermark, offsets.log_end, "I24: broker {id} is not committed");
    }
    // I5: every batch of the producer once, in order.
    let sequences: Vec<i32> =
        first.disk.entries.iter().map(|entry| entry.sequence).filter(|it| *it >= 0).collect();
    let expected: Vec<i32> = (0..sequences.len() as i32).collect();
    assert_eq!(sequences, expected, "I5: duplicated, lost or reordered");
    assert!(world.client_is_done(), "I24: the client still waits");
}
