//! Before a record is the sender's: its partition is chosen, and there is room for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ottla_protocol::ids::{TopicName, TopicPartition};
use ottla_protocol::record::BATCH_HEADER_LEN;
use tokio::sync::oneshot;

use super::sender::{Append, Command};
use super::{Delivery, ProduceError, Producer, ProducerRecord};
use crate::error::ClientError;
use crate::metadata::TopicInfo;
use crate::partitioner::{Sticky, partition_for_key};

/// What a record takes besides key, value and headers, at most.
const RECORD_OVERHEAD: usize = 21;

/// Partition choice for records without a key, by topic.
pub(super) type StickyByTopic = Arc<Mutex<HashMap<TopicName, Sticky>>>;

/// An upper bound of a record's bytes in a batch, as Kafka's producer reckons it.
pub(super) fn record_size(record: &ProducerRecord) -> usize {
    let some = |length: usize| varint_size(length) + length;
    // Null is the length -1, of one byte.
    let bytes = |length: Option<usize>| length.map_or(1, some);
    let header = |header: &ottla_protocol::record::Header| {
        some(header.key.len()) + bytes(header.value.as_ref().map(bytes::Bytes::len))
    };
    let headers: usize = record.headers.iter().map(header).sum();
    let body =
        bytes(record.key.as_ref().map(Vec::len)) + bytes(record.value.as_ref().map(Vec::len));
    RECORD_OVERHEAD + body + varint_size(record.headers.len()) + headers
}

/// Bytes of a length as a zigzag varint.
fn varint_size(length: usize) -> usize {
    let bits = usize::BITS - (length << 1).leading_zeros();
    (bits.max(1)).div_ceil(7) as usize
}

/// Finds the record's partition, waits for room and hands the record to the sender.
pub(super) async fn hand_over(
    producer: &Producer,
    topic: &TopicName,
    record: ProducerRecord,
) -> Result<Delivery, ProduceError> {
    let options = &producer.options;
    let size = record_size(&record);
    let alone = BATCH_HEADER_LEN + size;
    if alone > options.max_request_bytes {
        return Err(ProduceError::TooLarge { size: alone, limit: options.max_request_bytes });
    }
    let limit = Duration::from_millis(options.max_block_ms);
    let blocked = async {
        let info = topic_info(producer, topic).await?;
        let partition = choose(producer, &info, &record, size)?;
        let permits = u32::try_from(size.min(options.buffer_bytes)).unwrap_or(u32::MAX);
        let room = Arc::clone(&producer.room).acquire_many_owned(permits).await;
        room.map(|room| (partition, room)).map_err(|_| ProduceError::Closed)
    };
    let (partition, room) = match tokio::time::timeout(limit, blocked).await {
        Ok(result) => result?,
        Err(_) => {
            let reason =
                format!("Topic {topic} not present in metadata after {} ms.", options.max_block_ms);
            return Err(ProduceError::NotSent { reason });
        }
    };
    let (answer, receiver) = oneshot::channel();
    let append = Append { partition, record, answer, room };
    producer.commands.send(Command::Append(Box::new(append))).map_err(|_| ProduceError::Closed)?;
    Ok(Delivery(receiver))
}

async fn topic_info(producer: &Producer, topic: &TopicName) -> Result<Arc<TopicInfo>, ClientError> {
    let followed = {
        let sticky = producer.sticky.lock().unwrap_or_else(PoisonError::into_inner);
        sticky.contains_key(topic)
    };
    if followed && let Some(Ok(info)) = producer.client.metadata().topic(topic) {
        return Ok(Arc::clone(info));
    }
    let info = producer.client.topic(topic, producer.options.auto_create_topics).await?;
    let mut sticky = producer.sticky.lock().unwrap_or_else(PoisonError::into_inner);
    sticky.entry(Arc::clone(topic)).or_default();
    Ok(info)
}

fn choose(
    producer: &Producer,
    topic: &TopicInfo,
    record: &ProducerRecord,
    size: usize,
) -> Result<TopicPartition, ProduceError> {
    let partition = match (record.partition, &record.key) {
        (Some(partition), _) => partition,
        (None, Some(key)) => partition_for_key(key, topic.partitions.len()),
        (None, None) => {
            let with_leader = topic.partitions.iter().filter(|p| p.leader.is_some());
            let mut available: Vec<_> = with_leader.map(|p| p.partition).collect();
            if available.is_empty() {
                available = topic.partitions.iter().map(|p| p.partition).collect();
            }
            let mut sticky = producer.sticky.lock().unwrap_or_else(PoisonError::into_inner);
            let sticky = sticky.entry(Arc::clone(&topic.name)).or_default();
            let batch = producer.options.batch_bytes;
            sticky.choose(size, batch, &available, rand::random()).unwrap_or(0)
        }
    };
    let place = TopicPartition::new(Arc::clone(&topic.name), partition);
    if topic.partition(partition).is_none() {
        return Err(ClientError::UnknownPartition(place).into());
    }
    Ok(place)
}
