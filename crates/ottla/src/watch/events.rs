//! From committed changes to what happened, and why. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_metadata::delta::{BrokerDelta, PartitionDelta};
use ottla_metadata::record::ConfigResource;
use ottla_metadata::{Broker, Delta, FenceCause, Image, Partition};
use serde::Serialize;

/// Something that happened to the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Event {
    /// When the active controller recorded it, milliseconds since the Unix epoch.
    pub(super) at_ms: i64,
    #[serde(flatten)]
    pub(super) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum What {
    ActiveController {
        old: Option<i32>,
        new: Option<i32>,
        term: u64,
    },
    BrokerRegistered {
        broker: i32,
        broker_epoch: i64,
        address: String,
    },
    BrokerUnfenced {
        broker: i32,
    },
    BrokerShuttingDown {
        broker: i32,
    },
    /// `noticed_ms_before`: how long before this record the cause was first seen.
    BrokerFenced {
        broker: i32,
        cause: &'static str,
        noticed_ms_before: Option<i64>,
    },
    BrokerRemoved {
        broker: i32,
    },
    TopicCreated {
        topic: Arc<str>,
        partitions: usize,
        replication_factor: usize,
    },
    TopicDeleted {
        topic: Arc<str>,
    },
    Leader(LeaderChange),
    Isr(IsrChange),
    ConfigChanged {
        of: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LeaderChange {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) old: Option<i32>,
    pub(super) new: Option<i32>,
    pub(super) old_epoch: i32,
    pub(super) new_epoch: i32,
    /// From the moment the old leader's fault was seen; absent after a handover.
    pub(super) unavailable_ms: Option<i64>,
    pub(super) unclean: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct IsrChange {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) isr: Vec<i32>,
    pub(super) left: Vec<i32>,
    pub(super) joined: Vec<i32>,
}

/// Follows the changes in order, and remembers since when a partition has no leader.
#[derive(Debug, Default)]
pub(super) struct Observer {
    offline_since_ms: BTreeMap<(Arc<str>, i32), i64>,
    controller: Option<i32>,
}

impl Observer {
    /// What `delta` tells; `after` is the image that it led to.
    pub(super) fn changes(&mut self, after: &Image, delta: &Delta) -> Vec<Event> {
        let mut all: Vec<What> = Vec::new();
        for (id, broker) in &delta.brokers {
            broker_events(*id, broker, delta.timestamp_ms, &mut all);
        }
        for topic in delta.deleted_topics.values() {
            self.offline_since_ms.retain(|(name, _), _| *name != topic.name);
            all.push(What::TopicDeleted { topic: Arc::clone(&topic.name) });
        }
        for (id, name) in &delta.created_topics {
            let topic = after.topic(*id);
            all.push(What::TopicCreated {
                topic: Arc::clone(name),
                partitions: topic.map_or(0, |topic| topic.partitions.len()),
                replication_factor: topic.map_or(0, ottla_metadata::Topic::replication_factor),
            });
        }
        for (id, change) in &delta.partitions {
            self.partition_events(id.partition, change, delta, &mut all);
        }
        for resource in &delta.configs {
            all.push(What::ConfigChanged { of: resource_name(resource) });
        }
        all.into_iter().map(|what| Event { at_ms: delta.timestamp_ms, what }).collect()
    }

    /// The feed said who leads the controllers.
    pub(super) fn controller(&mut self, now_ms: i64, leader: i32, term: u64) -> Option<Event> {
        let new = (leader >= 0).then_some(leader);
        if new == self.controller {
            return None;
        }
        let old = std::mem::replace(&mut self.controller, new);
        Some(Event { at_ms: now_ms, what: What::ActiveController { old, new, term } })
    }

    pub(super) fn active_controller(&self) -> Option<i32> {
        self.controller
    }

    fn partition_events(
        &mut self,
        partition: i32,
        change: &PartitionDelta,
        delta: &Delta,
        all: &mut Vec<What>,
    ) {
        // A new partition is told by its topic's creation.
        let Some(old) = &change.old else { return };
        let new = &change.new;
        if old.leader != new.leader {
            let unavailable_ms = self.unavailable_ms(partition, change, old, delta);
            all.push(What::Leader(LeaderChange {
                topic: Arc::clone(&change.topic),
                partition,
                old: old.leader,
                new: new.leader,
                old_epoch: old.leader_epoch,
                new_epoch: new.leader_epoch,
                unavailable_ms,
                unclean: new.leader_recovering && !old.leader_recovering,
            }));
        }
        if old.isr != new.isr {
            let without = |one: &[i32], other: &[i32]| {
                one.iter().copied().filter(|id| !other.contains(id)).collect::<Vec<_>>()
            };
            let (left, joined) = (without(&old.isr, &new.isr), without(&new.isr, &old.isr));
            if !left.is_empty() || !joined.is_empty() {
                all.push(What::Isr(IsrChange {
                    topic: Arc::clone(&change.topic),
                    partition,
                    isr: new.isr.clone(),
                    left,
                    joined,
                }));
            }
        }
    }

    /// Counted from the first sign of the old leader's fault to the record of the new leader.
    fn unavailable_ms(
        &mut self,
        partition: i32,
        change: &PartitionDelta,
        old: &Partition,
        delta: &Delta,
    ) -> Option<i64> {
        let key = (Arc::clone(&change.topic), partition);
        let fault_seen_ms = old
            .leader
            .and_then(|leader| delta.brokers.get(&leader))
            .filter(|broker| broker.cause != FenceCause::ControlledShutdown)
            .map(|broker| broker.detected_at_ms)
            .filter(|&seen| seen > 0);
        if change.new.leader.is_none() {
            self.offline_since_ms.insert(key, fault_seen_ms.unwrap_or(delta.timestamp_ms));
            return None;
        }
        let since = self.offline_since_ms.remove(&key).or(fault_seen_ms)?;
        Some((delta.timestamp_ms - since).max(0))
    }
}

fn broker_events(id: i32, change: &BrokerDelta, now_ms: i64, all: &mut Vec<What>) {
    let old = change.old.as_deref();
    let Some(new) = change.new.as_deref() else {
        all.push(What::BrokerRemoved { broker: id });
        return;
    };
    let was_serving = old.is_some_and(|broker| !broker.fenced);
    if new.fenced && was_serving {
        // A handover is announced, not noticed.
        let handover = change.cause == FenceCause::ControlledShutdown;
        let seen = if handover { 0 } else { change.detected_at_ms };
        all.push(What::BrokerFenced {
            broker: id,
            cause: cause_text(change.cause),
            noticed_ms_before: (seen > 0).then(|| (now_ms - seen).max(0)),
        });
    }
    if old.is_none_or(|broker| broker.epoch != new.epoch) {
        all.push(What::BrokerRegistered {
            broker: id,
            broker_epoch: new.epoch,
            address: address(new),
        });
    }
    if !new.fenced && !was_serving {
        all.push(What::BrokerUnfenced { broker: id });
    }
    if new.in_controlled_shutdown && !old.is_some_and(|broker| broker.in_controlled_shutdown) {
        all.push(What::BrokerShuttingDown { broker: id });
    }
}

pub(super) fn address(broker: &Broker) -> String {
    broker
        .inter_broker_endpoint()
        .map_or_else(String::new, |endpoint| format!("{}:{}", endpoint.host, endpoint.port))
}

fn cause_text(cause: FenceCause) -> &'static str {
    match cause {
        FenceCause::None => "cause unknown",
        FenceCause::ConnectionRefused => "connection closed, reconnect refused",
        FenceCause::OtherIncarnation => "connection closed, another process answers in its place",
        FenceCause::SessionExpired => "silent for the session timeout",
        FenceCause::ControlledShutdown => "leaderships handed over, stopping",
        FenceCause::RegisteredAgain => "registered again",
    }
}

fn resource_name(resource: &ConfigResource) -> String {
    match resource {
        ConfigResource::Topic(name) => format!("topic {name}"),
        ConfigResource::ClusterDefault => "all brokers".to_owned(),
        ConfigResource::Broker(id) => format!("broker {id}"),
        ConfigResource::Group(name) => format!("group {name}"),
        ConfigResource::ClientMetrics(name) => format!("metrics subscription {name}"),
    }
}

/// Whether somebody who asked for `topic` alone wants to hear of it: brokers and controllers always.
pub(super) fn concerns(event: &Event, topic: Option<&str>) -> bool {
    let Some(wanted) = topic else { return true };
    match &event.what {
        What::TopicCreated { topic, .. } | What::TopicDeleted { topic } => **topic == *wanted,
        What::Leader(change) => *change.topic == *wanted,
        What::Isr(change) => *change.topic == *wanted,
        What::ConfigChanged { of } => {
            of.strip_prefix("topic ").is_none_or(|changed| changed == wanted)
        }
        What::ActiveController { .. }
        | What::BrokerRegistered { .. }
        | What::BrokerUnfenced { .. }
        | What::BrokerShuttingDown { .. }
        | What::BrokerFenced { .. }
        | What::BrokerRemoved { .. } => true,
    }
}
