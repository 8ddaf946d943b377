//! What a seed puts into its cluster: sizes, settings, and which faults are on.

use crate::dice::Dice;

/// A run's circumstances. Swarm testing: each seed switches a random part of the faults off, so that
/// the others are not drowned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent switches, drawn independently")]
pub struct Swarm {
    /// Brokers 1 to this.
    pub brokers: i32,
    /// Partitions of the one topic.
    pub partitions: i32,
    /// Replicas of each.
    pub replication_factor: i32,
    /// `min.insync.replicas`.
    pub min_isr: usize,
    /// `flush.messages`; 1: only what is flushed counts.
    pub flush_messages: i64,
    /// Processes are killed; their page cache stays.
    pub kills: bool,
    /// Nodes lose power and what was not flushed: all at once if flushed positions count, else one at a
    /// time.
    pub power_cuts: bool,
    /// A dead broker's disk is replaced by an empty one.
    pub new_disks: bool,
    /// Brokers are stopped and started in order.
    pub clean_stops: bool,
    /// A node is cut off, in both directions.
    pub cuts: bool,
    /// A node is cut off in one direction.
    pub one_way_cuts: bool,
    /// Streams break.
    pub resets: bool,
    /// The active controller goes; for a while nothing is committed.
    pub failovers: bool,
    /// Brokers hear of metadata late, in lumps, twice, or by snapshot.
    pub bad_feeds: bool,
    /// Proposals come twice or late, answers are lost.
    pub bad_calls: bool,
    /// Some disks take long to flush.
    pub slow_disks: bool,
    /// What a broker sends to its leader is overtaken by what it sends next.
    pub racing_sends: bool,
    /// Records are deleted on command (DeleteRecords).
    pub deletes: bool,
    /// Logs are compacted.
    pub compacts: bool,
    /// Clients lose answers and connections.
    pub bad_clients: bool,
    /// The longest delay of a message, microseconds.
    pub max_delay_us: u64,
    /// Mean time between faults, microseconds.
    pub fault_every_us: u64,
    /// Length of the fault phase, microseconds.
    pub fault_phase_us: u64,
}

impl Swarm {
    pub(crate) fn draw(seed: u64, dice: &mut Dice) -> Self {
        let brokers = dice.between(3, 5) as i32;
        let counts_flushed = dice.one_in(2);
        let mut on = || !dice.one_in(3);
        let mut swarm = Self {
            brokers,
            partitions: 1,
            replication_factor: 3,
            min_isr: 2,
            flush_messages: 1,
            kills: on(),
            power_cuts: on(),
            new_disks: on(),
            clean_stops: on(),
            cuts: on(),
            one_way_cuts: on(),
            resets: on(),
            failovers: on(),
            bad_feeds: on(),
            bad_calls: on(),
            slow_disks: on(),
            racing_sends: on(),
            deletes: false,
            compacts: seed % 3 == 1,
            bad_clients: on(),
            max_delay_us: 0,
            fault_every_us: 0,
            fault_phase_us: 0,
        };
        swarm.deletes = dice.one_in(3);
        swarm.partitions = dice.between(1, 3) as i32;
        if dice.one_in(4) {
            swarm.replication_factor = brokers;
        }
        if counts_flushed {
            swarm.min_isr = dice.between(1, 3) as usize;
        } else {
            swarm.flush_messages = if dice.one_in(2) { i64::MAX } else { 20 };
        }
        swarm.max_delay_us = [300, 3_000, 30_000][dice.between(0, 2) as usize];
        swarm.fault_every_us = dice.between(20_000, 150_000);
        swarm.fault_phase_us = dice.between(1_000_000, 3_000_000);
        swarm
    }

    /// Only what is flushed counts for the high watermark.
    #[must_use]
    pub fn counts_flushed(&self) -> bool {
        self.flush_messages == 1
    }
}
