//! A plan in the making: records, and the group as it will be when they are replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_metadata::{Image, Topic};
use ottla_protocol::ids::{PartitionIndex, TimestampMs, TopicId, TopicName};

use super::TimerStep;
use super::config::Config;
use super::convert::Downgraded;
use super::group::{ConsumerGroup, ResolvedRegex};
use super::member::{Member, MemberMetadata, MemberState};
use super::metadata_hash::{Hashed, group_hash};
use super::reconcile::{Reconcile, UnknownState};
use super::records;
use crate::assignor::{Assignment, GroupSpec, MemberSpec, RackIndex, TopicSpec};
use crate::record::Record;
use crate::subscription_regex::SubscriptionRegex;
use crate::timers::Timer;
use crate::{GroupName, MemberId};

/// The existing topics of each subscription: the names and the expression of one.
type Subscriptions = BTreeMap<(Arc<BTreeSet<TopicName>>, Arc<str>), Arc<BTreeSet<TopicId>>>;

/// Records of one decision about a group. Each step sees what the steps before have written.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: GroupName,
    pub(super) image: Arc<Image>,
    pub(super) now_ms: TimestampMs,
    pub(super) config: Arc<Config>,
    group: Arc<ConsumerGroup>,
    /// The last hash of the subscribed topics.
    pub(super) hashed: Option<Arc<Hashed>>,
    pub(super) records: Vec<Record>,
    /// What becomes of deadlines.
    pub(super) timers: Vec<TimerStep>,
    /// The group has become a classic one.
    pub(super) downgraded: Option<Downgraded>,
    /// The group was a classic one.
    pub(super) upgraded: bool,
}

impl Draft {
    /// Nothing is written yet.
    pub(super) fn new(
        name: GroupName,
        group: Arc<ConsumerGroup>,
        image: Arc<Image>,
        now_ms: TimestampMs,
        config: Arc<Config>,
    ) -> Self {
        Self {
            name,
            image,
            now_ms,
            config,
            group,
            hashed: None,
            records: Vec::new(),
            timers: Vec::new(),
            downgraded: None,
            upgraded: false,
        }
    }

    /// The group with everything written so far.
    pub(super) fn group(&self) -> &ConsumerGroup {
        &self.group
    }

    /// Writes a record of this group.
    pub(super) fn write(&mut self, record: Record) {
        Arc::make_mut(&mut self.group).replay(&record);
        self.records.push(record);
    }

    /// Writes records that this group does not see: those of another form of it.
    pub(super) fn write_unseen(&mut self, records: impl IntoIterator<Item = Record>) {
        self.records.extend(records);
    }

    /// Sets a deadline, counted from now.
    pub(super) fn set_timer(&mut self, timer: Timer, after_ms: i32) {
        let at_ms = self.now_ms.saturating_add(i64::from(after_ms.max(0)));
        self.timers.push(TimerStep::Set(timer, at_ms));
    }

    /// A timer of this group.
    pub(super) fn timer(&self, timer: super::Timer) -> Timer {
        Timer::Consumer { group: Arc::clone(&self.name), timer }
    }

    /// A member has this long to be heard of again.
    pub(super) fn set_session(&mut self, member: &Member) {
        let classic = member.metadata.classic.as_ref();
        let after_ms =
            classic.map_or(self.config.session_timeout_ms, |classic| classic.session_timeout_ms);
        let (group, member) = (Arc::clone(&self.name), Arc::clone(&member.id));
        self.set_timer(Timer::ConsumerSession { group, member }, after_ms);
    }

    /// A member has this long to give up what it was told to.
    pub(super) fn set_rebalance(&mut self, member: &Member) {
        let after_ms = member.metadata.rebalance_timeout_ms;
        let (group, member) = (Arc::clone(&self.name), Arc::clone(&member.id));
        self.set_timer(Timer::ConsumerRebalance { group, member }, after_ms);
    }

    /// Writes what a member says of itself, if that is new. Whether it subscribes to something else.
    pub(super) fn update_member(&mut self, id: &MemberId, metadata: MemberMetadata) -> bool {
        let old = self.group.member(id);
        if old.is_some_and(|old| *old.metadata == metadata) {
            return false;
        }
        let nothing = MemberMetadata::default();
        let before = old.map_or(&nothing, |old| &old.metadata);
        let changed = before.topic_names != metadata.topic_names
            || before.topic_regex != metadata.topic_regex;
        self.write(records::member(&self.name, id, &metadata));
        changed
    }

    /// Looks up the topics of expressions that are new or, if `refresh`, of all; forgets those that
    /// nobody subscribes to. Whether the topics of some expression are others now. An expression that
    /// does not compile, which only another coordinator can have let in, stands for no topic.
    pub(super) fn resolve_regexes(&mut self, refresh: bool) -> bool {
        let subscribed: Vec<_> = self.group.regexes().map(Arc::clone).collect();
        let gone: Vec<_> = self
            .group
            .resolved_regexes()
            .map(|(regex, _)| Arc::clone(regex))
            .filter(|regex| self.group.regex_subscribers(regex) == 0)
            .collect();
        let mut changed = false;
        for regex in gone {
            self.write(records::regex_tombstone(&self.name, &regex));
            changed = true;
        }
        for regex in subscribed {
            let old = self.group.resolved(&regex).map(Arc::clone);
            if old.is_some() && !refresh {
                continue;
            }
            let topics = SubscriptionRegex::compile(&regex)
                .map(|compiled| compiled.resolve(&self.image))
                .unwrap_or_default();
            if old.is_some_and(|old| old.topics == topics) {
                continue;
            }
            let version = i64::try_from(self.image.offset()).unwrap_or(i64::MAX);
            let resolved = ResolvedRegex { topics, version, timestamp_ms: self.now_ms };
            self.write(records::regex(&self.name, &regex, &resolved));
            changed = true;
        }
        changed
    }

    /// What the subscribed topics look like now.
    pub(super) fn metadata_hash(&mut self) -> i64 {
        let topics = self.group.subscribed_topics();
        let image = self.image.offset();
        if let Some(known) = &self.hashed
            && known.image == image
            && known.topics == topics
        {
            return known.hash;
        }
        let hash = group_hash(&self.image, topics.iter().map(|topic| &**topic));
        self.hashed = Some(Arc::new(Hashed { image, topics, hash }));
        hash
    }

    /// Begins a new group epoch: a new target assignment is wanted.
    pub(super) fn bump_epoch(&mut self, metadata_hash: i64) {
        let epoch = self.group.epoch().saturating_add(1);
        self.write(records::epoch(&self.name, epoch, metadata_hash));
        if self.group.has_subscription_metadata() {
            self.write(records::subscription_metadata_tombstone(&self.name));
        }
    }

    /// Makes a new target assignment if one is wanted and the last one is not too fresh (KIP-1263). A
    /// member that is alone need not wait: nobody else moves.
    pub(super) fn update_target(&mut self) {
        let made_ms = self.group.target_timestamp_ms();
        let interval_ms = i64::from(self.config.assignment_interval_ms);
        let is_due = made_ms == 0
            || self.group.len() == 1
            || self.now_ms >= made_ms.saturating_add(interval_ms);
        if self.group.target_epoch() >= self.group.epoch() || !is_due {
            return;
        }
        for (member, target) in self.new_targets() {
            self.write(records::target(&self.name, &member, &target));
        }
        let epoch = self.group.epoch();
        self.write(records::target_epoch(&self.name, epoch, self.now_ms));
    }

    /// The targets that are not what they were.
    fn new_targets(&self) -> Vec<(MemberId, Arc<Assignment>)> {
        let group = &*self.group;
        let old: Vec<_> = group.members().map(|member| group.target(&member.id)).collect();
        let mut racks = Racks::default();
        let mut subscriptions = BTreeMap::new();
        let members: Vec<_> = group
            .members()
            .zip(&old)
            .map(|(member, assignment)| MemberSpec {
                member_id: &member.id,
                instance_id: member.metadata.instance_id.as_deref(),
                rack: member.metadata.rack_id.as_deref().map(|rack| racks.index(rack)),
                topics: self.subscription(member, &mut subscriptions),
                assignment,
            })
            .collect();
        let rack_aware = members.iter().any(|member| member.rack.is_some());
        let mut topics = BTreeMap::new();
        for topic in subscriptions.values().flat_map(|topics| topics.iter()) {
            if !topics.contains_key(topic)
                && let Some(topic) = self.image.topic(*topic)
            {
                let partitions = PartitionIndex::try_from(topic.partitions.len());
                let racks = if rack_aware { racks.of(&self.image, topic) } else { Vec::new() };
                let partitions = partitions.unwrap_or(PartitionIndex::MAX);
                topics.insert(topic.id, TopicSpec { partitions, racks });
            }
        }
        let assignor = group.preferred_assignor(&self.config.assignors);
        let new = assignor.assign(&GroupSpec { members, topics });
        group
            .members()
            .zip(new)
            .filter(|(member, new)| group.recorded_target(&member.id) != Some(new))
            .map(|(member, new)| (Arc::clone(&member.id), new))
            .collect()
    }

    /// The topics that a member subscribes to and that exist; equal subscriptions share one set.
    fn subscription(&self, member: &Member, known: &mut Subscriptions) -> Arc<BTreeSet<TopicId>> {
        let key =
            (Arc::clone(&member.metadata.topic_names), Arc::clone(&member.metadata.topic_regex));
        let topics = known.entry(key).or_insert_with(|| {
            let by_regex = member.regex().and_then(|regex| self.group.resolved(regex));
            let by_regex = by_regex.into_iter().flat_map(|resolved| resolved.topics.iter());
            let names = member.metadata.topic_names.iter().chain(by_regex);
            let topics = names.filter_map(|name| self.image.topic_by_name(name));
            Arc::new(topics.map(|topic| topic.id).collect())
        });
        Arc::clone(topics)
    }

    /// Takes a member one step towards its target. `owned` is what it says it has.
    pub(super) fn reconcile(
        &mut self,
        id: &MemberId,
        owned: Option<&Assignment>,
        subscription_changed: bool,
    ) -> Result<(), UnknownState> {
        let target_epoch = self.group.target_epoch();
        let Some(member) = self.group.member(id) else { return Ok(()) };
        if !subscription_changed && member.is_reconciled_to(target_epoch) {
            return Ok(());
        }
        let by_regex = member.regex().and_then(|regex| self.group.resolved(regex));
        let step = Reconcile {
            target_epoch,
            target: &self.group.target(id),
            subscription_changed,
            owned,
            is_subscribed: |topic: TopicId| {
                self.image.topic(topic).is_some_and(|topic| {
                    member.metadata.topic_names.contains(&topic.name)
                        || by_regex.is_some_and(|regex| regex.topics.contains(&topic.name))
                })
            },
            is_held_by_another: |topic: TopicId, partition: PartitionIndex| {
                self.group.holder(topic, partition).is_some_and(|holder| holder != id)
            },
        };
        if let Some(next) = step.step(member)? {
            if next.state == MemberState::UnrevokedPartitions && !member.is_classic() {
                self.set_rebalance(&member.clone());
            }
            self.write(records::current(&self.name, id, &next));
        }
        Ok(())
    }
}

/// Racks by number, for one assignment.
#[derive(Debug, Default)]
struct Racks<'a>(BTreeMap<&'a str, RackIndex>);

impl<'a> Racks<'a> {
    fn index(&mut self, rack: &'a str) -> RackIndex {
        let next = RackIndex::try_from(self.0.len()).unwrap_or(RackIndex::MAX);
        *self.0.entry(rack).or_insert(next)
    }

    /// The racks of each partition's replicas, sorted; racks that no member is in are left out.
    fn of(&self, image: &Image, topic: &Topic) -> Vec<Vec<RackIndex>> {
        let racks = |replicas: &[i32]| {
            let brokers = replicas.iter().filter_map(|id| image.broker(*id));
            let racks = brokers.filter_map(|broker| broker.rack.as_deref());
            let racks: BTreeSet<_> = racks.filter_map(|rack| self.0.get(rack).copied()).collect();
            racks.into_iter().collect()
        };
        topic.partitions.values().map(|partition| racks(&partition.replicas)).collect()
    }
}
