//! Which partition a record goes to. Pure.

use ottla_protocol::ids::PartitionIndex;

/// Murmur2 in Kafka's variant (32 bit, seed 0x9747b28c): every client must agree on it, since it decides
/// where a key lives.
#[must_use]
pub fn murmur2(data: &[u8]) -> u32 {
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte));
        k = k.wrapping_mul(MULTIPLIER);
        k ^= k >> 24;
        k = k.wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |value, byte| (value << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

/// The partition of a key among `partitions` (at least 1), as Kafka's default partitioner chooses it.
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: usize) -> PartitionIndex {
    let positive = (murmur2(key) & 0x7fff_ffff) as usize;
    (positive % partitions.max(1)) as PartitionIndex
}

/// Records without a key stay on one partition until it has taken a batch's worth of bytes, so that
/// batches fill (KIP-480, KIP-794).
#[derive(Debug, Clone, Default)]
pub(crate) struct Sticky {
    current: Option<PartitionIndex>,
    bytes: usize,
}

impl Sticky {
    /// The partition for the next record of `size` bytes. `available` are the partitions with a leader;
    /// `draw` is any number, fresh for each call.
    pub(crate) fn choose(
        &mut self,
        size: usize,
        switch_after: usize,
        available: &[PartitionIndex],
        draw: u32,
    ) -> Option<PartitionIndex> {
        let stays =
            self.current.filter(|current| self.bytes < switch_after && available.contains(current));
        let chosen = match stays {
            Some(current) => current,
            None => {
                self.bytes = 0;
                // Another one than before, where there is another one.
                let others: Vec<_> =
                    available.iter().filter(|id| Some(**id) != self.current).copied().collect();
                let pool = if others.is_empty() { available } else { &others };
                *pool.get(draw as usize % pool.len().max(1))?
            }
        };
        self.current = Some(chosen);
        self.bytes += size;
        Some(chosen)
    }
}

#[cfg(test)]
mod tests;
