//! One step of a member towards its target assignment: revoke before assign.
//!
//! A member gives up first what it must not keep, and stays in its epoch until it has; only then it
//! moves to the target's epoch and gets what nobody holds. What others still hold it gets at later
//! heartbeats. So a partition never has two owners, whatever the order of the heartbeats.

use std::sync::Arc;

use ottla_protocol::ids::{PartitionIndex, TopicId};

use super::member::{Member, MemberAssignment, MemberState, OwnedPartitions};
use crate::assignor::Assignment;

/// Where a member should go, and what is known of the world around it.
pub(super) struct Reconcile<'a, Subscribed, Held> {
    /// The epoch of the target assignment.
    pub target_epoch: i32,
    /// What the member should have.
    pub target: &'a Assignment,
    /// Whether the member's subscription has changed in this very request: what it no longer
    /// subscribes to is taken at once.
    pub subscription_changed: bool,
    /// What the member says it has; `None` if it did not say.
    pub owned: Option<&'a Assignment>,
    /// Whether the member subscribes to the topic (and the topic exists).
    pub is_subscribed: Subscribed,
    /// Whether another member holds the partition.
    pub is_held_by_another: Held,
}

/// The member's state was written by a later version and it still has partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UnknownState;

impl<Subscribed, Held> Reconcile<'_, Subscribed, Held>
where
    Subscribed: Fn(TopicId) -> bool,
    Held: Fn(TopicId, PartitionIndex) -> bool,
{
    /// The member's next assignment; `None` if it stays as it is.
    pub(super) fn step(&self, member: &Member) -> Result<Option<MemberAssignment>, UnknownState> {
        let current = &*member.current;
        let next = match current.state {
            MemberState::Stable if current.epoch != self.target_epoch => self.advance(current),
            MemberState::Stable if self.subscription_changed => self.drop_unsubscribed(current),
            MemberState::Stable => return Ok(None),
            MemberState::UnrevokedPartitions if self.still_owns(&current.pending_revocation) => {
                if !self.subscription_changed {
                    return Ok(None);
                }
                self.drop_unsubscribed(current)
            }
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => {
                self.advance(current)
            }
            MemberState::Unknown => {
                if self.owned.is_none_or(|owned| !owned.is_empty()) {
                    return Err(UnknownState);
                }
                self.advance(&MemberAssignment { epoch: self.target_epoch, ..current.clone() })
            }
        };
        Ok(Some(next).filter(|next| next != current))
    }

    /// Whether the member still has some of these, or did not say that it has not.
    fn still_owns(&self, partitions: &OwnedPartitions) -> bool {
        self.owned.is_none_or(|owned| {
            owned.iter().any(|(topic, partition)| partitions.contains(topic, partition))
        })
    }

    /// Takes what is no longer subscribed to, without a look at the target.
    fn drop_unsubscribed(&self, current: &MemberAssignment) -> MemberAssignment {
        let (mut kept, mut dropped) = (OwnedPartitions::default(), OwnedPartitions::default());
        for (topic, partition, epoch) in current.assigned.iter() {
            let into = if (self.is_subscribed)(topic) { &mut kept } else { &mut dropped };
            into.insert(topic, partition, epoch);
        }
        if dropped.is_empty() {
            return current.clone();
        }
        for (topic, partition, epoch) in current.pending_revocation.iter() {
            dropped.insert(topic, partition, epoch);
        }
        if self.still_owns(&dropped) {
            MemberAssignment {
                state: MemberState::UnrevokedPartitions,
                epoch: current.epoch,
                previous_epoch: current.epoch,
                assigned: Arc::new(kept),
                pending_revocation: Arc::new(dropped),
            }
        } else {
            MemberAssignment {
                previous_epoch: current.epoch,
                assigned: Arc::new(kept),
                ..current.clone()
            }
        }
    }

    /// Revokes, or else moves to the target's epoch and takes what is free of the target.
    fn advance(&self, current: &MemberAssignment) -> MemberAssignment {
        let (mut kept, mut revoked) = (OwnedPartitions::default(), OwnedPartitions::default());
        for (topic, partition, epoch) in current.assigned.iter() {
            let keep = self.target.contains(topic, partition) && (self.is_subscribed)(topic);
            let into = if keep { &mut kept } else { &mut revoked };
            into.insert(topic, partition, epoch);
        }
        if !revoked.is_empty() && self.still_owns(&revoked) {
            return MemberAssignment {
                state: MemberState::UnrevokedPartitions,
                epoch: current.epoch,
                previous_epoch: current.epoch,
                assigned: Arc::new(kept),
                pending_revocation: Arc::new(revoked),
            };
        }
        let mut state = MemberState::Stable;
        for (topic, partitions) in self.target.topics() {
            if !(self.is_subscribed)(topic) {
                continue;
            }
            for partition in partitions {
                if kept.contains(topic, *partition) {
                    continue;
                }
                if (self.is_held_by_another)(topic, *partition) {
                    state = MemberState::UnreleasedPartitions;
                } else {
                    kept.insert(topic, *partition, self.target_epoch);
                }
            }
        }
        // Within an epoch the one before stays: the client may not have heard of this one yet.
        let is_new = current.epoch != self.target_epoch;
        MemberAssignment {
            state,
            epoch: self.target_epoch,
            previous_epoch: if is_new { current.epoch } else { current.previous_epoch },
            assigned: Arc::new(kept),
            pending_revocation: Arc::default(),
        }
    }
}
