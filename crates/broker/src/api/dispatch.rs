//! From a frame to the handler of its API, by THE table.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_protocol::api::{self, ApiKey};
use ottla_protocol::frame::{self, FrameError, RequestHeader};
use ottla_protocol::{Request, Wire};
use tokio::time::Instant;

use super::administration::{self, Role};
use super::payer::{Payer, timed};
use super::{
    AdminContext, Broker, Context, alter_replica_log_dirs, api_versions, consumer_group_describe,
    consumer_group_heartbeat, create_partitions, create_topics, delete_groups, delete_records,
    delete_topics, describe_groups, describe_log_dirs, describe_producers,
    describe_topic_partitions, fetch, find_coordinator, heartbeat, init_producer_id, join_group,
    leave_group, list_config_resources, list_groups, list_offsets, metadata, offset_commit,
    offset_delete, offset_fetch, offset_for_leader_epoch, produce, sync_group,
};
use crate::net::connection::{Handler, Refused, Reply};
use crate::net::listener::Accept;
use crate::quota::{ANONYMOUS, Client, Mute};

/// Makes the handlers of one listener's connections.
pub(crate) struct KafkaListener {
    pub(crate) broker: Arc<Broker>,
    /// Its name.
    pub(crate) listener: Arc<str>,
}

impl Accept for KafkaListener {
    type Handler = KafkaConnection;

    async fn accept(&self, peer: SocketAddr) -> KafkaConnection {
        self.broker.link.unfenced_once().await;
        KafkaConnection {
            broker: Arc::clone(&self.broker),
            listener: Arc::clone(&self.listener),
            peer: peer.ip(),
            user: Arc::from(ANONYMOUS),
            mute: Mute::new(),
            polls: fetch::Polls::default(),
        }
    }

    fn admit(&self, ip: IpAddr) -> Result<(), Duration> {
        self.broker.quotas.connected(ip)
    }
}

/// One client's requests.
pub(crate) struct KafkaConnection {
    broker: Arc<Broker>,
    listener: Arc<str>,
    peer: IpAddr,
    /// Who has logged in.
    user: Arc<str>,
    mute: Mute,
    polls: fetch::Polls,
}

impl From<FrameError> for Refused {
    fn from(error: FrameError) -> Self {
        Self(error.to_string())
    }
}

impl Handler for KafkaConnection {
    fn overlaps(&self, frame: &[u8]) -> bool {
        frame.first_chunk() == Some(&(ApiKey::Produce as i16).to_be_bytes())
    }

    fn handle(&mut self, frame: Bytes) -> Result<Reply, Refused> {
        let request_bytes = frame.len();
        let (key, mut call) = match Call::admit(frame, &self.broker.node.role)? {
            Admitted::Call(key, call) => (key, call),
            Admitted::Answered(reply) => return Ok(reply),
        };
        let payer = self.broker.quotas.any().then(|| Payer {
            quotas: Arc::clone(&self.broker.quotas),
            client: Client { user: Arc::clone(&self.user), id: call.header.client_id.clone() },
            mute: self.mute.clone(),
        });
        call.payer.clone_from(&payer);
        let context = Context {
            broker: Arc::clone(&self.broker),
            listener: Arc::clone(&self.listener),
            peer: self.peer,
            client_id: call.header.client_id.clone(),
            version: call.header.api_version,
            request_bytes,
            payer,
        };
        match key {
            ApiKey::Produce => {
                let request = call.decode()?;
                produce::handle(&context, call.header, request)
            }
            ApiKey::Fetch => {
                let request = call.decode()?;
                fetch::handle(context, &self.polls, call.header, request)
            }
            ApiKey::ListOffsets => call.now(|request| list_offsets::handle(&context, request)),
            ApiKey::Metadata => call.later(|request| metadata::handle(context, request)),
            ApiKey::OffsetCommit => call.later(|request| offset_commit::handle(context, request)),
            ApiKey::OffsetFetch => call.later(|request| offset_fetch::handle(context, request)),
            ApiKey::FindCoordinator => {
                call.later(|request| find_coordinator::handle(context, request))
            }
            ApiKey::JoinGroup => call.later(|request| join_group::handle(context, request)),
            ApiKey::Heartbeat => call.later(|request| heartbeat::handle(context, request)),
            ApiKey::LeaveGroup => call.later(|request| leave_group::handle(context, request)),
            ApiKey::SyncGroup => call.later(|request| sync_group::handle(context, request)),
            ApiKey::DescribeGroups => {
                call.later(|request| describe_groups::handle(context, request))
            }
            ApiKey::ListGroups => call.later(|request| list_groups::handle(context, request)),
            ApiKey::CreateTopics => call.later(|request| create_topics::handle(context, request)),
            ApiKey::DeleteTopics => call.later(|request| delete_topics::handle(context, request)),
            ApiKey::DeleteRecords => call.later(|request| delete_records::handle(context, request)),
            ApiKey::InitProducerId => {
                call.later(|request| init_producer_id::handle(context, request))
            }
            ApiKey::OffsetForLeaderEpoch => {
                call.now(|request| offset_for_leader_epoch::handle(&context, request))
            }
            ApiKey::ListConfigResources => {
                call.now(|request| list_config_resources::handle(&context, &request))
            }
            ApiKey::CreatePartitions => {
                call.later(|request| create_partitions::handle(context, request))
            }
            ApiKey::DeleteGroups => call.later(|request| delete_groups::handle(context, request)),
            ApiKey::OffsetDelete => call.later(|request| offset_delete::handle(context, request)),
            ApiKey::ConsumerGroupHeartbeat => {
                call.later(|request| consumer_group_heartbeat::handle(context, request))
            }
            ApiKey::ConsumerGroupDescribe => {
                call.later(|request| consumer_group_describe::handle(context, request))
            }
            ApiKey::DescribeTopicPartitions => {
                call.now(|request| describe_topic_partitions::handle(&context, request))
            }
            ApiKey::AlterReplicaLogDirs => {
                call.now(|request| alter_replica_log_dirs::handle(&context, request))
            }
            ApiKey::DescribeLogDirs => {
                call.later(|request| describe_log_dirs::handle(context, request))
            }
            ApiKey::DescribeProducers => {
                call.now(|request| describe_producers::handle(&context, request))
            }
            key => {
                let context = AdminContext {
                    node: Arc::clone(&self.broker.node),
                    listener: Arc::clone(&self.listener),
                    version: context.version,
                };
                administration::begin(context, key, call)
            }
        }
    }

    fn muted_until(&self) -> Option<Instant> {
        self.mute.until()
    }
}

/// A frame that has arrived.
pub(super) enum Admitted {
    Call(ApiKey, Call),
    /// There is no more to do than to say which versions there are.
    Answered(Reply),
}

/// A request whose version is served.
pub(super) struct Call {
    header: RequestHeader,
    frame: Bytes,
    payer: Option<Payer>,
}

impl Call {
    /// The request in a frame, if whoever answers serves it.
    pub(super) fn admit(frame: Bytes, role: &Role) -> Result<Admitted, Refused> {
        let header = frame::peek(&frame)?;
        let Some(row) = api::row(header.api_key).filter(|row| role.serves(row)) else {
            return Err(Refused(format!("API key {} is not served", header.api_key)));
        };
        if row.serves(header.api_version) {
            return Ok(Admitted::Call(row.key, Self { header, frame, payer: None }));
        }
        if row.key == ApiKey::ApiVersions {
            return api_versions::unsupported(&header).map(Admitted::Answered);
        }
        Err(Refused(format!(
            "{:?} version {} is not served ({} to {} are)",
            row.key, header.api_version, row.served_min, row.max
        )))
    }

    /// The request's version.
    pub(super) fn version(&self) -> i16 {
        self.header.api_version
    }

    fn decode<Q: Request>(&self) -> Result<Q, Refused> {
        Ok(frame::decode_request(&self.header, self.frame.clone())?)
    }

    /// Answers at once.
    pub(super) fn now<Q, R>(self, handle: impl FnOnce(Q) -> R) -> Result<Reply, Refused>
    where
        Q: Request,
        R: Wire,
    {
        let begun = self.payer.is_some().then(std::time::Instant::now);
        let mut response = handle(self.decode()?);
        if let (Some(payer), Some(begun)) = (&self.payer, begun) {
            response.throttle(payer.answered(begun.elapsed()));
        }
        Ok(Reply::Ready(encode(&self.header, &response)?))
    }

    /// Answers when the handler is done.
    pub(super) fn later<Q, R, F>(self, handle: impl FnOnce(Q) -> F) -> Result<Reply, Refused>
    where
        Q: Request,
        R: Wire,
        F: Future<Output = R> + Send + 'static,
    {
        let answer = handle(self.decode()?);
        let Self { header, payer, .. } = self;
        let Some(payer) = payer else {
            return Ok(Reply::Waiting(Box::pin(async move {
                Ok(Some(encode(&header, &answer.await)?))
            })));
        };
        Ok(Reply::Waiting(Box::pin(async move {
            let (mut response, spent) = timed(answer).await;
            response.throttle(payer.answered(spent));
            Ok(Some(encode(&header, &response)?))
        })))
    }
}

pub(super) fn encode<R: Wire>(header: &RequestHeader, response: &R) -> Result<Vec<Bytes>, Refused> {
    Ok(vec![frame::encode_response(header, response)?.freeze()])
}
