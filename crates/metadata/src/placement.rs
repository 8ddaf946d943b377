//! Where the replicas of new partitions go.
//!
//! Partition after partition, the first replica goes round the racks, and inside a rack round its
//! brokers, so that leaderships are spread evenly; the others follow from the next racks on, so that
//! no rack holds two replicas while another holds none. After each full round the orders are shuffled
//! anew, so that the partitions that one broker leads are not all followed by the same other one.
//! Brokers that are not active are used last, and never first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::ids::BrokerId;

/// A broker that may hold replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The broker.
    pub id: BrokerId,
    /// Its rack; brokers without one share one.
    pub rack: Option<Arc<str>>,
    /// Registered, unfenced, not shutting down.
    pub active: bool,
}

/// Why replicas cannot be placed; in the words of Kafka 4.3.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// More replicas than brokers.
    #[error(
        "The target replication factor of {replication_factor} cannot be reached because only \
         {brokers} broker(s) are registered or some brokers have all their log directories cordoned."
    )]
    TooFewBrokers {
        /// Replicas wanted for each partition.
        replication_factor: usize,
        /// Brokers that are registered.
        brokers: usize,
    },
    /// No broker could lead.
    #[error("All brokers are currently fenced.")]
    AllFenced,
}

/// The replicas of `partitions` new partitions, the preferred leader first. The same arguments give
/// the same places.
///
/// # Errors
/// [`PlacementError`].
pub fn place(
    candidates: &[Candidate],
    seed: u64,
    partitions: usize,
    replication_factor: usize,
) -> Result<Vec<Vec<BrokerId>>, PlacementError> {
    if replication_factor > candidates.len() {
        let brokers = candidates.len();
        return Err(PlacementError::TooFewBrokers { replication_factor, brokers });
    }
    let round = candidates.iter().filter(|broker| broker.active).count();
    if round == 0 {
        return Err(PlacementError::AllFenced);
    }
    let mut dice = Dice(seed);
    let mut table = Table::default();
    let mut places = Vec::with_capacity(partitions);
    for partition in 0..partitions {
        let turn = partition % round;
        if turn == 0 {
            table = Table::shuffled(candidates, &mut dice);
        }
        places.push(table.replicas(turn, replication_factor));
    }
    Ok(places)
}

/// One order of racks and brokers.
#[derive(Default)]
struct Table {
    racks: Vec<Vec<BrokerId>>,
    inactive: Vec<Candidate>,
    rack_of: BTreeMap<BrokerId, Option<Arc<str>>>,
}

impl Table {
    fn shuffled(candidates: &[Candidate], dice: &mut Dice) -> Self {
        let mut by_rack: BTreeMap<Option<Arc<str>>, Vec<BrokerId>> = BTreeMap::new();
        let mut inactive = Vec::new();
        for broker in candidates {
            if broker.active {
                by_rack.entry(broker.rack.clone()).or_default().push(broker.id);
            } else {
                inactive.push(broker.clone());
            }
        }
        let mut racks: Vec<_> = by_rack.into_values().collect();
        dice.shuffle(&mut racks);
        racks.iter_mut().for_each(|brokers| dice.shuffle(brokers));
        dice.shuffle(&mut inactive);
        let rack_of = candidates.iter().map(|broker| (broker.id, broker.rack.clone())).collect();
        Self { racks, inactive, rack_of }
    }

    fn replicas(&self, turn: usize, count: usize) -> Vec<BrokerId> {
        let racks = self.racks.len();
        let deepest = self.racks.iter().map(Vec::len).max().unwrap_or(0);
        // Rack after rack, one broker of each, then a second of each, and so on.
        let order = (0..deepest).flat_map(|depth| {
            (0..racks).filter_map(move |step| {
                let brokers = &self.racks[(turn + step) % racks];
                let rotated = (turn / racks + depth) % brokers.len();
                (depth < brokers.len()).then(|| brokers[rotated])
            })
        });
        let mut replicas: Vec<_> = order.take(count).collect();
        let used: BTreeSet<_> = replicas.iter().map(|id| self.rack_of[id].clone()).collect();
        let mut late: Vec<_> = self.inactive.iter().collect();
        late.sort_by_key(|broker| used.contains(&broker.rack));
        replicas.extend(late.iter().map(|broker| broker.id).take(count - replicas.len()));
        replicas
    }
}

/// A deterministic stream of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = (self.roll() % (last as u64 + 1)) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests;
