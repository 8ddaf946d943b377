//! What a producer has to send: batches by partition, their sequences, retries and timeouts. Pure.
//!
//! Invariants:
//! - Batches of one partition leave in the order of their records, and those with a sequence keep it in
//!   every retry; a batch is sent again only when nothing else of its partition is in flight.
//! - A batch that may have been written is never sent under another producer id, since the broker could
//!   not tell it from a new one: when the sequence of a partition breaks, such a batch fails as unknown.

use std::collections::{BTreeMap, HashMap};

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, LeaderEpoch, Offset, TimestampMs, TopicPartition};
use ottla_protocol::record::RecordBatchBuilder;

use super::queue::{Batch, Queue};
use super::{Acknowledged, ProduceError, ProducerOptions, ProducerRecord};
use crate::error::ApiError;

/// Stands for one record whose sender waits.
pub(super) type Token = u64;
/// Milliseconds of a clock that only goes forward.
pub(super) type Millis = u64;

/// A producer id and its epoch, from InitProducerId.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
}

/// One partition's share of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outbound {
    pub(super) partition: TopicPartition,
    pub(super) batch: bytes::Bytes,
}

/// A request to one broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutboundRequest {
    pub(super) node: BrokerId,
    pub(super) batches: Vec<Outbound>,
}

/// How a request, or one partition of it, ended.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Written {
        base_offset: Offset,
        log_append_time: TimestampMs,
    },
    Refused(ApiError),
    /// The transport failed; `sent` says whether the broker may have got it.
    Failed {
        sent: bool,
        reason: String,
    },
}

/// The fate of a record.
pub(super) type Fate = (Token, Result<Acknowledged, ProduceError>);

/// All batches of a producer.
pub(super) struct Batches {
    options: std::sync::Arc<ProducerOptions>,
    retry_backoff: Box<dyn Fn(u32) -> Millis + Send + Sync>,
    queues: BTreeMap<TopicPartition, Queue>,
    requests_in_flight: HashMap<BrokerId, usize>,
    identity: Option<Identity>,
    /// Records up to this token are sent without lingering.
    flush_upto: Token,
    fates: Vec<Fate>,
}

impl Batches {
    pub(super) fn new(
        options: std::sync::Arc<ProducerOptions>,
        retry_backoff: impl Fn(u32) -> Millis + Send + Sync + 'static,
    ) -> Self {
        Self {
            options,
            retry_backoff: Box::new(retry_backoff),
            queues: BTreeMap::new(),
            requests_in_flight: HashMap::new(),
            identity: None,
            flush_upto: 0,
            fates: Vec::new(),
        }
    }

    /// Takes a record in. Tokens rise from call to call.
    pub(super) fn append(
        &mut self,
        now: Millis,
        partition: TopicPartition,
        timestamp: TimestampMs,
        record: &ProducerRecord,
        token: Token,
    ) {
        let size = super::placing::record_size(record);
        let queue = self.queues.entry(partition).or_default();
        let limit = self.options.batch_bytes;
        let fits = queue.waiting.back().is_some_and(|batch| {
            batch.attempts == 0 && batch.builder.size_in_bytes() + size <= limit
        });
        if !fits {
            queue.waiting.push_back(Batch {
                builder: RecordBatchBuilder::new(self.options.compression),
                tokens: Vec::new(),
                created_ms: now,
                attempts: 0,
                fields: None,
                encoded: bytes::Bytes::new(),
                maybe_written: false,
            });
        }
        if let Some(batch) = queue.waiting.back_mut() {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            batch.builder.append(timestamp, key, value, &record.headers);
            batch.tokens.push(token);
        }
    }

    /// Sends what waits up to this token without lingering.
    pub(super) fn flush(&mut self, upto: Token) {
        self.flush_upto = self.flush_upto.max(upto);
    }

    /// Whether a producer id is wanted before more can be sent.
    pub(super) fn wants_identity(&self) -> bool {
        self.options.idempotent
            && self.identity.is_none()
            && self
                .queues
                .values()
                .any(|queue| queue.identity.is_none() && !queue.waiting.is_empty())
    }

    /// A fresh producer id: for partitions that have none.
    pub(super) fn set_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
    }

    /// No producer id can be had: what waits for one fails.
    pub(super) fn refuse_identity(&mut self, error: &ApiError) {
        for (_, queue) in self.queues.iter_mut().filter(|(_, queue)| queue.identity.is_none()) {
            for batch in queue.waiting.drain(..) {
                let refused = || ProduceError::Refused { error: error.clone() };
                self.fates.extend(batch.tokens.into_iter().map(|token| (token, Err(refused()))));
            }
        }
    }

    /// The requests that can leave now. `leader` names each partition's leader.
    pub(super) fn drain(
        &mut self,
        now: Millis,
        leader: impl Fn(&TopicPartition) -> Option<(BrokerId, LeaderEpoch)>,
    ) -> Vec<OutboundRequest> {
        self.expire(now);
        let mut requests: BTreeMap<BrokerId, (usize, Vec<Outbound>)> = BTreeMap::new();
        for (partition, queue) in &mut self.queues {
            let Some(at) = leader(partition) else { continue };
            let busy = self.requests_in_flight.get(&at.0).copied().unwrap_or(0);
            if busy >= self.options.max_in_flight
                || !queue.may_send(now, at, self.flush_upto, &self.options)
            {
                continue;
            }
            if self.options.idempotent && queue.identity.is_none() {
                match self.identity {
                    Some(identity) => queue.take_identity(identity),
                    None => continue,
                }
            }
            let (size, batches) = requests.entry(at.0).or_default();
            let next = queue.waiting.front().map_or(0, |batch| batch.builder.size_in_bytes());
            if !batches.is_empty() && *size + next > self.options.max_request_bytes {
                continue;
            }
            let Some(batch) = queue.send_next() else { continue };
            *size += batch.len();
            batches.push(Outbound { partition: partition.clone(), batch });
        }
        let requests: Vec<OutboundRequest> = requests
            .into_iter()
            .filter(|(_, (_, batches))| !batches.is_empty())
            .map(|(node, (_, batches))| OutboundRequest { node, batches })
            .collect();
        for request in &requests {
            *self.requests_in_flight.entry(request.node).or_default() += 1;
        }
        requests
    }

    /// A request to a node has ended, whatever its partitions' answers are.
    pub(super) fn request_ended(&mut self, node: BrokerId) {
        if let Some(count) = self.requests_in_flight.get_mut(&node) {
            *count = count.saturating_sub(1);
        }
    }

    /// The answer for one partition's batch, as it was in [`Outbound`].
    pub(super) fn on_answer(
        &mut self,
        now: Millis,
        partition: &TopicPartition,
        batch: &bytes::Bytes,
        from: (BrokerId, LeaderEpoch),
        answer: Answer,
    ) {
        let Some(queue) = self.queues.get_mut(partition) else { return };
        let Some(at) = queue.in_flight.iter().position(|b| b.encoded.as_ptr() == batch.as_ptr())
        else {
            return;
        };
        let first = at == 0 && queue.waiting.iter().all(|b| b.attempts == 0);
        let Some(mut batch) = queue.in_flight.remove(at) else { return };
        let mut fatal = false;
        let error = match answer {
            Answer::Written { base_offset, log_append_time } => {
                queue.retry_at = 0;
                queue.failed_at = None;
                queue.established = true;
                let fates = batch.tokens.into_iter().enumerate().map(|(index, token)| {
                    let offset =
                        if base_offset < 0 { base_offset } else { base_offset + index as i64 };
                    let partition = partition.clone();
                    (token, Ok(Acknowledged { partition, offset, log_append_time }))
                });
                self.fates.extend(fates);
                queue.heal_if_broken(&mut self.identity, &mut self.fates);
                return;
            }
            Answer::Refused(error) => match verdict(error.error_code(), first) {
                Verdict::Written => {
                    let fates = batch.tokens.into_iter().map(|token| {
                        let partition = partition.clone();
                        (token, Ok(Acknowledged { partition, offset: -1, log_append_time: -1 }))
                    });
                    self.fates.extend(fates);
                    queue.heal_if_broken(&mut self.identity, &mut self.fates);
                    return;
                }
                Verdict::Retry { maybe_written } => {
                    batch.maybe_written |= maybe_written;
                    Failure::Refused(error)
                }
                Verdict::NewIdentity => {
                    queue.broken = true;
                    Failure::Refused(error)
                }
                Verdict::Fatal => {
                    fatal = true;
                    Failure::Refused(error)
                }
            },
            Answer::Failed { sent, reason } => {
                batch.maybe_written |= sent;
                Failure::Transport(reason)
            }
        };
        let expired = now >= batch.created_ms + self.options.delivery_timeout_ms;
        if fatal || expired || batch.attempts > self.options.retries {
            queue.broken |= batch.fields.is_some();
            let fail = error.into_error(batch.maybe_written);
            self.fates.extend(batch.tokens.into_iter().map(|token| (token, Err(fail.clone()))));
        } else {
            queue.retry_at = now + (self.retry_backoff)(batch.attempts);
            queue.failed_at = Some(from);
            queue.put_back(batch);
        }
        queue.heal_if_broken(&mut self.identity, &mut self.fates);
    }

    /// Fails what has waited for too long and is not in flight.
    fn expire(&mut self, now: Millis) {
        let timeout_ms = self.options.delivery_timeout_ms;
        for (partition, queue) in &mut self.queues {
            while let Some(batch) = queue.waiting.front() {
                let waited_ms = now.saturating_sub(batch.created_ms);
                if waited_ms < timeout_ms {
                    break;
                }
                let Some(batch) = queue.waiting.pop_front() else { break };
                queue.broken |= batch.fields.is_some();
                let reason = format!(
                    "Expiring {} record(s) for {partition}:{waited_ms} ms has passed since batch \
                     creation. The request has not been sent, or no server response has been \
                     received yet.",
                    batch.tokens.len()
                );
                let fail = Failure::Transport(reason).into_error(batch.maybe_written);
                self.fates.extend(batch.tokens.into_iter().map(|token| (token, Err(fail.clone()))));
            }
            queue.heal_if_broken(&mut self.identity, &mut self.fates);
        }
    }

    /// Whose fate is known by now.
    pub(super) fn take_fates(&mut self) -> Vec<Fate> {
        std::mem::take(&mut self.fates)
    }

    /// When something is due that no answer triggers.
    pub(super) fn next_wakeup(&self) -> Option<Millis> {
        let linger_ms = self.options.linger_ms;
        self.queues
            .values()
            .filter_map(|queue| {
                let batch = queue.waiting.front()?;
                let due = queue.retry_at.max(batch.created_ms + linger_ms);
                Some(due.min(batch.created_ms + self.options.delivery_timeout_ms))
            })
            .min()
    }

    /// Whether some partition's records are kept from leaving by a failure or a missing leader, so that
    /// fresh metadata is wanted.
    pub(super) fn is_stalled(
        &self,
        leader: impl Fn(&TopicPartition) -> Option<(BrokerId, LeaderEpoch)>,
    ) -> bool {
        self.queues.iter().any(|(partition, queue)| {
            !queue.waiting.is_empty()
                && match leader(partition) {
                    None => true,
                    at => queue.failed_at.is_some() && queue.failed_at == at,
                }
        })
    }

    /// Whether nothing waits and nothing is in flight.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.values().all(|q| q.waiting.is_empty() && q.in_flight.is_empty())
    }
}

enum Failure {
    Refused(ApiError),
    Transport(String),
}

impl Failure {
    fn into_error(self, maybe_written: bool) -> ProduceError {
        match (self, maybe_written) {
            (Self::Refused(error), false) => ProduceError::Refused { error },
            (Self::Refused(error), true) => ProduceError::Unknown { reason: error.to_string() },
            (Self::Transport(reason), true) => ProduceError::Unknown { reason },
            (Self::Transport(reason), false) => ProduceError::NotSent { reason },
        }
    }
}

enum Verdict {
    Written,
    Retry { maybe_written: bool },
    NewIdentity,
    Fatal,
}

/// What an error code says about the batch. `first` means that nothing before it in its sequence is
/// still to be acknowledged.
fn verdict(code: ErrorCode, first: bool) -> Verdict {
    match code {
        ErrorCode::DuplicateSequenceNumber => Verdict::Written,
        // An earlier batch is on its way again; this one follows it.
        ErrorCode::OutOfOrderSequenceNumber if !first => Verdict::Retry { maybe_written: false },
        ErrorCode::OutOfOrderSequenceNumber
        | ErrorCode::UnknownProducerId
        | ErrorCode::InvalidProducerEpoch => Verdict::NewIdentity,
        ErrorCode::NotEnoughReplicas
        | ErrorCode::LeaderNotAvailable
        | ErrorCode::UnknownTopicOrPartition
        | ErrorCode::UnknownTopicId
        | ErrorCode::CorruptMessage
        | ErrorCode::ThrottlingQuotaExceeded => Verdict::Retry { maybe_written: false },
        // A leader that steps down while it waits for replicas has written the batch already.
        code if code.is_retriable() => Verdict::Retry { maybe_written: true },
        _ => Verdict::Fatal,
    }
}

#[cfg(test)]
mod tests;
