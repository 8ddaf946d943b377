//! What a consumer makes of the answers to its requests.

use std::collections::BTreeMap;

use ottla_protocol::ErrorCode;
use ottla_protocol::ids::{BrokerId, KafkaUuid};
use ottla_protocol::messages::fetch_response::{NodeEndpoint, PartitionData};
use ottla_protocol::messages::{self, FetchResponse};

use super::fetch::{Asked, Done, Fetcher};
use super::position::{Aborted, visible};
use super::{Fetched, IsolationLevel};
use crate::admin::{ListedOffset, Outcome};
use crate::error::{ApiError, ClientError};
use crate::metadata::Node;
use crate::options::HostPort;

impl Fetcher {
    pub(super) fn on_done(&mut self, node: BrokerId, done: Done) -> Result<(), ClientError> {
        match done {
            Done::Listed(asked, listed) => {
                for one in &asked {
                    let answer = match &listed {
                        Ok(outcomes) => outcomes.get(&one.partition).cloned(),
                        Err(error) if error.is_retriable() => None,
                        Err(error) => return Err(error.clone()),
                    };
                    self.on_listed(one, answer)?;
                }
            }
            Done::Fetched(asked, answer) => {
                self.fetching.remove(&node);
                match answer {
                    Ok((version, response)) => self.on_fetched(&asked, version, &response)?,
                    Err(error) if error.is_retriable() => {
                        for one in &asked {
                            self.try_later(one);
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    fn on_listed(
        &mut self,
        asked: &Asked,
        answer: Option<Outcome<ListedOffset>>,
    ) -> Result<(), ClientError> {
        match answer {
            Some(Ok(listed)) => {
                if let Some(position) = self.answered(asked) {
                    position.next = Some(listed.offset.max(0));
                    position.attempts = 0;
                }
                Ok(())
            }
            Some(Err(error)) if !error.is_retriable() => Err(error.into()),
            _ => {
                self.try_later(asked);
                Ok(())
            }
        }
    }

    fn on_fetched(
        &mut self,
        asked: &[Asked],
        version: i16,
        response: &FetchResponse,
    ) -> Result<(), ClientError> {
        let whole = ApiError::from_wire(response.error_code, None);
        let metadata = self.client.metadata();
        let mut answers: BTreeMap<(&str, i32), &PartitionData> = BTreeMap::new();
        for topic in &response.responses {
            let by_id = metadata.topic_name(KafkaUuid(topic.topic_id));
            let name = match by_id {
                Some(name) if version >= 13 => name,
                _ => topic.topic.as_str(),
            };
            for partition in &topic.partitions {
                answers.insert((name, partition.partition_index), partition);
            }
        }
        for one in asked {
            match answers.get(&(&*one.partition.topic, one.partition.partition)) {
                Some(data) if whole.is_none() => {
                    self.on_partition(one, data, &response.node_endpoints)?;
                }
                _ => self.try_later(one),
            }
        }
        Ok(())
    }

    fn on_partition(
        &mut self,
        asked: &Asked,
        data: &PartitionData,
        endpoints: &[NodeEndpoint],
    ) -> Result<(), ClientError> {
        let reset = self.options.offset_reset;
        let Some(error) = ApiError::from_wire(data.error_code, None) else {
            return self.on_records(asked, data);
        };
        match error.error_code() {
            ErrorCode::OffsetOutOfRange => {
                let Some(start) = reset else { return Err(error.into()) };
                if let Some(position) = self.answered(asked) {
                    position.next = None;
                    position.start = start;
                    position.last_epoch = -1;
                }
                Ok(())
            }
            code if code.is_retriable() => {
                let hint = &data.current_leader;
                let nodes = endpoints.iter().filter_map(|node| {
                    let address = HostPort {
                        host: node.host.to_string(),
                        port: u16::try_from(node.port).ok()?,
                    };
                    Some(Node { id: node.node_id.0, address, rack: None })
                });
                let (leader, epoch) = (hint.leader_id.0, hint.leader_epoch);
                let news =
                    leader >= 0 && self.client.hint_leader(&asked.partition, leader, epoch, nodes);
                if news {
                    let _ = self.answered(asked);
                } else {
                    self.try_later(asked);
                }
                Ok(())
            }
            _ => Err(error.into()),
        }
    }

    fn on_records(&mut self, asked: &Asked, data: &PartitionData) -> Result<(), ClientError> {
        let committed_only = self.options.isolation == IsolationLevel::ReadCommitted;
        let Some(position) = self.answered(asked) else { return Ok(()) };
        position.attempts = 0;
        if data.diverging_epoch.epoch >= 0 {
            // What was read last has been truncated since: go on from where the logs still agree.
            position.next = Some(asked.offset.min(data.diverging_epoch.end_offset));
            position.last_epoch = data.diverging_epoch.epoch;
            return Ok(());
        }
        let Some(bytes) = data.records.as_ref().filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        let aborted: Option<Vec<Aborted>> =
            data.aborted_transactions.as_ref().filter(|_| committed_only).map(|list| {
                let one = |abort: &messages::fetch_response::AbortedTransaction| Aborted {
                    first_offset: abort.first_offset,
                    producer_id: abort.producer_id.0,
                };
                list.iter().map(one).collect()
            });
        let run = visible(bytes, asked.offset, aborted.as_deref()).map_err(|error| ApiError {
            code: ErrorCode::CorruptMessage.code(),
            message: Some(format!("{} at offset {}: {error}", asked.partition, asked.offset)),
        })?;
        position.next = Some(run.next_offset);
        position.last_epoch = run.last_epoch.unwrap_or(position.last_epoch);
        if !run.records.is_empty() {
            self.ready.push(Fetched {
                partition: asked.partition.clone(),
                records: run.records,
                high_watermark: data.high_watermark,
            });
        }
        Ok(())
    }
}
