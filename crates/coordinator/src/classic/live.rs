//! What a classic group is doing: its members, and how far its rebalance is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ids::{TimestampMs, TopicName};

use super::member::AwaitingJoin;
use super::{ClassicGroup, Member};
use crate::consumer::embedded;
use crate::error::GroupError;
use crate::record::ClassicGroupValue;
use crate::request::Token;
use crate::{GroupName, MemberId};

/// How far the group's rebalance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No members.
    Empty,
    /// Members join. `initial`: the group was empty, and gives others time to come.
    PreparingRebalance { initial: Option<Initial> },
    /// All have joined: the leader assigns.
    CompletingRebalance,
    /// All have, or can have, their assignment.
    Stable,
}

/// The time that a group which was empty gives to members (`group.initial.rebalance.delay.ms`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Initial {
    /// This wait.
    pub(super) delay_ms: i32,
    /// What may be added, should others come.
    pub(super) remaining_ms: i32,
    pub(super) new_member: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) name: GroupName,
    pub(crate) phase: Phase,
    /// Since when.
    pub(crate) phase_since_ms: TimestampMs,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<Arc<str>>,
    /// Of this generation.
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) leader: Option<MemberId>,
    pub(super) members: BTreeMap<MemberId, Member>,
    /// By `group.instance.id`.
    pub(super) static_members: BTreeMap<Arc<str>, MemberId>,
    /// Clients that were given an id and have not joined with it yet (KIP-394).
    pub(super) pending: BTreeSet<MemberId>,
    /// Members that have not synced in this generation.
    pub(super) pending_sync: BTreeSet<MemberId>,
    /// How many members wait for their join.
    pub(super) awaiting_join: usize,
    /// How many members speak each protocol.
    pub(super) supported: BTreeMap<Arc<str>, usize>,
    /// The topics of all members; `None`: not known.
    pub(super) subscribed: Option<BTreeSet<TopicName>>,
    /// This generation's record is on its way.
    pub(super) storing: bool,
    /// The last generation that is known to have been written down.
    pub(super) stored_generation: i32,
}

impl Live {
    /// A group without members: one that is new, or only a record.
    pub(super) fn empty(
        name: &GroupName,
        group: Option<&ClassicGroup>,
        now_ms: TimestampMs,
    ) -> Self {
        let value = group.and_then(|group| group.value.as_deref());
        let protocol_type = value.map(|value| &value.protocol_type).filter(|it| !it.is_empty());
        Self {
            name: Arc::clone(name),
            phase: Phase::Empty,
            phase_since_ms: value.map_or(now_ms, |value| value.current_state_timestamp_ms),
            generation: value.map_or(0, |value| value.generation),
            protocol_type: protocol_type.cloned(),
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            static_members: BTreeMap::new(),
            pending: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            awaiting_join: 0,
            supported: BTreeMap::new(),
            subscribed: None,
            storing: false,
            stored_generation: value.map_or(0, |value| value.generation),
        }
    }

    /// A stable group out of its record.
    pub(super) fn from_value(name: &GroupName, value: &ClassicGroupValue) -> Self {
        let members = value
            .members
            .iter()
            .map(|it| Member::from_value(it, value.protocol.as_ref()))
            .collect();
        Self::stable(
            name,
            value.generation,
            &value.protocol_type,
            value.protocol.clone(),
            value.leader.clone(),
            value.current_state_timestamp_ms,
            members,
        )
    }

    /// A stable group of these members, none of which waits; without a `protocol` they vote for one.
    pub(crate) fn stable(
        name: &GroupName,
        generation: i32,
        protocol_type: &Arc<str>,
        protocol: Option<Arc<str>>,
        leader: Option<MemberId>,
        since_ms: TimestampMs,
        members: Vec<Member>,
    ) -> Self {
        let mut live = Self::empty(name, None, since_ms);
        live.generation = generation;
        live.stored_generation = generation;
        live.protocol_type = Some(Arc::clone(protocol_type));
        for member in members {
            live.add(member);
        }
        live.leader = leader.or(live.leader);
        live.protocol = protocol.or_else(|| live.elected_protocol());
        live.phase = Phase::Stable;
        live.subscribed = live.subscribed_topics();
        live
    }

    /// The group as a record.
    pub(crate) fn value(&self, assignment: impl Fn(&Member) -> Bytes) -> ClassicGroupValue {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let member = |member: &Member| member.value(protocol, assignment(member));
        ClassicGroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp_ms: self.phase_since_ms,
            members: self.members.values().map(member).collect(),
        }
    }

    /// Nothing but its record is left of it.
    pub(super) fn is_idle(&self) -> bool {
        self.phase == Phase::Empty
            && self.pending.is_empty()
            && self.stored_generation == self.generation
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.phase == Phase::Empty
    }

    /// Whether somebody may still join with an id that it was given.
    pub(crate) fn expects_members(&self) -> bool {
        !self.pending.is_empty()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn uses_consumer_protocol(&self) -> bool {
        self.protocol_type.as_deref() == Some(super::CONSUMER_PROTOCOL_TYPE)
    }

    pub(crate) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    pub(super) fn enter(&mut self, phase: Phase, now_ms: TimestampMs) {
        self.phase = phase;
        self.phase_since_ms = now_ms;
    }

    /// Takes a member in; the first one leads.
    pub(super) fn add(&mut self, member: Member) {
        if let Some(instance) = &member.instance_id {
            self.static_members.insert(Arc::clone(instance), Arc::clone(&member.id));
        }
        self.leader.get_or_insert_with(|| Arc::clone(&member.id));
        self.pending.remove(&member.id);
        self.count(&member, true);
        self.members.insert(Arc::clone(&member.id), member);
    }

    /// Lets a member, or one that might have come, go.
    pub(super) fn remove(&mut self, id: &str) -> Option<Member> {
        self.pending.remove(id);
        self.pending_sync.remove(id);
        let member = self.members.remove(id)?;
        self.count(&member, false);
        if let Some(instance) = &member.instance_id {
            self.static_members.remove(instance);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Keeps the sums over the members.
    fn count(&mut self, member: &Member, come: bool) {
        for (name, _) in &member.protocols {
            let count = self.supported.entry(Arc::clone(name)).or_default();
            *count = if come { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.supported.remove(name);
            }
        }
        if member.awaiting_join.is_some() {
            self.awaiting_join =
                if come { self.awaiting_join + 1 } else { self.awaiting_join.saturating_sub(1) };
        }
    }

    /// Changes a member.
    pub(super) fn update<T>(
        &mut self,
        id: &str,
        change: impl FnOnce(&mut Member) -> T,
    ) -> Option<T> {
        let (id, mut member) = self.members.remove_entry(id)?;
        self.count(&member, false);
        let result = change(&mut member);
        self.count(&member, true);
        self.members.insert(id, member);
        Some(result)
    }

    /// Takes a member's waiting join away, to be answered.
    pub(super) fn take_join(&mut self, id: &str) -> Option<AwaitingJoin> {
        let join = self.members.get_mut(id)?.awaiting_join.take()?;
        self.awaiting_join = self.awaiting_join.saturating_sub(1);
        Some(join)
    }

    pub(super) fn take_sync(&mut self, id: &str) -> Option<Token> {
        self.members.get_mut(id)?.awaiting_sync.take()
    }

    /// The dynamic member whose first join waits as `token`.
    pub(super) fn newcomer(&self, token: Token) -> Option<MemberId> {
        if self.awaiting_join == 0 {
            return None;
        }
        let waits = |member: &&Member| {
            member.is_new
                && member.instance_id.is_none()
                && member.awaiting_join.is_some_and(|join| join.token == token)
        };
        self.members.values().find(waits).map(|member| Arc::clone(&member.id))
    }

    pub(super) fn all_joined(&self) -> bool {
        self.awaiting_join == self.members.len() && self.pending.is_empty()
    }

    /// The longest that a member wants a rebalance to wait.
    pub(super) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).fold(0, i32::max)
    }

    /// Whether somebody who speaks these protocols fits in.
    pub(super) fn supports(
        &self,
        protocol_type: &str,
        mut protocols: impl Iterator<Item = impl AsRef<str>>,
    ) -> bool {
        if self.phase == Phase::Empty {
            return !protocol_type.is_empty() && protocols.next().is_some();
        }
        let by_all = |name: &str| {
            self.supported.get(name).copied().unwrap_or_default() == self.members.len()
        };
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.any(|name| by_all(name.as_ref()))
    }

    /// The protocol that all speak and most put first; of equals, the one the leader likes better.
    pub(super) fn elected_protocol(&self) -> Option<Arc<str>> {
        let by_all = |name: &Arc<str>| self.supported.get(name) == Some(&self.members.len());
        let mut votes = BTreeMap::<&Arc<str>, usize>::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|(name, _)| name);
            if let Some(vote) = names.find(|name| by_all(name)) {
                *votes.entry(vote).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let leader = self.members.get(self.leader.as_ref()?)?;
        let mut names = leader.protocols.iter().map(|(name, _)| name);
        names.find(|name| votes.get(name) == Some(&most)).cloned()
    }

    /// The topics of all members, if they are consumers and what they say can be read.
    pub(super) fn subscribed_topics(&self) -> Option<BTreeSet<TopicName>> {
        if !self.uses_consumer_protocol() {
            return None;
        }
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            let metadata = member.metadata(protocol);
            let subscription = embedded::subscription(&metadata).ok()?;
            topics.extend(subscription.topics.into_iter().map(TopicName::from));
        }
        Some(topics)
    }

    /// Whether the member is in the group, and is the one that has its `group.instance.id`.
    pub(super) fn check_member(
        &self,
        id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), GroupError> {
        if let Some(instance_id) = instance_id {
            let Some(current) = self.static_members.get(instance_id) else {
                return Err(unknown(id));
            };
            if **current != *id {
                return Err(GroupError::FencedInstanceId(format!(
                    "another member has taken over the group.instance.id {instance_id}"
                )));
            }
        }
        if self.members.contains_key(id) { Ok(()) } else { Err(unknown(id)) }
    }
}

pub(super) fn unknown(id: &str) -> GroupError {
    GroupError::UnknownMemberId(format!("the group has no member '{id}'"))
}
