//! What members of a classic group tell each other: subscriptions and assignments, in the consumers'
//! embedded protocol. Pure.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use ottla_protocol::ids::{TopicName, TopicPartition};
use ottla_protocol::messages::{
    self, ConsumerProtocolAssignment, ConsumerProtocolSubscription, consumer_protocol_assignment,
    consumer_protocol_subscription,
};
use ottla_protocol::{Encodable, Message, StrBytes};

/// What a member reads, and what it still owns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) topics: BTreeSet<TopicName>,
    pub(crate) owned: BTreeSet<TopicPartition>,
    /// The generation that it was given that in; -1: unknown.
    pub(crate) generation: i32,
    pub(crate) rack: Option<String>,
}

/// Bytes of another member that are no subscription or assignment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a member's {what} cannot be read: {why}")]
pub(crate) struct Unreadable {
    what: &'static str,
    why: String,
}

fn topic_name(name: &str) -> messages::TopicName {
    messages::TopicName(StrBytes::from_string(name.to_owned()))
}

/// The partitions of each topic, in order.
fn by_topic(partitions: &BTreeSet<TopicPartition>) -> BTreeMap<&str, Vec<i32>> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        topics.entry(&partition.topic).or_default().push(partition.partition);
    }
    topics
}

/// The bytes of a subscription, in the highest version.
pub(crate) fn encode_subscription(subscription: &Subscription) -> Result<Bytes, Unreadable> {
    let owned = by_topic(&subscription.owned).into_iter().map(|(topic, partitions)| {
        consumer_protocol_subscription::TopicPartition::default()
            .with_topic(topic_name(topic))
            .with_partitions(partitions)
    });
    let topics = subscription.topics.iter().map(|name| StrBytes::from_string(name.to_string()));
    let message = ConsumerProtocolSubscription::default()
        .with_topics(topics.collect())
        .with_user_data(None)
        .with_owned_partitions(owned.collect())
        .with_generation_id(subscription.generation)
        .with_rack_id(subscription.rack.as_ref().map(|rack| StrBytes::from_string(rack.clone())));
    encode("subscription", &message)
}

/// Reads a subscription of any version; what later versions append is left unread.
pub(crate) fn decode_subscription(bytes: &Bytes) -> Result<Subscription, Unreadable> {
    let mut reader = Reader::new("subscription", bytes);
    let version = reader.version()?;
    let mut subscription = Subscription { generation: -1, ..Subscription::default() };
    for _ in 0..reader.count(2)? {
        subscription.topics.insert(reader.text()?.into());
    }
    reader.skip_bytes()?;
    if version >= 1 {
        subscription.owned = reader.partitions()?;
    }
    if version >= 2 {
        subscription.generation = reader.int()?;
    }
    if version >= 3 {
        subscription.rack = reader.nullable_text()?.map(str::to_owned);
    }
    Ok(subscription)
}

/// The bytes of an assignment, in the highest version.
pub(crate) fn encode_assignment(
    assignment: &BTreeSet<TopicPartition>,
) -> Result<Bytes, Unreadable> {
    let topics = by_topic(assignment).into_iter().map(|(topic, partitions)| {
        consumer_protocol_assignment::TopicPartition::default()
            .with_topic(topic_name(topic))
            .with_partitions(partitions)
    });
    let message = ConsumerProtocolAssignment::default()
        .with_assigned_partitions(topics.collect())
        .with_user_data(None);
    encode("assignment", &message)
}

/// Reads an assignment; no bytes are no partitions.
pub(crate) fn decode_assignment(bytes: &Bytes) -> Result<BTreeSet<TopicPartition>, Unreadable> {
    if bytes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut reader = Reader::new("assignment", bytes);
    reader.version()?;
    reader.partitions()
}

fn encode<T: Encodable + Message>(what: &'static str, message: &T) -> Result<Bytes, Unreadable> {
    let mut bytes = BytesMut::new();
    let version = T::VERSIONS.max;
    bytes.put_i16(version);
    let error = |why: String| Unreadable { what, why };
    message.encode(&mut bytes, version).map_err(|source| error(source.to_string()))?;
    Ok(bytes.freeze())
}

/// Reads what another member has written: no count is believed beyond the bytes that are there.
struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn new(what: &'static str, bytes: &'a Bytes) -> Self {
        Self { what, bytes }
    }

    fn error(&self, why: &str) -> Unreadable {
        Unreadable { what: self.what, why: why.to_owned() }
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) =
            self.bytes.split_at_checked(length).ok_or_else(|| self.error("it is cut short"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn short(&mut self) -> Result<i16, Unreadable> {
        Ok(self.take(2)?.get_i16())
    }

    fn int(&mut self) -> Result<i32, Unreadable> {
        Ok(self.take(4)?.get_i32())
    }

    fn version(&mut self) -> Result<i16, Unreadable> {
        let version = self.short()?;
        if version < 0 { Err(self.error("its version is negative")) } else { Ok(version) }
    }

    /// How many elements follow, each of at least `least` bytes.
    fn count(&mut self, least: usize) -> Result<usize, Unreadable> {
        let count = self.int()?;
        let fits = |count: &usize| count.saturating_mul(least) <= self.bytes.len();
        usize::try_from(count)
            .ok()
            .filter(fits)
            .ok_or_else(|| self.error("it counts more elements than it holds"))
    }

    fn nullable_text(&mut self) -> Result<Option<&'a str>, Unreadable> {
        let Ok(length) = usize::try_from(self.short()?) else { return Ok(None) };
        let text = std::str::from_utf8(self.take(length)?);
        text.map(Some).map_err(|_| self.error("a text in it is not UTF-8"))
    }

    fn text(&mut self) -> Result<&'a str, Unreadable> {
        self.nullable_text()?.ok_or_else(|| self.error("a text in it is missing"))
    }

    fn skip_bytes(&mut self) -> Result<(), Unreadable> {
        if let Ok(length) = usize::try_from(self.int()?) {
            self.take(length)?;
        }
        Ok(())
    }

    fn partitions(&mut self) -> Result<BTreeSet<TopicPartition>, Unreadable> {
        let mut partitions = BTreeSet::new();
        for _ in 0..self.count(6)? {
            let topic = TopicName::from(self.text()?);
            for _ in 0..self.count(4)? {
                partitions.insert(TopicPartition::new(TopicName::clone(&topic), self.int()?));
            }
        }
        Ok(partitions)
    }
}

#[cfg(test)]
mod tests;
