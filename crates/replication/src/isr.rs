//! The in-sync replicas: what is committed, and what may be committed any moment.

use ottla_protocol::ids::{BrokerEpoch, BrokerId, PartitionEpoch};

/// The committed ISR and the proposal that may yet replace it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Isr {
    committed: Vec<BrokerId>,
    partition_epoch: PartitionEpoch,
    pending: Option<Pending>,
    /// No new proposal before this time.
    not_before_ms: i64,
}

/// A proposal under way. It counts until the feed brings a newer partition epoch, or until it is refused.
/// Unanswered it may have been taken, so it is made again as it was: the answer to the repetition says
/// what became of both, since the controller takes them in order and looks at the epochs first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pending {
    members: Vec<(BrokerId, BrokerEpoch)>,
    repeat_at_ms: Option<i64>,
}

impl Isr {
    pub(crate) fn new(committed: Vec<BrokerId>, partition_epoch: PartitionEpoch) -> Self {
        Self { committed, partition_epoch, pending: None, not_before_ms: i64::MIN }
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
    #[must_use]
    pub fn in_maximal(&self, broker: BrokerId) -> bool {
        let proposed = |pending: &Pending| pending.members.iter().any(|(id, _)| *id == broker);
        self.is_committed(broker) || self.pending.as_ref().is_some_and(proposed)
    }

    /// When something about proposals may be done that may not be done yet.
    pub(crate) fn wake_at_ms(&self) -> Option<i64> {
        match &self.pending {
            Some(pending) => pending.repeat_at_ms,
            None => Some(self.not_before_ms),
        }
    }

    /// The proposal to repeat, if it is time.
    pub(crate) fn repeat(&mut self, now_ms: i64) -> Option<Vec<(BrokerId, BrokerEpoch)>> {
        let pending = self.pending.as_mut()?;
        pending.repeat_at_ms.take_if(|at_ms| *at_ms <= now_ms)?;
        Some(pending.members.clone())
    }

    pub(crate) fn may_propose(&self, now_ms: i64) -> bool {
        self.pending.is_none() && now_ms >= self.not_before_ms
    }

    pub(crate) fn propose(&mut self, members: Vec<(BrokerId, BrokerEpoch)>) {
        debug_assert!(self.pending.is_none(), "one proposal at a time");
        self.pending = Some(Pending { members, repeat_at_ms: None });
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

    /// The pending proposal was not answered: it may have been taken, or may yet be.
    pub(crate) fn unanswered(&mut self, repeat_at_ms: i64) {
        if let Some(pending) = &mut self.pending {
            pending.repeat_at_ms = Some(repeat_at_ms);
        }
    }
}
