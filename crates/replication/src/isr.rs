//! The in-sync replicas: what is committed, and what may be committed any moment.

use ottla_protocol::ids::{BrokerId, PartitionEpoch};

/// The committed ISR and the proposals that may yet replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isr {
    committed: Vec<BrokerId>,
    partition_epoch: PartitionEpoch,
    /// Under way: the one whose answer is awaited, or which the feed is about to bring.
    pending: Option<Vec<BrokerId>>,
    /// Members of earlier proposals on this partition epoch that were never answered.
    doubtful: Vec<BrokerId>,
    /// No new proposal before this time.
    not_before_ms: i64,
}

impl Isr {
    pub(crate) fn new(committed: Vec<BrokerId>, partition_epoch: PartitionEpoch) -> Self {
        Self {
            committed,
            partition_epoch,
            pending: None,
            doubtful: Vec::new(),
            not_before_ms: i64::MIN,
        }
    }

    /// The committed members.
    #[must_use]
    pub fn committed(&self) -> &[BrokerId] {
        &self.committed
    }

    /// The partition epoch of the committed members.
    #[must_use]
    pub fn partition_epoch(&self) -> PartitionEpoch {
        self.partition_epoch
    }

    /// Whether a proposal is under way.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    pub(crate) fn is_committed(&self, broker: BrokerId) -> bool {
        self.committed.contains(&broker)
    }

    /// Whether the controller may already count `broker` as in sync: the high watermark waits for it.
    /// A member of an unanswered earlier proposal counts as long as it is eligible, since the controller
    /// refuses one that is not.
    #[must_use]
    pub fn in_maximal(&self, broker: BrokerId, eligible: bool) -> bool {
        self.is_committed(broker)
            || self.pending.as_ref().is_some_and(|pending| pending.contains(&broker))
            || (eligible && self.doubtful.contains(&broker))
    }

    pub(crate) fn not_before_ms(&self) -> i64 {
        self.not_before_ms
    }

    pub(crate) fn propose(&mut self, members: Vec<BrokerId>) {
        debug_assert!(self.pending.is_none(), "one proposal at a time");
        self.pending = Some(members);
    }

    /// The feed brought this state; true if it is news.
    pub(crate) fn commit(&mut self, members: &[BrokerId], partition_epoch: PartitionEpoch) -> bool {
        if partition_epoch <= self.partition_epoch {
            return false;
        }
        *self = Self::new(members.to_vec(), partition_epoch);
        true
    }

    /// The pending proposal was refused as it stands.
    pub(crate) fn refused(&mut self, not_before_ms: i64) {
        self.pending = None;
        self.not_before_ms = not_before_ms;
    }

    /// The pending proposal was not answered: it may still be taken.
    pub(crate) fn unanswered(&mut self, not_before_ms: i64) {
        for broker in self.pending.take().unwrap_or_default() {
            if !self.doubtful.contains(&broker) {
                self.doubtful.push(broker);
            }
        }
        self.not_before_ms = not_before_ms;
    }
}
