//! A client's batch into the log.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ottla_config::{TimestampType, TopicConfig};
use ottla_log::LogError;
use ottla_protocol::ids::TopicPartition;
use ottla_protocol::record::{self, BatchError, BatchHeader, DecodeLimits, NO_TIMESTAMP};
use ottla_replication::{
    Admission, Input, NotAdmitted, SequenceError, Sequenced, producer_snapshot,
};
use ottla_rpc::MAX_BATCH_BYTES;

use super::ack::AckToken;
use super::replica::{After, Partition, State};
use super::types::{AppendError, AppendOptions, Appended, PartitionError};

impl Partition {
    /// Appends what a client sent for this partition: exactly one batch of magic 2. The bytes are taken
    /// over without a copy if nobody else holds them. Synchronous: a write to the page cache.
    ///
    /// With `acks_all`, `ack` is completed when the batch is committed, or fails to be; it is dropped
    /// (and so counts as refused) with an error.
    ///
    /// # Errors
    /// Definite: nothing of the batch will ever be read.
    pub fn append(
        self: &Arc<Self>,
        records: Bytes,
        options: AppendOptions,
        ack: Option<AckToken>,
    ) -> Result<Appended, AppendError> {
        let mut header = record::check_produced(&records).map_err(refuse)?;
        let settings = self.settings.load();
        check_limits(&header, &settings, options.now_ms)?;
        if settings.cleanup_policy.compact {
            self.check_keys(&records)?;
        }
        let mut batch = records.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        let mut log_append_time_ms = NO_TIMESTAMP;
        if settings.message_timestamp_type == TimestampType::LogAppendTime {
            log_append_time_ms = options.now_ms;
            record::stamp_log_append_time(&mut batch, options.now_ms);
            header.max_timestamp = options.now_ms;
        }
        let sequenced = Sequenced::of(&header);
        let now_ms = self.shared.clock.now_ms();
        self.run(|state, after| {
            state.replica.check_epoch(options.leader_epoch).map_err(PartitionError::from)?;
            let admission =
                state.replica.admit(sequenced.as_ref(), options.acks_all, options.now_ms);
            let log_start_offset = state.replica.offsets().log_start;
            match admission.map_err(|error| not_admitted(state, error))? {
                Admission::Duplicate(original) => {
                    if let Some(waiter) = state.wait(ack) {
                        let offset = original.last_offset + 1;
                        state.step(now_ms, Input::Await { offset, waiter });
                    }
                    Ok(Appended {
                        base_offset: original.base_offset(),
                        log_append_time_ms,
                        log_start_offset,
                        duplicate: true,
                    })
                }
                Admission::Append { base_offset, leader_epoch } => {
                    record::stamp(&mut batch, base_offset, leader_epoch);
                    let log_end = write(state, after, &batch, From::Client)?;
                    let batch = batch.freeze();
                    if let Some(sequenced) = &sequenced {
                        let producers = state.replica.producers_mut();
                        producers.record(sequenced, base_offset, options.now_ms);
                    }
                    for feed in &mut state.feeds {
                        after.ready.extend(feed.on_append(base_offset, log_end, &batch));
                    }
                    let waiter = state.wait(ack);
                    state.step(now_ms, Input::Appended { log_end, waiter });
                    self.schedule_flush(state, &settings);
                    Ok(Appended {
                        base_offset,
                        log_append_time_ms,
                        log_start_offset,
                        duplicate: false,
                    })
                }
            }
        })
    }

    /// Compaction keeps the last record of each key: every record has one. Only here a client's records
    /// are looked at.
    fn check_keys(&self, batch: &Bytes) -> Result<(), AppendError> {
        let mut records = Vec::new();
        record::decode_batch(batch, DecodeLimits::default(), &mut records)
            .map_err(|error| AppendError::Corrupt(error.to_string()))?;
        if records.iter().any(|record| record.key.is_none()) {
            let topic = Arc::clone(self.topic());
            return Err(AppendError::WithoutKey(TopicPartition::new(topic, self.id().partition)));
        }
        Ok(())
    }

    /// With `flush.ms` set: what has been written is flushed after so long.
    pub(super) fn schedule_flush(self: &Arc<Self>, state: &mut State, settings: &TopicConfig) {
        if settings.flush_messages > 1 && settings.flush_ms < i64::MAX && !state.flush_scheduled {
            state.flush_scheduled = true;
            let at_ms = self.shared.clock.now_ms().saturating_add(settings.flush_ms);
            self.shared.timers.flush_at(at_ms, self);
        }
    }
}

/// Whose batches are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// A client's, stamped.
    Client,
    /// The leader's log's, where offsets may be missing.
    Leader,
}

/// Writes batches, and a snapshot of the producers where a segment begins. The log's end behind them.
pub(super) fn write(
    state: &mut State,
    after: &mut After,
    batches: &[u8],
    from: From,
) -> Result<i64, PartitionError> {
    let log = state.log()?;
    let appended = match from {
        From::Client => log.append(batches),
        From::Leader => log.append_copied(batches),
    };
    let info = match appended {
        Ok(info) => info,
        Err(error) => {
            note_failure(after, &error);
            return Err(PartitionError::Storage(error.to_string()));
        }
    };
    if info.rolled {
        // The producers have not been told of these batches yet: this is the state before them.
        let snapshot = producer_snapshot::encode(state.replica.producers());
        if let Err(error) = state.log()?.write_producer_snapshot(info.base_offset, &snapshot) {
            tracing::warn!(%error, "cannot write a producer snapshot");
            note_failure(after, &error);
        }
    }
    Ok(info.log_end)
}

/// Remembers that the log directory is out of service, if that is what `error` says.
pub(super) fn note_failure(after: &mut After, error: &LogError) {
    if let LogError::StorageFailed { .. } = error {
        after.storage_failed = Some(error.to_string());
    }
}

fn refuse(error: BatchError) -> AppendError {
    match error {
        BatchError::BadMagic { magic, .. } => AppendError::UnsupportedFormat(magic),
        BatchError::NotOneBatch { .. } | BatchError::Invalid(_) => {
            AppendError::InvalidRecord(error.to_string())
        }
        BatchError::Truncated { .. } | BatchError::BadLength { .. } | BatchError::BadCrc { .. } => {
            AppendError::Corrupt(error.to_string())
        }
    }
}

fn check_limits(
    header: &BatchHeader,
    settings: &TopicConfig,
    now_ms: i64,
) -> Result<(), AppendError> {
    if header.is_transactional() {
        return Err(AppendError::Transactional);
    }
    let size = header.size_in_bytes();
    let limit = usize::try_from(settings.max_message_bytes).unwrap_or(0).min(MAX_BATCH_BYTES);
    if size > limit {
        return Err(AppendError::TooLarge { size, limit });
    }
    let limit = usize::try_from(settings.segment_bytes).unwrap_or(0);
    if size > limit {
        return Err(AppendError::LargerThanSegment { size, limit });
    }
    if settings.message_timestamp_type == TimestampType::CreateTime {
        check_timestamps(header, settings, now_ms)?;
    }
    Ok(())
}

/// The records' own timestamps are not looked at: the header's stand for them.
fn check_timestamps(
    header: &BatchHeader,
    settings: &TopicConfig,
    now_ms: i64,
) -> Result<(), AppendError> {
    let (first, last) = (header.base_timestamp, header.max_timestamp);
    let before = settings.message_timestamp_before_max_ms;
    let after = settings.message_timestamp_after_max_ms;
    let refuse = |timestamp: i64| {
        Err(AppendError::InvalidTimestamp(format!(
            "timestamp {timestamp} is out of range: it must be at most {before} ms before \
             (message.timestamp.before.max.ms) and {after} ms after \
             (message.timestamp.after.max.ms) the broker's time, {now_ms}"
        )))
    };
    if first != NO_TIMESTAMP && now_ms.saturating_sub(first) > before {
        return refuse(first);
    }
    if last != NO_TIMESTAMP && last.saturating_sub(now_ms) > after {
        return refuse(last);
    }
    Ok(())
}

fn not_admitted(state: &State, error: NotAdmitted) -> AppendError {
    match error {
        NotAdmitted::NotLeader => state.not_leader().into(),
        NotAdmitted::NotEnoughReplicas { in_sync, required } => {
            AppendError::NotEnoughReplicas { in_sync, required }
        }
        NotAdmitted::Sequence(SequenceError::OutOfOrder { producer_id, got, expected }) => {
            AppendError::OutOfOrderSequence { producer_id, got, expected }
        }
        NotAdmitted::Sequence(SequenceError::Fenced { producer_id, got, current }) => {
            AppendError::InvalidProducerEpoch { producer_id, got, current }
        }
    }
}
