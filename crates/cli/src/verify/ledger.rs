//! What was acknowledged against what can be read. Pure.

use std::collections::{BTreeMap, HashMap};

/// The number of a record in the order of sending.
pub(super) type Sequence = u64;

/// What the cluster said of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing certain: it may be there or not.
    Unknown,
    /// A definite refusal: it must not be there.
    Refused,
    /// It must be there; the offset is -1 when the broker did not say.
    Acked { partition: i32, offset: i64 },
}

/// A record that was read, in the order of its partition's offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) sequence: Sequence,
}

/// A record that is not as it was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(super) struct Culprit {
    pub(super) sequence: Sequence,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// The comparison. Unknown fates are neither losses nor failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) sent: u64,
    pub(super) acked: u64,
    pub(super) refused: u64,
    pub(super) unknown: u64,
    /// Records of this run that were read, repetitions included.
    pub(super) read: u64,
    /// Acknowledged, and not there.
    pub(super) lost: Vec<Culprit>,
    /// There more than once.
    pub(super) duplicated: Vec<Culprit>,
    /// Behind a record of the same partition that was sent later.
    pub(super) reordered: Vec<Culprit>,
    /// At another place than acknowledged.
    pub(super) moved: Vec<Culprit>,
    /// Definitely refused, and there all the same.
    pub(super) refused_but_read: Vec<Culprit>,
}

impl Findings {
    /// Whether everything is as it was acknowledged.
    pub(super) fn is_clean(&self) -> bool {
        self.lost.is_empty()
            && self.duplicated.is_empty()
            && self.reordered.is_empty()
            && self.moved.is_empty()
            && self.refused_but_read.is_empty()
    }
}

/// Compares the fates of all records, by their sequence, with what was read.
pub(super) fn check(fates: &[Fate], seen: &[Seen]) -> Findings {
    let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count() as u64;
    let mut findings = Findings {
        sent: fates.len() as u64,
        acked: count(|fate| matches!(fate, Fate::Acked { .. })),
        refused: count(|fate| matches!(fate, Fate::Refused)),
        unknown: count(|fate| matches!(fate, Fate::Unknown)),
        read: seen.len() as u64,
        ..Findings::default()
    };
    let mut places: HashMap<Sequence, Vec<Seen>> = HashMap::with_capacity(seen.len());
    let mut latest: BTreeMap<i32, Sequence> = BTreeMap::new();
    for record in seen {
        let culprit = Culprit {
            sequence: record.sequence,
            partition: record.partition,
            offset: record.offset,
        };
        let earlier = places.entry(record.sequence).or_default();
        if !earlier.is_empty() {
            findings.duplicated.push(culprit);
        }
        let first_time = earlier.is_empty();
        earlier.push(*record);
        match fates.get(usize::try_from(record.sequence).unwrap_or(usize::MAX)) {
            // A record whose fate is unknown may have come late; its order says nothing.
            Some(Fate::Acked { .. }) if first_time => {
                let latest = latest.entry(record.partition).or_insert(record.sequence);
                if record.sequence < *latest {
                    findings.reordered.push(culprit);
                }
                *latest = record.sequence.max(*latest);
            }
            Some(Fate::Refused) => findings.refused_but_read.push(culprit),
            _ => {}
        }
    }
    for (sequence, fate) in (0..).zip(fates) {
        let Fate::Acked { partition, offset } = *fate else { continue };
        let culprit = Culprit { sequence, partition, offset };
        match places.get(&sequence) {
            None => findings.lost.push(culprit),
            Some(places) => {
                let there = |seen: &Seen| {
                    seen.partition == partition && (offset < 0 || seen.offset == offset)
                };
                if !places.iter().any(there) {
                    findings.moved.push(culprit);
                }
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;
