//! How a produce request with acks=all waits: a countdown over its partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// What became of one partition's batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckOutcome {
    /// On every in-sync replica.
    Committed,
    /// Not known: the leadership moved on.
    NotLeader,
    /// Not known: written, but the ISR fell below `min.insync.replicas`.
    NotEnoughReplicasAfterAppend,
    /// Not known: the disk failed.
    Storage,
    /// Nothing is waited for: the append was refused, and its error is the answer.
    Refused,
}

impl From<ottla_replication::AckOutcome> for AckOutcome {
    fn from(outcome: ottla_replication::AckOutcome) -> Self {
        match outcome {
            ottla_replication::AckOutcome::Committed => Self::Committed,
            ottla_replication::AckOutcome::NotLeader => Self::NotLeader,
            ottla_replication::AckOutcome::NotEnoughReplicasAfterAppend => {
                Self::NotEnoughReplicasAfterAppend
            }
            ottla_replication::AckOutcome::Storage => Self::Storage,
        }
    }
}

#[derive(Debug)]
struct Group {
    remaining: AtomicUsize,
    slots: Mutex<Slots>,
}

#[derive(Debug)]
struct Slots {
    outcomes: Vec<Option<AckOutcome>>,
    done: Option<oneshot::Sender<()>>,
}

/// The waiting side of one produce request.
#[derive(Debug)]
pub struct AckGroup {
    group: Arc<Group>,
    done: oneshot::Receiver<()>,
}

impl AckGroup {
    /// A countdown over `partitions` slots, and the token of each, in order.
    #[must_use]
    pub fn new(partitions: usize) -> (Self, Vec<AckToken>) {
        let (sender, done) = oneshot::channel();
        let group = Arc::new(Group {
            remaining: AtomicUsize::new(partitions),
            slots: Mutex::new(Slots { outcomes: vec![None; partitions], done: Some(sender) }),
        });
        let tokens = (0..partitions)
            .map(|slot| AckToken { group: Some(Arc::clone(&group)), slot })
            .collect();
        (Self { group, done }, tokens)
    }

    /// Completes when every token has; at once if there are none.
    pub async fn completed(&mut self) {
        if self.group.remaining.load(Ordering::Acquire) > 0 {
            // An error means that the sender is gone, which happens only after the last token.
            let _ = (&mut self.done).await;
        }
    }

    /// What is known so far, slot by slot; `None`: still waiting.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Option<AckOutcome>> {
        self.group.slots.lock().outcomes.clone()
    }
}

/// One partition's share in an [`AckGroup`]. Dropped unused, it counts as [`AckOutcome::Refused`].
#[derive(Debug)]
pub struct AckToken {
    group: Option<Arc<Group>>,
    slot: usize,
}

impl AckToken {
    /// Completes this share; the last one wakes the request.
    pub fn complete(mut self, outcome: AckOutcome) {
        self.finish(outcome);
    }

    fn finish(&mut self, outcome: AckOutcome) {
        let Some(group) = self.group.take() else { return };
        let mut slots = group.slots.lock();
        if let Some(slot) = slots.outcomes.get_mut(self.slot) {
            *slot = Some(outcome);
        }
        if group.remaining.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(done) = slots.done.take()
        {
            drop(slots);
            // The request may have timed out meanwhile.
            let _ = done.send(());
        }
    }
}

impl Drop for AckToken {
    fn drop(&mut self) {
        self.finish(AckOutcome::Refused);
    }
}
