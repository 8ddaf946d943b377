//! The leader's side of the replica streams: the gRPC service.

use std::sync::Arc;

use ottla_protocol::ids::{KafkaUuid, TopicIdPartition};
use ottla_replication::Position;
use ottla_rpc::replication::partition_data::Outcome;
use ottla_rpc::replication::replication_server::Replication;
use ottla_rpc::replication::{
    FromFollower, Hello, IdentifyReply, IdentifyRequest, PartitionData, PartitionKey,
};
use tonic::{Request, Response, Status, Streaming};

use super::codes;
use super::session::{Session, SessionStream};
use super::shared::Shared;

/// Serves `Replicate` and `Identify`.
#[derive(Clone)]
pub struct ReplicationService {
    shared: Arc<Shared>,
}

impl ReplicationService {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// A stream from another cluster, or one that was meant for another broker, is turned away.
    #[allow(clippy::result_large_err, reason = "tonic's Status is what the caller returns")]
    fn check_hello(&self, hello: &Hello) -> Result<(), Status> {
        let cluster_id = self.shared.cluster_id();
        if cluster_id.as_deref().is_some_and(|ours| ours != hello.cluster_id) {
            return Err(Status::failed_precondition(format!(
                "this broker belongs to cluster {}, not {}",
                cluster_id.unwrap_or_default(),
                hello.cluster_id
            )));
        }
        if hello.leader_id != self.shared.me {
            return Err(Status::failed_precondition(format!(
                "this is broker {}, not {}",
                self.shared.me, hello.leader_id
            )));
        }
        Ok(())
    }
}

/// A partition's id from the wire.
pub(super) fn partition_id(key: Option<&PartitionKey>) -> Option<TopicIdPartition> {
    let key = key?;
    Some(TopicIdPartition::new(KafkaUuid::from_slice(&key.topic_id)?, key.partition))
}

#[tonic::async_trait]
impl Replication for ReplicationService {
    type ReplicateStream = SessionStream;

    async fn replicate(
        &self,
        request: Request<Streaming<FromFollower>>,
    ) -> Result<Response<Self::ReplicateStream>, Status> {
        let mut inbound = request.into_inner();
        let first = inbound.message().await?;
        let Some((hello, first)) =
            first.and_then(|mut it| it.hello.take().map(|hello| (hello, it)))
        else {
            return Err(Status::invalid_argument("the first message must say hello"));
        };
        self.check_hello(&hello)?;
        let session = Session::new(hello.follower_id, hello.follower_epoch);
        self.shared.note_up(hello.follower_id);
        tracing::debug!(follower = hello.follower_id, "a follower's stream begins");
        let stream = SessionStream::new(Arc::clone(&session));
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let mut stopping = shared.stopping.subscribe();
            handle(&shared, &session, &first);
            loop {
                tokio::select! {
                    biased;
                    message = inbound.message() => match message {
                        Ok(Some(message)) => handle(&shared, &session, &message),
                        Ok(None) | Err(_) => {
                            shared.note_lost(session.follower());
                            break;
                        }
                    },
                    _ = stopping.wait_for(|stop| *stop) => break,
                }
            }
            tracing::debug!(follower = session.follower(), "a follower's stream has ended");
            session.close();
        });
        Ok(Response::new(stream))
    }

    async fn identify(
        &self,
        _request: Request<IdentifyRequest>,
    ) -> Result<Response<IdentifyReply>, Status> {
        Ok(Response::new(IdentifyReply {
            broker_id: self.shared.me,
            incarnation_id: bytes::Bytes::copy_from_slice(self.shared.incarnation_id.as_bytes()),
            cluster_id: self.shared.cluster_id().unwrap_or_default(),
        }))
    }
}

/// What a follower said, in the order in which it is meant: what it leaves, what it wants, how far it is.
fn handle(shared: &Arc<Shared>, session: &Arc<Session>, message: &FromFollower) {
    for key in &message.drops {
        if let Some(partition) = partition_id(Some(key)).and_then(|id| session.remove(id)) {
            partition.forget_session(session);
        }
    }
    for position in &message.positions {
        let Some(id) = partition_id(position.key.as_ref()) else { continue };
        let Some(partition) = shared.get(id) else {
            session.push_reply(PartitionData {
                key: position.key.clone(),
                leader_epoch: position.current_leader_epoch,
                attempt: position.attempt,
                high_watermark: -1,
                log_start_offset: -1,
                base_offset: None,
                outcome: Some(Outcome::Refused(codes::unknown_topic())),
            });
            continue;
        };
        session.add(&partition);
        partition.subscribe(
            session,
            Position {
                follower: session.follower(),
                broker_epoch: session.broker_epoch(),
                leader_epoch: position.current_leader_epoch,
                attempt: position.attempt,
                log_end: position.fetch_offset,
                flushed: position.flushed_offset,
                last_epoch: position.last_fetched_epoch,
            },
            position.log_start_offset,
        );
    }
    for progress in &message.progress {
        if let Some(partition) = partition_id(progress.key.as_ref()).and_then(|id| shared.get(id)) {
            partition.on_progress(session.follower(), session.broker_epoch(), progress);
        }
    }
}
