//! Which offset is the latest of each key, in bounded memory.

use std::hash::{BuildHasher, Hasher, RandomState};

use ottla_protocol::ids::Offset;

/// Bytes that one key takes.
pub(super) const SLOT_BYTES: usize = size_of::<Slot>();
/// Slots of a map that has just begun; it grows as keys come.
const FIRST_SLOTS: usize = 1024;
const NONE: Offset = -1;

/// A key's 128 bits stand for it: two keyed hashes whose keys nobody outside knows, so that no two keys
/// meet by chance or intent.
#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: (u64, u64),
    offset: Offset,
}

const EMPTY: Slot = Slot { hash: (0, 0), offset: NONE };

/// The latest offset of each key.
#[derive(Debug)]
pub(super) struct OffsetMap {
    hashers: (RandomState, RandomState),
    slots: Vec<Slot>,
    used: usize,
    max_slots: usize,
    load_factor: f64,
}

impl OffsetMap {
    /// A map that takes at most `memory_bytes`, of which a part of `load_factor` holds keys.
    pub(super) fn new(memory_bytes: usize, load_factor: f64) -> Self {
        let max_slots = (memory_bytes / SLOT_BYTES).max(2);
        Self {
            hashers: (RandomState::new(), RandomState::new()),
            slots: vec![EMPTY; max_slots.min(FIRST_SLOTS)],
            used: 0,
            max_slots,
            load_factor: load_factor.clamp(0.1, 0.95),
        }
    }

    /// Notes that `key` stands at `offset`, which is above all before. False if there is no room.
    pub(super) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        let mut at = self.find(hash);
        if self.slots[at].offset == NONE {
            if self.used >= self.room() {
                if !self.grow() {
                    return false;
                }
                at = self.find(hash);
            }
            self.used += 1;
        }
        self.slots[at] = Slot { hash, offset };
        true
    }

    /// The latest offset of `key`.
    pub(super) fn get(&self, key: &[u8]) -> Option<Offset> {
        let offset = self.slots[self.find(self.hash(key))].offset;
        (offset != NONE).then_some(offset)
    }

    /// How many keys it holds.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        let one = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            hasher.write(key);
            hasher.finish()
        };
        (one(&self.hashers.0), one(&self.hashers.1))
    }

    /// How many keys may be in it before it grows; one slot always stays empty.
    fn room(&self) -> usize {
        let room = (self.slots.len() as f64 * self.load_factor) as usize;
        room.clamp(1, self.slots.len() - 1)
    }

    /// The slot that holds this hash, or the empty one where it belongs.
    fn find(&self, hash: (u64, u64)) -> usize {
        let mut at = (hash.0 % self.slots.len() as u64) as usize;
        while self.slots[at].offset != NONE && self.slots[at].hash != hash {
            at = (at + 1) % self.slots.len();
        }
        at
    }

    fn grow(&mut self) -> bool {
        if self.slots.len() == self.max_slots {
            return false;
        }
        let larger = vec![EMPTY; (self.slots.len() * 2).min(self.max_slots)];
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot.offset != NONE {
                let at = self.find(slot.hash);
                self.slots[at] = slot;
            }
        }
        true
    }
}
