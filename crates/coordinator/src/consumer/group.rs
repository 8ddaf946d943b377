//! A consumer group, as the records tell, with the counts that keep heartbeats cheap.

use std::collections::BTreeSet;
use std::sync::Arc;

use imbl::{HashMap, OrdMap};
use ottla_protocol::ids::{PartitionIndex, TimestampMs, TopicId, TopicName};

use super::member::{Member, MemberAssignment, MemberMetadata};
use crate::MemberId;
use crate::assignor::{Assignment, Assignor};

/// The topics that a regular expression stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ResolvedRegex {
    /// The topics that matched.
    pub(crate) topics: BTreeSet<TopicName>,
    /// The metadata offset at which they did.
    pub(crate) version: i64,
    /// When they were looked up.
    pub(crate) timestamp_ms: TimestampMs,
}

/// Where a group stands, as tools show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupState {
    /// No members.
    Empty,
    /// Something has changed and the target assignment does not know yet.
    Assigning,
    /// Members are on their way to the target assignment.
    Reconciling,
    /// Every member has what it should have.
    Stable,
}

/// A consumer group (KIP-848). Written by replay alone. Cloning is cheap and shares everything.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ConsumerGroup {
    epoch: i32,
    metadata_hash: i64,
    members: OrdMap<MemberId, Member>,
    /// Who holds which instance id.
    static_members: OrdMap<Arc<str>, MemberId>,
    target_epoch: i32,
    target_timestamp_ms: TimestampMs,
    targets: OrdMap<MemberId, Arc<Assignment>>,
    resolved: OrdMap<Arc<str>, Arc<ResolvedRegex>>,
    /// There is a record of key 4, which is to be deleted.
    has_subscription_metadata: bool,
    // What follows can be made from the above.
    /// Who holds each partition: has it, or has yet to give it up.
    holders: HashMap<(TopicId, PartitionIndex), MemberId>,
    by_name: Counts,
    by_regex: Counts,
    assignors: Counts,
    classic_protocols: Counts,
    classic_members: usize,
    /// How many members are not where the target assignment wants them.
    unreconciled: usize,
}

impl Default for ConsumerGroup {
    /// A group of which nothing is known yet.
    fn default() -> Self {
        Self {
            epoch: 1,
            metadata_hash: 0,
            members: OrdMap::new(),
            static_members: OrdMap::new(),
            target_epoch: 0,
            target_timestamp_ms: 0,
            targets: OrdMap::new(),
            resolved: OrdMap::new(),
            has_subscription_metadata: false,
            holders: HashMap::new(),
            by_name: Counts::default(),
            by_regex: Counts::default(),
            assignors: Counts::default(),
            classic_protocols: Counts::default(),
            classic_members: 0,
            unreconciled: 0,
        }
    }
}

impl ConsumerGroup {
    /// Rises with each change that wants a new target assignment.
    pub(crate) fn epoch(&self) -> i32 {
        self.epoch
    }

    /// What the subscribed topics looked like when the epoch last rose.
    pub(crate) fn metadata_hash(&self) -> i64 {
        self.metadata_hash
    }

    /// The group epoch that the target assignment was made for.
    pub(crate) fn target_epoch(&self) -> i32 {
        self.target_epoch
    }

    /// When the target assignment was made; 0 if unknown or there is none.
    pub(crate) fn target_timestamp_ms(&self) -> TimestampMs {
        self.target_timestamp_ms
    }

    pub(crate) fn state(&self) -> GroupState {
        if self.members.is_empty() {
            GroupState::Empty
        } else if self.epoch > self.target_epoch {
            GroupState::Assigning
        } else if self.unreconciled > 0 {
            GroupState::Reconciling
        } else {
            GroupState::Stable
        }
    }

    /// Kafka's name of the state.
    pub(crate) fn state_name(&self) -> &'static str {
        match self.state() {
            GroupState::Empty => "Empty",
            GroupState::Assigning => "Assigning",
            GroupState::Reconciling => "Reconciling",
            GroupState::Stable => "Stable",
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The members, by id.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(crate) fn static_member(&self, instance_id: &str) -> Option<&Member> {
        self.static_members.get(instance_id).and_then(|id| self.members.get(id))
    }

    /// What a member should have; empty if nothing was said.
    pub(crate) fn target(&self, member: &str) -> Arc<Assignment> {
        self.targets.get(member).cloned().unwrap_or_default()
    }

    /// What a member should have, if anything was said.
    pub(crate) fn recorded_target(&self, member: &str) -> Option<&Arc<Assignment>> {
        self.targets.get(member)
    }

    /// Who holds a partition: has it, or has yet to give it up.
    pub(crate) fn holder(&self, topic: TopicId, partition: PartitionIndex) -> Option<&MemberId> {
        self.holders.get(&(topic, partition))
    }

    pub(crate) fn has_subscription_metadata(&self) -> bool {
        self.has_subscription_metadata
    }

    /// The expressions that members subscribe to.
    pub(crate) fn regexes(&self) -> impl Iterator<Item = &Arc<str>> {
        self.by_regex.0.keys()
    }

    /// How many members subscribe to the expression.
    pub(crate) fn regex_subscribers(&self, regex: &str) -> usize {
        self.by_regex.get(regex)
    }

    pub(crate) fn resolved(&self, regex: &str) -> Option<&Arc<ResolvedRegex>> {
        self.resolved.get(regex)
    }

    pub(crate) fn resolved_regexes(
        &self,
    ) -> impl Iterator<Item = (&Arc<str>, &Arc<ResolvedRegex>)> {
        self.resolved.iter()
    }

    /// Every topic that somebody subscribes to, by name or through an expression.
    pub(crate) fn subscribed_topics(&self) -> BTreeSet<TopicName> {
        let by_regex = self.resolved.values().flat_map(|regex| regex.topics.iter());
        self.by_name.0.keys().chain(by_regex).map(Arc::clone).collect()
    }

    /// Whether somebody subscribes to the topic, by name or through an expression.
    pub(crate) fn is_subscribed_to(&self, topic: &str) -> bool {
        self.by_name.get(topic) > 0
            || self.resolved.values().any(|regex| regex.topics.contains(topic))
    }

    /// The assignor that most members ask for, of those that are served; the first served one if
    /// nobody asks.
    pub(crate) fn preferred_assignor(&self, served: &[Assignor]) -> Assignor {
        let mut best = served.first().copied().unwrap_or(Assignor::Uniform);
        let mut votes = 0;
        for assignor in served {
            let count = self.assignors.get(assignor.name());
            if count > votes {
                (best, votes) = (*assignor, count);
            }
        }
        best
    }

    /// How many members speak the classic protocol.
    pub(crate) fn classic_members(&self) -> usize {
        self.classic_members
    }

    /// Whether all members that speak the classic protocol know this embedded protocol.
    pub(crate) fn all_classic_members_know(&self, protocol: &str) -> bool {
        self.classic_protocols.get(protocol) == self.classic_members
    }

    // ---- replay ------------------------------------------------------------------------------------

    /// Key 3.
    pub(crate) fn set_epoch(&mut self, epoch: i32, metadata_hash: i64) {
        self.epoch = epoch;
        self.metadata_hash = metadata_hash;
    }

    /// Key 4; Kafka wrote it before 4.1.
    pub(crate) fn set_has_subscription_metadata(&mut self, has: bool) {
        self.has_subscription_metadata = has;
    }

    /// Key 5.
    pub(crate) fn set_member(&mut self, id: &MemberId, metadata: MemberMetadata) {
        let mut member = self.member_or_new(id);
        member.metadata = Arc::new(metadata);
        self.put(member);
    }

    /// The tombstone of key 5.
    pub(crate) fn remove_member(&mut self, id: &str) {
        if let Some(old) = self.members.remove(id) {
            self.count(&old, Count::Down);
            self.release(&old);
        }
    }

    /// Key 6; its tombstone sets epoch -1.
    pub(crate) fn set_target_epoch(&mut self, epoch: i32, timestamp_ms: TimestampMs) {
        self.target_timestamp_ms = timestamp_ms;
        if epoch != self.target_epoch {
            self.target_epoch = epoch;
            self.unreconciled =
                self.members.values().filter(|member| !member.is_reconciled_to(epoch)).count();
        }
    }

    /// Key 7.
    pub(crate) fn set_target(&mut self, member: &MemberId, target: Arc<Assignment>) {
        self.targets.insert(Arc::clone(member), target);
    }

    /// The tombstone of key 7.
    pub(crate) fn remove_target(&mut self, member: &str) {
        self.targets.remove(member);
    }

    /// Key 8.
    pub(crate) fn set_current(&mut self, id: &MemberId, current: MemberAssignment) {
        let mut member = self.member_or_new(id);
        member.current = Arc::new(current);
        self.put(member);
    }

    /// The tombstone of key 8: the member holds nothing.
    pub(crate) fn remove_current(&mut self, id: &MemberId) {
        if self.members.contains_key(id) {
            let gone = super::member::LEAVE_EPOCH;
            let current =
                MemberAssignment { epoch: gone, previous_epoch: gone, ..Default::default() };
            self.set_current(id, current);
        }
    }

    /// Key 16.
    pub(crate) fn set_resolved(&mut self, regex: &Arc<str>, resolved: Arc<ResolvedRegex>) {
        self.resolved.insert(Arc::clone(regex), resolved);
    }

    /// The tombstone of key 16.
    pub(crate) fn remove_resolved(&mut self, regex: &str) {
        self.resolved.remove(regex);
    }

    fn member_or_new(&self, id: &MemberId) -> Member {
        self.members.get(id).cloned().unwrap_or_else(|| Member::new(Arc::clone(id)))
    }

    fn put(&mut self, member: Member) {
        let old = self.members.insert(Arc::clone(&member.id), member.clone());
        if old.as_ref().is_none_or(|old| !Arc::ptr_eq(&old.current, &member.current)) {
            if let Some(old) = &old {
                self.release(old);
            }
            for partition in member.holds() {
                self.holders.insert(partition, Arc::clone(&member.id));
            }
        }
        if let Some(old) = &old {
            self.count(old, Count::Down);
        }
        self.count(&member, Count::Up);
    }

    /// The member no longer holds what it held. What another took meanwhile stays with that one: after
    /// compaction, the record that took may come before the one that gave.
    fn release(&mut self, member: &Member) {
        for partition in member.holds() {
            if self.holders.get(&partition) == Some(&member.id) {
                self.holders.remove(&partition);
            }
        }
    }

    /// Counts a member in or out.
    fn count(&mut self, member: &Member, step: Count) {
        let metadata = &member.metadata;
        for topic in metadata.topic_names.iter() {
            step.of(&mut self.by_name, topic);
        }
        if let Some(regex) = member.regex() {
            step.of(&mut self.by_regex, regex);
        }
        if let Some(assignor) = &metadata.server_assignor {
            step.of(&mut self.assignors, assignor);
        }
        if let Some(classic) = &metadata.classic {
            self.classic_members = step.number(self.classic_members);
            for protocol in classic.protocols.iter().map(|(name, _)| name).collect::<BTreeSet<_>>()
            {
                step.of(&mut self.classic_protocols, protocol);
            }
        }
        if let Some(instance_id) = &metadata.instance_id {
            match step {
                Count::Up => {
                    self.static_members.insert(Arc::clone(instance_id), Arc::clone(&member.id));
                }
                Count::Down if self.static_members.get(instance_id) == Some(&member.id) => {
                    self.static_members.remove(instance_id);
                }
                Count::Down => {}
            }
        }
        if !member.is_reconciled_to(self.target_epoch) {
            self.unreconciled = step.number(self.unreconciled);
        }
    }

    /// Panics if a derived count is not what the members say; for tests.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let mut fresh = Self::default();
        fresh.set_target_epoch(self.target_epoch, self.target_timestamp_ms);
        let mut holders = std::collections::BTreeMap::new();
        for member in self.members.values() {
            for partition in member.holds() {
                let before = holders.insert(partition, Arc::clone(&member.id));
                assert_eq!(before, None, "{partition:?} is also held by {}", member.id);
            }
            fresh.put(member.clone());
        }
        let own: std::collections::BTreeMap<_, _> =
            self.holders.iter().map(|(p, m)| (*p, Arc::clone(m))).collect();
        assert_eq!(own, holders);
        assert_eq!(self.by_name, fresh.by_name);
        assert_eq!(self.by_regex, fresh.by_regex);
        assert_eq!(self.assignors, fresh.assignors);
        assert_eq!(self.classic_protocols, fresh.classic_protocols);
        assert_eq!(self.classic_members, fresh.classic_members);
        assert_eq!(self.unreconciled, fresh.unreconciled);
        assert_eq!(self.static_members, fresh.static_members);
    }
}

/// How often each word is said; words that nobody says are not in it.
#[derive(Debug, Clone, PartialEq, Default)]
struct Counts(OrdMap<Arc<str>, usize>);

impl Counts {
    fn get(&self, word: &str) -> usize {
        self.0.get(word).copied().unwrap_or(0)
    }
}

#[derive(Debug, Clone, Copy)]
enum Count {
    Up,
    Down,
}

impl Count {
    fn number(self, count: usize) -> usize {
        match self {
            Self::Up => count + 1,
            Self::Down => count.saturating_sub(1),
        }
    }

    fn of(self, counts: &mut Counts, word: &Arc<str>) {
        match self.number(counts.get(word)) {
            0 => counts.0.remove(&**word),
            count => counts.0.insert(Arc::clone(word), count),
        };
    }
}
