//! A plan in the making: records, and the image as it would be with them.

use std::sync::Arc;

use ottla_config::Layers;
use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerEpoch, BrokerId, TopicIdPartition};

use super::{Limits, Plan};
use crate::election::{Change, Terms, next_state};
use crate::image::{Broker, Image, Partition, Topic};
use crate::proposal::Refusal;
use crate::record::Record;

/// Records, and a scratch image that holds their effects: what comes later in a request sees what
/// came before.
pub(super) struct Draft<'a> {
    limits: &'a Limits,
    image: Image,
    records: Vec<Record>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(image: &Image, limits: &'a Limits) -> Self {
        Self { limits, image: image.clone(), records: Vec::new() }
    }

    /// The image with the records so far.
    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    pub(super) fn push(&mut self, record: Record) {
        let taken = self.image.replay(&record);
        debug_assert_eq!(taken, Ok(()), "a plan makes no record that would be ignored");
        self.records.push(record);
    }

    pub(super) fn finish<R>(self, reply: R) -> Plan<R> {
        Plan { records: self.records, reply }
    }

    /// Changes one partition, by the rules of `election`. Whether anything changed.
    pub(super) fn change(&mut self, topic: &Topic, index: i32, change: Change) -> bool {
        let Some(old) = topic.partitions.get(&index) else { return false };
        let terms = Terms {
            id: TopicIdPartition::new(topic.id, index),
            image: &self.image,
            min_isr: self.min_isr(topic),
            unclean: self.unclean(topic),
        };
        let Some(state) = next_state(old, change, terms) else { return false };
        self.push(Record::Partition { id: TopicIdPartition::new(topic.id, index), state });
        true
    }

    /// Changes every partition for which `decide` names a change.
    pub(super) fn change_each(
        &mut self,
        decide: impl Fn(&Self, &Topic, &Partition) -> Option<Change>,
    ) {
        // The records only exchange partitions, so the walk can go over the image before them.
        let before = self.image.clone();
        for topic in before.topics() {
            for (&index, partition) in &topic.partitions {
                if let Some(change) = decide(self, topic, partition) {
                    self.change(topic, index, change);
                }
            }
        }
    }

    /// `min.insync.replicas` as somebody set it.
    fn min_isr(&self, topic: &Topic) -> Option<usize> {
        self.setting(topic, "min.insync.replicas")?.parse().ok()
    }

    /// `unclean.leader.election.enable` in force.
    pub(super) fn unclean(&self, topic: &Topic) -> bool {
        self.setting(topic, "unclean.leader.election.enable")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// What somebody set for a topic. What a single broker sets does not count: leader and controller
    /// must agree (as in Kafka since it has ELR).
    fn setting(&self, topic: &Topic, key: &str) -> Option<String> {
        let own = Some(self.image.topic_config(&topic.name));
        Layers { own, ..self.image.cluster_layers(&self.limits.static_values) }.set(key)
    }
}

/// The broker, if it is registered with this epoch.
pub(super) fn registered(
    image: &Image,
    broker_id: BrokerId,
    broker_epoch: BrokerEpoch,
) -> Result<&Arc<Broker>, Refusal> {
    let broker = image.broker(broker_id).ok_or_else(|| not_registered(broker_id))?;
    if broker.epoch != broker_epoch {
        let message = format!("Expected broker epoch {}, but got {broker_epoch}", broker.epoch);
        return Err(Refusal::new(ErrorCode::StaleBrokerEpoch, message));
    }
    Ok(broker)
}

pub(super) fn not_registered(broker_id: BrokerId) -> Refusal {
    let message = format!("Broker ID {broker_id} is not currently registered");
    Refusal::new(ErrorCode::BrokerIdNotRegistered, message)
}
